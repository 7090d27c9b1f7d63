//! Connections to the outside, and the rule about whom they may reach: the public internet, and beside it only the networks
//! that the operator allows. The name is resolved here and its addresses are checked after that, so that no name can lead
//! to a private address (SSRF), whoever chose it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base::network::{Network, is_public};
use guard::BoxFuture;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::channel::{Dial, Stream};

/// How long one address may take to answer.
const ONE_ADDRESS: Duration = Duration::from_secs(10);
/// How long all addresses of a host together may take, with finding them.
const ALL_ADDRESSES: Duration = Duration::from_secs(30);
/// How many addresses of one host are tried.
const MOST_ADDRESSES: usize = 8;

/// Connects by TCP.
#[derive(Clone, Debug, Default)]
pub struct SocketDial {
    allowed: Vec<Network>,
}

impl SocketDial {
    /// Reaches the public internet and `allowed`.
    #[must_use]
    pub const fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// Reaches any place, for what the operator alone names.
    #[must_use]
    pub fn everywhere() -> Self {
        Self::new(["0.0.0.0/0", "::/0"].iter().filter_map(|text| text.parse().ok()).collect())
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(address))
    }

    async fn open(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let addresses: Vec<SocketAddr> = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => tokio::net::lookup_host((host, port)).await?.collect(),
        };
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address"));
        }
        let refused = || {
            io::Error::new(io::ErrorKind::PermissionDenied, "the host is at no address that may be reached")
        };
        let mut last = refused();
        for address in addresses.into_iter().filter(|one| self.may_reach(one.ip())).take(MOST_ADDRESSES) {
            match timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(fault)) => last = fault,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }
}

impl Dial for SocketDial {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let opened = timeout(ALL_ADDRESSES, self.open(host, port)).await;
            let stream = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn kind(dial: &SocketDial, host: &str, port: u16) -> io::ErrorKind {
        dial.connect(host, port).await.map(|_| ()).unwrap_err().kind()
    }

    #[tokio::test]
    async fn private_addresses_are_refused_however_they_are_written() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dial = SocketDial::default();
        for host in [
            "127.0.0.1",
            "localhost",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "169.254.169.254",
            "10.0.0.1",
        ] {
            assert_eq!(kind(&dial, host, port).await, io::ErrorKind::PermissionDenied, "{host}");
        }
    }

    #[tokio::test]
    async fn what_the_operator_allows_is_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dial = SocketDial::new(vec!["127.0.0.1".parse().unwrap()]);
        for host in ["127.0.0.1", "::ffff:127.0.0.1"] {
            let (mine, theirs) = tokio::join!(dial.connect(host, port), listener.accept());
            let (mut mine, mut theirs) = (mine.unwrap(), theirs.unwrap().0);
            mine.write_all(b"hello").await.unwrap();
            mine.flush().await.unwrap();
            let mut read = [0; 5];
            theirs.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"hello", "{host}");
        }
        assert_eq!(kind(&dial, "127.0.0.2", port).await, io::ErrorKind::PermissionDenied);
        drop(listener);
        assert_eq!(kind(&dial, "127.0.0.1", port).await, io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn what_the_operator_alone_names_may_be_anywhere() {
        let dial = SocketDial::everywhere();
        for address in ["127.0.0.1", "10.0.0.1", "8.8.8.8", "::1", "fd00::1", "2001:db8::1"] {
            assert!(dial.may_reach(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_that_is_none_is_an_error() {
        assert!(SocketDial::default().connect("no such host.invalid", 25).await.is_err());
    }
}
