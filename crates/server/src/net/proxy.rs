//! The PROXY protocol, version 2, by which a balancer tells whose connection it hands on (HAProxy,
//! `doc/proxy-protocol.txt`). It is read from the balancers that are named, which must send it, and from nobody else: a
//! client could write there whatever it likes.

use std::io;
use std::net::IpAddr;

use base::Network;
use ppp::v2::{Addresses, Command, Header};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The signature, version, family and length.
const FIXED: usize = 16;
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest rest that is read, in bytes: two addresses and some notes of the balancer.
pub(super) const MAX_REST: usize = 2048;

/// Who must begin a connection with a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balancers {
    /// Who connects from these networks.
    pub networks: Vec<Network>,
    /// Who connects at a socket of this machine.
    pub at_sockets: bool,
}

impl Balancers {
    pub(super) fn include(&self, from: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(from.to_canonical()))
    }
}

/// Reads a header from the beginning of `stream`, and not one byte more. The client's address; `None` when the balancer
/// speaks for itself, as it does when it looks whether the server is there.
///
/// # Errors
/// When there is no header, it is malformed, or longer than [`MAX_REST`].
pub(super) async fn read_header<IO: AsyncRead + Unpin>(stream: &mut IO) -> io::Result<Option<IpAddr>> {
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = vec![0; FIXED];
    stream.read_exact(&mut bytes).await?;
    if !bytes.starts_with(SIGNATURE) {
        return Err(bad());
    }
    let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if rest > MAX_REST {
        return Err(bad());
    }
    bytes.resize(FIXED + rest, 0);
    stream.read_exact(&mut bytes[FIXED..]).await?;
    let header = Header::try_from(bytes.as_slice()).map_err(|_| bad())?;
    let told = match (header.command, &header.addresses) {
        (Command::Local, _) => None,
        (Command::Proxy, Addresses::IPv4(both)) => Some(IpAddr::V4(both.source_address)),
        (Command::Proxy, Addresses::IPv6(both)) => Some(IpAddr::V6(both.source_address)),
        (Command::Proxy, Addresses::Unix(_) | Addresses::Unspecified) => None,
    };
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ppp::v2::{Builder, Protocol, Version};
    use std::net::SocketAddr;

    fn header(command: Command, from: &str, notes: usize) -> Vec<u8> {
        let from: SocketAddr = from.parse().unwrap();
        let to: SocketAddr = if from.is_ipv4() { "10.0.0.1:443" } else { "[fd00::1]:443" }.parse().unwrap();
        let mut builder = Builder::with_addresses(Version::Two | command, Protocol::Stream, (from, to));
        if notes > 0 {
            builder = builder.write_tlv(0xE0_u8, vec![b'x'; notes].as_slice()).unwrap();
        }
        builder.build().unwrap()
    }

    async fn read(bytes: &[u8]) -> io::Result<(Option<IpAddr>, usize)> {
        let mut left = bytes;
        let told = read_header(&mut left).await?;
        Ok((told, left.len()))
    }

    #[tokio::test]
    async fn a_balancer_tells_whose_connection_it_is() {
        for from in ["203.0.113.7:4711", "[2001:db8::7]:4711"] {
            let ip = from.parse::<SocketAddr>().unwrap().ip();
            let mut bytes = header(Command::Proxy, from, 0);
            bytes.extend_from_slice(b"\x16and then TLS");
            assert_eq!(read(&bytes).await.unwrap(), (Some(ip), 13), "not a byte more is taken");
            assert_eq!(read(&header(Command::Proxy, from, 100)).await.unwrap(), (Some(ip), 0));
            assert_eq!(read(&header(Command::Local, from, 0)).await.unwrap(), (None, 0));
        }
        let unspecified = [&SIGNATURE[..], &[0x21, 0, 0, 0]].concat();
        assert_eq!(read(&unspecified).await.unwrap(), (None, 0));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let whole = header(Command::Proxy, "203.0.113.7:1", 0);
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).await.is_err(), "cut to {len}");
        }
        for bad in [
            b"PROXY TCP4 203.0.113.7 10.0.0.1 1 2\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaa".to_vec(),
            [&SIGNATURE[..], &[0x11, 0x11, 0, 12], &[0; 12]].concat(),
            [&SIGNATURE[..], &[0x2F, 0x11, 0, 12], &[0; 12]].concat(),
            [&SIGNATURE[..], &[0x21, 0x11, 0, 4], &[0; 4]].concat(),
        ] {
            assert!(read(&bad).await.is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn notes_have_a_limit() {
        // Two addresses of IPv4 with ports, and the head of a note.
        let most = MAX_REST - 12 - 3;
        assert!(read(&header(Command::Proxy, "203.0.113.7:1", most)).await.is_ok());
        assert!(read(&header(Command::Proxy, "203.0.113.7:1", most + 1)).await.is_err());
    }
}
