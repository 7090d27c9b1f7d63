//! `[alerts]`: who is told at once of what whoever runs the server should know.

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::secret::{self, SecretRef};

/// The longest URL that is told.
const MAX_URL: usize = 2_048;

/// Who is told of alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertsConfig {
    /// Where a POST tells each, as a CloudEvent. What `[events]` allows of webhooks is allowed of it.
    pub webhook: String,
    /// Where the token is that goes with it as `Authorization: Bearer`.
    pub token: Option<SecretRef>,
}

/// Who is told at once of what whoever runs the server should know, such as that a customer's key was taken away.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "alerts")]
pub(super) struct RawAlerts {
    /// Where a POST tells each, as a CloudEvent (JSON): an https URL, or an http one where [events] allow_http says so.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^https?://"))]
    webhook: Option<String>,
    /// Where a token is that goes with it as "Authorization: Bearer", as "file:/path", "credential:NAME", "sealed:/path" or "env:NAME".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential|sealed):."))]
    token: Option<String>,
}

impl RawAlerts {
    pub(super) fn check(self, allows_http: bool, document: &mut Document<'_>) -> Option<AlertsConfig> {
        let token = self.token.and_then(|text| secret::reference(&text, "alerts.token", document));
        let Some(webhook) = self.webhook else {
            if token.is_some() {
                document.problem("alerts.token", "there is nowhere to send it to", "write a webhook too");
            }
            return None;
        };
        let url: Option<::http::Uri> = webhook.parse().ok().filter(|_| webhook.len() <= MAX_URL);
        let is_told = match url.as_ref().and_then(::http::Uri::scheme_str) {
            Some("https") => true,
            Some("http") => allows_http,
            _ => false,
        };
        if !is_told {
            let fix = "write an https URL; http is taken where [events] allow_http = true";
            document.problem("alerts.webhook", "alerts cannot be sent there", fix);
        }
        Some(AlertsConfig { webhook, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, allows_http: bool) -> (Option<AlertsConfig>, String) {
        #[derive(Deserialize)]
        struct File {
            alerts: RawAlerts,
        }
        let (mut document, file) = Document::read::<File>("c.toml", text);
        let config = file.unwrap().alerts.check(allows_http, &mut document);
        (config, document.finish().map(|problems| problems.to_string()).unwrap_or_default())
    }

    #[test]
    fn a_webhook_and_its_token() {
        let (config, told) =
            read("[alerts]\nwebhook = 'https://pager.example.org/in'\ntoken = 'file:/t'\n", false);
        assert_eq!(told, "");
        let config = config.unwrap();
        assert_eq!(config.webhook, "https://pager.example.org/in");
        assert_eq!(config.token, SecretRef::parse("file:/t"));
        assert_eq!(read("[alerts]\n", false), (None, String::new()));
        assert!(read("[alerts]\nwebhook = 'http://127.0.0.1:1/'\n", true).1.is_empty());
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        for url in ["http://127.0.0.1:1/", "ftp://x/", "pager", ""] {
            let told = read(&format!("[alerts]\nwebhook = '{url}'\n"), false).1;
            assert!(told.contains("alerts.webhook"), "{url}: {told}");
        }
        let long = format!("https://x/{}", "a".repeat(MAX_URL));
        assert!(read(&format!("[alerts]\nwebhook = '{long}'\n"), false).1.contains("alerts.webhook"));
        assert!(read("[alerts]\ntoken = 'file:/t'\n", false).1.contains("write a webhook"));
        assert!(
            read("[alerts]\nwebhook = 'https://x/'\ntoken = 'plain'\n", false).1.contains("alerts.token")
        );
    }
}
