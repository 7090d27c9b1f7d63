//! The contract beside a vault that answers as Azure documents, what each of its refusals means, and how tokens are kept.
//! A server that the vendor's own client speaks to is in `tests/peers/kms`.

use std::sync::Mutex;
use std::time::Duration;

use base::{ManualClock, Secret, SeededRng, Timestamp};
use serde_json::{Value, json};

use super::super::azure_token::AzureApplication;
use super::super::contract::{check, context, now};
use super::super::remote::Unreachable;
use super::*;

const VAULT: &str = "https://contoso.vault.azure.net/";
const TOKENS: &str = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";

/// Keeps what it wraps and signs in lists; a ciphertext or signature is the place in its list with a checksum.
#[derive(Default)]
struct Service {
    kept: Mutex<Vec<(String, Value)>>,
    asked: Mutex<Vec<(&'static str, String, String)>>,
    says: Mutex<Vec<(&'static str, u16, Value)>>,
    tokens: Mutex<usize>,
}

fn fault(code: &str, inner: Option<&str>) -> Value {
    let inner = inner.map(|code| json!({ "code": code }));
    json!({ "error": { "code": code, "message": "told", "innererror": inner } })
}

impl Service {
    fn says(&self, part: &'static str, status: u16, body: Value) {
        self.says.lock().unwrap().insert(0, (part, status, body));
    }

    fn keep(&self, what: String, value: &Value) -> String {
        let mut kept = self.kept.lock().unwrap();
        kept.push((what, value.clone()));
        let place = u8::try_from(kept.len()).unwrap();
        BASE64_URL_SAFE_NO_PAD.encode([place, !place])
    }

    /// What was kept under a ciphertext or signature for the same key.
    fn find(&self, what: &str, place: &Value) -> Option<Value> {
        let place = BASE64_URL_SAFE_NO_PAD.decode(place.as_str()?).ok()?;
        let [place, check] = place.as_slice() else { return None };
        let kept = self.kept.lock().unwrap();
        let (known, value) = kept.get(usize::from(*place).wrapping_sub(1))?;
        (*check == !*place && known == what).then(|| value.clone())
    }

    fn answer(&self, method: &str, url: &str, body: &[u8]) -> (u16, Value) {
        if let Some((_, status, says)) =
            self.says.lock().unwrap().iter().find(|(part, ..)| url.contains(part))
        {
            return (*status, says.clone());
        }
        if url == TOKENS {
            let mut tokens = self.tokens.lock().unwrap();
            *tokens += 1;
            return (200, json!({ "access_token": format!("token-{tokens}"), "expires_in": 3599 }));
        }
        let path = url.strip_prefix(VAULT).and_then(|path| path.strip_suffix("?api-version=7.4")).unwrap();
        let parts: Vec<&str> = path.split('/').collect();
        let (key, version, action) = match parts.as_slice() {
            ["keys", key, version, action] => (*key, *version, *action),
            ["keys", key, "wrapkey"] => (*key, "1", "wrapkey"),
            ["keys", _] => return (200, json!({ "key": {} })),
            _ => return (404, fault("KeyNotFound", None)),
        };
        assert_eq!(method, "POST");
        if version != "1" {
            return (404, fault("KeyNotFound", None));
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        let done = |value: Value| json!({ "kid": format!("{VAULT}keys/{key}/{version}"), "value": value });
        let (wraps, signs) = (format!("{key} wraps"), format!("{key} signs"));
        match action {
            "wrapkey" => (200, done(self.keep(wraps, &asked["value"]).into())),
            "sign" => (200, done(self.keep(signs, &asked["value"]).into())),
            "verify" => {
                let is_good =
                    self.find(&signs, &asked["value"]).is_some_and(|known| known == asked["digest"]);
                (200, json!({ "value": is_good }))
            }
            "unwrapkey" => self
                .find(&wraps, &asked["value"])
                .map_or((400, fault("BadParameter", None)), |plain| (200, done(plain))),
            other => panic!("{other}"),
        }
    }
}

impl Exchange for Service {
    fn exchange(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, Unreachable>> {
        let (status, body) = self.answer(ask.method, &ask.url, &ask.body);
        let shown = match ask.url == TOKENS {
            true => String::from_utf8(ask.body.to_vec()).unwrap(),
            false => {
                ask.headers.into_iter().find(|(name, _)| *name == "authorization").map(|(_, to)| to).unwrap()
            }
        };
        self.asked.lock().unwrap().push((ask.method, ask.url, shown));
        let retry_after = (status == 429).then_some(Duration::from_secs(7));
        let body = Zeroizing::new(body.to_string().into_bytes());
        Box::pin(async move {
            if status == 0 { Err(Unreachable) } else { Ok(Reply { status, retry_after, body }) }
        })
    }
}

fn application() -> FetchApplication {
    let secret = Secret::new("s&cret".to_owned());
    Arc::new(move || Some(AzureApplication { id: "c-1".to_owned(), secret: secret.clone() }))
}

fn kms_at(key: &str, service: &Arc<Service>, clock: &Arc<ManualClock>) -> AzureKms {
    let options = AzureOptions {
        vault: VAULT.to_owned(),
        key: key.to_owned(),
        authority: "https://login.microsoftonline.com".to_owned(),
        tenant: "contoso.example".to_owned(),
    };
    AzureKms::new(options, application(), Arc::clone(service) as _, Arc::clone(clock) as _)
}

fn kms(key: &str, service: &Arc<Service>) -> AzureKms {
    kms_at(key, service, &Arc::new(ManualClock::new(Timestamp::from_millis(1_795_420_800_000))))
}

#[test]
fn keeps_the_contract() {
    let service = Arc::new(Service::default());
    check(&kms("a", &service), &kms("b", &service));
}

#[test]
fn what_others_encrypted_with_the_public_key_does_not_open() {
    let service = Arc::new(Service::default());
    let kms = kms("a", &service);
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let wrapped = now(kms.wrap(&context, &key)).unwrap();
    let ours = parts(wrapped.as_bytes()).unwrap();
    let planted = BASE64_URL_SAFE_NO_PAD
        .decode(service.keep("a wraps".to_owned(), &json!(BASE64_URL_SAFE_NO_PAD.encode(key.framed()))))
        .unwrap();
    let forged = Parts { cipher: &planted, ..ours }.written().unwrap();
    assert_eq!(now(kms.unwrap(&context, &Sealed::from_stored(forged))).unwrap_err(), KmsError::Refused);
    assert!(now(kms.unwrap(&context, &wrapped)).is_ok());
}

#[test]
fn calls_go_to_the_key_and_then_to_the_version_that_wrapped() {
    let service = Arc::new(Service::default());
    let kms = kms("a", &service);
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    let wrapped = now(kms.wrap(&context("europe", 1, 1), &key)).unwrap();
    now(kms.unwrap(&context("europe", 1, 1), &wrapped)).unwrap();
    let asked = service.asked.lock().unwrap();
    let urls: Vec<&str> = asked.iter().map(|(_, url, _)| url.as_str()).collect();
    let at = |path: &str| format!("{VAULT}keys/a/{path}?api-version=7.4");
    assert_eq!(urls, [TOKENS.to_owned(), at("wrapkey"), at("1/sign"), at("1/verify"), at("1/unwrapkey")]);
    assert_eq!(
        asked[0].2,
        "grant_type=client_credentials&client_id=c-1&client_secret=s%26cret&scope=https%3A%2F%2Fvault.azure.net%2F.default"
    );
    assert!(asked[1..].iter().all(|(method, _, shown)| *method == "POST" && shown == "Bearer token-1"));
}

#[test]
fn a_token_is_kept_until_shortly_before_its_end_and_replaced_when_it_is_refused() {
    let service = Arc::new(Service::default());
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000)));
    let kms = kms_at("a", &service, &clock);
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let tokens = || *service.tokens.lock().unwrap();
    now(kms.wrap(&context, &key)).unwrap();
    clock.advance(Duration::from_secs(3599 - 60) - Duration::from_millis(1));
    now(kms.wrap(&context, &key)).unwrap();
    assert_eq!(tokens(), 1);
    clock.advance(Duration::from_millis(1));
    now(kms.wrap(&context, &key)).unwrap();
    assert_eq!(tokens(), 2);
    service.says("wrapkey", 401, fault("Unauthorized", None));
    assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), KmsError::Disabled);
    assert_eq!(tokens(), 3, "one more was tried, and no further");
    service.says.lock().unwrap().clear();
    now(kms.wrap(&context, &key)).unwrap();
    assert_eq!(tokens(), 4, "the refused one is not kept");
}

#[test]
fn each_refusal_has_its_meaning() {
    let throttled = KmsError::Throttled { retry_after: Some(Duration::from_secs(7)) };
    let cases = [
        (403, fault("Forbidden", Some("KeyDisabled")), KmsError::Disabled),
        (403, fault("Forbidden", Some("ForbiddenByPolicy")), KmsError::Disabled),
        (403, fault("Forbidden", Some("ForbiddenByRbac")), KmsError::Disabled),
        (403, fault("Forbidden", Some("ForbiddenByFirewall")), KmsError::Unavailable),
        (403, fault("Forbidden", None), KmsError::Disabled),
        (429, fault("Throttled", None), throttled.clone()),
        (500, fault("InternalServerError", None), KmsError::Unavailable),
        (404, json!("no such host"), KmsError::Unavailable),
        (200, json!({}), KmsError::Unavailable),
        (200, json!({ "kid": "https://v/keys/a/1", "value": "%" }), KmsError::Unavailable),
        (0, json!({}), KmsError::Unavailable),
    ];
    let service = Arc::new(Service::default());
    let kms = kms("a", &service);
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let wrapped = now(kms.wrap(&context, &key)).unwrap();
    for (status, said, expected) in cases {
        service.says("keys/a", status, said.clone());
        assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), expected, "{said}");
        service.says.lock().unwrap().clear();
        service.says("unwrapkey", status, said.clone());
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), expected, "{said}");
        service.says.lock().unwrap().clear();
    }
    for (status, expected) in [
        (400, KmsError::Disabled),
        (401, KmsError::Disabled),
        (429, throttled),
        (503, KmsError::Unavailable),
        (200, KmsError::Unavailable),
    ] {
        let kms = self::kms("a", &service);
        service.says("oauth2", status, json!({ "error": "invalid_client" }));
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), expected, "token: {status}");
        service.says.lock().unwrap().clear();
    }
}

#[test]
fn a_deleted_key_is_lost_when_it_cannot_be_recovered() {
    let service = Arc::new(Service::default());
    let kms = kms("a", &service);
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let wrapped = now(kms.wrap(&context, &key)).unwrap();
    service.says("/keys/a", 404, fault("KeyNotFound", None));
    for (status, expected) in [
        (200, KmsError::Disabled),
        (403, KmsError::Disabled),
        (404, KmsError::Deleted),
        (500, KmsError::Unavailable),
    ] {
        service.says("/deletedkeys/a", status, json!({}));
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), expected, "{status}");
        assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), expected, "{status}");
    }
}

#[test]
fn what_was_wrapped_elsewhere_or_without_an_application_is_not_sent() {
    let service = Arc::new(Service::default());
    let elsewhere = kms("a", &service);
    let whole = Parts { version: "1", cipher: b"c", signature: b"s" }.written().unwrap();
    for foreign in [
        vec![],
        vec![FORMAT],
        vec![0xB3; 70],
        vec![FORMAT, 0, 0, 1, b'c', b's'],
        vec![FORMAT, 1, b'/', 0, 1, b'c', b's'],
        whole[..whole.len() - 1].to_vec(),
    ] {
        let refused = now(elsewhere.unwrap(&context("europe", 1, 1), &Sealed::from_stored(foreign)));
        assert_eq!(refused.unwrap_err(), KmsError::Refused);
    }
    let longest = "v".repeat(MAX_VERSION);
    assert!(is_version(&longest) && !is_version(&format!("{longest}v")) && !is_version(""));
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let without = AzureKms::new(elsewhere.options, Arc::new(|| None), Arc::clone(&service) as _, clock);
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    assert_eq!(now(without.wrap(&context("europe", 1, 1), &key)).unwrap_err(), KmsError::Unavailable);
    assert!(service.asked.lock().unwrap().is_empty());
}

#[test]
fn tokens_are_for_the_cloud_of_the_vault() {
    for (vault, expected) in [
        (VAULT, "https://vault.azure.net/.default"),
        ("https://contoso.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default"),
        ("https://hsm.managedhsm.azure.net", "https://managedhsm.azure.net/.default"),
        ("http://127.0.0.1:8443", "https://vault.azure.net/.default"),
        ("http://localhost:8443", "https://vault.azure.net/.default"),
    ] {
        assert_eq!(scope(vault), expected, "{vault}");
    }
}
