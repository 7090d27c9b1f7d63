//! What the DNS says of the mail of a domain: its servers, their keys (TLSA), texts. Answers that must be proven are asked
//! of a resolver that validates DNSSEC itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use guard::BoxFuture;
use guard::tls::mail::Tlsa;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use thiserror::Error;

/// How long one name server may take; it is asked twice.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many records of one answer are looked at.
const MOST_RECORDS: usize = 64;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DnsFault {
    /// There is no such name.
    #[error("there is no such name")]
    NoName,
    /// Nobody could say; or what was said is not what was signed.
    #[error("the DNS gives no answer")]
    Failed,
}

/// An answer, which may be none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found<T> {
    /// What was found.
    pub records: Vec<T>,
    /// Whether it is proven by DNSSEC.
    pub proven: bool,
}

/// Asks the DNS.
pub trait MailDns: Send + Sync + 'static {
    /// The mail servers of `domain` with their preferences, in no order. A server `""` is the null MX (RFC 7505).
    ///
    /// # Errors
    /// [`DnsFault`].
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Found<(u16, String)>, DnsFault>>;

    /// The addresses of `host`; none when it has none.
    ///
    /// # Errors
    /// [`DnsFault::Failed`].
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFault>>;

    /// The TLSA records of `port` at `host`, proven or none: those that are not proven do not count.
    ///
    /// # Errors
    /// [`DnsFault::Failed`] when it cannot be known whether there are some.
    fn tlsa<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<Tlsa>, DnsFault>>;

    /// The TXT records at `name`, each with its strings joined; none when there is no such name.
    ///
    /// # Errors
    /// [`DnsFault::Failed`].
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFault>>;
}

/// The DNS itself.
pub struct Resolver {
    plain: TokioResolver,
    validating: TokioResolver,
}

impl Resolver {
    /// Asks `servers`, or those the system is configured with when there are none.
    ///
    /// # Errors
    /// [`DnsFault::Failed`] when the system's configuration cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, DnsFault> {
        Ok(Self { plain: resolver(servers, false)?, validating: resolver(servers, true)? })
    }
}

fn resolver(servers: &[SocketAddr], validate: bool) -> Result<TokioResolver, DnsFault> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio().map_err(|_| DnsFault::Failed)?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.validate = validate;
    options.timeout = PATIENCE;
    options.attempts = 2;
    options.ndots = 0;
    builder.build().map_err(|_| DnsFault::Failed)
}

/// Asks one question; a name without such records is an empty answer.
async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Option<Lookup>, DnsFault> {
    let mut name = Name::from_ascii(name).map_err(|_| DnsFault::NoName)?;
    // A whole name: the system's search list has no place here.
    name.set_fqdn(true);
    match resolver.lookup(name, kind).await {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.is_nx_domain() => Err(DnsFault::NoName),
        Err(fault) if is_empty(&fault) => Ok(None),
        Err(_) => Err(DnsFault::Failed),
    }
}

/// Whether the name is there and has no such record. SERVFAIL comes as "no records" as well, and is none.
fn is_empty(fault: &NetError) -> bool {
    use hickory_resolver::proto::op::ResponseCode;
    match fault {
        NetError::Dns(hickory_resolver::net::DnsError::NoRecordsFound(none)) => {
            none.response_code == ResponseCode::NoError
        }
        _ => false,
    }
}

fn is_proven(found: &Lookup) -> bool {
    !found.answers().is_empty() && found.answers().iter().all(|record| record.proof == Proof::Secure)
}

impl MailDns for Resolver {
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Found<(u16, String)>, DnsFault>> {
        Box::pin(async move {
            let proven = ask(&self.validating, domain, RecordType::MX).await;
            let (found, proven) = match proven {
                Ok(Some(found)) if is_proven(&found) => (Some(found), true),
                // Most name servers that do not validate cannot be asked for proofs either.
                _ => (ask(&self.plain, domain, RecordType::MX).await?, false),
            };
            let answers = found.as_ref().map(Lookup::answers).unwrap_or_default();
            let records = answers.iter().filter_map(|record| match &record.data {
                RData::MX(mx) => {
                    let server = mx.exchange.to_ascii();
                    Some((mx.preference, server.trim_end_matches('.').to_ascii_lowercase()))
                }
                _ => None,
            });
            Ok(Found { records: records.take(MOST_RECORDS).collect(), proven })
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFault>> {
        Box::pin(async move {
            let mut name = Name::from_ascii(host).map_err(|_| DnsFault::NoName)?;
            name.set_fqdn(true);
            match self.plain.lookup_ip(name).await {
                Ok(found) => Ok(found.iter().take(MOST_RECORDS).collect()),
                Err(fault) if fault.is_nx_domain() || is_empty(&fault) => Ok(Vec::new()),
                Err(_) => Err(DnsFault::Failed),
            }
        })
    }

    fn tlsa<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<Tlsa>, DnsFault>> {
        Box::pin(async move {
            let name = format!("_{port}._tcp.{host}");
            let found = match ask(&self.validating, &name, RecordType::TLSA).await {
                Ok(Some(found)) if is_proven(&found) => found,
                Ok(_) | Err(DnsFault::NoName) => return Ok(Vec::new()),
                Err(fault) => return Err(fault),
            };
            let records = found.answers().iter().filter_map(|record| match &record.data {
                RData::TLSA(tlsa) => Some(Tlsa {
                    usage: tlsa.cert_usage.into(),
                    selector: tlsa.selector.into(),
                    matching: tlsa.matching.into(),
                    data: tlsa.cert_data.clone(),
                }),
                _ => None,
            });
            Ok(records.take(MOST_RECORDS).collect())
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFault>> {
        Box::pin(async move {
            let found = match ask(&self.plain, name, RecordType::TXT).await {
                Ok(found) => found,
                Err(DnsFault::NoName) => return Ok(Vec::new()),
                Err(fault) => return Err(fault),
            };
            let answers = found.as_ref().map(Lookup::answers).unwrap_or_default();
            let texts = answers.iter().filter_map(|record| match &record.data {
                RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
                _ => None,
            });
            Ok(texts.take(MOST_RECORDS).collect())
        })
    }
}
