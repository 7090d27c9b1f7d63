//! Signatures of HTTP requests that this server makes: RFC 9421 with Ed25519, over a `Content-Digest` (RFC 9530) of the
//! body. Each is good for a stated time and carries a nonce, so that a receiver can refuse what is sent a second time.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base::{Rng, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use thiserror::Error;

use crate::hash::sha256;

/// For how long after it was made a signature is good: its `expires` lies this far after its `created`.
pub const SIGNATURE_LIFETIME: Duration = Duration::from_secs(300);
/// Where a key set for request signatures is published.
pub const KEY_DIRECTORY: &str = "/.well-known/http-message-signatures-directory";
/// The media type of such a key set.
pub const KEY_DIRECTORY_TYPE: &str = "application/http-message-signatures-directory+json";
/// The label under which the signature stands in both of its headers.
const LABEL: &str = "sig1";
/// What the signature is for, so that one made for another purpose by the same key is not taken for this.
const TAG: &str = "chancery-event";

/// The bytes are no key for request signatures: an Ed25519 key pair in PKCS #8 is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an Ed25519 key")]
pub struct InvalidRequestKey;

/// An Ed25519 key pair that signs requests. Its id is the thumbprint of the public key (RFC 7638 and 8037).
pub struct RequestSigner {
    pair: Ed25519KeyPair,
    kid: String,
}

/// A request about to be sent, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Outbound<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The whole URL, without a fragment.
    pub target_uri: &'a str,
    /// Further headers that are covered, names in lower case, in this order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body; its digest is covered when there is one.
    pub body: Option<&'a [u8]>,
}

/// The headers a signature adds, values ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `Content-Digest`; none for a request without a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

impl RequestSigner {
    /// A new key pair, from the system's randomness.
    ///
    /// # Errors
    /// When the crypto library cannot make one.
    pub fn generate() -> Result<Self, InvalidRequestKey> {
        Ed25519KeyPair::generate().map_err(|_| InvalidRequestKey).map(Self::new)
    }

    /// From what [`to_pkcs8`](Self::to_pkcs8) gave.
    ///
    /// # Errors
    /// When the bytes are not an Ed25519 key pair in PKCS #8.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, InvalidRequestKey> {
        Ed25519KeyPair::from_pkcs8(bytes).map_err(|_| InvalidRequestKey).map(Self::new)
    }

    fn new(pair: Ed25519KeyPair) -> Self {
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        // RFC 8037, appendix A.3: the required members only, in order, without blanks.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Self { pair, kid: URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes())) }
    }

    /// The private key in PKCS #8 (DER), to be sealed.
    ///
    /// # Errors
    /// When the crypto library cannot write it.
    pub fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, InvalidRequestKey> {
        let document = self.pair.to_pkcs8().map_err(|_| InvalidRequestKey)?;
        Ok(Secret::new(document.as_ref().to_vec()))
    }

    /// The key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key as a JWK (RFC 8037), with `kid`, `use` and `alg`.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig", "alg": "EdDSA" })
    }

    /// Signs `request`, made at `now`.
    #[must_use]
    pub fn sign(&self, request: &Outbound<'_>, now: Timestamp, rng: &dyn Rng) -> SignatureHeaders {
        let digest = request.body.map(content_digest);
        let mut covered: Vec<(&str, &str)> =
            vec![("@method", request.method), ("@target-uri", request.target_uri)];
        covered.extend(request.headers);
        if let Some(digest) = &digest {
            covered.push(("content-digest", digest));
        }
        let names: Vec<String> = covered.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let created = now.as_secs();
        let parameters = format!(
            "({});created={created};expires={};nonce=\"{}\";keyid=\"{}\";alg=\"ed25519\";tag=\"{TAG}\"",
            names.join(" "),
            created + SIGNATURE_LIFETIME.as_secs(),
            URL_SAFE_NO_PAD.encode(rng.id()),
            self.kid,
        );
        // RFC 9421, section 2.5.
        let lines = covered.iter().map(|(name, value)| format!("\"{name}\": {}\n", value.trim()));
        let signed = lines.chain([format!("\"@signature-params\": {parameters}")]).collect::<String>();
        let signature = STANDARD.encode(self.pair.sign(signed.as_bytes()));
        SignatureHeaders {
            content_digest: digest,
            signature_input: format!("{LABEL}={parameters}"),
            signature: format!("{LABEL}=:{signature}:"),
        }
    }
}

/// The value of `Content-Digest` for `body` (RFC 9530).
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256(body)))
}

impl fmt::Debug for RequestSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestSigner({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use base::SeededRng;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_999);

    fn request(body: Option<&[u8]>) -> Outbound<'_> {
        Outbound {
            method: "POST",
            target_uri: "https://hooks.example/a?b=c",
            headers: &[("content-type", "application/json")],
            body,
        }
    }

    #[test]
    fn digests_are_those_of_the_rfc() {
        // RFC 9530, appendix D.
        let body = b"{\"hello\": \"world\"}";
        assert_eq!(content_digest(body), "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    }

    #[test]
    fn a_signature_covers_what_it_says_and_verifies() {
        let signer = RequestSigner::generate().unwrap();
        let made = signer.sign(&request(Some(b"[]")), NOW, &SeededRng::new(1));
        let input = made.signature_input.strip_prefix("sig1=").unwrap();
        assert!(input.starts_with(
            "(\"@method\" \"@target-uri\" \"content-type\" \"content-digest\");created=1795420800;expires=1795421100;"
        ));
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": https://hooks.example/a?b=c\n\"content-type\": application/json\n\
             \"content-digest\": {}\n\"@signature-params\": {input}",
            made.content_digest.unwrap()
        );
        let signature = made.signature.strip_prefix("sig1=:").unwrap().strip_suffix(':').unwrap();
        let signature = STANDARD.decode(signature).unwrap();
        let x = signer.jwk()["x"].as_str().unwrap().to_owned();
        let public = UnparsedPublicKey::new(&ED25519, URL_SAFE_NO_PAD.decode(x).unwrap());
        assert!(public.verify(base.as_bytes(), &signature).is_ok());
        assert!(public.verify(base.replace("POST", "PUT").as_bytes(), &signature).is_err());
    }

    #[test]
    fn no_two_signatures_are_alike_and_one_without_a_body_has_no_digest() {
        let (signer, rng) = (RequestSigner::generate().unwrap(), SeededRng::new(2));
        let (one, two) = (signer.sign(&request(None), NOW, &rng), signer.sign(&request(None), NOW, &rng));
        assert_ne!(one, two, "the nonce");
        assert_eq!(one.content_digest, None);
        assert!(!one.signature_input.contains("content-digest"));
    }

    #[test]
    fn keys_round_trip_and_print_nothing() {
        let signer = RequestSigner::generate().unwrap();
        let pkcs8 = signer.to_pkcs8().unwrap();
        let again = RequestSigner::from_pkcs8(pkcs8.expose()).unwrap();
        assert_eq!(again.jwk(), signer.jwk());
        assert_eq!(again.kid().len(), 43);
        assert_eq!(format!("{again:?}"), format!("RequestSigner({})", signer.kid()));
        assert!(RequestSigner::from_pkcs8(b"no key").is_err());
    }

    #[test]
    fn the_key_id_is_the_thumbprint_of_the_rfc() {
        // RFC 8037, appendix A.1 and A.3.
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        assert_eq!(RequestSigner::new(pair).kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
