//! `[events]`: which webhooks may be told of events.

use std::path::PathBuf;

use base::Network;
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;

/// Where a system has the certificates it trusts, when no other file is named.
pub const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Which webhooks may be told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsConfig {
    /// Files of the authorities that their certificates may come from.
    pub ca: Vec<PathBuf>,
    /// Networks that may be reached although they are not of the public internet.
    pub allow: Vec<Network>,
    /// Whether they may do without TLS.
    pub allow_http: bool,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self { ca: vec![SYSTEM_CA.into()], allow: Vec::new(), allow_http: false }
    }
}

/// Which webhooks may be told of events. Those of the public internet with a certificate may without this.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "events")]
pub(super) struct RawEvents {
    /// A file of certificates (PEM) that webhooks' may come from; without it those the system trusts.
    #[serde(default)]
    #[schemars(with = "String")]
    ca: Option<PathBuf>,
    /// Private networks that webhooks may be in, such as ["10.0.0.0/8"].
    #[serde(default)]
    allow: Vec<String>,
    /// Whether a webhook may have an http URL: what it is told can then be read on the way.
    #[serde(default)]
    allow_http: bool,
}

impl RawEvents {
    pub(super) fn check(self, document: &mut Document<'_>) -> EventsConfig {
        let mut allow = Vec::new();
        for (at, text) in self.allow.iter().enumerate() {
            match text.parse() {
                Ok(network) => allow.push(network),
                Err(_) => {
                    let fix = "write one such as \"10.0.0.0/8\"";
                    document.problem(&format!("events.allow[{at}]"), "no network", fix);
                }
            }
        }
        let ca = vec![self.ca.unwrap_or_else(|| SYSTEM_CA.into())];
        EventsConfig { ca, allow, allow_http: self.allow_http }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (EventsConfig, Option<String>) {
        #[derive(Deserialize)]
        struct File {
            events: RawEvents,
        }
        let (mut document, file) = Document::read::<File>("c.toml", text);
        let config = file.unwrap().events.check(&mut document);
        (config, document.finish().map(|problems| problems.to_string()))
    }

    #[test]
    fn nothing_private_and_nothing_open_unless_it_is_said() {
        let (config, problems) = read("[events]\n");
        assert_eq!((config, problems), (EventsConfig::default(), None));
        let (config, problems) =
            read("[events]\nallow = ['10.0.0.0/8']\nallow_http = true\nca = '/ca.pem'\n");
        assert_eq!(problems, None);
        assert!(config.allow_http && config.allow[0].contains("10.1.2.3".parse().unwrap()));
        assert_eq!(config.ca, [PathBuf::from("/ca.pem")]);
    }

    #[test]
    fn what_is_no_network_is_named() {
        let (_, problems) = read("[events]\nallow = ['10.0.0.0/8', 'home']\n");
        assert!(problems.unwrap().contains("events.allow[1]"));
    }
}
