//! Signed statements that are kept and shown to others: JSON in the compact form of JWS (RFC 7515). Their type keeps them
//! from being taken for user tokens, whose type is another.

use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::format::ALGORITHM;
use super::sign::TokenSigner;
use super::verify::PublicKey;

/// The longest statement that is looked at, in bytes.
pub const MAX_STATEMENT: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    kid: String,
    typ: String,
}

impl TokenSigner {
    /// A statement of that type (RFC 7515, 4.1.9) that says `payload`.
    ///
    /// # Panics
    /// Never, unless the operating system gives no randomness.
    #[must_use]
    pub fn state(&self, typ: &str, payload: &Value) -> String {
        let head = Head { alg: ALGORITHM.to_owned(), kid: self.kid().to_owned(), typ: typ.to_owned() };
        let head = serde_json::to_vec(&head).expect("texts can be written as JSON");
        let mut out = URL_SAFE_NO_PAD.encode(head);
        out.push('.');
        URL_SAFE_NO_PAD.encode_string(payload.to_string(), &mut out);
        let signature = self.pair().sign(&SystemRandom::new(), out.as_bytes()).expect("a valid key can sign");
        out.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut out);
        out
    }
}

/// What `statement` says, when it is of that type and one of `keys` signed it.
#[must_use]
pub fn read_statement(keys: &[PublicKey], typ: &str, statement: &str) -> Option<Value> {
    if statement.len() > MAX_STATEMENT {
        return None;
    }
    let (signed, signature) = statement.rsplit_once('.')?;
    let (head, payload) = signed.split_once('.')?;
    let head: Head = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()?;
    if head.alg != ALGORITHM || head.typ != typ {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let key = keys.iter().find(|key| key.kid() == head.kid)?;
    key.signed(signed.as_bytes(), &signature)
        .then(|| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::parse_unverified;
    use serde_json::json;

    const TYPE: &str = "chancery-test+jws";

    #[test]
    fn a_statement_is_read_by_its_key_and_no_other() {
        let (ours, theirs) = (TokenSigner::generate().unwrap(), TokenSigner::generate().unwrap());
        let payload = json!({ "what": "a thread", "rows": 7 });
        let said = ours.state(TYPE, &payload);
        let keys = [theirs.public().clone(), PublicKey::from_jwk(&ours.jwk()).unwrap()];
        assert_eq!(read_statement(&keys, TYPE, &said), Some(payload));
        assert_eq!(read_statement(&keys[..1], TYPE, &said), None);
        assert_eq!(read_statement(&keys, "JWT", &said), None);
        assert!(parse_unverified(&said).is_err(), "it is no token");
    }

    #[test]
    fn what_was_changed_is_not_read() {
        let ours = TokenSigner::generate().unwrap();
        let said = ours.state(TYPE, &json!({ "rows": 7 }));
        let keys = [ours.public().clone()];
        for at in 0..said.len() {
            let mut bad = said.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            // The last character of a segment has bits that stand for nothing; whatever is read is what was said.
            let read = read_statement(&keys, TYPE, std::str::from_utf8(&bad).unwrap());
            assert!(read.is_none(), "{at}");
            assert_eq!(read_statement(&keys, TYPE, &said[..at]), None, "cut to {at}");
        }
        assert_eq!(read_statement(&keys, TYPE, &"a".repeat(MAX_STATEMENT + 1)), None);
    }
}
