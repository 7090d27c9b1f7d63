//! Certificates of clients in real handshakes, and after them.

use std::time::Duration;

use base::{Clock as _, Secret, SystemClock};
use rcgen::{CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber};
use rustls::ClientConfig;
use time::OffsetDateTime;

use super::super::tests::{authority, shake};
use super::super::{Authority, client_config, client_config_showing};
use super::*;

fn store(authority: &Authority) -> Arc<CertificateStore> {
    let pair = authority.issue(&["localhost".to_owned()], &[], SystemClock.now()).unwrap();
    Arc::new(CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap())
}

fn clients(authority: &Authority) -> Arc<ClientAuthorities> {
    ClientAuthorities::new(authority.cert_pem().as_bytes(), None).unwrap()
}

/// A client that trusts `server` and shows a certificate of `issuer`.
fn showing(server: &Authority, issuer: &Authority) -> Arc<ClientConfig> {
    let pair = issuer.issue_client("ada", SystemClock.now()).unwrap();
    let key = Secret::new(pair.key_pem.expose().clone().into_bytes());
    let shown = Some((pair.chain_pem.as_bytes(), &key));
    client_config_showing(server.cert_pem().as_bytes(), shown).unwrap()
}

/// A list that ends the certificate `ended`.
fn list(issuer: &Authority, ended: &[u8]) -> String {
    let (_, parsed) = x509_parser::parse_x509_certificate(ended).unwrap();
    let key = KeyPair::from_pem(issuer.key_pem().expose()).unwrap();
    let signer = Issuer::from_ca_cert_pem(issuer.cert_pem(), key).unwrap();
    let now = OffsetDateTime::from_unix_timestamp(SystemClock.now().as_secs().cast_signed()).unwrap();
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from_slice(parsed.raw_serial()),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + Duration::from_secs(3600),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(&signer).unwrap().pem().unwrap()
}

#[test]
fn only_certificates_of_the_authority_come_in() {
    let (ours, theirs) = (authority(), authority());
    let server = mutual_server_config(store(&ours), clients(&ours));
    let (session, _) = shake(&server, &showing(&ours, &ours), "localhost").unwrap();
    assert_eq!(session.peer_certificates().unwrap().len(), 2);
    assert!(shake(&server, &showing(&ours, &theirs), "localhost").is_err());
    let nothing = client_config(ours.cert_pem().as_bytes()).unwrap();
    assert!(shake(&server, &nothing, "localhost").is_err());
    let as_server = ours.issue(&["localhost".to_owned()], &[], SystemClock.now()).unwrap();
    let key = Secret::new(as_server.key_pem.expose().clone().into_bytes());
    let shown = Some((as_server.chain_pem.as_bytes(), &key));
    let as_server = client_config_showing(ours.cert_pem().as_bytes(), shown).unwrap();
    assert!(shake(&server, &as_server, "localhost").is_err(), "a server's certificate is no client's");
}

#[test]
fn a_revoked_certificate_is_of_no_use_from_then_on() {
    let ours = authority();
    let known = clients(&ours);
    let server = mutual_server_config(store(&ours), Arc::clone(&known));
    let (ada, bob) = (showing(&ours, &ours), showing(&ours, &ours));
    let (session, _) = shake(&server, &ada, "localhost").unwrap();
    let chain = session.peer_certificates().unwrap().to_vec();
    let now = SystemClock.now();
    assert!(known.admit(&chain, now));
    assert!(!known.admit(&chain, now.plus(Duration::from_secs(398 * 86_400))), "it has an end");
    assert!(!known.admit(&[], now));

    let pem = ours.cert_pem().as_bytes();
    known.replace(pem, Some(list(&ours, &chain[0]).as_bytes())).unwrap();
    assert!(!known.admit(&chain, now), "a connection that began before");
    // The handshake may be resumed without the certificate; the request is judged all the same.
    assert!(shake(&server, &showing(&ours, &ours), "localhost").is_ok(), "another certificate still does");
    assert!(shake(&server, &bob, "localhost").is_ok());
    if let Ok((session, _)) = shake(&server, &ada, "localhost") {
        assert!(!known.admit(session.peer_certificates().unwrap_or_default(), now));
    }
    known.replace(authority().cert_pem().as_bytes(), None).unwrap();
    assert!(!known.admit(&chain, now), "the authority is another");
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let ours = authority();
    let known = clients(&ours);
    for (trusted, revoked, fault) in [
        ("", None, TlsError::Certificate),
        ("nothing", None, TlsError::Certificate),
        (ours.cert_pem(), Some(""), TlsError::RevocationList),
        (ours.cert_pem(), Some("nothing"), TlsError::RevocationList),
    ] {
        let revoked = revoked.map(str::as_bytes);
        assert_eq!(known.replace(trusted.as_bytes(), revoked).unwrap_err(), fault, "{trusted:.20}");
        assert_eq!(ClientAuthorities::new(trusted.as_bytes(), revoked).unwrap_err(), fault);
    }
    let server = mutual_server_config(store(&ours), known);
    assert!(shake(&server, &showing(&ours, &ours), "localhost").is_ok());
}
