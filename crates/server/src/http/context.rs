//! What a handler is given: the resolved and authorised request, and the way to everything it may use. A handler has no
//! other way to storage, time or randomness.

use std::net::IpAddr;
use std::sync::Arc;

use ::http::{HeaderMap, Uri};
use base::{Clock, Limits, ResourceId, Rng};
use bytes::Bytes;
use guard::token::Claims;
use store::Cell;
use wire::operation::{Audit, Operation, Params, Rate};
use wire::{ApiError, ApiVersion, Query};

use super::operator::OperatorToken;
use super::rates::Rates;
use crate::directory::{Directory, ResourceEntry};
use crate::job::Jobs;
use crate::observe::health::Health;
use crate::service::audit::Act;
use crate::service::chat::ChatState;
use crate::service::delivery::Delivery;
use crate::service::email::EmailState;
use crate::service::events::EventRouter;
use crate::service::identity::IdentityCache;
use crate::service::outbox::Inbox;
use crate::service::sms::{Means, SmsState};

/// What all requests of one process share.
pub struct State {
    /// The resources this node serves.
    pub directory: Directory,
    /// Configured limits.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The dice.
    pub rng: Arc<dyn Rng>,
    /// Identities seen lately.
    pub identities: IdentityCache,
    /// What the chat remembers between requests.
    pub chat: ChatState,
    /// What is remembered of texts under way.
    pub sms: SmsState,
    /// Whether this node can serve.
    pub health: Health,
    /// Wakes what follows an answer.
    pub jobs: Jobs,
    /// Who runs the server; nobody may claim to where there is no token.
    pub operator: Option<OperatorToken>,
    /// Hands what was accepted over to those who deliver it.
    pub delivery: Arc<Delivery>,
    /// Who wants to hear of what.
    pub events: Arc<EventRouter>,
    /// Where texts go that are made to come in.
    pub outbox: Inbox,
    /// What mail remembers between requests.
    pub email: Arc<EmailState>,
    /// The list of revoked certificates of the server's own authority, when it has one.
    pub revocations: Option<Bytes>,
    /// Requests counted against the rate limits.
    pub(crate) rates: Rates,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody: only a public operation gets here.
    Nobody,
    /// Who holds one of the resource's access keys.
    AccessKey {
        /// Which of the two keys, counted from zero.
        index: usize,
    },
    /// Who runs the server.
    Operator,
    /// A communication user with a token of this resource.
    User(TokenCaller),
}

/// A communication user as the token names it. That the token still holds is judged against the store, by
/// [`IdentityCache`], in the operation itself.
#[derive(Clone, Debug)]
pub struct TokenCaller {
    /// What the token says, its signature and expiry checked.
    pub claims: Arc<Claims>,
}

/// One request, resolved and authorised as far as its operation's row says.
pub struct Context {
    /// What all requests share.
    pub state: Arc<State>,
    /// The resource that was asked.
    pub resource: Arc<ResourceEntry>,
    /// The operation.
    pub operation: &'static Operation,
    /// Path parameters, percent-decoded.
    pub params: Params,
    /// The request target.
    pub uri: Uri,
    /// The API version, one of the operation's own list; empty where the operation has none.
    pub api_version: ApiVersion,
    /// All request headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who asks.
    pub caller: Caller,
    /// The address the connection comes from.
    pub peer: IpAddr,
}

impl State {
    /// What work on texts is given.
    #[must_use]
    pub fn texts(&self) -> Means<'_> {
        Means {
            state: &self.sms,
            delivery: &self.delivery,
            events: &self.events,
            limits: &self.limits,
            clock: &*self.clock,
            rng: &*self.rng,
        }
    }
}

impl Context {
    /// The cell the resource lives in: the only way to storage.
    #[must_use]
    pub fn cell(&self) -> &Cell {
        self.resource.cell()
    }

    /// The id of the resource that was asked.
    #[must_use]
    pub fn resource_id(&self) -> ResourceId {
        self.resource.id()
    }

    /// Configured limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.state.limits
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.state.clock
    }

    /// The dice.
    #[must_use]
    pub fn rng(&self) -> &dyn Rng {
        &*self.state.rng
    }

    /// The query parameters.
    ///
    /// # Errors
    /// None after routing, which reads them first.
    pub fn query(&self) -> Result<Query<'_>, ApiError> {
        Query::parse(self.uri.query())
    }

    /// Scheme and host as the client wrote them, without a final slash, for `nextLink` and `Location`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let named = self.uri.authority().map(|authority| authority.as_str()).or_else(|| self.header("host"));
        format!("https://{}", named.unwrap_or("localhost"))
    }

    /// Who does what, for the audit entry that the operation's row asks for.
    #[must_use]
    pub fn act(&self) -> Act {
        let name = match self.operation.audit {
            Audit::None => None,
            Audit::Act(name) => Some(name),
        };
        Act { name, by: self.actor() }
    }

    /// One header as text, when it is there and printable ASCII.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of the user who asks.
    ///
    /// # Errors
    /// 401 when it is not a user who asks. The operation's row keeps others away before a handler runs, so this is a
    /// second lock on the same door.
    pub fn claims(&self) -> Result<&Arc<Claims>, ApiError> {
        match &self.caller {
            Caller::User(user) => Ok(&user.claims),
            Caller::Nobody | Caller::Operator | Caller::AccessKey { .. } => Err(ApiError::unauthorized()),
        }
    }

    /// Counts one text of `sender`, a hash, or of all senders of the resource that share `rate`.
    ///
    /// # Errors
    /// 429 with `Retry-After` past the limit.
    pub fn count_sender(&self, rate: &Rate, sender: Option<[u8; 16]>) -> Result<(), ApiError> {
        self.state.rates.count_sender(rate, self.resource_id(), sender, self.clock().now())
    }

    /// Counts this request against the limits its operation has **per thread**.
    ///
    /// The service calls it once it knows that the caller belongs to the thread. Counting earlier would let a stranger
    /// use up a thread's allowance, and a 429 would tell a stranger that the thread exists (law 6).
    ///
    /// # Errors
    /// 429 with `Retry-After` past the limit.
    pub fn count_in_thread(&self, thread: base::ThreadId) -> Result<(), ApiError> {
        self.state.rates.count_thread(self.operation, self.resource_id(), thread, self.clock().now())
    }
}
