//! The first ceiling: TLS, HTTP/1.1 by hyper, the body read whole, parsed as JSON and echoed. No routes, no signature, no
//! store: what is left of a request when the server itself costs nothing.

use std::convert::Infallible;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use base::{Clock, SystemClock};
use bytes::Bytes;
use guard::tls::{Authority, CertificateStore, server_config};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Ready;
use crate::error::{Error, Result};

/// Serves until standard input ends.
pub(crate) async fn main(ready_file: &Path) -> Result<()> {
    let (bare, ready) = Bare::bind().await?;
    let text = serde_json::to_vec(&ready)
        .map_err(|_| Error::Answer { doing: "write the ready file", missing: "a form in JSON" })?;
    let whole = ready_file.with_extension("new");
    let written = fs::write(&whole, text).and_then(|()| fs::rename(&whole, ready_file));
    written.map_err(|e| Error::io("write the ready file", e))?;
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut nothing = Vec::new();
        let _ = std::io::stdin().read_to_end(&mut nothing);
        drop(end);
    });
    tokio::select! {
        result = bare.serve() => result,
        _ = ended => Ok(()),
    }
}

/// The endpoint, bound to a free port.
pub(crate) struct Bare {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Bare {
    /// Makes a certificate and listens on 127.0.0.1.
    pub(crate) async fn bind() -> Result<(Self, Ready)> {
        guard::tls::install_provider();
        let now = SystemClock.now();
        let failed = |e| Error::Server(format!("could not make a certificate: {e}"));
        let authority = Authority::generate("bench ceiling", now).map_err(failed)?;
        let names = ["localhost".to_owned()];
        let pair = authority.issue(&names, &[IpAddr::V4(Ipv4Addr::LOCALHOST)], now).map_err(failed)?;
        let store = CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes());
        let acceptor = TlsAcceptor::from(server_config(Arc::new(store.map_err(failed)?)));
        let listening = |e| Error::io("listen on 127.0.0.1", e);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listening)?;
        let port = listener.local_addr().map_err(listening)?.port();
        let ready =
            Ready { endpoint: format!("https://localhost:{port}"), ca: authority.cert_pem().to_owned() };
        Ok((Self { listener, acceptor }, ready))
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self) -> Result<()> {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = self.listener.accept().await.map_err(|e| Error::io("accept", e))?;
            connections.spawn(converse(self.acceptor.clone(), stream));
            while connections.try_join_next().is_some() {}
        }
    }
}

async fn converse(acceptor: TlsAcceptor, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    // A peer that goes away in the middle is its own affair.
    if let Ok(stream) = acceptor.accept(stream).await {
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(echo)).await;
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let parsed = match request.into_body().collect().await {
        Ok(body) => serde_json::from_slice::<Value>(&body.to_bytes()).ok(),
        Err(_) => None,
    };
    let mut response = match parsed {
        Some(value) => Response::new(Full::from(value.to_string())),
        None => {
            let mut bad = Response::new(Full::from("{}"));
            *bad.status_mut() = StatusCode::BAD_REQUEST;
            bad
        }
    };
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::client::{Connection, Endpoint};
    use crate::net::request::{Method, build};

    async fn with_bare<F: Future<Output = ()>>(test: impl FnOnce(Endpoint) -> F) {
        let (bare, ready) = Bare::bind().await.unwrap();
        let tls = guard::tls::client_config(ready.ca.as_bytes()).unwrap();
        let endpoint = Endpoint::new(&ready.endpoint, tls).unwrap();
        tokio::select! {
            ended = bare.serve() => panic!("it ended: {ended:?}"),
            () = test(endpoint) => {}
        }
    }

    async fn post(connection: &mut Connection, body: &str) -> (u16, String) {
        let answer =
            connection.exchange(&build(Method::Post, "/", "localhost", &[], body.as_bytes())).await.unwrap();
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn echoes_what_it_parsed_over_one_kept_alive_connection() {
        with_bare(|endpoint| async move {
            let mut connection = endpoint.connect().await.unwrap();
            for body in
                [r#"{"content":"one"}"#.to_owned(), format!(r#"{{"content":"{}"}}"#, "x".repeat(100_000))]
            {
                assert_eq!(post(&mut connection, &body).await, (200, body));
            }
            assert_eq!(post(&mut connection, "{nonsense").await.0, 400, "it parses, and so it can refuse");
            connection.rest();
            assert_eq!(post(&mut connection, "[]").await.0, 200, "a rested connection still works");
        })
        .await;
    }

    #[tokio::test]
    async fn another_authority_is_not_trusted() {
        with_bare(|endpoint| async move {
            let other = Authority::generate("another", SystemClock.now()).unwrap();
            let tls = guard::tls::client_config(other.cert_pem().as_bytes()).unwrap();
            let stranger = Endpoint::new(&format!("https://{}", endpoint.host), tls).unwrap();
            assert!(stranger.connect().await.unwrap_err().is_broken_connection());
        })
        .await;
    }
}
