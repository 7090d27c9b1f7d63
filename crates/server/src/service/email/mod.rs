//! Mail: what was asked to be sent, to whom, and what became of it; domains, senders, suppression.
//!
//! Every function is a method of [`MailDesk`], which stands for one resource. Who accepts a mail (the API, SMTP
//! submission) calls [`MailDesk::send`]; who delivers it calls [`MailDesk::load`] and [`MailDesk::record`]; what comes
//! back later (bounces, complaints, people who unsubscribe) comes in by [`MailDesk::bounced`], [`MailDesk::complained`]
//! and [`MailDesk::unsubscribed`].

mod blob;
mod check;
mod deliver;
pub mod domain;
mod expiry;
mod lookup;
mod new;
mod outcome;
mod report;
mod rows;
mod send;
mod signing;
mod smtp;
mod suppress;
mod unsubscribe;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{BoundedCache, Clock, Geography, Limits, MailId, ResourceId, Rng};
use guard::BoxFuture;
use store::{Cell, Draft, Reader, Scope, ScopeHandle, StoreError};
use thiserror::Error;

pub use deliver::{Loaded, SEVERAL};
pub use expiry::sweep;
pub use lookup::{Fate, Progress};
pub use new::{NewAttachment, NewMail, NewMailbox};
pub use report::{Bounce, Which};
pub use rows::{Reason, State, Status, keyspaces};
pub use send::Accepted;
pub use smtp::{Login, Logins, NewSmtpUser, SmtpUser, SmtpUserId};
pub use suppress::{Suppression, SuppressionId};
pub use unsubscribe::PATH as UNSUBSCRIBE_PATH;

use crate::directory::ResourceEntry;
use crate::service::audit::Act;
use crate::service::delivery::Delivery;
use crate::service::events::EventRouter;
use domain::{DomainLookup, DomainUse, LookupFault};
use rows::MailRow;

/// How many domains are remembered with their keys.
const DOMAINS: usize = 1_024;
/// How many mails just accepted are remembered, so that they need not be read back.
const FRESH: usize = 4_096;
/// The longest message that is remembered, in bytes.
const FRESH_BYTES: usize = 16 * 1024;

/// Where the mail of a cell goes, given a recipient's domain: the name of a destination. Mail for one destination leaves
/// together. Without a smart host each domain is its own.
pub type Route = Arc<dyn Fn(&Geography, &str) -> String + Send + Sync>;

/// How mail is set up on this node.
#[derive(Clone)]
pub struct MailSetup {
    /// Where mail goes.
    pub route: Route,
    /// Whether every resource has a domain `<resource>.chancery.test` that is always verified.
    pub development_domains: bool,
    /// The name of the mail server: SPF records must allow it, and bounces come to it.
    pub hostname: String,
    /// Asks the DNS what a domain says.
    pub lookup: Arc<dyn DomainLookup>,
    /// Below which host, with its port, resources are found that have no name in the world; none where they are not.
    pub local_host: Option<String>,
}

impl MailSetup {
    /// The host, with its port where it needs one, that links in mail of `resource` lead to.
    fn public_host(&self, resource: &ResourceEntry) -> Option<String> {
        let local = || self.local_host.as_ref().map(|host| format!("{}.{host}", resource.name()));
        resource.public_hosts().first().cloned().or_else(local)
    }
}

impl Default for MailSetup {
    /// Each domain is a destination, no domain is verified by itself.
    fn default() -> Self {
        Self {
            route: Arc::new(|_, domain| domain.to_owned()),
            development_domains: false,
            hostname: "localhost".to_owned(),
            lookup: Arc::new(NoDns),
            local_host: None,
        }
    }
}

/// Where nobody can be asked: no domain becomes verified.
struct NoDns;

impl DomainLookup for NoDns {
    fn txt<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFault>> {
        Box::pin(async { Err(LookupFault) })
    }
}

/// What mail remembers between requests, and can forget at any time.
pub struct EmailState {
    setup: MailSetup,
    domains: Mutex<BoundedCache<(ResourceId, String), Arc<DomainUse>>>,
    fresh: Mutex<BoundedCache<(ResourceId, MailId), Arc<MailRow>>>,
}

impl EmailState {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(setup: MailSetup) -> Self {
        Self {
            setup,
            domains: Mutex::new(BoundedCache::new(DOMAINS)),
            fresh: Mutex::new(BoundedCache::new(FRESH)),
        }
    }

    fn domains(&self) -> MutexGuard<'_, BoundedCache<(ResourceId, String), Arc<DomainUse>>> {
        self.domains.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> MutexGuard<'_, BoundedCache<(ResourceId, MailId), Arc<MailRow>>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for EmailState {
    fn default() -> Self {
        Self::new(MailSetup::default())
    }
}

/// The mail of one resource.
#[derive(Clone, Copy)]
pub struct MailDesk<'a> {
    /// The resource.
    pub resource: &'a Arc<ResourceEntry>,
    /// What is remembered.
    pub state: &'a EmailState,
    /// Takes what is to be delivered.
    pub delivery: &'a Delivery,
    /// Who wants to hear of what.
    pub events: &'a EventRouter,
    /// Configured limits.
    pub limits: &'a Limits,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
    /// What the audit log is to say of this, where the operation asks for it.
    pub act: Act,
}

/// Why the mail service did not do what was asked. Nothing of it repeats what was given.
#[derive(Debug, Error)]
pub enum MailError {
    /// A text that is no address.
    #[error("{0} is no mail address")]
    Address(String),
    /// Another property breaks a rule.
    #[error("{0} breaks a rule")]
    Property(String),
    /// The sender's domain is not one of the resource, or not verified.
    #[error("the sender's domain is not linked")]
    DomainNotLinked,
    /// The domain has no such sender.
    #[error("the domain has no such sender")]
    SenderUnknown,
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// More of something than the resource may have.
    #[error("there may be at most {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit that applies.
        limit: usize,
    },
    /// A domain that the server made for development cannot be changed.
    #[error("a domain of the server's own cannot be changed")]
    Managed,
    /// A key could not be made.
    #[error("the machine could not make a key")]
    NoKey,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Builds a commit anew for as long as it loses against others, within the limit. A macro because a function taking an
/// async closure would lose the closure's `Send`.
macro_rules! retry {
    ($desk:expr, $attempt:expr) => {{
        let mut left = $desk.limits.commit_attempts.max(1);
        loop {
            left -= 1;
            match $attempt.await {
                Err($crate::service::email::MailError::Store(store::StoreError::Conflict)) if left > 0 => {}
                done => break done,
            }
        }
    }};
}
pub(super) use retry;

impl MailDesk<'_> {
    fn cell(&self) -> &Cell {
        self.resource.cell()
    }

    fn id(&self) -> ResourceId {
        self.resource.id()
    }

    async fn reader(&self) -> Result<Reader, StoreError> {
        self.cell().read(self.id()).await
    }

    async fn hash(&self, meaning: &str, text: &str) -> Result<rows::Hash, StoreError> {
        self.cell().blind_index(self.id(), meaning, text.as_bytes()).await
    }

    /// The key of `scope`, from memory where it is there, otherwise from the store, otherwise a new one.
    async fn scope(&self, draft: &mut Draft, scope: Scope) -> Result<ScopeHandle, StoreError> {
        if let Some(known) = self.cell().cached_scope_key(self.id(), &scope) {
            return Ok(known);
        }
        if let Some(stored) = self.reader().await?.scope_key(&scope).await? {
            return Ok(stored);
        }
        draft.new_scope_key(scope)
    }
}

/// Audit entries of mail are about the resource as a whole: an address has no place in them.
fn audit(desk: &MailDesk<'_>, draft: &mut Draft) -> Result<(), StoreError> {
    let target = crate::service::audit::Target::Resource(desk.id());
    crate::service::audit::record(draft, desk.act, target, desk.clock.now(), desk.rng)
}
