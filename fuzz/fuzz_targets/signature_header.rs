//! Access-key signatures: whatever a client sends as method, target, hosts, date, hash and authorization, checking it
//! never panics, never accepts what the key did not sign, and accepts what it did.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base::{SeededRng, Timestamp};
use guard::hash::sha256;
use guard::signature::{AccessKey, SignatureError, SignedRequest, parse_authorization, sign_request, verify};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<[AccessKey; 2]> =
    LazyLock::new(|| [AccessKey::generate(&SeededRng::new(1)), AccessKey::generate(&SeededRng::new(2))]);
const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);
const SKEW: Duration = Duration::from_secs(300);

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(7, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (authorization, target, host, date, hash, method) = (next(), next(), next(), next(), next(), next());
    let body = next().as_bytes();
    let _ = parse_authorization(authorization);
    let _ = AccessKey::parse(authorization);

    let body_sha256 = sha256(body);
    let unsigned = SignedRequest {
        method,
        path_and_query: target,
        hosts: &[host, "localhost:8443"],
        x_ms_host: Some(host),
        date: Some(date),
        content_sha256: Some(hash),
        authorization,
        body_sha256: &body_sha256,
    };
    assert!(verify(&unsigned, &*KEYS, NOW, SKEW).is_err(), "nobody signed this");

    let signed = sign_request(&KEYS[1], "POST", target, "localhost:8443", NOW, body);
    let genuine = SignedRequest {
        method: "POST",
        hosts: &["localhost:8443"],
        x_ms_host: None,
        date: Some(&signed.date),
        content_sha256: Some(&signed.content_sha256),
        authorization: &signed.authorization,
        ..unsigned
    };
    assert_eq!(verify(&genuine, &*KEYS, NOW, SKEW), Ok(1), "what was signed is accepted");
    let other_method = SignedRequest { method: "GET", ..genuine };
    assert_eq!(verify(&other_method, &*KEYS, NOW, SKEW), Err(SignatureError::Mismatch));
});
