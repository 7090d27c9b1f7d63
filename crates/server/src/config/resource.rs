//! `[[resource]]`: one tenant, the geography it lives in, and where its access keys are when the operator sets them.

use base::{Geography, Network, NetworkRules, Origins, TlsVersion};
use post::text::number::Sender;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cell;
use super::document::Document;
use super::name::ResourceName;
use super::secret::{self, SecretRef};

/// One Communication Services resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceConfig {
    /// Its name, the first label of its host names.
    pub name: ResourceName,
    /// The cell it lives in, for ever.
    pub geography: Geography,
    /// Where its first access key is, when the operator sets it; otherwise the server makes it.
    pub access_keys: Vec<SecretRef>,
    /// The key service that is to hold its keys; without one, whoever holds them, and for a new one that of its cell.
    pub key_service: Option<String>,
    /// What it may send texts from, besides the numbers it holds.
    pub text_senders: Vec<TextSender>,
    /// From where it may be reached.
    pub network: NetworkRules,
    /// The oldest TLS it may be spoken to in.
    pub minimum_tls: TlsVersion,
    /// Whose pages may speak to it.
    pub origins: Origins,
}

/// Something that texts may be sent from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSender(String);

impl TextSender {
    /// As it was written: `*`, a name, or `US:12345`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Any name, a name of 1 to 11 letters, digits and spaces, or a short code with its country.
    fn parse(text: &str) -> Option<Self> {
        let good = match (text, text.split_once(':')) {
            ("*", _) => true,
            (_, Some((country, code))) => {
                let country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
                country && matches!(Sender::parse(code), Some(Sender::ShortCode(_)))
            }
            (name, None) => matches!(Sender::parse(name), Some(Sender::Name(_))),
        };
        good.then(|| Self(text.to_owned()))
    }
}

/// One Communication Services resource.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "resource")]
pub(super) struct RawResource {
    /// Its name: a DNS label, the first part of its host names.
    #[schemars(required, with = "String", regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"))]
    name: Option<String>,
    /// The geography of the cell it lives in. It cannot be changed later.
    #[schemars(required, with = "String")]
    geography: Option<String>,
    /// Where its first access key is, as "file:/path", "credential:NAME", "sealed:/path" or "env:NAME". Without it the server makes one.
    #[serde(default)]
    #[schemars(length(max = 1), inner(regex(pattern = r"^(env|file|credential|sealed):.")))]
    access_keys: Vec<String>,
    /// What it may send texts from, besides the numbers it holds: "*" for any name, a name such as "CONTOSO", or a short
    /// code with its country, such as "US:12345".
    #[serde(default)]
    #[schemars(
        length(max = 1000),
        inner(regex(pattern = r"^(\*|[A-Z]{2}:[0-9]{3,8}|[A-Za-z0-9+_& -]{1,11})$"))
    )]
    text_senders: Vec<String>,
    /// The key service that is to hold its keys: a [[cell.key_service]] of its cell, or "root" for the cell's own. Without it
    /// they stay with whoever holds them.
    #[serde(default)]
    #[schemars(with = "String", length(max = 64))]
    key_service: Option<String>,
    /// The oldest TLS that clients may speak: "1.2" or "1.3". [default: "1.2"]
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^1\.[23]$"))]
    minimum_tls: Option<String>,
    /// The origins whose pages may speak to it, such as "https://chat.example.org"; "*" alone stands for all, an empty list for
    /// none. Every request needs a token or a key all the same. [default: ["*"]]
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 100))]
    cors_origins: Option<Vec<String>>,
    /// From where it may be reached.
    #[serde(default)]
    network: RawNetwork,
}

/// From where a resource may be reached. To anyone else it does not exist.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "network")]
struct RawNetwork {
    /// Whether it may be reached from the public internet, when `allow` names nothing. [default: true]
    #[schemars(with = "bool")]
    public_access: Option<bool>,
    /// From these networks alone, such as "10.0.0.0/8". Without it, from all.
    #[serde(default)]
    #[schemars(length(max = 200))]
    allow: Vec<String>,
    /// Never from these networks, whatever `allow` says.
    #[serde(default)]
    #[schemars(length(max = 200))]
    deny: Vec<String>,
}

/// The most networks of one list.
const MAX_NETWORKS: usize = 200;

impl RawNetwork {
    fn check(&self, at: &str, document: &mut Document<'_>) -> NetworkRules {
        let mut read = |list: &str, texts: &[String]| {
            if texts.len() > MAX_NETWORKS {
                let what = format!("{} networks, at most {MAX_NETWORKS} can be named", texts.len());
                document.problem(&format!("{at}.{list}"), what, "name larger networks");
            }
            let networks = texts.iter().enumerate().filter_map(|(place, text)| {
                let network = text.parse().ok();
                if network.is_none() {
                    let key = format!("{at}.{list}[{place}]");
                    document.problem(&key, "this is no network", "write one such as \"10.0.0.0/8\"");
                }
                network
            });
            networks.collect::<Vec<Network>>()
        };
        let (allow, deny) = (read("allow", &self.allow), read("deny", &self.deny));
        NetworkRules { public: self.public_access.unwrap_or(true), allow, deny }
    }
}

impl RawResource {
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<ResourceConfig> {
        let key = format!("{at}.name");
        let name = match self.name.as_deref().map(ResourceName::parse) {
            Some(Ok(name)) => Some(name),
            Some(Err(fault)) => {
                document.problem(&key, fault.to_string(), "write a name such as \"contoso\"");
                None
            }
            None => cell::missing(&key, "write a name such as \"contoso\"", document),
        };
        let geography = cell::geography(self.geography.as_deref(), &format!("{at}.geography"), document);
        let access_keys = keys(&self.access_keys, &format!("{at}.access_keys"), document);
        let text_senders = senders(&self.text_senders, &format!("{at}.text_senders"), document);
        let network = self.network.check(&format!("{at}.network"), document);
        let minimum_tls = match self.minimum_tls.as_deref() {
            None | Some("1.2") => TlsVersion::V1_2,
            Some("1.3") => TlsVersion::V1_3,
            Some(_) => {
                let what = "this is no version of TLS that is spoken here";
                document.problem(&format!("{at}.minimum_tls"), what, "write \"1.2\" or \"1.3\"");
                TlsVersion::V1_3
            }
        };
        let origins = self.cors_origins.as_deref().map_or(Ok(Origins::Any), Origins::parse);
        let origins = origins.unwrap_or_else(|wrong| {
            let what = format!("\"{wrong}\" is no origin as a browser writes it, or one too many");
            let hint = "write such as \"https://chat.example.org\", without a path, or \"*\" alone";
            document.problem(&format!("{at}.cors_origins"), what, hint);
            Origins::Any
        });
        Some(ResourceConfig {
            name: name?,
            geography: geography?,
            access_keys,
            key_service: self.key_service,
            text_senders,
            network,
            minimum_tls,
            origins,
        })
    }
}

fn keys(texts: &[String], at: &str, document: &mut Document<'_>) -> Vec<SecretRef> {
    if texts.len() > 1 {
        document.problem(
            at,
            "only the first access key can be set; the second is made by the server",
            "write one",
        );
    }
    let texts = texts.iter().enumerate();
    texts.filter_map(|(index, text)| secret::reference(text, &format!("{at}[{index}]"), document)).collect()
}

/// The most senders of one resource.
const MAX_SENDERS: usize = 1_000;

fn senders(texts: &[String], at: &str, document: &mut Document<'_>) -> Vec<TextSender> {
    if texts.len() > MAX_SENDERS {
        document.problem(at, "these are more senders than a resource may have", "write at most 1000");
    }
    let mut senders = Vec::new();
    for (index, text) in texts.iter().take(MAX_SENDERS).enumerate() {
        match TextSender::parse(text) {
            Some(sender) => senders.push(sender),
            None => document.problem(
                &format!("{at}[{index}]"),
                "texts cannot be sent from this",
                "write \"*\", a name such as \"CONTOSO\", or a short code such as \"US:12345\"",
            ),
        }
    }
    senders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_texts_may_be_sent_from() {
        for good in ["*", "CONTOSO", "Contoso 1", "US:12345", "GB:654321"] {
            assert_eq!(
                TextSender::parse(good).map(|sender| sender.as_str().to_owned()),
                Some(good.to_owned())
            );
        }
        for bad in ["", "us:12345", "US:1", "US:ABCDE", "12345", "+14255550100", "ABCDEFGHIJKL", "a:b"] {
            assert_eq!(TextSender::parse(bad), None, "{bad}");
        }
    }
}
