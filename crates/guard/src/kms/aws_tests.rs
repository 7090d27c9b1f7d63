//! The contract beside a service that answers as AWS documents, and what each of its refusals means. Moto, whose code is
//! not ours, is in `tests/peers/kms`.

use std::collections::HashMap;
use std::sync::Mutex;

use base::{ManualClock, SeededRng, Timestamp};
use serde_json::{Value, json};

use super::super::contract::{check, context, now};
use super::super::remote::Unreachable;
use super::*;

/// Keeps what it encrypts in a list; the blob is the place in it with a checksum.
#[derive(Default)]
struct Service {
    kept: Mutex<Vec<(Value, Value)>>,
    asked: Mutex<Vec<HashMap<String, String>>>,
    says: Mutex<Option<(u16, Value)>>,
}

impl Service {
    fn answer(&self, action: &str, asked: &Value) -> (u16, Value) {
        if let Some(says) = self.says.lock().unwrap().clone() {
            return says;
        }
        let bound = json!([asked["KeyId"], asked["EncryptionContext"]]);
        let mut kept = self.kept.lock().unwrap();
        if action == "TrentService.Encrypt" {
            kept.push((bound, asked["Plaintext"].clone()));
            let place = u8::try_from(kept.len()).unwrap();
            return (200, json!({"CiphertextBlob": BASE64_STANDARD.encode([place, !place])}));
        }
        let blob = BASE64_STANDARD.decode(asked["CiphertextBlob"].as_str().unwrap()).unwrap();
        let found = match blob.as_slice() {
            [place, check] if *check == !*place => kept.get(usize::from(*place).wrapping_sub(1)),
            _ => None,
        };
        match found {
            Some((known, plain)) if *known == bound => (200, json!({"Plaintext": plain})),
            _ => (400, json!({"__type": "InvalidCiphertextException"})),
        }
    }
}

impl Exchange for Service {
    fn exchange(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, Unreachable>> {
        let headers: HashMap<String, String> =
            ask.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let asked = serde_json::from_slice(&ask.body).unwrap();
        let (status, body) = self.answer(&headers["x-amz-target"], &asked);
        self.asked.lock().unwrap().push(headers);
        let retry_after = (status == 429).then_some(Duration::from_secs(7));
        let body = Zeroizing::new(body.to_string().into_bytes());
        Box::pin(async move {
            if status == 0 { Err(Unreachable) } else { Ok(Reply { status, retry_after, body }) }
        })
    }
}

fn credentials(session: Option<&str>) -> FetchCredentials {
    let session = session.map(|token| Secret::new(token.to_owned()));
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned());
    let all = AwsCredentials { id: "AKIDEXAMPLE".to_owned(), secret, session };
    Arc::new(move || Some(all.clone()))
}

fn kms(key: &str, service: &Arc<Service>, credentials: FetchCredentials) -> AwsKms {
    let options = AwsOptions { region: "eu-central-1".to_owned(), endpoint: None, key: key.to_owned() };
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_420_800_000)));
    AwsKms::new(options, credentials, Arc::clone(service) as _, clock)
}

#[test]
fn keeps_the_contract() {
    let service = Arc::new(Service::default());
    check(&kms("a", &service, credentials(None)), &kms("b", &service, credentials(None)));
}

#[test]
fn every_call_is_signed_over_its_body_and_target() {
    let service = Arc::new(Service::default());
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    for session in [None, Some("token")] {
        now(kms("a", &service, credentials(session)).wrap(&context("europe", 1, 1), &key)).unwrap();
    }
    let asked = service.asked.lock().unwrap();
    let signed = |at: usize| asked[at]["authorization"].as_str();
    let scope =
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/eu-central-1/kms/aws4_request, SignedHeaders=";
    assert!(signed(0).starts_with(scope), "{}", signed(0));
    assert!(signed(0).contains("content-type;host;x-amz-date;x-amz-target,"), "{}", signed(0));
    assert_ne!(signed(0), signed(1));
    assert_eq!(asked[1]["x-amz-security-token"], "token");
    assert!(signed(1).contains("x-amz-security-token"));
    assert!(asked.iter().all(|headers| headers.values().all(|value| !value.contains("wJalr"))));
}

#[test]
fn each_refusal_has_its_meaning() {
    let throttled = |retry_after| KmsError::Throttled { retry_after };
    let cases = [
        (400, "DisabledException", KmsError::Disabled),
        (400, "com.amazonaws.kms#KMSInvalidStateException", KmsError::Disabled),
        (400, "AccessDeniedException", KmsError::Disabled),
        (400, "UnrecognizedClientException", KmsError::Disabled),
        (400, "NotFoundException", KmsError::Deleted),
        (400, "IncorrectKeyException", KmsError::Refused),
        (400, "ThrottlingException", throttled(None)),
        (429, "Whatever", throttled(Some(Duration::from_secs(7)))),
        (500, "KMSInternalException", KmsError::Unavailable),
        (400, "ExpiredTokenException", KmsError::Unavailable),
        (503, "", KmsError::Unavailable),
        (0, "", KmsError::Unavailable),
    ];
    let service = Arc::new(Service::default());
    let kms = kms("a", &service, credentials(None));
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let wrapped = now(kms.wrap(&context, &key)).unwrap();
    for (status, kind, expected) in cases {
        *service.says.lock().unwrap() = Some((status, json!({"__type": kind, "message": "m"})));
        assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), expected, "{kind}");
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), expected, "{kind}");
    }
    for nonsense in [json!([]), json!({}), json!({"CiphertextBlob": "%", "Plaintext": "%"})] {
        *service.says.lock().unwrap() = Some((200, nonsense));
        assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), KmsError::Unavailable);
        assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), KmsError::Unavailable);
    }
    *service.says.lock().unwrap() = Some((200, json!({"Plaintext": BASE64_STANDARD.encode("no key")})));
    assert_eq!(now(kms.unwrap(&context, &wrapped)).unwrap_err(), KmsError::Refused);
}

#[test]
fn without_credentials_nothing_is_sent() {
    let service = Arc::new(Service::default());
    let kms = kms("a", &service, Arc::new(|| None));
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    assert_eq!(now(kms.wrap(&context("europe", 1, 1), &key)).unwrap_err(), KmsError::Unavailable);
    assert!(service.asked.lock().unwrap().is_empty());
}

#[test]
fn what_was_wrapped_elsewhere_is_not_sent() {
    let service = Arc::new(Service::default());
    let kms = kms("a", &service, credentials(None));
    for foreign in [vec![], vec![FORMAT], vec![1, 1, 0], vec![0xB1; 70]] {
        let sealed = Sealed::from_stored(foreign);
        assert_eq!(now(kms.unwrap(&context("europe", 1, 1), &sealed)).unwrap_err(), KmsError::Refused);
    }
    assert!(service.asked.lock().unwrap().is_empty());
}

#[test]
fn neither_requests_nor_answers_print_what_they_hold() {
    let body = Zeroizing::new(b"secret".to_vec());
    let ask = Ask { method: "POST", url: "https://a/".to_owned(), headers: Vec::new(), body: body.clone() };
    let reply = Reply { status: 200, retry_after: None, body };
    assert_eq!(format!("{ask:?} {reply:?}"), "Ask(https://a/, 6 bytes) Reply(200, 6 bytes)");
}

#[cfg(test)]
mod moto {
    use super::*;

    /// Moto, where `tests/peers/kms/run` started it: `CHANCERY_TEST_MOTO` is its port and the ids of two keys.
    #[test]
    fn moto_keeps_the_contract() {
        let Ok(told) = std::env::var("CHANCERY_TEST_MOTO") else { return };
        let told: Vec<&str> = told.split(' ').collect();
        let [port, keys @ ..] = told.as_slice() else { panic!("{told:?}") };
        let [one, other] = [keys[0], keys[1]].map(|key| {
            let endpoint = Some(format!("http://127.0.0.1:{port}/"));
            let options = AwsOptions { region: "eu-central-1".to_owned(), endpoint, key: key.to_owned() };
            let exchange = Arc::new(Plain { port: port.parse().unwrap() });
            AwsKms::new(options, credentials(None), exchange, Arc::new(base::SystemClock))
        });
        check(&one, &other);
    }

    /// HTTP/1.1 without TLS to a port of this machine, one connection each.
    struct Plain {
        port: u16,
    }

    impl Exchange for Plain {
        fn exchange(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, Unreachable>> {
            use std::fmt::Write as _;
            use std::io::{Read as _, Write as _};
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).unwrap();
            let mut head = format!("POST / HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n", self.port);
            for (name, value) in &ask.headers {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
            write!(head, "content-length: {}\r\nconnection: close\r\n\r\n", ask.body.len()).unwrap();
            stream.write_all(&[head.as_bytes(), &ask.body].concat()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let reply = Reply { status, retry_after: None, body: Zeroizing::new(body.as_bytes().to_vec()) };
            Box::pin(async move { Ok(reply) })
        }
    }
}
