//! Who is at the other end of a connection, as far as the connection itself tells.

use std::net::{IpAddr, Ipv4Addr};

use base::TlsVersion;
use rustls::ProtocolVersion;
use rustls::pki_types::CertificateDer;

/// Which way a connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// A listener for everybody.
    Public,
    /// The listener for whoever runs the server.
    Operator,
    /// A socket of this machine, without TLS.
    Machine,
    /// A listener without TLS, for what is not secret.
    Plain,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address: the one that a balancer in front tells, where there is one.
    pub address: IpAddr,
    /// What it speaks; `None` on a socket of this machine.
    pub tls: Option<TlsVersion>,
    /// Which way it came.
    pub entrance: Entrance,
    /// The certificate it showed, its own first; empty where none is asked for.
    pub certificates: Vec<CertificateDer<'static>>,
}

impl Peer {
    /// A client at `address` that came to the listener for everybody, with the newest TLS.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self {
            address: address.to_canonical(),
            tls: Some(TlsVersion::V1_3),
            entrance: Entrance::Public,
            certificates: Vec::new(),
        }
    }

    /// A program of this machine.
    pub(super) fn of_this_machine(told: Option<IpAddr>) -> Self {
        let address = told.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Self { tls: None, entrance: Entrance::Machine, ..Self::at(address) }
    }

    /// A client that speaks without TLS.
    pub(super) fn in_the_open(address: IpAddr) -> Self {
        Self { tls: None, entrance: Entrance::Plain, ..Self::at(address) }
    }

    /// A client whose handshake is over.
    pub(super) fn secured(address: IpAddr, entrance: Entrance, session: &rustls::ServerConnection) -> Self {
        let tls = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
            _ => TlsVersion::V1_2,
        };
        let shown = session.peer_certificates().unwrap_or_default();
        let certificates = shown.iter().map(|one| one.clone().into_owned()).collect();
        Self { tls: Some(tls), entrance, certificates, ..Self::at(address) }
    }
}
