//! The MTA-STS policies of destinations, kept for as long as they say: what a domain said once cannot be unsaid by cutting
//! off its DNS or its web server (RFC 8461, section 3.3).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, Clock, Personal, Timestamp};
use bytes::Bytes;
use post::mail::sts::{Policy, policy_id};

use crate::channel::dns::MailDns;
use crate::channel::webhook::{HookChannel, HookRequest};

/// How many domains' policies are kept.
const KEPT: usize = 4_096;

/// One policy that was fetched.
struct Kept {
    id: String,
    until: Timestamp,
    policy: Policy,
}

/// All policies.
pub(super) struct Policies {
    dns: Arc<dyn MailDns>,
    web: Arc<dyn HookChannel>,
    clock: Arc<dyn Clock>,
    kept: Mutex<BoundedCache<String, Kept>>,
}

impl Policies {
    pub(super) fn new(dns: Arc<dyn MailDns>, web: Arc<dyn HookChannel>, clock: Arc<dyn Clock>) -> Self {
        Self { dns, web, clock, kept: Mutex::new(BoundedCache::new(KEPT)) }
    }

    /// The policy of `domain`, if it has one.
    pub(super) async fn of(&self, domain: &str) -> Option<Policy> {
        let records = self.dns.txt(&format!("_mta-sts.{domain}")).await.unwrap_or_default();
        let id = policy_id(records.iter().map(String::as_str));
        let known = self.known(domain);
        match (id, known) {
            (None, known) => known.map(|(_, policy)| policy),
            (Some(id), Some((known_id, policy))) if id == known_id => Some(policy),
            (Some(id), known) => match self.fetch(domain).await {
                Some(policy) => {
                    self.keep(domain, id, &policy);
                    Some(policy)
                }
                None => known.map(|(_, policy)| policy),
            },
        }
    }

    fn known(&self, domain: &str) -> Option<(String, Policy)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get_mut(domain)?;
        (self.clock.now() < found.until).then(|| (found.id.clone(), found.policy.clone()))
    }

    fn keep(&self, domain: &str, id: &str, policy: &Policy) {
        let until = self.clock.now().plus(Duration::from_secs(policy.max_age));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(domain.to_owned(), Kept { id: id.to_owned(), until, policy: policy.clone() });
    }

    async fn fetch(&self, domain: &str) -> Option<Policy> {
        let request = HookRequest {
            method: "GET",
            url: Personal::new(format!("https://mta-sts.{domain}/.well-known/mta-sts.txt")),
            headers: Vec::new(),
            body: Personal::new(Bytes::new()),
        };
        let answer = self.web.send(request).await.ok().filter(|answer| answer.status == 200)?;
        let kind = answer.headers.get("content-type")?.to_str().ok()?;
        let is_text =
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/plain"));
        let text = std::str::from_utf8(answer.body.expose()).ok().filter(|_| is_text)?;
        Policy::parse(text).ok()
    }
}
