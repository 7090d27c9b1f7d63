//! Query parameters, as the SDKs write them: percent-encoded, a space as `%20`. A plus sign stands for itself, so that
//! an offset in a hand-written `startTime` survives. Names are compared without regard to case, as ACS does.

use std::borrow::Cow;

use base::{Limits, Timestamp};
use percent_encoding::percent_decode_str;

use crate::{ApiError, time};

/// The most parameters read; past it 400.
pub const MAX_PARAMETERS: usize = 64;

/// The parameters of one request.
#[derive(Clone, Default)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Reads what stands after the question mark.
    ///
    /// # Errors
    /// 400 when a name or value is badly encoded or not UTF-8, or there are more than [`MAX_PARAMETERS`].
    pub fn parse(query: Option<&'a str>) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(ApiError::bad_request(format!(
                    "The query has more than {MAX_PARAMETERS} parameters."
                )));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text| {
                decode(text).ok_or_else(|| {
                    ApiError::bad_request("A query parameter is not properly percent-encoded.")
                })
            };
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// The first value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_ref())
    }

    /// The value of a parameter that may be given once.
    ///
    /// # Errors
    /// 400 when it is given more than once with different values.
    pub fn single(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let mut values = self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((_, first)) = values.next() else { return Ok(None) };
        if values.any(|(_, other)| other != first) {
            let message = format!("The query parameter {name} is given more than once.");
            return Err(ApiError::validation(name, message));
        }
        Ok(Some(first))
    }

    /// `maxPageSize`: how many items a page may hold. Absent or too large: the limit.
    ///
    /// # Errors
    /// 400 when it is zero, negative or no whole number.
    pub fn page_size(&self, limits: &Limits) -> Result<usize, ApiError> {
        let asked = self.count("maxPageSize", "a whole number of at least 1")?;
        match asked {
            Some(0) => {
                Err(ApiError::validation("maxPageSize", "maxPageSize must be a whole number of at least 1."))
            }
            asked => Ok(asked.unwrap_or(limits.page_size).min(limits.page_size).max(1)),
        }
    }

    /// `maxPageSize` or `top` of a list whose pages have `most` items when nothing is asked for, and never more.
    ///
    /// # Errors
    /// 400 when it is zero, negative or no whole number.
    pub fn size(&self, name: &'static str, most: usize) -> Result<usize, ApiError> {
        match self.count(name, "a whole number of at least 1")? {
            Some(0) => {
                Err(ApiError::validation(name, format!("{name} must be a whole number of at least 1.")))
            }
            asked => Ok(asked.unwrap_or(most).min(most).max(1)),
        }
    }

    /// `skip`: how many items of the list are left out. Absent: none.
    ///
    /// # Errors
    /// 400 when it is negative or no whole number.
    pub fn skip(&self) -> Result<usize, ApiError> {
        Ok(self.count("skip", "a whole number of at least 0")?.unwrap_or(0))
    }

    /// `startTime`: the instant a list begins at.
    ///
    /// # Errors
    /// 400 when it is no RFC 3339 date with an offset.
    pub fn start_time(&self) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.single("startTime")?.filter(|text| !text.is_empty()) else { return Ok(None) };
        time::parse(text).map(Some).ok_or_else(|| {
            ApiError::validation("startTime", "startTime must be a date and time as in 2026-11-23T08:00:00Z.")
        })
    }

    /// The paging token, when this is a later page.
    ///
    /// # Errors
    /// 400 when it is given twice.
    pub fn page_token(&self) -> Result<Option<&str>, ApiError> {
        Ok(self.single(crate::page::TOKEN_PARAMETER)?.filter(|text| !text.is_empty()))
    }

    fn count(&self, name: &'static str, rule: &str) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.single(name)? else { return Ok(None) };
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ApiError::validation(name, format!("{name} must be {rule}.")));
        }
        // All digits: the only way to fail is to be too large to count.
        Ok(Some(text.parse().unwrap_or(usize::MAX)))
    }
}

/// Undoes percent-encoding, strictly: every `%` begins two hexadecimal digits, and the result is UTF-8.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let Some(first) = bytes.iter().position(|b| *b == b'%') else { return Some(Cow::Borrowed(text)) };
    let mut rest = &bytes[first..];
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' && !(tail.len() >= 2 && tail[..2].iter().all(u8::is_ascii_hexdigit)) {
            return None;
        }
        rest = tail;
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(text: &str) -> Query<'_> {
        Query::parse(Some(text)).unwrap()
    }

    #[test]
    fn reads_what_sdks_write() {
        let q =
            query("api-version=2025-03-15&maxPageSize=5&startTime=2026-11-23T08%3A00%3A00%2B01%3A00&x&&y=");
        assert_eq!(q.get("API-Version"), Some("2025-03-15"));
        assert_eq!((q.get("x"), q.get("y"), q.get("z")), (Some(""), Some(""), None));
        assert_eq!(q.start_time().unwrap().map(Timestamp::as_millis), Some(1_795_417_200_000));
        assert_eq!(query("startTime=2026-11-23T08:00:00+01:00").start_time(), q.start_time());
        assert_eq!(query("startTime=").start_time(), Ok(None));
        assert_eq!(Query::parse(None).unwrap().page_token(), Ok(None));
        assert_eq!(query("syncState=abc").page_token(), Ok(Some("abc")));
    }

    #[test]
    fn page_sizes_at_and_past_their_limits() {
        let limits = Limits::default();
        for (text, want) in [
            ("", 200),
            ("maxPageSize=1", 1),
            ("maxpagesize=199", 199),
            ("maxPageSize=200", 200),
            ("maxPageSize=201", 200),
            ("maxPageSize=99999999999999999999999999", 200),
        ] {
            assert_eq!(query(text).page_size(&limits), Ok(want), "{text}");
        }
        for bad in ["0", "00", "-1", "", "five", "1.0", "1e2", "%2B5", "+5", "٣"] {
            let text = format!("maxPageSize={bad}");
            let error = query(&text).page_size(&limits).unwrap_err();
            assert_eq!((error.status(), error.target()), (400, Some("maxPageSize")), "{bad}");
        }
        assert_eq!(query("").page_size(&Limits { page_size: 3, ..limits }), Ok(3));
    }

    #[test]
    fn sizes_of_other_lists() {
        for (text, want) in [("", 100), ("top=1", 1), ("top=100", 100), ("top=101", 100)] {
            assert_eq!(query(text).size("top", 100), Ok(want), "{text}");
        }
        for bad in ["top=0", "top=-1", "top=x", "top="] {
            assert_eq!(query(bad).size("top", 100).unwrap_err().target(), Some("top"), "{bad}");
        }
    }

    #[test]
    fn skips() {
        assert_eq!(query("").skip(), Ok(0));
        assert_eq!(query("skip=0").skip(), Ok(0));
        assert_eq!(query("skip=17").skip(), Ok(17));
        assert_eq!(query("skip=99999999999999999999999999").skip(), Ok(usize::MAX));
        for bad in ["skip=-1", "skip=x", "skip=", "skip=1.5"] {
            assert_eq!(query(bad).skip().unwrap_err().target(), Some("skip"));
        }
    }

    #[test]
    fn bad_times_are_refused() {
        for bad in ["yesterday", "2026-11-23", "1795420800000", "2026-11-23T08:00:00", "2026-11-23T25:00:00Z"]
        {
            let text = format!("startTime={bad}");
            assert_eq!(query(&text).start_time().unwrap_err().target(), Some("startTime"), "{bad}");
        }
    }

    #[test]
    fn two_values_are_refused_where_one_counts() {
        assert_eq!(query("skip=1&skip=1").skip(), Ok(1));
        assert_eq!(query("skip=1&SKIP=2").skip().unwrap_err().status(), 400);
    }

    #[test]
    fn bad_encodings_are_refused() {
        for bad in ["a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=%c3%28"] {
            assert_eq!(Query::parse(Some(bad)).err().map(|e| e.status()), Some(400), "{bad}");
        }
        let many = "a=1&".repeat(MAX_PARAMETERS);
        assert!(Query::parse(Some(&many)).is_ok());
        assert!(Query::parse(Some(&format!("{many}a=1"))).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            if let Ok(q) = Query::parse(Some(&text)) {
                let limits = Limits::default();
                let _ = (q.page_size(&limits), q.skip(), q.start_time(), q.page_token());
            }
        }

        #[test]
        fn decoding_undoes_encoding(text in any::<String>()) {
            let encoded = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
            prop_assert_eq!(decode(&encoded).unwrap(), text);
        }
    }
}
