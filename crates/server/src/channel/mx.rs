//! Straight to the servers of a destination: which they are (MX, RFC 5321 section 5), and how each proves who it is: DANE
//! (RFC 7672) before MTA-STS (RFC 8461) before encryption without proof (RFC 7435).

mod policy;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, Clock, Rng, Timestamp};
use guard::BoxFuture;
use guard::tls::mail::{mail_dane, mail_unverified};
use post::mail::sts::{Mode, Policy};
use rustls::ClientConfig;

use super::dns::{DnsFault, MailDns};
use super::smtp::{Hop, NoRoute, Router, Tls};
use super::webhook::HookChannel;
use policy::Policies;

/// For how long what was found is used again.
const FRESH: Duration = Duration::from_secs(300);
/// How many destinations are remembered.
const REMEMBERED: usize = 4_096;
/// How many servers of one destination are looked at.
const MOST_SERVERS: usize = 10;
/// How many addresses of one server are tried.
const MOST_ADDRESSES: usize = 4;

/// What the router is made of.
pub struct Tools {
    /// The DNS.
    pub dns: Arc<dyn MailDns>,
    /// Fetches policies over HTTPS, without following redirects.
    pub web: Arc<dyn HookChannel>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The dice.
    pub rng: Arc<dyn Rng>,
    /// Whom certificates under MTA-STS may come from.
    pub verified: Arc<ClientConfig>,
    /// The port of the servers: 25 in the world.
    pub port: u16,
}

/// The router.
pub struct Direct {
    tools: Tools,
    unverified: Arc<ClientConfig>,
    policies: Policies,
    found: Mutex<BoundedCache<String, (Timestamp, Vec<Hop>)>>,
}

impl Direct {
    /// A router that remembers nothing yet.
    #[must_use]
    pub fn new(tools: Tools) -> Self {
        let policies =
            Policies::new(Arc::clone(&tools.dns), Arc::clone(&tools.web), Arc::clone(&tools.clock));
        let found = Mutex::new(BoundedCache::new(REMEMBERED));
        Self { tools, unverified: mail_unverified(), policies, found }
    }

    fn remembered(&self, destination: &str) -> Option<Vec<Hop>> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, hops) = found.get_mut(destination)?;
        (at.distance(self.tools.clock.now()) < FRESH).then(|| hops.clone())
    }

    async fn find(&self, destination: &str) -> Result<Vec<Hop>, NoRoute> {
        let found = self.tools.dns.mx(destination).await.map_err(|fault| match fault {
            DnsFault::NoName => NoRoute::Never { enhanced: "5.4.310", text: "the domain does not exist" },
            DnsFault::Failed => NoRoute::Later("the DNS gives no answer"),
        })?;
        if found.records.iter().any(|(_, server)| server.is_empty()) {
            return Err(NoRoute::Never { enhanced: "5.1.10", text: "the domain takes no mail" });
        }
        let mut servers = found.records;
        if servers.is_empty() {
            // Without MX records the domain's own address counts (RFC 5321, section 5.1).
            servers.push((0, destination.to_owned()));
        }
        self.order(&mut servers);
        let policy = self.policies.of(destination).await;
        let enforced = policy.filter(|policy| policy.mode == Mode::Enforce);
        let mut hops = Vec::with_capacity(servers.len());
        let mut why = "no server of the domain has an address";
        for (_, server) in servers.into_iter().take(MOST_SERVERS) {
            let addresses = self.tools.dns.addresses(&server).await.unwrap_or_default();
            if addresses.is_empty() {
                continue;
            }
            let Some(tls) = self.tls(destination, &server, found.proven, enforced.as_ref()).await else {
                why = "no server of the domain can prove who it is";
                continue;
            };
            hops.extend(addresses.into_iter().take(MOST_ADDRESSES).map(|address| Hop {
                host: address.to_string(),
                port: self.tools.port,
                name: server.clone(),
                tls: tls.clone(),
            }));
        }
        if hops.is_empty() { Err(NoRoute::Later(why)) } else { Ok(hops) }
    }

    /// By preference; those that are alike in an order of chance, so that they share the work.
    fn order(&self, servers: &mut [(u16, String)]) {
        for at in (1..servers.len()).rev() {
            let other = self.tools.rng.below(at as u64 + 1);
            servers.swap(at, usize::try_from(other).unwrap_or(at));
        }
        servers.sort_by_key(|(preference, _)| *preference);
    }

    /// How the session with a server is encrypted, unless nothing may be sent to it.
    async fn tls(
        &self,
        destination: &str,
        server: &str,
        proven: bool,
        enforced: Option<&Policy>,
    ) -> Option<Tls> {
        let port = self.tools.port;
        let records = if proven { self.tools.dns.tlsa(server, port).await.ok()? } else { Vec::new() };
        if records.iter().any(|record| record.is_usable()) {
            return Some(Tls::Must(mail_dane(records, &[destination, server])));
        }
        if !records.is_empty() {
            // Records that nobody can use still say that there is TLS (RFC 7672, section 2.2).
            return Some(Tls::Must(Arc::clone(&self.unverified)));
        }
        match enforced {
            Some(policy) if policy.names(server) => Some(Tls::Must(Arc::clone(&self.tools.verified))),
            Some(_) => None,
            None => Some(Tls::Offered(Arc::clone(&self.unverified))),
        }
    }
}

impl Router for Direct {
    fn route<'a>(&'a self, destination: &'a str) -> BoxFuture<'a, Result<Vec<Hop>, NoRoute>> {
        Box::pin(async move {
            if let Some(hops) = self.remembered(destination) {
                return Ok(hops);
            }
            let hops = self.find(destination).await?;
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(destination.to_owned(), (self.tools.clock.now(), hops.clone()));
            Ok(hops)
        })
    }
}
