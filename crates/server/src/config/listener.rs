//! `[listener]`: where the server listens, and the certificate it shows.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::name::Host;

/// Where the server listens and what it shows there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where the certificate comes from.
    pub certificate: Certificate,
    /// Names this server has in front of a proxy, or in DNS. A resource answers to `NAME.HOST` for each, the first one also
    /// to `HOST`.
    pub public_hosts: Vec<Host>,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// From two PEM files, read again when they change.
    Files {
        /// The chain, the server's own certificate first.
        chain: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// From a certificate authority of the server's own, kept in this folder.
    SelfSigned {
        /// The folder: `ca/ca.pem` is what clients must trust.
        data: PathBuf,
    },
}

/// Where to listen, and with which certificate.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "listener")]
pub(super) struct RawListener {
    /// Address and port, such as "0.0.0.0:8443" or "[::]:8443".
    #[schemars(required, with = "String")]
    address: Option<String>,
    /// PEM file with the certificate chain, the server's own certificate first.
    #[serde(default)]
    #[schemars(with = "String")]
    certificate: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    #[serde(default)]
    #[schemars(with = "String")]
    key: Option<PathBuf>,
    /// Instead of files: a certificate authority of the server's own, kept under `data`.
    #[serde(default)]
    self_signed: bool,
    /// The folder of the server's own certificate authority.
    #[serde(default)]
    #[schemars(with = "String")]
    data: Option<PathBuf>,
    /// DNS names or addresses under which clients reach this server, without port.
    #[serde(default)]
    public_hosts: Vec<String>,
}

impl RawListener {
    pub(super) fn check(self, document: &mut Document<'_>) -> Option<Listener> {
        let address = self.address(document);
        let public_hosts = self.public_hosts(document);
        let certificate = self.certificate(document);
        Some(Listener { address: address?, certificate: certificate?, public_hosts })
    }

    fn address(&self, document: &mut Document<'_>) -> Option<SocketAddr> {
        const FIX: &str = "write an address and a port: address = \"0.0.0.0:8443\"";
        let Some(text) = &self.address else {
            if !document.is_partial("listener.address") {
                document.problem("listener.address", "missing", FIX);
            }
            return None;
        };
        let read = text.parse().ok();
        if read.is_none() {
            document.problem(
                "listener.address",
                "this is no address with a port; names are not resolved",
                FIX,
            );
        }
        read
    }

    fn public_hosts(&self, document: &mut Document<'_>) -> Vec<Host> {
        let mut hosts: Vec<Host> = Vec::new();
        for (at, text) in self.public_hosts.iter().enumerate() {
            let key = format!("listener.public_hosts[{at}]");
            match Host::parse(text) {
                Ok(host) if hosts.contains(&host) => {
                    document.problem(&key, "named twice", "take one of them out");
                }
                Ok(host) => hosts.push(host),
                Err(fault) => {
                    document.problem(&key, fault.to_string(), "write a name such as \"chat.example.org\"");
                }
            }
        }
        hosts
    }

    fn certificate(self, document: &mut Document<'_>) -> Option<Certificate> {
        const CHOICE: &str = "write `certificate` and `key`, or `self_signed = true` and `data`";
        let partial = document.is_partial("listener");
        let mut missing = |key: &str, fix: &str| {
            if !partial {
                document.problem(key, "missing", fix);
            }
            None
        };
        match (self.certificate, self.key, self.self_signed, self.data) {
            (Some(chain), Some(key), false, None) => Some(Certificate::Files { chain, key }),
            (None, None, true, Some(data)) => Some(Certificate::SelfSigned { data }),
            (None, None, true, None) => missing(
                "listener.data",
                "name the folder that keeps the authority: data = \"/var/lib/chancery\"",
            ),
            (Some(_), None, false, None) => {
                missing("listener.key", "name the file of the certificate's private key")
            }
            (None, Some(_), false, None) => {
                missing("listener.certificate", "name the file of the certificate chain")
            }
            (None, None, false, None) => missing("listener.certificate", CHOICE),
            (None, None, false, Some(_)) => {
                document.problem(
                    "listener.data",
                    "used only with a certificate authority of the server's own",
                    CHOICE,
                );
                None
            }
            _ => {
                document.problem(
                    "listener",
                    "certificate files and a certificate authority of its own exclude each other",
                    CHOICE,
                );
                None
            }
        }
    }
}
