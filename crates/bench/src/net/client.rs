//! One kept-alive connection: TLS, one request at a time, the answer read into a buffer that is used again. It allocates
//! nothing per message, because it shares the processors with the server it measures.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http1::{BadResponse, Head, parse_head};
use crate::error::{Error, Result};

/// The read buffer of a connection to begin with; an answer to a sent message is below 1 KiB.
const BUFFER: usize = 2 * 1024;
/// An answer longer than this is refused: a page of 200 messages of 28 KB, escaped, fits.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Where a server is, and how to trust it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The `Host` header: name and port.
    pub(crate) host: String,
    address: SocketAddr,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
}

impl Endpoint {
    /// From an address such as `https://alpha.localhost:8443/`. Names below `localhost` are this machine (RFC 6761).
    pub(crate) fn new(url: &str, tls: Arc<ClientConfig>) -> Result<Self> {
        let bad = || Error::Usage(format!("`{url}` is not an https address of this machine"));
        let host = url.strip_prefix("https://").ok_or_else(bad)?.trim_end_matches('/');
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "443"));
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let ip = match name.parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) if name == "localhost" || name.ends_with(".localhost") => Ipv4Addr::LOCALHOST.into(),
            Err(_) => return Err(bad()),
        };
        let address = SocketAddr::new(ip, port.parse().map_err(|_| bad())?);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| bad())?;
        Ok(Self { host: host.to_owned(), address, name, tls })
    }

    /// Opens a connection, TLS handshake included.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let doing = "connect to the server";
        let tcp = TcpStream::connect(self.address).await.map_err(|e| Error::io(doing, e))?;
        tcp.set_nodelay(true).map_err(|e| Error::io(doing, e))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector
            .connect(self.name.clone(), tcp)
            .await
            .map_err(|e| Error::io("shake hands over TLS", e))?;
        Ok(Connection { stream, buffer: Vec::new() })
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer, in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The body, when the status is the one hoped for.
    pub(crate) fn expect(self, doing: &'static str, expected: u16) -> Result<&'a [u8]> {
        if self.status == expected {
            return Ok(self.body);
        }
        if self.status == 429 {
            return Err(Error::Limited(doing));
        }
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(400)]).into_owned();
        Err(Error::Status { doing, expected, status: self.status, body })
    }
}

impl Connection {
    /// Sends a whole request (head and body) and reads the whole answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let send = |e| Error::io("send a request", e);
        self.stream.write_all(request).await.map_err(send)?;
        self.stream.flush().await.map_err(send)?;
        let head = self.receive().await?;
        let body = &self.buffer[head.head_len..head.head_len + head.body_len];
        Ok(Answer { status: head.status, body })
    }

    /// Sends a request for another protocol, and hands the connection over to it.
    pub(crate) async fn switch(mut self, request: &[u8]) -> Result<TlsStream<TcpStream>> {
        const DOING: &str = "ask for another protocol";
        self.stream.write_all(request).await.map_err(|e| Error::io(DOING, e))?;
        self.stream.flush().await.map_err(|e| Error::io(DOING, e))?;
        let mut head = Vec::new();
        // A byte at a time: what follows belongs to the other protocol.
        while !head.ends_with(b"\r\n\r\n") {
            let byte = self.stream.read_u8().await.map_err(|e| Error::io(DOING, e))?;
            head.push(byte);
            if head.len() > BUFFER {
                return Err(BadResponse::TooLong.into());
            }
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let body = String::from_utf8_lossy(&head).into_owned();
            return Err(Error::Status { doing: DOING, expected: 101, status: 0, body });
        }
        Ok(self.stream)
    }

    /// Gives the read buffer back, for a connection that will rest.
    pub(crate) fn rest(&mut self) {
        self.buffer = Vec::new();
    }

    async fn receive(&mut self) -> Result<Head> {
        self.buffer.clear();
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(BUFFER);
        }
        let mut head: Option<Head> = None;
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(|e| Error::io("read an answer", e))? == 0 {
                return Err(BadResponse::Ended.into());
            }
            if head.is_none() {
                head = parse_head(&self.buffer)?;
            }
            let Some(found) = head else { continue };
            let whole = found.head_len + found.body_len;
            if whole > MAX_ANSWER {
                return Err(BadResponse::TooLong.into());
            }
            match self.buffer.len() {
                len if len == whole => return Ok(found),
                len if len > whole => return Err(BadResponse::Surplus.into()),
                len => self.buffer.reserve(whole - len),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint> {
        guard::tls::install_provider();
        let roots = rustls::RootCertStore::empty();
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Endpoint::new(url, Arc::new(tls))
    }

    #[test]
    fn names_of_this_machine() {
        for (url, host, address) in [
            ("https://localhost:8443", "localhost:8443", "127.0.0.1:8443"),
            ("https://alpha.localhost:1/", "alpha.localhost:1", "127.0.0.1:1"),
            ("https://127.0.0.1:65535", "127.0.0.1:65535", "127.0.0.1:65535"),
            ("https://[::1]:9", "[::1]:9", "[::1]:9"),
            ("https://localhost", "localhost", "127.0.0.1:443"),
        ] {
            let endpoint = endpoint(url).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.address.to_string().as_str()), (host, address));
        }
    }

    #[test]
    fn what_is_no_address_of_this_machine() {
        for url in
            ["http://localhost:1", "https://example.com:1", "https://localhost:x", "localhost:1", "https://"]
        {
            assert!(matches!(endpoint(url), Err(Error::Usage(_))), "{url}");
        }
    }

    #[test]
    fn an_unexpected_status_quotes_the_answer() {
        let answer = Answer { status: 403, body: b"{\"error\":{\"code\":\"Forbidden\"}}" };
        let text = answer.expect("send a message", 201).unwrap_err().to_string();
        assert!(
            text.contains("403") && text.contains("Forbidden") && text.contains("send a message"),
            "{text}"
        );
        let limited = Answer { status: 429, body: b"" }.expect("send a message", 201).unwrap_err();
        assert!(matches!(limited, Error::Limited("send a message")));
        assert_eq!(Answer { status: 201, body: b"x" }.expect("send", 201).unwrap(), b"x");
    }
}
