//! `kms = {..}` of a cell: who keeps the key above its keys.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::events::SYSTEM_CA;
use super::secret::{self, SecretRef};

#[path = "kms_azure.rs"]
mod azure;

pub use azure::AzureConfig;

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
    /// A key in the transit engine of Vault.
    Vault(VaultConfig),
    /// A key in Azure Key Vault.
    Azure(AzureConfig),
}

/// A key in the transit engine of HashiCorp Vault or OpenBao, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultConfig {
    /// The server.
    pub address: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// The namespace.
    pub namespace: Option<String>,
    /// The authorities that its certificate may come from.
    pub ca: PathBuf,
    /// Where the token is.
    pub token: SecretRef,
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

impl KmsConfig {
    /// What no other key service may name too, and the key of the configuration that names it.
    pub(super) fn place(&self) -> (String, &'static str) {
        match self {
            Self::Local { path, .. } => (format!("file {}", path.display()), "path"),
            Self::Pkcs11 { module, token, key, .. } => {
                (format!("key {} {token} {key}", module.display()), "key")
            }
            Self::Vault(vault) => {
                (format!("key {} {:?} {} {}", vault.address, vault.namespace, vault.mount, vault.key), "key")
            }
            Self::Azure(azure) => (format!("key {} {}", azure.address, azure.key), "key"),
            Self::Aws(aws) => (format!("key {:?} {} {}", aws.endpoint, aws.region, aws.key), "key"),
        }
    }
}

/// Who keeps the key above a cell's keys: { kind = "local", path = ".." }, { kind = "pkcs11", module = "..", token = "..",
/// key = "..", pin = "file:.." }, or { kind = "aws-kms", region = "..", key = "..", access_key_id = "file:..",
/// secret_access_key = "file:.." }, or { kind = "vault-transit", address = "https://..", key = "..", token = "file:.." }, or
/// { kind = "azure-key-vault", address = "https://..", key = "..", tenant = "..", client_id = "..", client_secret = "file:.." }.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "kms")]
pub(super) struct RawKms {
    /// "local", "pkcs11", "aws-kms", "vault-transit" or "azure-key-vault".
    #[schemars(
        required,
        with = "String",
        regex(pattern = r"^(local|pkcs11|aws-kms|vault-transit|azure-key-vault)$")
    )]
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
    /// For pkcs11: the token's label. For vault-transit: where the token is, as "file:/path", "credential:NAME" or "env:NAME";
    /// it is read anew for each call.
    #[serde(default)]
    #[schemars(with = "String", length(max = 4096))]
    token: Option<String>,
    /// For pkcs11: the label of its AES-256 key. For aws-kms: the key's id or ARN. For vault-transit and azure-key-vault: the key's name.
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
    /// For vault-transit: the server, such as "https://vault.example.org:8200". For azure-key-vault: the vault, such as
    /// "https://contoso.vault.azure.net". Without TLS only on this machine.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^https?://"))]
    address: Option<String>,
    /// For vault-transit: where the engine is mounted. [default: "transit"]
    #[serde(default)]
    #[schemars(with = "String", length(max = 255))]
    mount: Option<String>,
    /// For vault-transit: the namespace, where there are any.
    #[serde(default)]
    #[schemars(with = "String", length(max = 255))]
    namespace: Option<String>,
    /// For aws-kms, vault-transit and azure-key-vault: a file of authorities (PEM) that its certificate may come from; without it those the system trusts.
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
    /// For azure-key-vault: the directory (tenant) of the application that asks.
    #[serde(default)]
    #[schemars(with = "String", length(max = 127))]
    tenant: Option<String>,
    /// For azure-key-vault: the application (client) id.
    #[serde(default)]
    #[schemars(with = "String", length(max = 127))]
    client_id: Option<String>,
    /// For azure-key-vault: where the application's secret is. It is read anew for each token.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential):."))]
    client_secret: Option<String>,
    /// For azure-key-vault: where tokens come from, in a national cloud. [default: "https://login.microsoftonline.com"]
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^https?://"))]
    authority: Option<String>,
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
            Some("vault-transit") => &["key", "address", "mount", "namespace", "ca", "token"],
            Some("azure-key-vault") => {
                &["key", "address", "ca", "tenant", "client_id", "client_secret", "authority"]
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
        let read = match kind.as_deref() {
            Some("pkcs11") => self.pkcs11(at, document),
            Some("aws-kms") => self.aws(at, document),
            Some("vault-transit") => self.vault(at, document),
            Some("azure-key-vault") => self.azure(at, document),
            Some("local") => self.local(at, document),
            Some(_) => {
                document.problem(&format!("{at}.kind"), "there is no such key service", KINDS);
                None
            }
            None => missing(&format!("{at}.kind"), KINDS, document),
        };
        read.inspect(|config| config.refuse_sealed(at, document))
    }

    /// Each key beside the kind, and whether it is written.
    const fn given(&self) -> [(&'static str, bool); 19] {
        [
            ("address", self.address.is_some()),
            ("mount", self.mount.is_some()),
            ("namespace", self.namespace.is_some()),
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
            ("tenant", self.tenant.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("authority", self.authority.is_some()),
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

    fn vault(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        const FIX: &str =
            "write an https URL without a path; http is taken at an address of this machine alone";
        let address = self.address.filter(|text| is_endpoint(text) && has_no_path(text));
        let address = address.or_else(|| missing(&format!("{at}.address"), FIX, document));
        let mut segment = |name: &str, text: Option<String>| {
            let good = text.filter(|text| is_path(text));
            good.or_else(|| missing(&format!("{at}.{name}"), PATH, document))
        };
        let key = segment("key", self.key);
        let mount = segment("mount", Some(self.mount.unwrap_or_else(|| "transit".to_owned())));
        let namespace = match self.namespace {
            Some(text) => Some(segment("namespace", Some(text))?),
            None => None,
        };
        let token = secret::required(self.token.as_deref(), &format!("{at}.token"), document);
        Some(KmsConfig::Vault(VaultConfig {
            address: address?,
            mount: mount?,
            key: key?,
            namespace,
            ca: self.ca.unwrap_or_else(|| SYSTEM_CA.into()),
            token: token?,
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

pub(super) const KINDS: &str =
    "write \"local\", \"pkcs11\", \"aws-kms\", \"vault-transit\" or \"azure-key-vault\"";
/// What a part of a path may be.
const PATH: &str = "write 1 to 255 letters, digits and the signs - _ . /";
const MAX_PATH: usize = 255;

/// Whether a text may stand in a path as it is, and leads nowhere else.
fn is_path(text: &str) -> bool {
    (1..=MAX_PATH).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

fn has_no_path(text: &str) -> bool {
    text.parse::<::http::Uri>().is_ok_and(|url| matches!(url.path(), "" | "/"))
}
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
