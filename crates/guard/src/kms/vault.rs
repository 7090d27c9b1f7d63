//! A root key in the transit engine of HashiCorp Vault or OpenBao: `encrypt` and `decrypt` of its HTTP API, under a key of a
//! type that authenticates (`aes256-gcm96`, the usual one, or `chacha20-poly1305`), with the context as associated data.
//!
//! The token needs `update` on both paths and nothing more: with `create` a key that was deleted would be made anew.

use std::sync::Arc;

use base::Secret;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::remote::{Ask, Exchange, Reply};
use super::{BoxFuture, KeyContext, Kms, KmsError, bound, framed_text, from_framed_text};
use crate::seal::{ScopeKey, Sealed};

/// The first byte of a key wrapped here.
const FORMAT: u8 = 0xB3;
/// What every ciphertext of the engine begins with: the version of the key follows.
const PREFIX: &str = "vault:v";

/// Where a root key is.
#[derive(Clone, Debug)]
pub struct VaultOptions {
    /// The server, as an absolute URL without a path: `https://vault.example.org:8200`.
    pub address: String,
    /// Where the engine is mounted, normally `transit`.
    pub mount: String,
    /// The key's name.
    pub key: String,
    /// The namespace, where there are any.
    pub namespace: Option<String>,
}

/// Fetches the token anew for each call, so that it may be replaced while running; `None` when it cannot be had.
pub type FetchToken = Arc<dyn Fn() -> Option<Secret<String>> + Send + Sync>;

/// A key service whose root key is in Vault.
pub struct VaultKms {
    options: VaultOptions,
    token: FetchToken,
    exchange: Arc<dyn Exchange>,
}

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext: Option<&'a str>,
    associated_data: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

#[derive(Deserialize)]
struct Faults {
    #[serde(default)]
    errors: Vec<String>,
}

impl VaultKms {
    /// The key that `options` name, asked by way of `exchange`.
    #[must_use]
    pub fn new(options: VaultOptions, token: FetchToken, exchange: Arc<dyn Exchange>) -> Self {
        Self { options, token, exchange }
    }

    async fn call(&self, action: &str, asked: &Asked<'_>) -> Result<Reply, KmsError> {
        let VaultOptions { address, mount, key, namespace } = &self.options;
        let token = (self.token)().ok_or(KmsError::Unavailable)?;
        let mut headers =
            vec![("content-type", "application/json".to_owned()), ("x-vault-token", token.expose().clone())];
        headers.extend(namespace.iter().map(|name| ("x-vault-namespace", name.clone())));
        let body = Zeroizing::new(serde_json::to_vec(asked).map_err(|_| KmsError::Unavailable)?);
        let url = format!("{}/v1/{mount}/{action}/{key}", address.trim_end_matches('/'));
        let reply = self.exchange.exchange(Ask { method: "POST", url, headers, body }).await;
        let reply = reply.map_err(|_| KmsError::Unavailable)?;
        if reply.status == 200 { Ok(reply) } else { Err(meaning(&reply)) }
    }
}

/// What a refusal means (Vault HTTP API, status codes; messages of the transit engine).
fn meaning(reply: &Reply) -> KmsError {
    let faults: Option<Faults> = serde_json::from_slice(&reply.body).ok();
    let said = faults.map(|faults| faults.errors.join("; ").to_ascii_lowercase()).unwrap_or_default();
    match reply.status {
        // Whose token or policy the owner took away; both can be given back.
        401 | 403 => KmsError::Disabled,
        400 | 404 if said.contains("key not found") => KmsError::Deleted,
        400 if said.contains("disallowed by policy") => KmsError::Disabled,
        400 if said.contains("message authentication failed") || said.contains("invalid ciphertext") => {
            KmsError::Refused
        }
        429 => KmsError::Throttled { retry_after: reply.retry_after },
        // 404: the engine is not mounted there. 503: it is sealed. 473: a standby that does not answer.
        _ => KmsError::Unavailable,
    }
}

impl Kms for VaultKms {
    fn name(&self) -> &'static str {
        "vault-transit"
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(async move {
            let plain = framed_text(context, key)?;
            let associated_data = BASE64_STANDARD.encode(bound(context));
            let asked = Asked { plaintext: Some(&plain), ciphertext: None, associated_data };
            let reply = self.call("encrypt", &asked).await?;
            let read: Answer<Encrypted> =
                serde_json::from_slice(&reply.body).map_err(|_| KmsError::Unavailable)?;
            let text = read.data.ciphertext;
            if !text.starts_with(PREFIX) {
                return Err(KmsError::Unavailable);
            }
            Ok(Sealed::from_stored([&[FORMAT], text.as_bytes()].concat()))
        })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move {
            let [FORMAT, text @ ..] = wrapped.as_bytes() else { return Err(KmsError::Refused) };
            let text = std::str::from_utf8(text).ok().filter(|text| text.starts_with(PREFIX));
            let text = text.ok_or(KmsError::Refused)?;
            let associated_data = BASE64_STANDARD.encode(bound(context));
            let asked = Asked { plaintext: None, ciphertext: Some(text), associated_data };
            let reply = self.call("decrypt", &asked).await?;
            let read: Answer<Decrypted> =
                serde_json::from_slice(&reply.body).map_err(|_| KmsError::Unavailable)?;
            from_framed_text(context, read.data.plaintext)
        })
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
