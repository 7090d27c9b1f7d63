//! `kms = {..}` of a cell: who keeps the key above its keys.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::events::SYSTEM_CA;
use super::secret::{self, SecretRef};

/// Who keeps the root key of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KmsConfig {
    /// A key file of this machine.
    Local {
        /// The file, readable for the server alone; made when it is missing.
        path: PathBuf,
        /// Where the passphrase is that it is sealed under; without one it is not sealed.
        passphrase: Option<SecretRef>,
    },
    /// A key in a token that speaks PKCS#11: an HSM.
    Pkcs11 {
        /// The module's file.
        module: PathBuf,
        /// The token's label.
        token: String,
        /// The key's label.
        key: String,
        /// Where the user's PIN is.
        pin: SecretRef,
    },
    /// A key in AWS KMS.
    Aws(AwsConfig),
}

/// A key in AWS KMS, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsConfig {
    /// The region.
    pub region: String,
    /// Its id or ARN.
    pub key: String,
    /// Another endpoint than that of the region.
    pub endpoint: Option<String>,
    /// The authorities that its certificate may come from.
    pub ca: PathBuf,
    /// Where the access key id is.
    pub access_key_id: SecretRef,
    /// Where the secret access key is.
    pub secret_access_key: SecretRef,
    /// Where the session token is, for temporary credentials.
    pub session_token: Option<SecretRef>,
}

/// A key service that resources of a cell may put their keys under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServiceConfig {
    /// The name by which resources choose it.
    pub name: String,
    /// Where its key is.
    pub kms: KmsConfig,
}

impl KmsConfig {
    /// What no other key service may name too, and the key of the configuration that names it.
    pub(super) fn place(&self) -> (String, &'static str) {
        match self {
            Self::Local { path, .. } => (format!("file {}", path.display()), "path"),
            Self::Pkcs11 { module, token, key, .. } => {
                (format!("key {} {token} {key}", module.display()), "key")
            }
            Self::Aws(aws) => (format!("key {:?} {} {}", aws.endpoint, aws.region, aws.key), "key"),
        }
    }
}

/// A key service that resources of this cell may put their keys under: a customer's own key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "key_service")]
pub(super) struct RawKeyService {
    /// The name by which a resource chooses it: key_service = "NAME". It is kept with the keys, so it must stay.
    #[schemars(required, with = "String", regex(pattern = r"^[a-z]([a-z0-9-]{0,62}[a-z0-9])?$"))]
    name: Option<String>,
    /// Where its key is.
    #[schemars(required, with = "RawKms")]
    kms: Option<RawKms>,
}

/// Whether a resource can choose a key service by this name; [`guard::holder::ROOT`] is the cell's own.
fn is_service_name(name: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    (1..=guard::holder::MAX_HOLDER).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && name != guard::holder::ROOT
}

impl RawKeyService {
    /// Checks it; what is wrong is noted.
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<KeyServiceConfig> {
        const FIX: &str =
            "write a name of 1 to 64 lower-case letters, digits and hyphens, other than \"root\"";
        let name = match self.name.filter(|name| is_service_name(name)) {
            Some(name) => Some(name),
            None => missing(&format!("{at}.name"), FIX, document),
        };
        let kms = match self.kms {
            Some(kms) => kms.check(&format!("{at}.kms"), document),
            None => missing(&format!("{at}.kms"), KINDS, document),
        };
        Some(KeyServiceConfig { name: name?, kms: kms? })
    }
}

/// Who keeps the key above a cell's keys: { kind = "local", path = ".." }, { kind = "pkcs11", module = "..", token = "..",
/// key = "..", pin = "file:.." }, or { kind = "aws-kms", region = "..", key = "..", access_key_id = "file:..",
/// secret_access_key = "file:.." }.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "kms")]
pub(super) struct RawKms {
    /// "local", "pkcs11" or "aws-kms".
    #[schemars(required, with = "String", regex(pattern = r"^(local|pkcs11|aws-kms)$"))]
    kind: Option<String>,
    /// For local: the key file, readable for the server alone; made when it is missing. Back it up: without it nothing can be read.
    #[serde(default)]
    #[schemars(with = "String")]
    path: Option<PathBuf>,
    /// For local: where the passphrase is that the key file is sealed under. A file that is not sealed yet is sealed then.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    passphrase: Option<String>,
    /// For pkcs11: the module of the HSM's maker, such as "/usr/lib/softhsm/libsofthsm2.so".
    #[serde(default)]
    #[schemars(with = "String")]
    module: Option<PathBuf>,
    /// For pkcs11: the token's label.
    #[serde(default)]
    #[schemars(with = "String", length(max = 32))]
    token: Option<String>,
    /// For pkcs11: the label of its AES-256 key. For aws-kms: the key's id or ARN.
    #[serde(default)]
    #[schemars(with = "String", length(max = 255))]
    key: Option<String>,
    /// For pkcs11: where the user's PIN is, as "file:/path", "credential:NAME" or "env:NAME".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    pin: Option<String>,
    /// For aws-kms: the region, such as "eu-central-1".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^[a-z0-9-]{1,64}$"))]
    region: Option<String>,
    /// For aws-kms: another endpoint than the region's, such as that of a private network. Without TLS only on this machine.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^https?://"))]
    endpoint: Option<String>,
    /// For aws-kms: a file of authorities (PEM) that its certificate may come from; without it those the system trusts.
    #[serde(default)]
    #[schemars(with = "String")]
    ca: Option<PathBuf>,
    /// For aws-kms: where the access key id is, as "file:/path", "credential:NAME" or "env:NAME". It is read anew for each call.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    access_key_id: Option<String>,
    /// For aws-kms: where the secret access key is.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    secret_access_key: Option<String>,
    /// For aws-kms: where the session token of temporary credentials is.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    session_token: Option<String>,
}

impl RawKms {
    /// Checks it; what is wrong is noted.
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        let kind = self.kind.clone();
        let mine: &[&str] = match kind.as_deref() {
            Some("local") => &["path", "passphrase"],
            Some("pkcs11") => &["module", "token", "key", "pin"],
            Some("aws-kms") => {
                &["key", "region", "endpoint", "ca", "access_key_id", "secret_access_key", "session_token"]
            }
            _ => &[],
        };
        if let (Some(kind), false) = (&kind, mine.is_empty()) {
            for (name, is_given) in self.given() {
                if is_given && !mine.contains(&name) {
                    let what = format!("a key service of the kind {kind} has no such key");
                    document.problem(&format!("{at}.{name}"), what, "take it out");
                }
            }
        }
        match kind.as_deref() {
            Some("pkcs11") => self.pkcs11(at, document),
            Some("aws-kms") => self.aws(at, document),
            Some("local") => self.local(at, document),
            Some(_) => {
                document.problem(&format!("{at}.kind"), "there is no such key service", KINDS);
                None
            }
            None => missing(&format!("{at}.kind"), KINDS, document),
        }
    }

    /// Each key beside the kind, and whether it is written.
    const fn given(&self) -> [(&'static str, bool); 12] {
        [
            ("passphrase", self.passphrase.is_some()),
            ("path", self.path.is_some()),
            ("module", self.module.is_some()),
            ("token", self.token.is_some()),
            ("key", self.key.is_some()),
            ("pin", self.pin.is_some()),
            ("region", self.region.is_some()),
            ("endpoint", self.endpoint.is_some()),
            ("ca", self.ca.is_some()),
            ("access_key_id", self.access_key_id.is_some()),
            ("secret_access_key", self.secret_access_key.is_some()),
            ("session_token", self.session_token.is_some()),
        ]
    }

    fn local(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        const FIX: &str = "name the key file: path = \"/var/lib/chancery/europe/root.key\"";
        let passphrase = match &self.passphrase {
            Some(text) => Some(secret::reference(text, &format!("{at}.passphrase"), document)?),
            None => None,
        };
        let path = self.path.filter(|path| !path.as_os_str().is_empty());
        let path = path.or_else(|| missing(&format!("{at}.path"), FIX, document));
        Some(KmsConfig::Local { path: path?, passphrase })
    }

    fn aws(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        let region = text("region", "name", self.region, MAX_REGION, at, document);
        let is_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if region.as_ref().is_some_and(|region| !region.bytes().all(is_region)) {
            document.problem(
                &format!("{at}.region"),
                "this is no region",
                "write one such as \"eu-central-1\"",
            );
        }
        if self.endpoint.as_deref().is_some_and(|text| !is_endpoint(text)) {
            let fix = "write an https URL; http is taken at an address of this machine alone";
            document.problem(&format!("{at}.endpoint"), "this is no endpoint of a key service", fix);
        }
        let key = text("key", "id or ARN", self.key, MAX_KEY_ID, at, document);
        let key_of = |name: &str| format!("{at}.{name}");
        let id = secret::required(self.access_key_id.as_deref(), &key_of("access_key_id"), document);
        let secret =
            secret::required(self.secret_access_key.as_deref(), &key_of("secret_access_key"), document);
        let session_token = match self.session_token {
            Some(text) => Some(secret::reference(&text, &key_of("session_token"), document)?),
            None => None,
        };
        Some(KmsConfig::Aws(AwsConfig {
            region: region?,
            key: key?,
            endpoint: self.endpoint,
            ca: self.ca.unwrap_or_else(|| SYSTEM_CA.into()),
            access_key_id: id?,
            secret_access_key: secret?,
            session_token,
        }))
    }

    fn pkcs11(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        let module = self.module.filter(|path| path.is_absolute()).or_else(|| {
            missing(&format!("{at}.module"), "name the whole path of the HSM's PKCS#11 module", document)
        });
        let token = text("token", "label", self.token, MAX_TOKEN, at, document);
        let key = text("key", "label", self.key, MAX_KEY_LABEL, at, document);
        let pin = secret::required(self.pin.as_deref(), &format!("{at}.pin"), document);
        Some(KmsConfig::Pkcs11 { module: module?, token: token?, key: key?, pin: pin? })
    }
}

const KINDS: &str = "write \"local\", \"pkcs11\" or \"aws-kms\"";
/// The longest region, and the longest id or ARN of a key (AWS KMS API Reference).
const MAX_REGION: usize = 64;
const MAX_KEY_ID: usize = 2048;
/// The longest label of a token (PKCS #11, `CK_TOKEN_INFO`).
const MAX_TOKEN: usize = 32;
/// The longest label of a key.
const MAX_KEY_LABEL: usize = 255;

/// A text of 1 to `most` bytes that must be there.
fn text(
    name: &str,
    what: &str,
    text: Option<String>,
    most: usize,
    at: &str,
    document: &mut Document<'_>,
) -> Option<String> {
    text.filter(|text| (1..=most).contains(&text.len())).or_else(|| {
        missing(&format!("{at}.{name}"), &format!("write its {what}, 1 to {most} bytes"), document)
    })
}

/// Whether an endpoint is one that may be asked: https, or http at an address of this machine.
fn is_endpoint(text: &str) -> bool {
    let Ok(url) = text.parse::<::http::Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    let local =
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    !host.is_empty()
        && url.query().is_none()
        && match url.scheme_str() {
            Some("https") => true,
            Some("http") => local,
            _ => false,
        }
}

#[cfg(test)]
#[path = "kms_tests.rs"]
mod tests;
