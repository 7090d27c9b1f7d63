//! Signatures as `mail-auth`'s verifier sees them, with the keys that the DNS would give it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};

use super::*;

const MESSAGE: &str = "From: \"The Clinic\" <donotreply@example.com>\r\nTo: <ada@example.org>\r\n\
    Subject: Your   appointment\r\n at nine\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\n\
    Message-ID: <1@example.com>\r\nX-Other: 1\r\nList-Unsubscribe: <https://example.com/u>\r\n\
    MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nTomorrow  at\tnine. \r\n\r\nBye\r\n\r\n\r\n";

/// The DNS of a verifier: one record.
struct Zone(String, Txt);

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        let own: Box<str> = format!("{}.", self.0).into();
        (std::borrow::Borrow::<Q>::borrow(&own) == name).then(|| self.1.clone())
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: std::borrow::Borrow<Q>,
        Q: std::hash::Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: std::time::Instant) {}
}

/// Runs what needs no waiting.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn verify(message: &[u8], selector: &str, record: &str) -> DkimResult {
    let key = DomainKey::parse(record.as_bytes()).unwrap();
    let zone = Zone(record_name(selector, "example.com"), Txt::from(key));
    let verifier = MessageAuthenticator::new_google().unwrap();
    let message = AuthenticatedMessage::parse(message).unwrap();
    let outputs = at_once(verifier.verify_dkim(Parameters::new(&message).with_txt_cache(&zone)));
    assert_eq!(outputs.len(), 1);
    outputs[0].result().clone()
}

fn signed(key: &DkimKey, message: &str) -> Vec<u8> {
    let at = Timestamp::from_millis(1_750_000_000_000);
    let mut out = key.sign(message.as_bytes(), "example.com", "selector1", at).unwrap();
    out.extend_from_slice(message.as_bytes());
    out
}

#[test]
fn both_algorithms_verify() {
    for algorithm in [DkimAlgorithm::Rsa, DkimAlgorithm::Ed25519] {
        let key = DkimKey::generate(algorithm).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        for message in [MESSAGE, "From: a@example.com\r\n\r\n", "From: a@example.com\r\n\r\nno end"] {
            let bytes = signed(&key, message);
            assert!(bytes.starts_with(b"DKIM-Signature: v=1; a="));
            assert_eq!(
                verify(&bytes, "selector1", &key.record()),
                DkimResult::Pass,
                "{algorithm:?} {message:?}"
            );
        }
    }
}

#[test]
fn a_change_on_the_way_is_seen() {
    let key = DkimKey::generate(DkimAlgorithm::Ed25519).unwrap();
    let good = String::from_utf8(signed(&key, MESSAGE)).unwrap();
    for (what, with) in [
        ("nine. \r\n", "ten. \r\n"),
        ("Subject: Your", "Subject: My"),
        ("<ada@example.org>", "<eve@example.org>"),
        ("Message-ID: <1@", "Message-ID: <2@"),
        ("From: \"The", "From: <eve@example.net>\r\nFrom: \"The"),
        ("X-Other", "Reply-To: <eve@example.net>\r\nX-Other"),
        ("X-Other", "Cc: <eve@example.net>\r\nX-Other"),
        ("example.com/u>", "example.net/u>"),
    ] {
        let changed = good.replacen(what, with, 1);
        assert_ne!(changed, good, "{what}");
        assert_ne!(
            verify(changed.as_bytes(), "selector1", &key.record()),
            DkimResult::Pass,
            "{what} -> {with}"
        );
    }
    for (what, with) in
        [("X-Other: 1", "X-Other: 2"), ("Your   app", "Your app"), ("Bye\r\n\r\n\r\n", "Bye\r\n")]
    {
        let changed = good.replacen(what, with, 1);
        assert_ne!(changed, good, "{what}");
        assert_eq!(
            verify(changed.as_bytes(), "selector1", &key.record()),
            DkimResult::Pass,
            "{what} -> {with}"
        );
    }
}

#[test]
fn another_key_or_selector_does_not_verify() {
    let key = DkimKey::generate(DkimAlgorithm::Ed25519).unwrap();
    let other = DkimKey::generate(DkimAlgorithm::Ed25519).unwrap();
    let bytes = signed(&key, MESSAGE);
    assert_ne!(verify(&bytes, "selector1", &other.record()), DkimResult::Pass);
    assert!(String::from_utf8(bytes).unwrap().contains("s=selector1; d=example.com"));
}

#[test]
fn keys_round_trip_and_are_not_printed() {
    for algorithm in [DkimAlgorithm::Rsa, DkimAlgorithm::Ed25519] {
        let key = DkimKey::generate(algorithm).unwrap();
        let again = DkimKey::from_pkcs8(key.to_pkcs8().expose()).unwrap();
        assert_eq!((again.record(), again.algorithm()), (key.record(), algorithm));
        assert_eq!(signed(&key, MESSAGE), signed(&again, MESSAGE), "both algorithms are deterministic");
        assert_eq!(format!("{key:?}"), format!("DkimKey({algorithm:?})"));
    }
    assert_eq!(DkimKey::from_pkcs8(b"none").unwrap_err(), DkimError::Key);
}

#[test]
fn records_as_the_dns_wants_them() {
    let rsa = DkimKey::generate(DkimAlgorithm::Rsa).unwrap().record();
    assert!(rsa.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{rsa}");
    let ed = DkimKey::generate(DkimAlgorithm::Ed25519).unwrap().record();
    assert_eq!(ed.len(), "v=DKIM1; k=ed25519; p=".len() + 44);
    let strings = record_strings(&rsa);
    assert_eq!((strings.len(), strings[0].len(), strings.concat()), (2, 255, rsa.clone()));
    assert_eq!(record_strings(&rsa[..255]), [&rsa[..255]]);
    assert_eq!(record_strings(""), Vec::<&str>::new());
    assert_eq!(record_name("selector1", "example.com"), "selector1._domainkey.example.com");
}

#[test]
fn what_is_no_message_is_refused() {
    let key = DkimKey::generate(DkimAlgorithm::Ed25519).unwrap();
    assert_eq!(key.sign(b"", "example.com", "s", Timestamp::EPOCH), Err(DkimError::Message));
    for odd in ["\r\n", "x", "From", "From:", ":\r\n", "\r\n\r\nFrom: x\r\n"] {
        let _ = key.sign(odd.as_bytes(), "example.com", "s", Timestamp::EPOCH);
    }
}
