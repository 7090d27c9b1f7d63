//! The contract beside a service that answers as Vault documents, and what each of its refusals means.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use base::SeededRng;
use serde_json::{Value, json};

use super::super::contract::{check, context, now};
use super::super::remote::Unreachable;
use super::*;

/// Keeps what it encrypts in a list; the ciphertext is the place in it.
#[derive(Default)]
struct Service {
    kept: Mutex<Vec<(Value, Value)>>,
    asked: Mutex<Vec<(String, HashMap<String, String>)>>,
    says: Mutex<Option<(u16, Value)>>,
}

impl Service {
    fn answer(&self, url: &str, asked: &Value) -> (u16, Value) {
        if let Some(says) = self.says.lock().unwrap().clone() {
            return says;
        }
        let (path, key) = url.rsplit_once('/').unwrap();
        let bound = json!([key, asked["associated_data"]]);
        let mut kept = self.kept.lock().unwrap();
        if path.ends_with("/v1/transit/encrypt") {
            kept.push((bound, asked["plaintext"].clone()));
            return (
                200,
                json!({ "data": { "ciphertext": format!("vault:v1:{}", kept.len()), "key_version": 1 } }),
            );
        }
        assert!(path.ends_with("/v1/transit/decrypt"), "{url}");
        let place = asked["ciphertext"].as_str().unwrap().strip_prefix("vault:v1:");
        let place = place.and_then(|place| place.parse::<usize>().ok());
        match place.and_then(|place| kept.get(place.wrapping_sub(1))) {
            Some((known, plain)) if *known == bound => (200, json!({ "data": { "plaintext": plain } })),
            Some(_) => (400, json!({ "errors": ["cipher: message authentication failed"] })),
            None => (400, json!({ "errors": ["invalid ciphertext: could not decode base64"] })),
        }
    }
}

impl Exchange for Service {
    fn exchange(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, Unreachable>> {
        let headers = ask.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let (status, body) = self.answer(&ask.url, &serde_json::from_slice(&ask.body).unwrap());
        self.asked.lock().unwrap().push((ask.url, headers));
        let retry_after = (status == 429).then_some(Duration::from_secs(7));
        let body = Zeroizing::new(body.to_string().into_bytes());
        Box::pin(async move {
            if status == 0 { Err(Unreachable) } else { Ok(Reply { status, retry_after, body }) }
        })
    }
}

fn kms(key: &str, service: &Arc<Service>) -> VaultKms {
    let options = VaultOptions {
        address: "https://vault.example.org:8200/".to_owned(),
        mount: "transit".to_owned(),
        key: key.to_owned(),
        namespace: (key == "b").then(|| "contoso".to_owned()),
    };
    let token: FetchToken = Arc::new(|| Some(Secret::new("hvs.secret".to_owned())));
    VaultKms::new(options, token, Arc::clone(service) as _)
}

#[test]
fn keeps_the_contract() {
    let service = Arc::new(Service::default());
    check(&kms("a", &service), &kms("b", &service));
}

#[test]
fn calls_go_to_the_key_with_token_and_namespace() {
    let service = Arc::new(Service::default());
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    let wrapped = now(kms("b", &service).wrap(&context("europe", 1, 1), &key)).unwrap();
    now(kms("b", &service).unwrap(&context("europe", 1, 1), &wrapped)).unwrap();
    let asked = service.asked.lock().unwrap();
    assert_eq!(asked[0].0, "https://vault.example.org:8200/v1/transit/encrypt/b");
    assert_eq!(asked[1].0, "https://vault.example.org:8200/v1/transit/decrypt/b");
    for (_, headers) in asked.iter() {
        assert_eq!(
            (headers["x-vault-token"].as_str(), headers["x-vault-namespace"].as_str()),
            ("hvs.secret", "contoso")
        );
    }
}

#[test]
fn each_refusal_has_its_meaning() {
    let cases = [
        (403, "permission denied", KmsError::Disabled),
        (403, "invalid token", KmsError::Disabled),
        (400, "encryption key not found", KmsError::Deleted),
        (400, "ciphertext or signature version is disallowed by policy (too old)", KmsError::Disabled),
        (400, "cipher: message authentication failed", KmsError::Refused),
        (400, "invalid ciphertext: no prefix", KmsError::Refused),
        (400, "something else", KmsError::Unavailable),
        (404, "no handler for route \"transit/encrypt/a\"", KmsError::Unavailable),
        (429, "", KmsError::Throttled { retry_after: Some(Duration::from_secs(7)) }),
        (503, "Vault is sealed", KmsError::Unavailable),
        (500, "internal error", KmsError::Unavailable),
        (0, "", KmsError::Unavailable),
    ];
    let service = Arc::new(Service::default());
    let kms = kms("a", &service);
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let wrapped = now(kms.wrap(&context, &key)).unwrap();
    for (status, said, expected) in cases {
        *service.says.lock().unwrap() = Some((status, json!({ "errors": [said] })));
        assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), expected, "{said}");
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), expected, "{said}");
    }
    for nonsense in [json!([]), json!({}), json!({ "data": { "ciphertext": "v1", "plaintext": "%" } })] {
        *service.says.lock().unwrap() = Some((200, nonsense));
        assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), KmsError::Unavailable);
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), KmsError::Unavailable);
    }
    *service.says.lock().unwrap() =
        Some((200, json!({ "data": { "plaintext": BASE64_STANDARD.encode("no key") } })));
    assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), KmsError::Refused);
}

#[test]
fn what_was_wrapped_elsewhere_or_without_a_token_is_not_sent() {
    let service = Arc::new(Service::default());
    let elsewhere = kms("a", &service);
    for foreign in
        [vec![], vec![FORMAT], vec![0xB2; 70], [&[FORMAT], &b"other:v1:1"[..]].concat(), vec![FORMAT, 0xFF]]
    {
        let refused = now(elsewhere.unwrap(&context("europe", 1, 1), &Sealed::from_stored(foreign)));
        assert_eq!(refused.unwrap_err(), KmsError::Refused);
    }
    let without = VaultKms { token: Arc::new(|| None), ..elsewhere };
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    assert_eq!(now(without.wrap(&context("europe", 1, 1), &key)).unwrap_err(), KmsError::Unavailable);
    assert!(service.asked.lock().unwrap().is_empty());
}
