//! What a connection brings with it: the version of TLS, and the way it came in.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base::{Clock, SystemClock, TlsVersion};
use guard::tls::{Authority, ClientAuthorities};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use server::http::operator::OperatorPlane;
use server::net::{Entrance, Peer};
use server::testing::{Options, TestApp};

fn at(entrance: Entrance) -> Peer {
    Peer { entrance, ..Peer::at(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9))) }
}

#[tokio::test]
async fn a_resource_may_ask_for_the_newest_tls() {
    let minimum_tls = Some(TlsVersion::V1_3);
    let test = TestApp::with(Options { minimum_tls, ..Options::default() }).await;
    let create = || test.call("POST", "/identities").json(&json!({})).signed();
    create().over(TlsVersion::V1_3).send().await.expect(201);
    let refused = create().over(TlsVersion::V1_2).send().await.expect(400);
    assert_eq!(refused.code(), "TlsVersionNotPermitted");
    let unknown = test.call("GET", "/nowhere").over(TlsVersion::V1_2).send().await.expect(400);
    assert_eq!(unknown.code(), "TlsVersionNotPermitted", "whatever is asked");
    let machine = Peer { tls: None, ..at(Entrance::Machine) };
    create().as_peer(machine).send().await.expect(201);
    let neighbour = test.call("POST", "/identities").json(&json!({})).host("fabrikam.localhost");
    neighbour.signed_by(test.neighbour(), 0).over(TlsVersion::V1_2).send().await.expect(201);
    test.call("GET", "/health/ready").over(TlsVersion::V1_2).send().await.expect(200);
}

/// Law 6: where the operator has a listener of its own, its routes exist nowhere else.
#[tokio::test]
async fn the_operators_routes_are_found_at_its_own_listener_alone() {
    let operator_plane = OperatorPlane { is_apart: true, clients: None };
    let test = TestApp::with(Options { operator_plane, ..Options::default() }).await;
    for (method, target) in [
        ("GET", "/operator/resources"),
        ("DELETE", "/operator/resources"),
        ("OPTIONS", "/operator/resources"),
        ("GET", "/%6Fperator/resources"),
        ("GET", "/subscriptions/a/resourceGroups/b/providers/Microsoft.Communication/communicationServices"),
        (
            "TRACE",
            "/subscriptions/a/resourceGroups/b/providers/Microsoft.Communication/communicationServices",
        ),
    ] {
        for entrance in [Entrance::Public, Entrance::Machine] {
            let ask = |target: &str| test.call(method, target).operator().as_peer(at(entrance)).send();
            let (hidden, nowhere) = (ask(target).await, ask("/nowhere").await);
            assert_eq!(
                (hidden.status, hidden.json()),
                (nowhere.status, nowhere.json()),
                "{method} {entrance:?}"
            );
            assert_eq!(hidden.status, 404);
        }
    }
    let ask = || test.call("GET", "/operator/resources").as_peer(at(Entrance::Operator));
    ask().operator().send().await.expect(200);
    ask().send().await.expect(401);
    let elsewhere = test.call("POST", "/identities").json(&json!({})).signed();
    elsewhere.as_peer(at(Entrance::Operator)).send().await.expect(201);
}

#[tokio::test]
async fn a_certificate_is_judged_at_each_request() {
    let now = SystemClock.now();
    let authority = Authority::generate("Operators", now).unwrap();
    let clients = ClientAuthorities::new(authority.cert_pem().as_bytes(), None).unwrap();
    let operator_plane = OperatorPlane { is_apart: true, clients: Some(Arc::clone(&clients)) };
    let test = TestApp::with(Options { operator_plane, ..Options::default() }).await;
    test.clock.set(now);
    let chain = authority.issue_client("ada", now).unwrap().chain_pem;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap();
    let with = |certificates: &[CertificateDer<'static>]| {
        let peer = Peer { certificates: certificates.to_vec(), ..at(Entrance::Operator) };
        test.call("GET", "/operator/resources").operator().as_peer(peer).send()
    };
    with(&certificates).await.expect(200);
    with(&[]).await.expect(404);
    let other = Authority::generate("Operators", now).unwrap();
    clients.replace(other.cert_pem().as_bytes(), None).unwrap();
    with(&certificates).await.expect(404);
    clients.replace(authority.cert_pem().as_bytes(), None).unwrap();
    with(&certificates).await.expect(200);
    test.clock.advance(std::time::Duration::from_secs(398 * 86_400));
    with(&certificates).await.expect(404);
}
