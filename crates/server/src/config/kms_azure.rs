//! `kms = { kind = "azure-key-vault", .. }`: a key in Azure Key Vault, and the application that asks for it.

use std::path::PathBuf;

use super::super::cell::missing;
use super::super::document::Document;
use super::super::events::SYSTEM_CA;
use super::super::secret::{self, SecretRef};
use super::{KmsConfig, RawKms, has_no_path, is_endpoint};

/// Where the public cloud gives out tokens.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The longest name of a key (Key Vault, objects), and the longest tenant or client id that is taken.
const MAX_NAME: usize = 127;

/// A key in Azure Key Vault, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AzureConfig {
    /// The vault.
    pub address: String,
    /// The key's name.
    pub key: String,
    /// Where tokens come from.
    pub authority: String,
    /// The directory of the application.
    pub tenant: String,
    /// The application.
    pub client_id: String,
    /// Where its secret is.
    pub client_secret: SecretRef,
    /// The authorities that certificates may come from.
    pub ca: PathBuf,
}

impl RawKms {
    pub(super) fn azure(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        const FIX: &str =
            "write an https URL without a path; http is taken at an address of this machine alone";
        let is_server = |text: &String| is_endpoint(text) && has_no_path(text);
        let address = self.address.filter(is_server);
        let address = address.or_else(|| missing(&format!("{at}.address"), FIX, document));
        let authority = Some(self.authority.unwrap_or_else(|| AUTHORITY.to_owned())).filter(is_server);
        let authority = authority.or_else(|| missing(&format!("{at}.authority"), FIX, document));
        let mut name = |name: &str, text: Option<String>, is_allowed: fn(u8) -> bool, what: &str| {
            let good = text.filter(|text| is_name(text, is_allowed));
            good.or_else(|| missing(&format!("{at}.{name}"), &format!("write {what}"), document))
        };
        let with_dots = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        let key =
            name("key", self.key, |b| b.is_ascii_alphanumeric() || b == b'-', "the key's name in the vault");
        let tenant = name("tenant", self.tenant, with_dots, "the directory (tenant) id of the application");
        let client_id = name("client_id", self.client_id, with_dots, "the application (client) id");
        let at_secret = format!("{at}.client_secret");
        let client_secret = secret::required(self.client_secret.as_deref(), &at_secret, document);
        Some(KmsConfig::Azure(AzureConfig {
            address: address?,
            key: key?,
            authority: authority?,
            tenant: tenant?,
            client_id: client_id?,
            client_secret: client_secret?,
            ca: self.ca.unwrap_or_else(|| SYSTEM_CA.into()),
        }))
    }
}

fn is_name(text: &str, is_allowed: fn(u8) -> bool) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_allowed) && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    const AZURE: &str = r#"kind = "azure-key-vault", address = "https://contoso.vault.azure.net", key = "europe", tenant = "contoso.example", client_id = "c-1", client_secret = "file:/s""#;

    #[test]
    fn a_key_in_azure_is_read() {
        let read = |text: &str| match read(text) {
            Ok(KmsConfig::Azure(azure)) => azure,
            other => panic!("{other:?}"),
        };
        let plain = read(AZURE);
        assert_eq!((plain.authority.as_str(), plain.key.as_str()), (AUTHORITY, "europe"));
        assert_eq!((plain.tenant.as_str(), plain.client_id.as_str()), ("contoso.example", "c-1"));
        assert_eq!((plain.ca, plain.client_secret), (PathBuf::from(SYSTEM_CA), SecretRef::File("/s".into())));
        let whole = read(&format!(r#"{AZURE}, authority = "https://login.chinacloudapi.cn", ca = "/ca""#));
        assert_eq!((whole.authority.as_str(), whole.ca), ("https://login.chinacloudapi.cn", "/ca".into()));
    }

    #[test]
    fn each_fault_of_a_key_in_azure_is_placed_and_explained() {
        let named = |len: usize| format!("\"{}\"", "k".repeat(len));
        assert!(read(&AZURE.replace("\"europe\"", &named(MAX_NAME))).is_ok());
        let long = named(MAX_NAME + 1);
        for (old, new, expected) in [
            ("https://contoso", "http://contoso", "cell[0].kms.address"),
            ("azure.net", "azure.net/keys/europe", "cell[0].kms.address"),
            (r#", client_secret = "file:/s""#, "", "cell[0].kms.client_secret"),
            ("file:/s", "hunter2", "cell[0].kms.client_secret"),
            (r#""europe""#, r#""europe/1""#, "cell[0].kms.key"),
            (r#""europe""#, long.as_str(), "cell[0].kms.key"),
            (r#""contoso.example""#, r#""..""#, "cell[0].kms.tenant"),
            (r#""c-1""#, r#""c 1""#, "cell[0].kms.client_id"),
            (r#""c-1""#, r#""c-1", authority = "login""#, "cell[0].kms.authority"),
            (r#""c-1""#, r#""c-1", mount = "m""#, "cell[0].kms.mount"),
        ] {
            let found = read(&AZURE.replacen(old, new, 1)).unwrap_err();
            assert!(found.iter().any(|one| one.starts_with(expected)), "{new}: {found:?}");
            assert!(!found.join(" ").contains("hunter2"));
        }
    }
}
