//! Ways in beside the plain one: sockets of this machine, balancers in front, the operator's listener; over real sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base::{Clock, Limits, Secret, SystemClock};
use guard::tls::{
    Authority, CertificateStore, ClientAuthorities, client_config, client_config_showing,
    mutual_server_config, server_config,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, version};

use super::toy::Toy;
use super::{Balancers, Drained, Entrance, Server, Stop, Timeouts, Way, bind, bind_unix};

const PEER: &str = "GET /peer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
/// A PROXY header of version 2 for 203.0.113.7:4711 at 10.0.0.1:443.
const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x67\x01\xbb";

struct World {
    authority: Authority,
    server: Server<Toy>,
    stop: Stop,
}

impl World {
    /// Behind `balancers`; the operator's listener asks for certificates of the same authority.
    fn new(balancers: Balancers) -> Self {
        guard::tls::install_provider();
        let now = SystemClock.now();
        let authority = Authority::generate("Test CA", now).unwrap();
        let pair =
            authority.issue(&["localhost".to_owned()], &[IpAddr::V4(Ipv4Addr::LOCALHOST)], now).unwrap();
        let store = CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes());
        let store = Arc::new(store.unwrap());
        let clients = ClientAuthorities::new(authority.cert_pem().as_bytes(), None).unwrap();
        let limits = Limits::default();
        let (clock, timeouts) = (Arc::new(SystemClock), Timeouts::from(&limits));
        let tls = server_config(Arc::clone(&store));
        let server = Server::new(Arc::new(Toy::new()), tls, clock, &limits, timeouts);
        let server = server.with(Some(mutual_server_config(store, clients)), balancers);
        Self { authority, server, stop: Stop::new() }
    }

    /// Serves at `way` while `visit` lasts.
    async fn during<T>(&self, way: Way, visit: impl Future<Output = T>) -> T {
        let visit = async {
            let seen = visit.await;
            self.stop.drain();
            seen
        };
        let (Drained { .. }, seen) = tokio::join!(self.server.run(vec![way], &self.stop), visit);
        seen
    }

    fn client(&self) -> Arc<ClientConfig> {
        client_config(self.authority.cert_pem().as_bytes()).unwrap()
    }

    fn showing(&self, issuer: &Authority) -> Arc<ClientConfig> {
        let pair = issuer.issue_client("ada", SystemClock.now()).unwrap();
        let key = Secret::new(pair.key_pem.expose().clone().into_bytes());
        let shown = Some((pair.chain_pem.as_bytes(), &key));
        client_config_showing(self.authority.cert_pem().as_bytes(), shown).unwrap()
    }
}

fn door(entrance: Entrance) -> (Way, SocketAddr) {
    let door = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = door.address();
    (Way::Address(door, entrance), address)
}

/// What the server says of who asks; empty when it says nothing.
async fn asked(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut answer = String::new();
    if stream.write_all(PEER.as_bytes()).await.is_ok() {
        let _ = stream.read_to_string(&mut answer).await;
    }
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

/// The same over TLS, after `first`.
async fn secured(address: SocketAddr, first: &[u8], tls: Arc<ClientConfig>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(first).await.unwrap();
    match TlsConnector::from(tls).connect("localhost".try_into().unwrap(), stream).await {
        Ok(stream) => asked(stream).await,
        Err(_) => String::new(),
    }
}

#[tokio::test]
async fn a_socket_of_this_machine_is_served_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let way = Way::Machine(bind_unix(&path).unwrap());
    let world = World::new(Balancers::default());
    let seen = world.during(way, async { asked(UnixStream::connect(&path).await.unwrap()).await }).await;
    assert_eq!(seen, "127.0.0.1 None Machine");
}

#[tokio::test]
async fn a_balancer_at_a_socket_tells_whose_connection_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let way = Way::Machine(bind_unix(&path).unwrap());
    let world = World::new(Balancers { at_sockets: true, ..Balancers::default() });
    let seen = world.during(way, async {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(HEADER).await.unwrap();
        (asked(stream).await, asked(UnixStream::connect(&path).await.unwrap()).await)
    });
    assert_eq!(seen.await, ("203.0.113.7 None Machine".to_owned(), String::new()));
}

#[tokio::test]
async fn a_balancer_must_tell_and_nobody_else_may() {
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let world = World::new(Balancers { networks, at_sockets: false });
    let (way, address) = door(Entrance::Public);
    let seen = world.during(way, async {
        let told = secured(address, HEADER, world.client()).await;
        (told, secured(address, b"", world.client()).await)
    });
    assert_eq!(seen.await, ("203.0.113.7 Some(V1_3) Public".to_owned(), String::new()));

    let networks = vec!["10.0.0.0/8".parse().unwrap()];
    let world = World::new(Balancers { networks, at_sockets: true });
    let (way, address) = door(Entrance::Public);
    let seen = world.during(way, async {
        let forged = secured(address, HEADER, world.client()).await;
        (forged, secured(address, b"", world.client()).await)
    });
    assert_eq!(seen.await, (String::new(), "127.0.0.1 Some(V1_3) Public".to_owned()));
}

#[tokio::test]
async fn the_version_of_tls_is_known() {
    let world = World::new(Balancers::default());
    let (way, address) = door(Entrance::Public);
    let newest = world.client();
    let mut older = ClientConfig::builder_with_protocol_versions(&[&version::TLS12])
        .with_root_certificates({
            use tokio_rustls::rustls::RootCertStore;
            use tokio_rustls::rustls::pki_types::CertificateDer;
            use tokio_rustls::rustls::pki_types::pem::PemObject as _;
            let mut roots = RootCertStore::empty();
            let pem = world.authority.cert_pem().as_bytes();
            roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
            roots
        })
        .with_no_client_auth();
    older.alpn_protocols.clone_from(&newest.alpn_protocols);
    let seen = world.during(way, async {
        (secured(address, b"", newest).await, secured(address, b"", Arc::new(older)).await)
    });
    assert_eq!(
        seen.await,
        ("127.0.0.1 Some(V1_3) Public".to_owned(), "127.0.0.1 Some(V1_2) Public".to_owned())
    );
}

#[tokio::test]
async fn the_operators_listener_takes_certificates_of_its_authority_alone() {
    let world = World::new(Balancers::default());
    let (way, address) = door(Entrance::Operator);
    let stranger = Authority::generate("Another CA", SystemClock.now()).unwrap();
    let seen = world.during(way, async {
        let ours = secured(address, b"", world.showing(&world.authority)).await;
        let none = secured(address, b"", world.client()).await;
        (ours, none, secured(address, b"", world.showing(&stranger)).await)
    });
    let ours = "127.0.0.1 Some(V1_3) Operator".to_owned();
    assert_eq!(seen.await, (ours, String::new(), String::new()));
}
