//! `[[cell.key_service]]`: key services that resources of a cell may put their keys under, by name.

use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::kms::{KINDS, KmsConfig, RawKms};
use super::secret::SecretRef;

/// A key service that resources of a cell may put their keys under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServiceConfig {
    /// The name by which resources choose it.
    pub name: String,
    /// Where its key is.
    pub kms: KmsConfig,
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

impl KmsConfig {
    /// What opens a key service must be had before there is one.
    pub(super) fn refuse_sealed(&self, at: &str, document: &mut Document<'_>) {
        if self.secrets().iter().any(|place| matches!(place, SecretRef::Sealed(_))) {
            let what = "what opens a key service cannot be sealed by one";
            document.problem(at, what, "name a file, or a credential of systemd");
        }
    }

    /// The secrets that open it.
    pub(super) fn secrets(&self) -> Vec<&SecretRef> {
        match self {
            Self::Local { passphrase, .. } => passphrase.iter().collect(),
            Self::Pkcs11 { pin, .. } => vec![pin],
            Self::Vault(vault) => vec![&vault.token],
            Self::Azure(azure) => vec![&azure.client_secret],
            Self::Aws(aws) => {
                let keys = [&aws.access_key_id, &aws.secret_access_key];
                keys.into_iter().chain(&aws.session_token).collect()
            }
        }
    }
}
