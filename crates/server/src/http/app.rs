//! The stack itself, from a parsed head to an answer. Whatever happens, there is one.

use std::net::IpAddr;
use std::sync::Arc;

use ::http::request::Parts;
use ::http::{HeaderValue, Method, StatusCode, header};
use base::limits::MAX_URI;
use base::{Clock, Limits, Rng};
use bytes::Bytes;
use policy::Permission;
use wire::operation::{Access, Area, Body, OPERATIONS, Operation, Params};
use wire::{ApiError, ApiVersion, Query, Route};

use super::context::{Caller, Context, State};
use super::cors::Page;
use super::failures::Failures;
use super::operator::{OperatorPlane, OperatorToken};
use super::outgoing::Stamp;
use super::rates::{Profile, Rates};
use super::reply::Reply;
use super::{access, host, media};
use crate::api::{self, Handler};
use crate::directory::{Directory, ResourceEntry};
use crate::job::Jobs;
use crate::net::{Peer, Refusal, Response, Service};
use crate::observe::health::Health;
use crate::service::audit::Actor;
use crate::service::chat::ChatState;
use crate::service::delivery::Delivery;
use crate::service::email::EmailState;
use crate::service::events::EventRouter;
use crate::service::identity::IdentityCache;
use crate::service::outbox::Inbox;
use crate::service::sms::SmsState;

/// The longest body of an operation that reads none: some clients send `{}` with everything.
const UNREAD_BODY: usize = 1024;
/// After how many seconds a client may come back to a server that is busy or stopping.
const BUSY_SECS: u32 = 1;
/// The version of an operation that has none.
const NO_VERSION: ApiVersion = ApiVersion::known("");

/// What [`App::new`] needs.
pub struct Setup {
    /// The resources this node serves.
    pub directory: Directory,
    /// Configured limits.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The dice.
    pub rng: Arc<dyn Rng>,
    /// Which rate limits hold.
    pub rates: Profile,
    /// Whether this node can serve.
    pub health: Health,
    /// Who runs the server; without a token the operator's plane lets nobody in.
    pub operator: Option<OperatorToken>,
    /// Where the operator is let in.
    pub operator_plane: OperatorPlane,
    /// Hands what was accepted over to those who deliver it.
    pub delivery: Arc<Delivery>,
    /// Who wants to hear of what.
    pub events: Arc<EventRouter>,
    /// What mail remembers between requests.
    pub email: Arc<EmailState>,
    /// The list of revoked certificates of the server's own authority, when it has one.
    pub revocations: Option<Bytes>,
}

/// One operation with what is worked out about it once.
struct Row {
    operation: &'static Operation,
    handler: Option<Handler>,
    permission: Option<Permission>,
    versions: Option<HeaderValue>,
}

/// The request stack of one process.
pub struct App {
    state: Arc<State>,
    rows: Vec<Row>,
    failures: Failures,
    operator_plane: OperatorPlane,
}

/// A request whose head was found good.
pub struct Routed {
    row: usize,
    params: Params,
    version: ApiVersion,
    /// None for a probe by a name that no resource has.
    resource: Option<Arc<ResourceEntry>>,
}

impl App {
    /// The stack over these resources.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let rows = OPERATIONS.iter().zip(api::table()).map(|(operation, handler)| {
            let versions = (!operation.versions.is_empty()).then(|| operation.versions.join(", "));
            let versions = versions.and_then(|text| HeaderValue::from_str(&text).ok());
            Row { operation, handler, permission: Permission::named(operation.permission), versions }
        });
        let failures = Failures::new(setup.limits.auth_failures_per_minute);
        let state = State {
            directory: setup.directory,
            limits: setup.limits,
            clock: setup.clock,
            rng: setup.rng,
            identities: IdentityCache::new(),
            chat: ChatState::new(),
            sms: SmsState::new(),
            health: setup.health,
            operator: setup.operator,
            delivery: setup.delivery,
            events: setup.events,
            outbox: Inbox::default(),
            email: setup.email,
            revocations: setup.revocations,
            jobs: Jobs::default(),
            rates: Rates::new(setup.rates),
        };
        Self { rows: rows.collect(), state: Arc::new(state), failures, operator_plane: setup.operator_plane }
    }

    /// What all requests share.
    #[must_use]
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Finds the resource and the operation, and looks at all that the head alone can get wrong.
    fn find(&self, head: &Parts, peer: Option<&Peer>) -> Result<(Routed, usize), Refused> {
        // HEAD is a GET whose body stays behind (RFC 9110, section 9.3.2); the sockets leave it out.
        let method = if head.method == Method::HEAD { &Method::GET } else { &head.method };
        let route = match wire::route(method, head.uri.path()) {
            Route::Found { operation, .. } | Route::MethodNotAllowed { other: operation, .. }
                if self.is_hidden(operation, peer) =>
            {
                Route::NotFound
            }
            route => route,
        };
        let (operation, params) = match route {
            Route::Found { operation, params } => (operation, params),
            Route::MethodNotAllowed { allow, .. } if head.method == Method::OPTIONS => {
                self.resource(head, peer)?;
                return Err(Refused::Options(allow));
            }
            Route::MethodNotAllowed { allow, .. } => {
                self.resource(head, peer)?;
                return Err(ApiError::method_not_allowed(allow).into());
            }
            Route::NotFound => {
                self.resource(head, peer)?;
                return Err(ApiError::no_such_route().into());
            }
        };
        let is_probe = operation.area == Area::Product && operation.name.starts_with("health.");
        let resource = match self.resource(head, peer) {
            Ok(resource) => Some(resource),
            Err(_) if is_probe => None,
            Err(unknown) => return Err(unknown),
        };
        let row = self.row_of(operation);
        let judged = self.judge(head, operation);
        let (version, limit) = judged.map_err(|error| Refused::Of(row, error))?;
        Ok((Routed { row, params, version, resource }, limit))
    }

    /// Whether an operation is one of the operator's that does not exist for `peer` (law 6).
    fn is_hidden(&self, operation: &Operation, peer: Option<&Peer>) -> bool {
        (operation.access == Access::Operator || operation.area == Area::Arm)
            && peer.is_some_and(|peer| !self.operator_plane.is_found_by(peer, self.state.clock.now()))
    }

    /// Version, media type and announced length.
    fn judge(&self, head: &Parts, operation: &Operation) -> Result<(ApiVersion, usize), ApiError> {
        if !operation.built {
            return Err(ApiError::not_implemented(operation.name));
        }
        let query = Query::parse(head.uri.query())?;
        let asked = query.single("api-version")?;
        let version = operation.version(head.uri.path(), asked)?.unwrap_or(NO_VERSION);
        let limit = match operation.body {
            Body::None => UNREAD_BODY,
            Body::Json { max, merge_patch, .. } => {
                media::check(&head.headers, merge_patch)?;
                max.bytes(&self.state.limits)
            }
            Body::Text(max) => max.bytes(&self.state.limits),
        };
        if media::declared_length(&head.headers).is_some_and(|length| length > limit as u64) {
            return Err(ApiError::payload_too_large(limit));
        }
        Ok((version, limit))
    }

    /// The resource that is asked, if it may be reached from `peer`: otherwise the answer is the one of a name that no
    /// resource has.
    fn resource(&self, head: &Parts, peer: Option<&Peer>) -> Result<Arc<ResourceEntry>, Refused> {
        let found = host::of(head).and_then(|host| self.state.directory.find(host));
        let found = found.filter(|entry| peer.is_none_or(|peer| entry.admits(peer.address)));
        let found = found.ok_or_else(ApiError::resource_not_found)?;
        if peer.is_some_and(|peer| !found.takes(peer.tls)) {
            return Err(ApiError::tls_version_not_permitted().into());
        }
        Ok(Arc::clone(found))
    }

    /// The page that asks, and the resource it asks.
    fn page(&self, head: &Parts, peer: Option<&Peer>) -> Option<(Page, Arc<ResourceEntry>)> {
        let page = Page::of(head)?;
        self.resource(head, peer).ok().map(|resource| (page, resource))
    }

    fn row_of(&self, operation: &'static Operation) -> usize {
        self.rows.iter().position(|row| std::ptr::eq(row.operation, operation)).unwrap_or(0)
    }

    /// Lets the caller in, counts the request, and runs the handler.
    async fn handle(&self, routed: Routed, head: Parts, body: Bytes, peer: &Peer) -> Result<Reply, ApiError> {
        let row = &self.rows[routed.row];
        let operation = row.operation;
        let Some(resource) = routed.resource else {
            return api::product::probe(operation.name, &self.state.health).await;
        };
        let limits = &self.state.limits;
        let now = self.state.clock.now();
        let limit = match operation.body {
            Body::None => UNREAD_BODY,
            Body::Json { max, .. } | Body::Text(max) => max.bytes(limits),
        };
        if body.len() > limit {
            return Err(ApiError::payload_too_large(limit));
        }
        let caller =
            access::enter((row.permission, operation.area), &self.state, &resource, &head, &body, now)
                .await?;
        let user = match &caller {
            Caller::User(user) => Some(user.claims.user),
            Caller::Nobody | Caller::Operator | Caller::AccessKey { .. } => None,
        };
        let thread = routed.params.get("chatThreadId").and_then(wire::thread_id::parse);
        self.state.rates.count(operation, resource.id(), user, thread, now)?;
        let handler = row.handler.ok_or_else(|| ApiError::not_implemented(operation.name))?;
        let context = Context {
            state: Arc::clone(&self.state),
            resource,
            operation,
            params: routed.params,
            uri: head.uri,
            api_version: routed.version,
            headers: head.headers,
            body,
            caller,
            peer: peer.address,
        };
        handler(&context).await
    }

    /// Past the limit of failures from one address, 429 takes the place of 401.
    fn slow_down(&self, error: ApiError, offered: bool, peer: IpAddr) -> ApiError {
        if error.status() != 401 || matches!(error.code(), "IdentityNotOwned" | "SenderNotOwned") || !offered
        {
            return error;
        }
        self.failures.count(peer, self.state.clock.now()).map_or(error, ApiError::too_many_requests)
    }

    fn stamp(&self, head: Option<&Parts>) -> Stamp {
        Stamp::new(&*self.state.rng, head)
    }

    fn stamp_of(&self, row: usize, head: &Parts) -> Stamp {
        let row = &self.rows[row];
        self.stamp(Some(head)).operation(row.versions.as_ref(), access::challenge(row.operation))
    }
}

/// Why a head is answered at once.
enum Refused {
    /// Before an operation was found.
    Early(ApiError),
    /// By the operation of this row.
    Of(usize, ApiError),
    /// `OPTIONS`: the methods there are.
    Options(String),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Early(error)
    }
}

impl Service for App {
    type Routed = Routed;

    fn route(&self, head: &Parts, peer: &Peer) -> Result<(Routed, usize), Response> {
        self.find(head, Some(peer)).map_err(|refused| {
            let page = self.page(head, Some(peer));
            let mut response = match &refused {
                Refused::Early(error) => self.stamp(Some(head)).error(error),
                Refused::Of(row, error) => self.stamp_of(*row, head).error(error),
                Refused::Options(allow) => {
                    let reply = Reply::empty(StatusCode::NO_CONTENT).header(header::ALLOW, allow);
                    self.stamp(Some(head)).reply(reply)
                }
            };
            match (page, &refused) {
                (Some((page, resource)), Refused::Options(allow)) => {
                    page.preflight(&resource, allow, response.headers_mut());
                }
                (Some((page, resource)), _) => page.admit(&resource, response.headers_mut()),
                (None, _) => {}
            }
            response
        })
    }

    async fn respond(&self, routed: Routed, head: Parts, body: Bytes, peer: Arc<Peer>) -> Response {
        let stamp = self.stamp_of(routed.row, &head);
        let offered = access::offers_credential(&head);
        let page = Page::of(&head).and_then(|page| Some((page, routed.resource.clone()?)));
        let mut response = match self.handle(routed, head, body, &peer).await {
            Ok(reply) => stamp.reply(reply),
            Err(error) => stamp.error(&self.slow_down(error, offered, peer.address)),
        };
        if let Some((page, resource)) = page {
            page.admit(&resource, response.headers_mut());
        }
        response
    }

    fn refuse(&self, refusal: Refusal, head: Option<&Parts>) -> Response {
        let limits = &self.state.limits;
        let error = match refusal {
            Refusal::HeadTimeout | Refusal::BodyTimeout => ApiError::request_timeout(),
            Refusal::BodyTooLarge => {
                let row = head.and_then(|head| self.find(head, None).ok());
                ApiError::payload_too_large(row.map_or(limits.body_bytes, |(_, limit)| limit))
            }
            Refusal::HeadTooLarge => ApiError::headers_too_large(),
            Refusal::UriTooLong => ApiError::uri_too_long(MAX_URI),
            Refusal::Malformed => ApiError::bad_request("The request is not a valid HTTP/1.1 request."),
            Refusal::Overloaded | Refusal::TooSlow => ApiError::service_unavailable(BUSY_SECS),
            Refusal::Panicked => ApiError::internal(),
        };
        let mut response = self.stamp(head).error(&error);
        if let Some((page, resource)) = head.and_then(|head| self.page(head, None)) {
            page.admit(&resource, response.headers_mut());
        }
        response
    }
}

impl Context {
    /// Who acts, for the audit log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.caller {
            Caller::User(user) => Actor::User(user.claims.user),
            Caller::AccessKey { index } => Actor::AccessKey(u8::try_from(*index).unwrap_or(u8::MAX)),
            // No public operation has an act to record; were there one, it would be the server's own.
            Caller::Nobody | Caller::Operator => Actor::Operator,
        }
    }
}
