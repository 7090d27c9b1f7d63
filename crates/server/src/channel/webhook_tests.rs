//! Tests of webhooks against peers in memory.

use std::sync::Mutex;

use guard::tls::{Authority, CertificateStore, client_config, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

/// Hands out one end of a pipe; the other end is the test's.
struct Pipe(Mutex<Vec<DuplexStream>>, Mutex<Vec<(String, u16)>>);

impl Pipe {
    fn new(ends: Vec<DuplexStream>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(ends), Mutex::new(Vec::new())))
    }
}

impl Dial for Pipe {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        self.1.lock().unwrap().push((host.to_owned(), port));
        let end = self.0.lock().unwrap().pop();
        Box::pin(async move {
            let end = end.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Box::new(end) as Box<dyn Stream>)
        })
    }
}

fn authority() -> Authority {
    Authority::generate("Test", base::Clock::now(&base::SystemClock)).unwrap()
}

fn request(url: &str) -> HookRequest {
    HookRequest {
        method: "POST",
        url: url.to_owned().into(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: base::Personal::new(Bytes::from_static(b"[1]")),
    }
}

fn channel(dial: Arc<Pipe>, allows_plain: bool) -> Webhook {
    let ca = authority();
    Webhook::new(dial, client_config(ca.cert_pem().as_bytes()).unwrap(), allows_plain)
        .within(Duration::from_millis(500))
}

/// Reads the head and the body of three bytes, then answers.
async fn answer(mut peer: DuplexStream, with: &[u8]) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"[1]") {
        let mut some = [0; 1024];
        let count = peer.read(&mut some).await.unwrap();
        assert!(count > 0, "the request ends early");
        seen.extend_from_slice(&some[..count]);
    }
    drop(peer.write_all(with).await);
    String::from_utf8(seen).unwrap()
}

async fn told(with: &'static [u8]) -> (Result<HookAnswer, HookFault>, String) {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let hook = channel(Pipe::new(vec![near]), true);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { answer(far, with).await });
    let outcome = hook.send(request("http://hooks.example:8080/a?b=c")).await;
    (outcome, tasks.join_next().await.unwrap().unwrap())
}

#[tokio::test]
async fn a_request_goes_out_and_its_answer_comes_back() {
    let (outcome, seen) = told(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nok").await;
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, &outcome.body.expose()[..]), (200, &b"ok"[..]));
    assert_eq!(outcome.headers.get("x-a").unwrap(), "b");
    assert!(seen.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("host: hooks.example:8080\r\n") && seen.contains("content-length: 3\r\n"));
}

#[tokio::test]
async fn redirects_are_answers_like_others() {
    let (outcome, _) =
        told(b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(outcome.unwrap().status, 302);
}

#[tokio::test]
async fn answers_are_read_up_to_the_limit() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", MAX_ANSWER + 5);
    let whole: &'static [u8] =
        Box::leak([head.as_bytes(), &vec![b'a'; MAX_ANSWER + 5]].concat().into_boxed_slice());
    let (outcome, _) = told(whole).await;
    assert_eq!(outcome.unwrap().body.expose().len(), MAX_ANSWER);
}

#[tokio::test]
async fn what_is_no_http_is_a_fault() {
    let (outcome, _) = told(b"220 mail.example ESMTP\r\n").await;
    assert_eq!(outcome.unwrap_err(), HookFault::Socket);
    let (outcome, _) = told(b"").await;
    assert_eq!(outcome.unwrap_err(), HookFault::Socket, "it hung up");
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_left() {
    let (near, far) = tokio::io::duplex(1024);
    let hook = channel(Pipe::new(vec![near]), true);
    assert_eq!(hook.send(request("http://hooks.example/")).await.unwrap_err(), HookFault::TimedOut);
    drop(far);
}

#[tokio::test]
async fn plain_http_only_where_it_is_allowed() {
    let dial = Pipe::new(Vec::new());
    let strict = channel(Arc::clone(&dial), false);
    assert_eq!(strict.send(request("http://hooks.example/")).await.unwrap_err(), HookFault::NotAllowed);
    assert_eq!(strict.send(request("ftp://hooks.example/")).await.unwrap_err(), HookFault::NotAllowed);
    assert!(dial.1.lock().unwrap().is_empty(), "nobody was called");
    assert_eq!(strict.send(request("https://[::1]/")).await.unwrap_err(), HookFault::Socket);
    assert_eq!(dial.1.lock().unwrap()[..], [("::1".to_owned(), 443)]);
}

#[tokio::test]
async fn only_the_right_certificate_is_trusted() {
    for (name, want) in [("hooks.example", Ok(200)), ("other.example", Err(HookFault::Socket))] {
        let ca = authority();
        let pair = ca.issue(&[name.to_owned()], &[], base::Clock::now(&base::SystemClock)).unwrap();
        let store =
            CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes()).unwrap();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let acceptor = TlsAcceptor::from(server_config(Arc::new(store)));
            let Ok(mut peer) = acceptor.accept(far).await else { return };
            let mut some = [0; 4096];
            drop(peer.read(&mut some).await);
            drop(peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await);
            drop(peer.flush().await);
            drop(peer.read(&mut some).await);
        });
        let tls = client_config(ca.cert_pem().as_bytes()).unwrap();
        let hook = Webhook::new(Pipe::new(vec![near]), tls, false);
        let outcome = hook.send(request("https://hooks.example/")).await.map(|answer| answer.status);
        assert_eq!(outcome, want, "{name}");
    }
}
