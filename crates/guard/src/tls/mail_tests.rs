//! Real handshakes with each of the three ways to trust, against certificates that are right and wrong.

use super::*;
use crate::tls::tests::{authority, shake};
use crate::tls::{Authority, CertificateStore, server_config};
use base::{Clock as _, SystemClock, Timestamp};
use std::time::Duration;

const NAME: &str = "localhost";

fn server(store: CertificateStore) -> Arc<rustls::ServerConfig> {
    server_config(Arc::new(store))
}

/// A server, its authority, and both certificates in DER.
fn world() -> (Arc<rustls::ServerConfig>, Authority, Vec<u8>, Vec<u8>) {
    let authority = authority();
    let pair = authority.issue(&[NAME.to_owned()], &[], SystemClock.now()).unwrap();
    let ders: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pair.chain_pem.as_bytes())
        .map(|certificate| certificate.unwrap().to_vec())
        .collect();
    let store = CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap();
    (server(store), authority, ders[0].clone(), ders[1].clone())
}

fn record(usage: u8, selector: u8, matching: u8, certificate: &[u8]) -> Tlsa {
    let spki = X509Certificate::from_der(certificate).unwrap().1.tbs_certificate.subject_pki.raw.to_vec();
    let part = if selector == 0 { certificate.to_vec() } else { spki };
    let data = match matching {
        0 => part,
        1 => digest::digest(&digest::SHA256, &part).as_ref().to_vec(),
        _ => digest::digest(&digest::SHA512, &part).as_ref().to_vec(),
    };
    Tlsa { usage, selector, matching, data }
}

#[test]
fn verified_wants_the_authority_and_the_name() {
    let (server, authority, ..) = world();
    let config = mail_verified(authority.cert_pem().as_bytes()).unwrap();
    assert!(shake(&server, &config, NAME).is_ok());
    assert!(shake(&server, &config, "other.example").is_err());
    let stranger = mail_verified(crate::tls::tests::authority().cert_pem().as_bytes()).unwrap();
    assert!(shake(&server, &stranger, NAME).is_err());
    assert_eq!(mail_verified(b"").unwrap_err(), TlsError::Certificate);
    assert!(config.alpn_protocols.is_empty(), "SMTP has no ALPN");
}

#[test]
fn unverified_takes_anybody_who_has_the_key() {
    let (server, ..) = world();
    assert!(shake(&server, &mail_unverified(), "other.example").is_ok());
}

#[test]
fn dane_takes_the_certificate_that_is_meant() {
    let (server, _, leaf, _) = world();
    for selector in [0, 1] {
        for matching in [0, 1, 2] {
            let config = mail_dane(vec![record(3, selector, matching, &leaf)], &["nobody.example"]);
            assert!(shake(&server, &config, "any.example").is_ok(), "3 {selector} {matching}");
        }
    }
    let (_, _, other, _) = world();
    let wrong = record(3, 1, 1, &other);
    assert!(shake(&server, &mail_dane(vec![wrong.clone()], &[NAME]), NAME).is_err());
    let both = vec![wrong, record(3, 1, 1, &leaf)];
    assert!(shake(&server, &mail_dane(both, &[]), NAME).is_ok(), "one that matches is enough");
}

#[test]
fn dane_with_an_anchor_wants_a_name_too() {
    let (server, _, leaf, anchor) = world();
    let records = || vec![record(2, 0, 1, &anchor)];
    assert!(shake(&server, &mail_dane(records(), &["example.org", NAME]), NAME).is_ok());
    assert!(shake(&server, &mail_dane(records(), &["example.org"]), NAME).is_err(), "another name");
    let not_an_anchor = vec![record(2, 0, 1, &leaf)];
    assert!(shake(&server, &mail_dane(not_an_anchor, &[NAME]), NAME).is_err());
}

#[test]
fn dane_does_not_look_at_dates_of_the_certificate_it_names() {
    let old =
        Timestamp::from_millis(SystemClock.now().as_millis()).minus(Duration::from_secs(800 * 24 * 3600));
    let authority = authority();
    let pair = authority.issue(&[NAME.to_owned()], &[], old).unwrap();
    let leaf = CertificateDer::pem_slice_iter(pair.chain_pem.as_bytes()).next().unwrap().unwrap().to_vec();
    let server =
        server(CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap());
    assert!(shake(&server, &mail_dane(vec![record(3, 1, 1, &leaf)], &[]), NAME).is_ok());
    let verified = mail_verified(authority.cert_pem().as_bytes()).unwrap();
    assert!(shake(&server, &verified, NAME).is_err(), "who goes by authorities does");
}

#[test]
fn records_that_no_client_can_use() {
    let (_, _, leaf, _) = world();
    let good = record(3, 1, 1, &leaf);
    assert!(good.is_usable());
    for bad in [
        Tlsa { usage: 0, ..good.clone() },
        Tlsa { usage: 1, ..good.clone() },
        Tlsa { usage: 4, ..good.clone() },
        Tlsa { selector: 2, ..good.clone() },
        Tlsa { matching: 3, ..good.clone() },
        Tlsa { matching: 2, ..good.clone() },
        Tlsa { data: vec![], ..good.clone() },
        Tlsa { matching: 0, data: vec![], ..good },
    ] {
        assert!(!bad.is_usable(), "{bad:?}");
    }
    assert!(!Tlsa { selector: 1, ..good }.matches(b"no certificate"));
}
