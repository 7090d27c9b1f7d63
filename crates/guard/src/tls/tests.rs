//! Certificates under the strict checks of OpenSSL, and real handshakes between the two configurations, in memory.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use base::{Clock as _, SystemClock, Timestamp};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, HandshakeKind, ProtocolVersion, ServerConnection, SupportedCipherSuite};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const NAMES: [&str; 2] = ["localhost", "*.chancery.example"];

fn names() -> Vec<String> {
    NAMES.map(str::to_owned).to_vec()
}

fn ips() -> [IpAddr; 2] {
    ["127.0.0.1", "::1"].map(|ip| ip.parse().unwrap())
}

/// Handshakes ask the machine's clock, so these certificates are made by it.
pub(super) fn authority() -> Authority {
    Authority::generate("Chancery test authority", SystemClock.now()).unwrap()
}

fn store(authority: &Authority, at: Timestamp) -> CertificateStore {
    let pair = authority.issue(&names(), &ips(), at).unwrap();
    CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap()
}

/// Runs a handshake to its end and gives both ends back.
pub(super) fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    for _ in 0..10 {
        pump(&mut client, &mut server)?;
        pump(&mut server, &mut client)?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((server, client))
}

fn pump<A, B, S, T>(from: &mut A, to: &mut B) -> Result<(), rustls::Error>
where
    A: std::ops::DerefMut<Target = rustls::ConnectionCommon<S>>,
    B: std::ops::DerefMut<Target = rustls::ConnectionCommon<T>>,
    S: rustls::SideData,
    T: rustls::SideData,
{
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

fn with_versions(
    client: &ClientConfig,
    authority: &Authority,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.cert_pem().as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols.clone_from(&client.alpn_protocols);
    Arc::new(config)
}

#[test]
fn both_versions_shake_hands() {
    install_provider();
    install_provider();
    let authority = authority();
    let server = server_config(Arc::new(store(&authority, SystemClock.now())));
    let client = client_config(authority.cert_pem().as_bytes()).unwrap();
    for name in ["localhost", "contoso.chancery.example", "127.0.0.1", "::1"] {
        let (server, client) = shake(&server, &client, name).unwrap();
        assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(server.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(client.peer_certificates().unwrap().len(), 2, "leaf and authority");
    }
    let old = with_versions(&client, &authority, &rustls::version::TLS12);
    let (_, connected) = shake(&server, &old, "localhost").unwrap();
    assert_eq!(connected.protocol_version(), Some(ProtocolVersion::TLSv1_2));
}

#[test]
fn wrong_names_and_strange_authorities_are_refused() {
    let authority = authority();
    let server = server_config(Arc::new(store(&authority, SystemClock.now())));
    let client = client_config(authority.cert_pem().as_bytes()).unwrap();
    for name in ["example.com", "a.b.chancery.example", "chancery.example", "127.0.0.2"] {
        assert!(matches!(shake(&server, &client, name), Err(rustls::Error::InvalidCertificate(_))), "{name}");
    }
    let stranger = client_config(self::authority().cert_pem().as_bytes()).unwrap();
    assert!(shake(&server, &stranger, "localhost").is_err());
    for age in [DAY * 398, DAY * 4000] {
        let expired = server_config(Arc::new(store(&authority, SystemClock.now().minus(age))));
        assert!(shake(&expired, &client, "localhost").is_err(), "a leaf of {age:?} ago");
    }
}

#[test]
fn sessions_are_resumed_by_tickets() {
    let authority = authority();
    let server = server_config(Arc::new(store(&authority, SystemClock.now())));
    let client = client_config(authority.cert_pem().as_bytes()).unwrap();
    let old = with_versions(&client, &authority, &rustls::version::TLS12);
    for client in [client, old] {
        let (_, first) = shake(&server, &client, "localhost").unwrap();
        assert_ne!(first.handshake_kind(), Some(HandshakeKind::Resumed));
        let (_, second) = shake(&server, &client, "localhost").unwrap();
        assert_eq!(second.handshake_kind(), Some(HandshakeKind::Resumed));
    }
    assert!(server.ticketer.enabled() && !server.session_storage.can_cache(), "nothing is kept in memory");
}

#[test]
fn only_forward_secret_aead_suites() {
    use rustls::CipherSuite as Suite;
    let old: Vec<_> = provider()
        .cipher_suites
        .iter()
        .filter(|suite| matches!(suite, SupportedCipherSuite::Tls12(_)))
        .map(SupportedCipherSuite::suite)
        .collect();
    let allowed = [
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    assert!(!old.is_empty() && old.iter().all(|suite| allowed.contains(suite)), "{old:?}");
}

#[test]
fn certificates_are_exchanged_while_serving() {
    let authority = authority();
    let now = SystemClock.now();
    let store = Arc::new(store(&authority, now.minus(DAY)));
    let (server, client) =
        (server_config(Arc::clone(&store)), client_config(authority.cert_pem().as_bytes()).unwrap());
    let shown = || {
        let client = with_versions(&client, &authority, &rustls::version::TLS13);
        shake(&server, &client, "localhost").unwrap().1.peer_certificates().unwrap()[0].to_vec()
    };
    let (before, ends) = (shown(), store.expires_at());
    let next = authority.issue(&names(), &[], now).unwrap();
    store.replace(next.chain_pem.as_bytes(), next.key_pem.expose().as_bytes()).unwrap();
    assert_ne!(shown(), before);
    assert!(store.expires_at() > ends);
    let kept = shown();
    let strange = authority.issue(&names(), &[], now).unwrap();
    let refused = store.replace(next.chain_pem.as_bytes(), strange.key_pem.expose().as_bytes());
    assert_eq!(refused, Err(TlsError::Mismatch));
    assert_eq!(store.replace(b"", b"").err(), Some(TlsError::Certificate));
    assert_eq!(shown(), kept, "after an error the old one stays");
}

#[test]
fn lives_are_bounded() {
    let now = Timestamp::from_millis(1_795_420_800_123);
    let authority = Authority::generate("A", now).unwrap();
    let leaf = store(&authority, now);
    assert_eq!(
        leaf.expires_at(),
        Timestamp::from_millis(1_795_420_800_000).plus(DAY * 397 - Duration::from_secs(3600))
    );
    let (_, pem) = x509_parser::pem::parse_x509_pem(authority.cert_pem().as_bytes()).unwrap();
    let validity = pem.parse_x509().unwrap().validity().clone();
    let years = (validity.not_after.timestamp() - validity.not_before.timestamp()) / 86_400;
    assert_eq!(years, 3652, "ten years in days");
    assert!(format!("{leaf:?}").starts_with("CertificateStore(expires 2027-"));
}

#[test]
fn an_authority_that_was_kept_goes_on() {
    let first = authority();
    let again = Authority::from_pem(first.cert_pem(), first.key_pem().expose()).unwrap();
    assert_eq!(again.cert_pem(), first.cert_pem());
    let server = server_config(Arc::new(store(&again, SystemClock.now())));
    let client = client_config(first.cert_pem().as_bytes()).unwrap();
    assert!(shake(&server, &client, "localhost").is_ok());
    let other = authority();
    let refused = |cert: &str, key: &str| Authority::from_pem(cert, key).err();
    assert_eq!(refused(first.cert_pem(), other.key_pem().expose()), Some(TlsError::Mismatch));
    assert_eq!(refused("", first.key_pem().expose()), Some(TlsError::Certificate));
    assert_eq!(refused(first.cert_pem(), ""), Some(TlsError::Key));
    let leaf = first.issue(&names(), &[], SystemClock.now()).unwrap();
    assert_eq!(refused(&leaf.chain_pem, leaf.key_pem.expose()), Some(TlsError::NotAnAuthority));
    assert!(!format!("{first:?} {leaf:?}").contains("PRIVATE"));
}

#[test]
fn names_that_cannot_stand_in_a_certificate() {
    let (authority, now) = (authority(), SystemClock.now());
    let long = "a".repeat(64);
    for bad in
        ["", ".", "a..b", "a b", "*", "*.*.a", "a.*", "-a", "a-", "a/b", "é", "a\0", "a.", long.as_str()]
    {
        assert_eq!(authority.issue(&[bad.to_owned()], &[], now).err(), Some(TlsError::Name), "{bad:?}");
    }
    assert_eq!(authority.issue(&[], &[], now).err(), Some(TlsError::Name));
    assert!(authority.issue(&[], &ips(), now).is_ok());
    let many: Vec<_> = (0..101).map(|n| format!("n{n}.example")).collect();
    assert!(authority.issue(&many[1..], &[], now).is_ok());
    assert_eq!(authority.issue(&many, &[], now).err(), Some(TlsError::Name));
    for bad in [String::new(), "a".repeat(65)] {
        assert_eq!(Authority::generate(&bad, now).err(), Some(TlsError::Name));
    }
}

#[test]
fn texts_that_are_no_pem() {
    let authority = authority();
    let pair = authority.issue(&names(), &[], SystemClock.now()).unwrap();
    let (chain, key) = (pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes());
    let fails = |chain: &[u8], key: &[u8]| CertificateStore::new(chain, key).err();
    assert_eq!(fails(b"", key), Some(TlsError::Certificate));
    assert_eq!(fails(key, key), Some(TlsError::Certificate));
    assert_eq!(fails(chain, b""), Some(TlsError::Key));
    assert_eq!(fails(chain, chain), Some(TlsError::Key));
    let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(fails(garbage, key), Some(TlsError::Certificate));
    assert_eq!(client_config(b"").err(), Some(TlsError::Certificate));
    assert_eq!(client_config(garbage).err(), Some(TlsError::Certificate));
}

/// Runs `openssl` (3 or later, part of every machine that builds this) and gives its answer.
fn openssl(arguments: &[&str]) -> (bool, String) {
    let out = Command::new("openssl").args(arguments).output().expect("openssl is on the PATH");
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), text)
}

#[test]
fn openssl_accepts_the_chain_in_its_strict_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (authority, other) = (authority(), authority());
    let pair = authority.issue(&names(), &ips(), SystemClock.now()).unwrap();
    fs::write(path("ca.pem"), authority.cert_pem()).unwrap();
    fs::write(path("other.pem"), other.cert_pem()).unwrap();
    fs::write(path("leaf.pem"), &pair.chain_pem).unwrap();
    let verify = |ca: &str, more: &[&str]| {
        let (ca, leaf) = (path(ca), path("leaf.pem"));
        let mut arguments =
            vec!["verify", "-x509_strict", "-check_ss_sig", "-purpose", "sslserver", "-CAfile", &ca];
        arguments.extend(more);
        arguments.push(&leaf);
        openssl(&arguments)
    };
    for more in [
        vec!["-verify_hostname", "localhost"],
        vec!["-verify_hostname", "a.chancery.example"],
        vec!["-verify_ip", "::1"],
    ] {
        let (accepted, text) = verify("ca.pem", &more);
        assert!(accepted, "{more:?}: {text}");
    }
    assert!(!verify("other.pem", &[]).0);
    assert!(!verify("ca.pem", &["-verify_hostname", "example.com"]).0);
    let shown = openssl(&["x509", "-in", &path("leaf.pem"), "-noout", "-text"]).1;
    for extension in [
        "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier",
        "X509v3 Basic Constraints: critical",
        "X509v3 Key Usage: critical",
        "TLS Web Server Authentication",
    ] {
        assert!(shown.contains(extension), "{extension} is missing");
    }
    let (accepted, text) =
        openssl(&["verify", "-x509_strict", "-check_ss_sig", "-CAfile", &path("ca.pem"), &path("ca.pem")]);
    assert!(accepted, "{text}");
}
