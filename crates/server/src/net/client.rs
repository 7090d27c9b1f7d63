//! One HTTPS request to this server's own kind, for the command line. Small on purpose: no redirects, no pools, no proxies.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use ::http::{HeaderValue, Method, Request, StatusCode, Uri};
use base::Secret;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// How long connecting may take, and the whole request.
const CONNECT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(120);
/// The longest answer that is read, in bytes: a captured mail in base64, twice.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientFault {
    /// The address is none of an HTTPS server.
    #[error("this is no address of a server; write https://HOST or https://HOST:PORT")]
    Address,
    /// Nobody listens there, or the network does not lead there.
    #[error("nobody answers there: {}", .0.kind())]
    Connect(io::Error),
    /// The certificate is not trusted, or is another's.
    #[error("the server's certificate is not trusted: {0}")]
    Certificate(String),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// It took too long.
    #[error("the server did not answer in time")]
    Slow,
}

/// Knows one server and the token it takes.
#[derive(Debug)]
pub struct Client {
    name: ServerName<'static>,
    /// The `Host` of requests.
    authority: HeaderValue,
    /// Where to connect; differs from the name when a server is reached from its own machine.
    connect: (String, u16),
    tls: Arc<ClientConfig>,
    token: Secret<String>,
}

impl Client {
    /// A client of the server at `endpoint` (`https://host:port`). `connect` says where to connect to when that is not what
    /// the name says.
    ///
    /// # Errors
    /// [`ClientFault::Address`].
    pub fn new(
        endpoint: &str,
        connect: Option<(String, u16)>,
        tls: Arc<ClientConfig>,
        token: Secret<String>,
    ) -> Result<Self, ClientFault> {
        let uri: Uri = endpoint.trim_end_matches('/').parse().map_err(|_| ClientFault::Address)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
        let authority = authority.filter(|_| matches!(uri.path(), "" | "/")).ok_or(ClientFault::Address)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| ClientFault::Address)?;
        let connect = connect.unwrap_or((host, authority.port_u16().unwrap_or(443)));
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|_| ClientFault::Address)?;
        Ok(Self { name, authority, connect, tls, token })
    }

    /// Asks; `target` is path and query, `body` JSON.
    ///
    /// # Errors
    /// [`ClientFault`]; an answer of any status is none.
    pub async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), ClientFault> {
        let asked = self.exchange(method, target, body);
        tokio::time::timeout(WHOLE, asked).await.map_err(|_| ClientFault::Slow)?
    }

    async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), ClientFault> {
        let broken = |fault: hyper::Error| ClientFault::Broken(fault.to_string());
        let stream = self.connect().await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose()));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let request = request.body(body).map_err(|_| ClientFault::Address)?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|fault| ClientFault::Broken(fault.to_string()))?.to_bytes();
        Ok((status, body))
    }

    async fn connect(&self) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ClientFault> {
        let (host, port) = &self.connect;
        let tcp = TcpStream::connect((host.as_str(), *port));
        let tcp = tokio::time::timeout(CONNECT, tcp).await.map_err(|_| ClientFault::Slow)?;
        let tcp = tcp.map_err(ClientFault::Connect)?;
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(self.name.clone(), tcp);
        let tls = tokio::time::timeout(CONNECT, tls).await.map_err(|_| ClientFault::Slow)?;
        tls.map_err(|fault| match fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => ClientFault::Certificate(why.to_string()),
            _ => ClientFault::Broken(fault.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(endpoint: &str) -> Result<Client, ClientFault> {
        guard::tls::install_provider();
        let authority =
            guard::tls::Authority::generate("test", base::Timestamp::from_millis(1_795_420_800_000));
        let tls = guard::tls::client_config(authority.unwrap().cert_pem().as_bytes()).unwrap();
        Client::new(endpoint, None, tls, Secret::new("token".to_owned()))
    }

    #[test]
    fn only_https_addresses_are_taken() {
        for (good, host, port) in [
            ("https://localhost:8443", "localhost", 8443),
            ("https://localhost:8443/", "localhost", 8443),
            ("https://chat.example.org", "chat.example.org", 443),
            ("https://127.0.0.1:9", "127.0.0.1", 9),
            ("https://[::1]:9", "::1", 9),
        ] {
            let client = client(good).unwrap();
            assert_eq!(client.connect, (host.to_owned(), port));
            assert!(!format!("{client:?}").contains("token\""));
        }
        for bad in
            ["", "localhost:8443", "http://localhost", "https://", "https://localhost/x", "https://a b"]
        {
            assert!(matches!(client(bad), Err(ClientFault::Address)), "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_said() {
        // A port that was free a moment ago.
        let door = crate::net::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = door.address();
        drop(door);
        let fault = client(&format!("https://{address}")).unwrap().ask(Method::GET, "/", None).await;
        assert!(matches!(fault, Err(ClientFault::Connect(_))), "{fault:?}");
    }
}
