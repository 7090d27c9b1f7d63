//! A root key in AWS KMS: `Encrypt` and `Decrypt` of its JSON API (AWS KMS API Reference, 2014-11-01), signed with
//! Signature Version 4. The context is the encryption context, which AWS authenticates and logs: geography, resource and
//! generation are ids, never names.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base::{Clock, Secret};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::remote::{Ask, Exchange, Reply};
use super::{BoxFuture, KeyContext, Kms, KmsError, framed_text, from_framed_text};
use crate::seal::{ScopeKey, Sealed};

/// The first byte of a key wrapped here.
const FORMAT: u8 = 0xB2;
const SERVICE: &str = "kms";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// What a signature adds.
const SIGNED: [&str; 3] = ["authorization", "x-amz-date", "x-amz-security-token"];
const PURPOSE: &str = "chancery resource key 1";

/// Where a root key is in AWS.
#[derive(Clone, Debug)]
pub struct AwsOptions {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Another endpoint than that of the region, as an absolute URL with a path.
    pub endpoint: Option<String>,
    /// The key: its id or its ARN. An alias that is pointed elsewhere would leave what it wrapped behind.
    pub key: String,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct AwsCredentials {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: Secret<String>,
    /// The session token of temporary credentials.
    pub session: Option<Secret<String>>,
}

/// Fetches credentials anew for each call, so that they may be replaced while running; `None` when they cannot be had.
pub type FetchCredentials = Arc<dyn Fn() -> Option<AwsCredentials> + Send + Sync>;

/// A key service whose root key is in AWS KMS.
pub struct AwsKms {
    url: String,
    options: AwsOptions,
    credentials: FetchCredentials,
    exchange: Arc<dyn Exchange>,
    clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Asked<'a> {
    key_id: &'a str,
    encryption_context: Context,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ciphertext_blob: Option<&'a str>,
}

#[derive(Serialize)]
struct Context {
    purpose: &'static str,
    geography: String,
    resource: String,
    generation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypted {
    ciphertext_blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypted {
    plaintext: String,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl AwsKms {
    /// The key that `options` name, asked by way of `exchange`.
    #[must_use]
    pub fn new(
        options: AwsOptions,
        credentials: FetchCredentials,
        exchange: Arc<dyn Exchange>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let url = options
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("https://kms.{}.amazonaws.com/", options.region));
        Self { url, options, credentials, exchange, clock }
    }

    async fn call(&self, action: &str, body: Zeroizing<Vec<u8>>) -> Result<Reply, KmsError> {
        let ask = self.signed(action, body).ok_or(KmsError::Unavailable)?;
        let reply = self.exchange.exchange(ask).await.map_err(|_| KmsError::Unavailable)?;
        if reply.status == 200 { Ok(reply) } else { Err(meaning(&reply)) }
    }

    /// The request with its signature; `None` without credentials, or when they cannot be headers.
    fn signed(&self, action: &str, body: Zeroizing<Vec<u8>>) -> Option<Ask> {
        let AwsCredentials { id, secret, session } = (self.credentials)()?;
        let session = session.map(|token| token.expose().clone());
        let identity = Credentials::new(id, secret.expose().as_str(), session, None, "configuration").into();
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.now().as_millis());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.options.region)
            .name(SERVICE)
            .time(now)
            .settings(SigningSettings::default());
        let params = params.build().ok()?.into();
        let target = format!("TrentService.{action}");
        let mut headers = vec![("content-type", CONTENT_TYPE.to_owned()), ("x-amz-target", target)];
        let plain = headers.iter().map(|(name, value)| (*name, value.as_str()));
        let signable = SignableRequest::new("POST", &self.url, plain, SignableBody::Bytes(&body)).ok()?;
        let (signature, _) = sign(signable, &params).ok()?.into_parts();
        for (name, value) in signature.headers() {
            let name = SIGNED.into_iter().find(|known| *known == name)?;
            headers.push((name, value.to_owned()));
        }
        Some(Ask { method: "POST", url: self.url.clone(), headers, body })
    }

    fn asked<'a>(&'a self, context: &KeyContext) -> Asked<'a> {
        let resource = base::hex(context.resource.as_bytes());
        let encryption_context = Context {
            purpose: PURPOSE,
            geography: context.geography.as_str().to_owned(),
            resource,
            generation: context.generation.to_string(),
        };
        Asked { key_id: &self.options.key, encryption_context, plaintext: None, ciphertext_blob: None }
    }
}

/// What a refusal means (AWS KMS API Reference, errors of `Encrypt` and `Decrypt`, common errors).
fn meaning(reply: &Reply) -> KmsError {
    let fault: Option<Fault> = serde_json::from_slice(&reply.body).ok();
    let (kind, message) = fault.map_or_else(Default::default, |fault| (fault.kind, fault.message));
    match kind.rsplit(['#', '.']).next().unwrap_or_default() {
        "NotFoundException" => KmsError::Deleted,
        // A key that waits for its deletion can still be saved by its owner.
        "DisabledException" | "KMSInvalidStateException" | "AccessDeniedException" => KmsError::Disabled,
        // Whose credentials the owner took away.
        "UnrecognizedClientException" | "InvalidClientTokenId" | "AccessDenied" => KmsError::Disabled,
        "InvalidCiphertextException" | "IncorrectKeyException" => KmsError::Refused,
        "ThrottlingException" | "LimitExceededException" => {
            KmsError::Throttled { retry_after: reply.retry_after }
        }
        "ValidationException" if message.contains("iphertext") => KmsError::Refused,
        _ if reply.status == 429 => KmsError::Throttled { retry_after: reply.retry_after },
        _ => KmsError::Unavailable,
    }
}

impl Kms for AwsKms {
    fn name(&self) -> &'static str {
        "aws-kms"
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(async move {
            let plain = framed_text(context, key)?;
            let asked = Asked { plaintext: Some(&plain), ..self.asked(context) };
            let body = Zeroizing::new(serde_json::to_vec(&asked).map_err(|_| KmsError::Unavailable)?);
            let reply = self.call("Encrypt", body).await?;
            let read: Encrypted = serde_json::from_slice(&reply.body).map_err(|_| KmsError::Unavailable)?;
            let blob = BASE64_STANDARD.decode(read.ciphertext_blob).map_err(|_| KmsError::Unavailable)?;
            Ok(Sealed::from_stored([&[FORMAT], blob.as_slice()].concat()))
        })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move {
            let [FORMAT, blob @ ..] = wrapped.as_bytes() else { return Err(KmsError::Refused) };
            if blob.is_empty() {
                return Err(KmsError::Refused);
            }
            let blob = BASE64_STANDARD.encode(blob);
            let asked = Asked { ciphertext_blob: Some(&blob), ..self.asked(context) };
            let body = Zeroizing::new(serde_json::to_vec(&asked).map_err(|_| KmsError::Unavailable)?);
            let reply = self.call("Decrypt", body).await?;
            let read: Decrypted = serde_json::from_slice(&reply.body).map_err(|_| KmsError::Unavailable)?;
            from_framed_text(context, read.plaintext)
        })
    }
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
