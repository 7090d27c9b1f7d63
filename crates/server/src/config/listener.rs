//! `[listener]`: where the server listens, and the certificate it shows.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::Network;
use schemars::JsonSchema;
use serde::Deserialize;

use super::acme::{self, AcmeConfig};
use super::document::Document;
use super::name::Host;

/// Where the server listens and what it shows there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Where the certificate comes from.
    pub certificate: Certificate,
    /// Where else it listens.
    pub also: Vec<Also>,
    /// The balancers that tell, by the PROXY protocol, whose connection they hand on.
    pub balancers: Vec<Balancer>,
    /// Names this server has in front of a proxy, or in DNS. A resource answers to `NAME.HOST` for each, the first one also
    /// to `HOST`.
    pub public_hosts: Vec<Host>,
}

/// Another place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Also {
    /// An address, with TLS.
    Address(SocketAddr),
    /// A socket of this machine, without.
    Socket(PathBuf),
}

/// Who begins each connection with a PROXY header of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Balancer {
    /// Whoever connects from there.
    From(Network),
    /// Whoever connects at a socket of this machine.
    AtSockets,
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
    /// From an authority that issues it by itself.
    Acme(AcmeConfig),
    /// From a certificate authority of the server's own, kept in this folder.
    SelfSigned {
        /// The folder: `ca/ca.pem` is what clients must trust.
        data: PathBuf,
    },
}

const CHOICE: &str = "write `certificate` and `key`, or `self_signed = true` and `data`, or [listener.acme]";

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
    /// Instead of files: an authority that issues the certificate by itself.
    #[serde(default)]
    #[schemars(with = "acme::RawAcme")]
    acme: Option<acme::RawAcme>,
    /// More places to listen at: addresses with ports such as "[::]:8443", or sockets of this machine such as
    /// "unix:/run/chancery/http.sock", which speak HTTP without TLS and are for their owner and group.
    #[serde(default)]
    #[schemars(length(max = 16))]
    also: Vec<String>,
    /// Balancers in front that begin each connection with a PROXY header of version 2: networks such as "10.0.0.7/32", or
    /// "unix" for whoever connects at a socket. From them it is needed, from nobody else it is read.
    #[serde(default)]
    #[schemars(length(max = 200))]
    proxy_protocol_from: Vec<String>,
    /// DNS names or addresses under which clients reach this server, without port.
    #[serde(default)]
    public_hosts: Vec<String>,
}

impl RawListener {
    pub(super) fn check(self, document: &mut Document<'_>) -> Option<Listener> {
        let address = self.address(document);
        let public_hosts = self.public_hosts(document);
        let (also, balancers) = (self.also(document), self.balancers(document));
        let certificate = self.certificate(&public_hosts, document);
        Some(Listener { address: address?, also, balancers, certificate: certificate?, public_hosts })
    }

    fn also(&self, document: &mut Document<'_>) -> Vec<Also> {
        const FIX: &str = "write \"ADDRESS:PORT\" or \"unix:/absolute/path\"";
        few("listener.also", self.also.len(), MAX_ALSO, document);
        let read = |text: &String| match text.strip_prefix("unix:") {
            Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_absolute()).map(Also::Socket),
            None => text.parse().ok().map(Also::Address),
        };
        each("listener.also", &self.also, read, "this is no place to listen at", FIX, document)
    }

    fn balancers(&self, document: &mut Document<'_>) -> Vec<Balancer> {
        const FIX: &str = "write a network such as \"10.0.0.7/32\", or \"unix\"";
        const KEY: &str = "listener.proxy_protocol_from";
        few(KEY, self.proxy_protocol_from.len(), MAX_BALANCERS, document);
        let read = |text: &String| match text.as_str() {
            "unix" => Some(Balancer::AtSockets),
            text => text.parse().ok().map(Balancer::From),
        };
        each(KEY, &self.proxy_protocol_from, read, "this is no network", FIX, document)
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

    fn acme(self, acme: acme::RawAcme, hosts: &[Host], document: &mut Document<'_>) -> Option<Certificate> {
        if self.certificate.is_some() || self.key.is_some() || self.self_signed || self.data.is_some() {
            let what = "an authority that issues the certificate and another certificate exclude each other";
            document.problem("listener", what, CHOICE);
        }
        if hosts.iter().all(|host| host.address().is_some()) {
            let fix = "write the name that clients use: public_hosts = [\"chat.example.org\"]";
            document.problem(
                "listener.public_hosts",
                "a certificate is issued for names, and here is none",
                fix,
            );
        }
        acme.check("listener.acme", document).map(Certificate::Acme)
    }

    fn certificate(mut self, hosts: &[Host], document: &mut Document<'_>) -> Option<Certificate> {
        if let Some(acme) = self.acme.take() {
            return self.acme(acme, hosts, document);
        }
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

/// The most places beside the first, and the most networks of balancers.
const MAX_ALSO: usize = 16;
const MAX_BALANCERS: usize = 200;

fn few(key: &str, there_are: usize, most: usize, document: &mut Document<'_>) {
    if there_are > most {
        document.problem(key, format!("{there_are} are named"), format!("name at most {most}"));
    }
}

/// What each text of a list says; those that say nothing are noted.
fn each<T>(
    key: &str,
    texts: &[String],
    read: impl Fn(&String) -> Option<T>,
    what: &str,
    fix: &str,
    document: &mut Document<'_>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        match read(text) {
            Some(one) => all.push(one),
            None => document.problem(&format!("{key}[{at}]"), what, fix),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn read(lines: &str) -> Result<Listener, String> {
        let text = format!(
            "[listener]\naddress = \"127.0.0.1:1\"\nself_signed = true\ndata = \"/d\"\n{lines}\n\
             [[cell]]\ngeography = \"europe\"\nengine = {{ kind = \"sqlite\", path = \"/d/s\" }}\n\
             kms = {{ kind = \"local\", path = \"/d/k\" }}\n[[resource]]\nname = \"home\"\ngeography = \"europe\"\n"
        );
        Config::parse("chancery.toml", &text).map(|config| config.listener).map_err(|all| all.to_string())
    }

    #[test]
    fn more_places_and_balancers_are_read() {
        let listener = read(
            "also = [\"[::1]:2\", \"unix:/run/c.sock\"]\nproxy_protocol_from = [\"10.0.0.7/32\", \"unix\"]",
        );
        let listener = listener.unwrap();
        let address = Also::Address("[::1]:2".parse().unwrap());
        assert_eq!(listener.also, [address, Also::Socket("/run/c.sock".into())]);
        let network = Balancer::From("10.0.0.7/32".parse().unwrap());
        assert_eq!(listener.balancers, [network, Balancer::AtSockets]);
        let plain = read("").unwrap();
        assert!(plain.also.is_empty() && plain.balancers.is_empty());
    }

    #[test]
    fn each_fault_is_placed_and_there_are_limits() {
        let list = |key: &str, one: &str, times: usize| format!("{key} = [{}]", vec![one; times].join(", "));
        for (lines, expected) in [
            ("also = [\"localhost:1\"]".to_owned(), "listener.also[0]"),
            ("also = [\"127.0.0.1:1\", \"unix:relative\"]".to_owned(), "listener.also[1]"),
            ("proxy_protocol_from = [\"here\"]".to_owned(), "listener.proxy_protocol_from[0]"),
            (list("also", "\"127.0.0.1:2\"", MAX_ALSO + 1), "listener.also"),
            (
                list("proxy_protocol_from", "\"10.0.0.1/32\"", MAX_BALANCERS + 1),
                "listener.proxy_protocol_from",
            ),
        ] {
            let told = read(&lines).unwrap_err();
            assert!(told.contains(expected), "{lines}: {told}");
        }
        assert!(read(&list("also", "\"127.0.0.1:2\"", MAX_ALSO)).is_ok());
        assert!(read(&list("proxy_protocol_from", "\"10.0.0.1/32\"", MAX_BALANCERS)).is_ok());
    }
}
