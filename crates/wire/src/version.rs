//! API versions: dates, some with `-preview`. A request names one; what is read and written follows it.

use std::fmt;

use crate::{ApiError, Operation};

/// A version an operation accepts. It can only be had from the operation's own list (or, for goldens, by name).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(&'static str);

impl ApiVersion {
    /// For code that names a version itself, such as tests and the first version that knows a field.
    #[must_use]
    pub const fn known(text: &'static str) -> Self {
        Self(text)
    }

    /// The version in the form it has on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Operation {
    /// The version the caller asked for, when this operation has it. `None` for an operation without versions.
    ///
    /// # Errors
    /// 400 when none is named, or one this operation does not have; `uri` is quoted in the message.
    pub fn version(&self, uri: &str, asked: Option<&str>) -> Result<Option<ApiVersion>, ApiError> {
        if self.versions.is_empty() {
            return Ok(None);
        }
        let asked = asked.filter(|text| !text.is_empty()).ok_or_else(ApiError::missing_api_version)?;
        match self.versions.iter().find(|known| known.eq_ignore_ascii_case(asked)) {
            Some(known) => Ok(Some(ApiVersion(known))),
            None => Err(ApiError::unsupported_api_version(uri, asked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::by_name;

    #[test]
    fn each_listed_version_is_accepted_and_no_other() {
        let send = by_name("chat.send_message").unwrap();
        for version in ["2021-09-07", "2023-11-07", "2024-03-07", "2025-03-15"] {
            assert_eq!(send.version("/x", Some(version)), Ok(Some(ApiVersion(version))));
        }
        for bad in ["2021-03-07", "2025-03-15-preview", "2025-3-15", " 2025-03-15", "latest"] {
            assert_eq!(send.version("/x", Some(bad)).unwrap_err().code(), "UnsupportedApiVersion", "{bad}");
        }
        for missing in [None, Some("")] {
            assert_eq!(send.version("/x", missing).unwrap_err().code(), "ApiVersionUnspecified");
        }
    }

    #[test]
    fn a_route_without_versions_asks_for_none() {
        let live = by_name("health.live").unwrap();
        assert_eq!(live.version("/health/live", None), Ok(None));
        assert_eq!(live.version("/health/live", Some("anything")), Ok(None));
    }

    #[test]
    fn versions_are_in_order_of_their_dates() {
        assert!(ApiVersion::known("2021-09-07") < ApiVersion::known("2023-11-07"));
        assert!(ApiVersion::known("2025-05-29-preview") > ApiVersion::known("2025-03-15"));
    }
}
