//! Access-key signatures of requests (HMAC-SHA256), as the Azure SDKs make them. The SDKs differ in what they sign, so
//! a few candidate strings are tried. Knows texts, never an HTTP stack.

mod candidates;
mod key;

use std::time::Duration;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::hash::{same, sha256_base64};

pub use key::{AccessKey, InvalidAccessKey};

/// The headers that a signature covers, in the order of the string to sign.
const SIGNED_HEADERS: &str = "x-ms-date;host;x-ms-content-sha256";
const SCHEME: &str = "HMAC-SHA256";
const HASH: &str = "x-ms-content-sha256";
const DATE: &str = "x-ms-date";
/// The longest `Authorization` header that is looked at, in bytes; a genuine one has 113.
const MAX_AUTHORIZATION: usize = 256;
/// How many hosts are tried, the first ones given.
pub const MAX_HOSTS: usize = 8;

/// What of a request was, or may have been, signed. Header values as on the wire.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The request target as on the wire: path and query, percent-encoded as the client sent it.
    pub path_and_query: &'a str,
    /// The `Host` header first, then the configured public hosts; without a slash. At most [`MAX_HOSTS`] are tried.
    pub hosts: &'a [&'a str],
    /// The header `x-ms-host`: the host that a client signed although it called another one.
    pub x_ms_host: Option<&'a str>,
    /// The header `x-ms-date`.
    pub date: Option<&'a str>,
    /// The header `x-ms-content-sha256`.
    pub content_sha256: Option<&'a str>,
    /// The header `Authorization`.
    pub authorization: &'a str,
    /// SHA-256 of the body that was received.
    pub body_sha256: &'a [u8; 32],
}

/// Why a request is not taken for signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// A header is not what it should be.
    #[error("the header {0} is malformed")]
    Malformed(&'static str),
    /// A header that is signed is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// The body is not the one that was signed.
    #[error("the body does not have the hash of x-ms-content-sha256")]
    BodyHash,
    /// The date lies too far from now.
    #[error("x-ms-date lies too far from the present time")]
    Skew,
    /// No key made this signature for this request.
    #[error("the signature does not match")]
    Mismatch,
}

/// Reads `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=<base64>` and gives the signature.
/// The header list must be exactly these three.
///
/// # Errors
/// [`SignatureError::Malformed`] for everything else.
pub fn parse_authorization(header: &str) -> Result<[u8; 32], SignatureError> {
    read_authorization(header).ok_or(SignatureError::Malformed("authorization"))
}

fn read_authorization(header: &str) -> Option<[u8; 32]> {
    if header.len() > MAX_AUTHORIZATION {
        return None;
    }
    let (scheme, rest) = header.split_once(' ')?;
    let (headers, signature) =
        rest.trim_start_matches(' ').strip_prefix("SignedHeaders=")?.split_once('&')?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || !headers.eq_ignore_ascii_case(SIGNED_HEADERS) {
        return None;
    }
    decode32(signature.strip_prefix("Signature=")?)
}

/// 32 bytes in standard base64 with padding; any other form is refused.
fn decode32(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 33];
    match STANDARD.decode_slice(text, &mut out) {
        Ok(32) => out[..32].try_into().ok(),
        _ => None,
    }
}

/// Checks the headers, the date, the body and the signature of a request, and says which of `keys` signed it.
/// A date exactly `skew` away is accepted.
///
/// # Errors
/// [`SignatureError`]; which one tells the caller only what it sent.
pub fn verify(
    request: &SignedRequest<'_>,
    keys: &[AccessKey],
    now: Timestamp,
    skew: Duration,
) -> Result<usize, SignatureError> {
    let signature = parse_authorization(request.authorization)?;
    let date = request.date.ok_or(SignatureError::MissingHeader(DATE))?;
    let hash = request.content_sha256.ok_or(SignatureError::MissingHeader(HASH))?;
    let instant = Timestamp::parse_http_date(date).ok_or(SignatureError::Malformed(DATE))?;
    if now.distance(instant) > skew {
        return Err(SignatureError::Skew);
    }
    let claimed = decode32(hash).ok_or(SignatureError::Malformed(HASH))?;
    if !same(&claimed, request.body_sha256) {
        return Err(SignatureError::BodyHash);
    }
    let mut attempt =
        Attempt { request, keys, date, hash, signature: &signature, text: Vec::with_capacity(512) };
    // Most requests are signed as sent, for the host they were sent to; only the others cost more.
    let target = request.path_and_query;
    attempt
        .target(target)
        .or_else(|| candidates::form(target).and_then(|target| attempt.target(&target)))
        .or_else(|| candidates::decoded(target).and_then(|target| attempt.target(&target)))
        .ok_or(SignatureError::Mismatch)
}

/// What stays the same while candidates are tried.
struct Attempt<'a> {
    request: &'a SignedRequest<'a>,
    keys: &'a [AccessKey],
    date: &'a str,
    hash: &'a str,
    signature: &'a [u8; 32],
    text: Vec<u8>,
}

impl Attempt<'_> {
    /// The key that signed this form of the target for any of the hosts.
    fn target(&mut self, target: &str) -> Option<usize> {
        let hosts = self.request.hosts.iter().take(MAX_HOSTS).copied().chain(self.request.x_ms_host);
        for host in hosts.filter(|host| candidates::plausible_host(host)) {
            // A Python client whose endpoint ends in a slash signs the host with it.
            for slash in ["", "/"] {
                self.text.clear();
                string_to_sign(
                    &mut self.text,
                    self.request.method,
                    target,
                    self.date,
                    [host, slash],
                    self.hash,
                );
                let found = self.keys.iter().position(|key| key.signed(&self.text, self.signature));
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }
}

fn string_to_sign(out: &mut Vec<u8>, method: &str, target: &str, date: &str, host: [&str; 2], hash: &str) {
    for part in [method, "\n", target, "\n", date, ";", host[0], host[1], ";", hash] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The headers of a signed request.
#[derive(Clone, Debug)]
pub struct SignedHeaders {
    /// `x-ms-date`.
    pub date: String,
    /// `x-ms-content-sha256`.
    pub content_sha256: String,
    /// `Authorization`.
    pub authorization: String,
}

/// Signs a request as the SDKs do: `path_and_query` and `host` (with its port, if the URL has one) as they are sent.
#[must_use]
pub fn sign_request(
    key: &AccessKey,
    method: &str,
    path_and_query: &str,
    host: &str,
    date: Timestamp,
    body: &[u8],
) -> SignedHeaders {
    let (date, content_sha256) = (date.to_http_date(), sha256_base64(body));
    let mut text = Vec::with_capacity(512);
    string_to_sign(&mut text, method, path_and_query, &date, [host, ""], &content_sha256);
    let signature = key.sign(&String::from_utf8_lossy(&text));
    let authorization = format!("{SCHEME} SignedHeaders={SIGNED_HEADERS}&Signature={signature}");
    SignedHeaders { date, content_sha256, authorization }
}

#[cfg(test)]
mod tests;
