//! `[rates]`: how often each operation may be called.

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;

/// Which rate limits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RateProfile {
    /// None.
    #[default]
    Off,
    /// Those of ACS.
    Acs,
}

/// How often each operation may be called.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "rates")]
pub(super) struct RawRates {
    /// "off" (the default), or "acs" for the limits of ACS.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(off|acs)$"))]
    profile: Option<String>,
}

impl RawRates {
    pub(super) fn check(&self, document: &mut Document<'_>) -> RateProfile {
        match self.profile.as_deref() {
            None | Some("off") => RateProfile::Off,
            Some("acs") => RateProfile::Acs,
            Some(_) => {
                document.problem("rates.profile", "there is no such profile", "write \"off\" or \"acs\"");
                RateProfile::Off
            }
        }
    }
}
