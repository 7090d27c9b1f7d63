//! A root key in Azure Key Vault: an RSA key, `wrapkey` and `unwrapkey` of its REST API (Key Vault REST API reference, 7.4)
//! with RSA-OAEP-256. RSA-OAEP authenticates nothing and takes no associated data, so what was wrapped is signed with the
//! same key together with its context, as SQL Server's Always Encrypted does it: `sign` and `verify` with PS256.
//!
//! Whoever asks needs `wrapKey`, `unwrapKey`, `sign`, `verify` and `get` on that key and nothing more.

use std::sync::Arc;

use base::Clock;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::azure_token::{FetchApplication, Tokens};
use super::remote::{Ask, Exchange, Reply};
use super::{BoxFuture, KeyContext, Kms, KmsError, bound, framed, from_framed};
use crate::hash::sha256;
use crate::seal::{ScopeKey, Sealed};

/// The first byte of a key wrapped here.
const FORMAT: u8 = 0xB4;
const API_VERSION: &str = "7.4";
const WRAPPING: &str = "RSA-OAEP-256";
const SIGNING: &str = "PS256";
/// The longest name of a version that is written down; Key Vault's have 32 characters.
const MAX_VERSION: usize = 127;

/// Where a root key is in Azure.
#[derive(Clone, Debug)]
pub struct AzureOptions {
    /// The vault, as an absolute URL without a path: `https://contoso.vault.azure.net`.
    pub vault: String,
    /// The key's name. Its newest version wraps; each version opens what it wrapped.
    pub key: String,
    /// Where tokens come from: `https://login.microsoftonline.com`, or that of a national cloud.
    pub authority: String,
    /// The directory (tenant) of the application that asks.
    pub tenant: String,
}

/// A key service whose root key is in Azure Key Vault.
pub struct AzureKms {
    options: AzureOptions,
    tokens: Tokens,
    exchange: Arc<dyn Exchange>,
}

#[derive(Default, Serialize)]
struct Asked<'a> {
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    value: &'a str,
}

/// The result of an operation on a key.
#[derive(Deserialize)]
struct Done {
    kid: String,
    value: String,
}

#[derive(Deserialize)]
struct Verified {
    value: bool,
}

#[derive(Default, Deserialize)]
struct Failed {
    #[serde(default)]
    error: Fault,
}

#[derive(Default, Deserialize)]
struct Fault {
    #[serde(default)]
    code: String,
    #[serde(default)]
    innererror: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
}

/// A wrapped key in its parts.
#[derive(Clone, Copy)]
struct Parts<'a> {
    version: &'a str,
    cipher: &'a [u8],
    signature: &'a [u8],
}

impl AzureKms {
    /// The key that `options` name, asked for by `application`, by way of `exchange`.
    #[must_use]
    pub fn new(
        options: AzureOptions,
        application: FetchApplication,
        exchange: Arc<dyn Exchange>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let place = format!("{}/{}", options.authority.trim_end_matches('/'), options.tenant);
        let tokens = Tokens::new(&place, scope(&options.vault), application, clock);
        Self { options, tokens, exchange }
    }

    /// Asks for `path` in the vault; a token that is no longer taken is replaced once.
    async fn send(
        &self,
        method: &'static str,
        path: &str,
        asked: Option<&Asked<'_>>,
    ) -> Result<Reply, KmsError> {
        let url = format!("{}/{path}?api-version={API_VERSION}", self.options.vault.trim_end_matches('/'));
        let body = asked.map(serde_json::to_vec).transpose().map_err(|_| KmsError::Unavailable)?;
        let body = Zeroizing::new(body.unwrap_or_default());
        for is_last in [false, true] {
            let token = self.tokens.have(&*self.exchange).await?;
            let headers = vec![
                ("content-type", "application/json".to_owned()),
                ("authorization", format!("Bearer {}", token.expose())),
            ];
            let ask = Ask { method, url: url.clone(), headers, body: body.clone() };
            let reply = self.exchange.exchange(ask).await.map_err(|_| KmsError::Unavailable)?;
            if reply.status != 401 {
                return Ok(reply);
            }
            self.tokens.forget(&token);
            if is_last {
                return Ok(reply);
            }
        }
        Err(KmsError::Unavailable)
    }

    /// An operation on the key: on one version of it, or on the newest.
    async fn operation(
        &self,
        version: Option<&str>,
        action: &str,
        asked: &Asked<'_>,
    ) -> Result<Reply, KmsError> {
        let name = &self.options.key;
        let path = match version {
            Some(version) => format!("keys/{name}/{version}/{action}"),
            None => format!("keys/{name}/{action}"),
        };
        let reply = self.send("POST", &path, Some(asked)).await?;
        if reply.status == 200 {
            return Ok(reply);
        }
        let fault = serde_json::from_slice::<Failed>(&reply.body).unwrap_or_default().error;
        match meaning(&reply, &fault, version.is_some()) {
            KmsError::Deleted => Err(self.what_is_missing(version.is_some()).await?),
            other => Err(other),
        }
    }

    /// Why a key was not found: that version of it never was, or the key was deleted and can be recovered, or it is gone.
    async fn what_is_missing(&self, is_of_a_version: bool) -> Result<KmsError, KmsError> {
        let name = &self.options.key;
        if is_of_a_version && self.send("GET", &format!("keys/{name}"), None).await?.status == 200 {
            return Ok(KmsError::Refused);
        }
        let kept = self.send("GET", &format!("deletedkeys/{name}"), None).await?;
        Ok(match kept.status {
            404 => KmsError::Deleted,
            // 403: who asks may not know, and what can perhaps be recovered is not called lost.
            200 | 403 => KmsError::Disabled,
            _ => KmsError::Unavailable,
        })
    }

    async fn sign(&self, version: &str, digest: &[u8; 32]) -> Result<Vec<u8>, KmsError> {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(digest);
        let asked = Asked { alg: SIGNING, digest: None, value: &digest };
        let done: Done = read(&self.operation(Some(version), "sign", &asked).await?)?;
        BASE64_URL_SAFE_NO_PAD.decode(done.value).map_err(|_| KmsError::Unavailable)
    }

    async fn verify(&self, context: &KeyContext, parts: Parts<'_>) -> Result<(), KmsError> {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(digest(context, parts.cipher));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(parts.signature);
        let asked = Asked { alg: SIGNING, digest: Some(digest), value: &signature };
        let verified: Verified = read(&self.operation(Some(parts.version), "verify", &asked).await?)?;
        if verified.value { Ok(()) } else { Err(KmsError::Refused) }
    }
}

/// What a token is asked for: the vaults of the cloud that this one is in.
fn scope(vault: &str) -> String {
    const PUBLIC: &str = "vault.azure.net";
    let host = vault.split_once("://").map_or(vault, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let cloud = host.split_once('.').map(|(_, cloud)| cloud);
    let cloud = cloud.filter(|cloud| cloud.starts_with("vault.") || cloud.starts_with("managedhsm."));
    format!("https://{}/.default", cloud.unwrap_or(PUBLIC))
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T, KmsError> {
    serde_json::from_slice(&reply.body).map_err(|_| KmsError::Unavailable)
}

/// What a refusal means (Azure Key Vault REST API error codes; throttling guidance). `is_ours`: what was sent was
/// wrapped before, so that the service finds it wrong when it was changed.
fn meaning(reply: &Reply, fault: &Fault, is_ours: bool) -> KmsError {
    let inner = fault.innererror.as_ref().map_or("", |inner| inner.code.as_str());
    match reply.status {
        // A network rule of the vault is a matter of the way there, not of the key.
        403 if inner == "ForbiddenByFirewall" || inner == "ForbiddenByConnection" => KmsError::Unavailable,
        // Whose role or policy the owner took away, or whose key is disabled or expired; all can be given back.
        401 | 403 => KmsError::Disabled,
        404 if fault.code == "KeyNotFound" => KmsError::Deleted,
        400 if is_ours && fault.code == "BadParameter" => KmsError::Refused,
        429 => KmsError::Throttled { retry_after: reply.retry_after },
        _ => KmsError::Unavailable,
    }
}

/// What is signed: the digest of the context and of what was wrapped.
fn digest(context: &KeyContext, cipher: &[u8]) -> [u8; 32] {
    sha256(&[bound(context).as_slice(), cipher].concat())
}

/// The version that a key identifier ends with.
fn version_of(kid: &str) -> Option<&str> {
    let (_, version) = kid.rsplit_once('/')?;
    is_version(version).then_some(version)
}

fn is_version(text: &str) -> bool {
    (1..=MAX_VERSION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl Parts<'_> {
    /// The format, the length of the version, the version, the length of the ciphertext in two bytes, the ciphertext, the
    /// signature.
    fn written(self) -> Option<Vec<u8>> {
        let mut bytes = vec![FORMAT, u8::try_from(self.version.len()).ok()?];
        bytes.extend_from_slice(self.version.as_bytes());
        bytes.extend_from_slice(&u16::try_from(self.cipher.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(self.cipher);
        bytes.extend_from_slice(self.signature);
        Some(bytes)
    }
}

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let [FORMAT, len, rest @ ..] = bytes else { return None };
    let (version, rest) = rest.split_at_checked(usize::from(*len))?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (cipher, signature) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    let version = std::str::from_utf8(version).ok().filter(|text| is_version(text))?;
    (!cipher.is_empty() && !signature.is_empty()).then_some(Parts { version, cipher, signature })
}

impl Kms for AzureKms {
    fn name(&self) -> &'static str {
        "azure-key-vault"
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(async move {
            let plain = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(&*framed(context, key)?));
            let asked = Asked { alg: WRAPPING, digest: None, value: &plain };
            let done: Done = read(&self.operation(None, "wrapkey", &asked).await?)?;
            let version = version_of(&done.kid).ok_or(KmsError::Unavailable)?;
            let cipher = BASE64_URL_SAFE_NO_PAD.decode(&done.value).map_err(|_| KmsError::Unavailable)?;
            let signature = self.sign(version, &digest(context, &cipher)).await?;
            let written = Parts { version, cipher: &cipher, signature: &signature }.written();
            written.map(Sealed::from_stored).ok_or(KmsError::Unavailable)
        })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move {
            let parts = parts(wrapped.as_bytes()).ok_or(KmsError::Refused)?;
            self.verify(context, parts).await?;
            let cipher = BASE64_URL_SAFE_NO_PAD.encode(parts.cipher);
            let asked = Asked { alg: WRAPPING, digest: None, value: &cipher };
            let mut done: Done = read(&self.operation(Some(parts.version), "unwrapkey", &asked).await?)?;
            let text = Zeroizing::new(std::mem::take(&mut done.value));
            let plain = BASE64_URL_SAFE_NO_PAD.decode(text.as_bytes()).map(Zeroizing::new);
            from_framed(context, &plain.map_err(|_| KmsError::Unavailable)?)
        })
    }
}

#[cfg(test)]
#[path = "azure_tests.rs"]
mod tests;
