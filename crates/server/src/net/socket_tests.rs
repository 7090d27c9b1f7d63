//! The listener over real sockets on the loopback address: TLS, the limit on connections, plain HTTP on the TLS port,
//! handshakes that never come, draining and cutting.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Limits, SystemClock};
use guard::tls::{Authority, CertificateStore, client_config, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::toy::Toy;
use super::{Drained, Entrance, Server, Stop, Timeouts, Way, bind};

struct Running {
    address: SocketAddr,
    tls: TlsConnector,
    toy: Arc<Toy>,
    stop: Stop,
    task: JoinHandle<Drained>,
}

fn local() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

#[expect(clippy::disallowed_methods, reason = "each test waits for the task")]
fn start(limits: &Limits, change: impl FnOnce(&mut Timeouts)) -> Running {
    guard::tls::install_provider();
    let now = SystemClock.now();
    let authority = Authority::generate("Test CA", now).unwrap();
    let pair = authority.issue(&["localhost".to_owned()], &[IpAddr::V4(Ipv4Addr::LOCALHOST)], now).unwrap();
    let certificates =
        CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap();
    let listener = bind(local()).unwrap();
    let address = listener.address();
    let mut timeouts = Timeouts::from(limits);
    change(&mut timeouts);
    let (toy, stop) = (Arc::new(Toy::new()), Stop::new());
    let config = server_config(Arc::new(certificates));
    let server = Server::new(Arc::clone(&toy), config, Arc::new(SystemClock), limits, timeouts);
    let stopped = stop.clone();
    let task =
        tokio::spawn(
            async move { server.run(vec![Way::Address(listener, Entrance::Public)], &stopped).await },
        );
    let tls = TlsConnector::from(client_config(authority.cert_pem().as_bytes()).unwrap());
    Running { address, tls, toy, stop, task }
}

impl Running {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.tls.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    async fn finish(self) -> Drained {
        self.stop.drain();
        self.task.await.unwrap()
    }
}

async fn ask(stream: &mut TlsStream<TcpStream>, request: &str) {
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until `end` has come.
async fn until(stream: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains(end) {
        let mut piece = [0; 1024];
        let len = stream.read(&mut piece).await.unwrap();
        assert!(len > 0, "closed after {:?}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&piece[..len]);
    }
    String::from_utf8(got).unwrap()
}

const PEER: &str = "GET /peer HTTP/1.1\r\nHost: x\r\n\r\n";
const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
const NEVER: &str = "GET /never HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn serves_over_tls_and_names_the_peer() {
    let running = start(&Limits::default(), |_| {});
    let mut stream = running.connect().await;
    for _ in 0..3 {
        ask(&mut stream, PEER).await;
        assert!(until(&mut stream, "127.0.0.1").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let ended = running.finish().await;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "closed with a close_notify, not a reset");
    assert_eq!((ended.finished, ended.cut), (1, 0));
}

#[tokio::test]
async fn plain_http_is_told_to_speak_https_and_garbage_nothing() {
    let running = start(&Limits::default(), |_| {});
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 ") && body.starts_with("This port speaks HTTPS"), "{answer}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let mut garbage = TcpStream::connect(running.address).await.unwrap();
    garbage.write_all(&[0, 1, 2, 3]).await.unwrap();
    let mut nothing = Vec::new();
    let _ = garbage.read_to_end(&mut nothing).await;
    assert_eq!(nothing, b"");
    drop((plain, garbage));
    running.finish().await;
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_ended() {
    let running = start(&Limits::default(), |times| times.handshake = Duration::from_millis(50));
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    let mut half = TcpStream::connect(running.address).await.unwrap();
    half.write_all(&[0x16, 3, 1]).await.unwrap();
    assert!(matches!(half.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    running.finish().await;
}

#[tokio::test]
async fn past_the_limit_connections_wait_for_a_place() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let running = start(&limits, |_| {});
    let (mut first, mut second) = (running.connect().await, running.connect().await);
    ask(&mut first, PEER).await;
    until(&mut first, "127.0.0.1").await;
    let mut waiting = Box::pin(running.connect());
    ask(&mut second, PEER).await;
    tokio::select! {
        _ = &mut waiting => panic!("there is no place for a third"),
        _ = until(&mut second, "127.0.0.1") => {}
    }
    drop(first);
    let mut third = waiting.as_mut().await;
    drop(waiting);
    ask(&mut third, PEER).await;
    until(&mut third, "127.0.0.1").await;
    running.finish().await;
}

#[tokio::test]
async fn a_drain_waits_for_what_is_under_way_and_takes_nothing_new() {
    let running = start(&Limits::default(), |_| {});
    let (mut busy, mut resting) = (running.connect().await, running.connect().await);
    ask(&mut busy, WAIT).await;
    running.toy.began.acquire().await.unwrap().forget();
    running.stop.drain();
    assert_eq!(resting.read(&mut [0; 1]).await.unwrap(), 0, "a resting connection is closed at once");
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens any more");
    assert!(!running.task.is_finished());
    running.toy.go.add_permits(1);
    assert!(until(&mut busy, "waited").await.contains("connection: close"));
    let ended = running.task.await.unwrap();
    assert_eq!((ended.finished, ended.cut), (2, 0));
}

#[tokio::test]
async fn a_drain_ends_in_its_time() {
    let running = start(&Limits::default(), |times| times.drain = Duration::from_millis(50));
    let mut stream = running.connect().await;
    ask(&mut stream, NEVER).await;
    running.toy.began.acquire().await.unwrap().forget();
    running.stop.drain();
    assert!(until(&mut stream, "Overloaded").await.starts_with("HTTP/1.1 503 "));
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    let ended = running.task.await.unwrap();
    assert_eq!((ended.finished, ended.cut), (0, 1));
    assert!(ended.took < Duration::from_secs(5), "{ended:?}");
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let running = start(&Limits::default(), |times| times.drain = Duration::from_secs(3600));
    let mut stream = running.connect().await;
    ask(&mut stream, NEVER).await;
    running.toy.began.acquire().await.unwrap().forget();
    running.stop.drain();
    running.stop.cut();
    until(&mut stream, "Overloaded").await;
    let ended = running.task.await.unwrap();
    assert_eq!(ended.finished + ended.cut, 1);
    assert!(ended.took < Duration::from_secs(60), "{ended:?}");
}

#[tokio::test]
async fn a_long_body_that_is_refused_does_not_lose_its_answer() {
    let running = start(&Limits::default(), |_| {});
    for _ in 0..5 {
        let mut stream = running.connect().await;
        let body = vec![b'x'; 700_000];
        ask(
            &mut stream,
            &format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len()),
        )
        .await;
        // Sends all of it before it reads, as simple clients do.
        stream.write_all(&body).await.unwrap();
        assert!(until(&mut stream, "BodyTooLarge").await.starts_with("HTTP/1.1 413 "));
    }
    running.finish().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let first = bind(local()).unwrap();
    let taken = bind(first.address()).unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
}
