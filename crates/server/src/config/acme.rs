//! `[listener.acme]`: a certificate from an authority that issues it by itself (ACME, RFC 8555).

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::events::SYSTEM_CA;

/// Where Let's Encrypt has its directory.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// The most addresses of people.
const MAX_CONTACTS: usize = 8;

/// An authority, and how names are proven to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeConfig {
    /// Its directory.
    pub directory: String,
    /// Whom it may write to.
    pub contact: Vec<String>,
    /// Where its challenges are answered, without TLS.
    pub http: SocketAddr,
    /// The authorities that its own certificate may come from.
    pub ca: PathBuf,
}

/// A certificate from an authority that issues it by itself (ACME), instead of files.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "acme")]
pub(super) struct RawAcme {
    /// Whether you agree to the authority's terms of service; without it nothing is asked for.
    #[schemars(required, with = "bool")]
    agree_to_terms: Option<bool>,
    /// The directory of the authority. [default: "https://acme-v02.api.letsencrypt.org/directory"]
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^https://"))]
    directory: Option<String>,
    /// Addresses that the authority may write to, such as "ops@example.org".
    #[serde(default)]
    #[schemars(length(max = 8))]
    contact: Vec<String>,
    /// Where its challenges (HTTP-01) are answered: it asks at port 80 of each public host. [default: "0.0.0.0:80"]
    #[serde(default)]
    #[schemars(with = "String")]
    http: Option<String>,
    /// PEM file of authorities that the directory's own certificate may come from; without it those the system trusts.
    #[serde(default)]
    #[schemars(with = "String")]
    ca: Option<PathBuf>,
}

impl RawAcme {
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<AcmeConfig> {
        if self.agree_to_terms != Some(true) {
            let fix = "read the authority's terms of service, and write agree_to_terms = true";
            return missing(&format!("{at}.agree_to_terms"), fix, document);
        }
        let directory = self.directory.unwrap_or_else(|| LETS_ENCRYPT.to_owned());
        let is_url = |url: &::http::Uri| url.scheme_str() == Some("https") && url.host().is_some();
        if !directory.parse::<::http::Uri>().is_ok_and(|url| is_url(&url)) {
            let what = "this is no address of a directory";
            document.problem(&format!("{at}.directory"), what, "write an https URL");
        }
        let is_address =
            |text: &str| text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
        if self.contact.len() > MAX_CONTACTS || !self.contact.iter().all(|text| is_address(text)) {
            let fix = format!("write at most {MAX_CONTACTS} such as \"ops@example.org\"");
            document.problem(&format!("{at}.contact"), "these are no mail addresses, or too many", fix);
        }
        let text = self.http.unwrap_or_else(|| "0.0.0.0:80".to_owned());
        let http = text.parse().ok();
        let http = http.or_else(|| {
            missing(&format!("{at}.http"), "write an address and a port: \"0.0.0.0:80\"", document)
        });
        let contact = self.contact.into_iter().map(|text| format!("mailto:{text}")).collect();
        let ca = self.ca.unwrap_or_else(|| SYSTEM_CA.into());
        Some(AcmeConfig { directory, contact, http: http?, ca })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Certificate, Config};
    use super::*;

    fn read(listener: &str) -> Result<Certificate, String> {
        let text = format!(
            "[listener]\naddress = \"127.0.0.1:1\"\n{listener}\n[[cell]]\ngeography = \"europe\"\n\
             engine = {{ kind = \"sqlite\", path = \"/d/s\" }}\nkms = {{ kind = \"local\", path = \"/d/k\" }}\n\
             [[resource]]\nname = \"home\"\ngeography = \"europe\"\n"
        );
        let read = Config::parse("chancery.toml", &text);
        read.map(|config| config.listener.certificate).map_err(|all| all.to_string())
    }

    const HOST: &str = "public_hosts = [\"chat.example.org\"]\n";

    #[test]
    fn an_authority_is_named() {
        let Ok(Certificate::Acme(plain)) = read(&format!("{HOST}[listener.acme]\nagree_to_terms = true"))
        else {
            panic!("none");
        };
        assert_eq!((plain.directory.as_str(), plain.ca), (LETS_ENCRYPT, PathBuf::from(SYSTEM_CA)));
        assert_eq!((plain.http, plain.contact), ("0.0.0.0:80".parse().unwrap(), Vec::new()));
        let lines = "[listener.acme]\nagree_to_terms = true\ndirectory = \"https://ca.example/dir\"\n\
                     contact = [\"ops@example.org\"]\nhttp = \"127.0.0.1:8080\"\nca = \"/ca\"";
        let Ok(Certificate::Acme(whole)) = read(&format!("{HOST}{lines}")) else { panic!("none") };
        assert_eq!(whole.contact, ["mailto:ops@example.org"]);
        assert_eq!((whole.http.port(), whole.ca), (8080, "/ca".into()));
    }

    #[test]
    fn each_fault_is_placed_and_explained() {
        let with = |line: &str| format!("{HOST}[listener.acme]\nagree_to_terms = true\n{line}");
        let many = format!("contact = [{}]", ["\"a@b\""; MAX_CONTACTS + 1].join(", "));
        for (listener, expected) in [
            (format!("{HOST}[listener.acme]\n"), "listener.acme.agree_to_terms"),
            (format!("{HOST}[listener.acme]\nagree_to_terms = false"), "listener.acme.agree_to_terms"),
            (with("directory = \"http://ca.example\""), "listener.acme.directory"),
            (with("contact = [\"ops\"]"), "listener.acme.contact"),
            (with(&many), "listener.acme.contact"),
            (with("http = \"here\""), "listener.acme.http"),
            (with("").replace(HOST, ""), "listener.public_hosts"),
            (with("").replace(HOST, "public_hosts = [\"10.0.0.1\"]\n"), "listener.public_hosts"),
            (
                with("").replace(HOST, "self_signed = true\ndata = \"/d\"\npublic_hosts = [\"a.b\"]\n"),
                "listener",
            ),
        ] {
            let told = read(&listener).unwrap_err();
            assert!(told.contains(expected), "{listener}: {told}");
        }
    }
}
