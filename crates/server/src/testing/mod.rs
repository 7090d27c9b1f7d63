//! The real stack for tests: every layer but the sockets, on the memory engine, with a clock that is moved by hand and
//! dice that fall the same way each time. Not for production: nothing of it outlives the process.
//!
//! A [`TestApp`] that is dropped looks through all that was logged in the process and fails the test when a secret, or
//! a text that the test planted as personal, is found there.

mod call;
mod capture;
mod dns;
mod ground;
mod keys;

use std::sync::{Arc, Mutex, PoisonError};

use base::{
    Clock, Limits, ManualClock, NetworkRules, ResourceId, Rng, SeededRng, Timestamp, TlsVersion, UserId,
};
use guard::token::{Claims, Scopes};
use store::engine::memory::MemoryEngine;

pub use call::{Answer, Call};
pub use dns::TestDns;
use ground::Ground;
pub use keys::{CUSTOMER, CustomerKms};

use crate::directory::{Directory, ResourceEntry};
use crate::http::operator::{OperatorPlane, OperatorToken};
use crate::http::rates::Profile;
use crate::http::{App, Setup};
use crate::net::Stop;
use crate::observe::health::Health;
use crate::service::audit::{Act, Actor, Entries, Entry};
use crate::service::delivery::{Delivery, Intake};
use crate::service::email::{EmailState, MailSetup};
use crate::service::events::EventRouter;
use crate::service::identity::{Identities, IdentityRow};
use crate::service::numbers::{self, NumbersDesk};
use crate::service::resources::{self, CellTokens, Wanted};
use crate::service::sms::senders::Senders;

/// When tests begin: 2026-11-23T08:00:00Z.
pub const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

/// Who acts without leaving an audit entry.
const QUIET: Act = Act { name: None, by: Actor::Operator };

/// The operator's token of every [`TestApp`].
pub const OPERATOR: &str = "operator-token-of-a-test-0123456789abcdef";

/// How a [`TestApp`] is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Configured limits.
    pub limits: Limits,
    /// Which rate limits hold.
    pub rates: Profile,
    /// From where `contoso` may be reached.
    pub network: NetworkRules,
    /// Where the operator is let in.
    pub operator_plane: OperatorPlane,
    /// The oldest TLS that `contoso` may be spoken to in, where it is not the oldest there is.
    pub minimum_tls: Option<TlsVersion>,
}

/// Three resources in two cells: `contoso` and `fabrikam` in `europe`, `northwind` in `unitedstates`.
pub struct TestApp {
    /// The stack under test.
    pub app: Arc<App>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its dice.
    pub rng: Arc<SeededRng>,
    /// The engine of `europe`, to injure it.
    pub engine: Arc<MemoryEngine>,
    /// What the DNS says.
    pub dns: Arc<TestDns>,
    options: Options,
    grounds: Vec<Ground>,
    resources: Vec<Arc<ResourceEntry>>,
    hidden: Mutex<Vec<String>>,
    intake: Mutex<Option<Intake>>,
}

/// A user with a token, made without asking the stack.
#[derive(Clone, Debug)]
pub struct TestUser {
    /// The user.
    pub id: UserId,
    /// Its raw id, `8:acs:...`.
    pub raw_id: String,
    /// A token of an hour.
    pub token: String,
}

impl TestApp {
    /// With default limits, and no limit of rates.
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    /// As set up.
    ///
    /// # Panics
    /// When a cell on the memory engine cannot be opened.
    pub async fn with(options: Options) -> Self {
        capture::start();
        let rng = Arc::new(SeededRng::new(7));
        let grounds = vec![
            Ground::new("europe", &["contoso", "fabrikam"], &*rng),
            Ground::new("unitedstates", &["northwind"], &*rng),
        ];
        Self::over(options, grounds, Arc::new(ManualClock::new(START)), rng).await
    }

    /// Another node over the same stores and key services: it shares nothing else but the clock and the dice.
    pub async fn another_node(&self) -> Self {
        let (clock, rng) = (Arc::clone(&self.clock), Arc::clone(&self.rng));
        Self::over(self.options.clone(), self.grounds.clone(), clock, rng).await
    }

    async fn over(
        options: Options,
        grounds: Vec<Ground>,
        clock: Arc<ManualClock>,
        rng: Arc<SeededRng>,
    ) -> Self {
        let (mut cells, mut resources, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
        for ground in &grounds {
            let cell = ground.open(&clock, &rng, &options.limits).await;
            let tokens = Arc::new(CellTokens::open(&cell).await.expect("the cell gives signing keys"));
            for (name, id) in &ground.resources {
                let wanted = Wanted { name, id: Some(*id), first_key: None };
                let made = resources::ensure(&cell, wanted).await.expect("the cell takes a resource");
                cell.create_resource_key(*id).await.expect("the cell makes a key for it");
                let keys = made.access_keys.current();
                hidden.extend(keys.keys().iter().map(|key| key.to_base64().expose().clone()));
                let (cell, tokens) = (cell.clone(), Arc::clone(&tokens));
                let entry = ResourceEntry::new(*id, made.name, cell, made.access_keys, tokens, Vec::new());
                let network =
                    if *name == "contoso" { options.network.clone() } else { NetworkRules::default() };
                let entry = entry.with_senders(senders(name)).with_network(network);
                let wanted = options.minimum_tls.filter(|_| *name == "contoso");
                let entry = entry.with_minimum_tls(wanted.unwrap_or(TlsVersion::V1_2));
                resources.push(Arc::new(entry));
            }
            cells.push(cell);
        }
        let (delivery, intake) = Delivery::new();
        let dns = Arc::new(TestDns::default());
        let setup = Setup {
            directory: Directory::new(resources.clone()),
            limits: Arc::new(options.limits.clone()),
            clock: Arc::clone(&clock) as _,
            rng: Arc::clone(&rng) as _,
            rates: options.rates,
            health: Health::new(cells, Stop::new()),
            operator: OperatorToken::parse(OPERATOR),
            operator_plane: options.operator_plane.clone(),
            delivery: Arc::new(delivery),
            events: Arc::new(EventRouter::default()),
            email: Arc::new(EmailState::new(MailSetup {
                development_domains: true,
                local_host: Some("localhost:8443".to_owned()),
                hostname: "mail.chancery.test".to_owned(),
                lookup: Arc::clone(&dns) as _,
                ..MailSetup::default()
            })),
            revocations: Some(bytes::Bytes::from_static(b"a list of revoked certificates")),
        };
        let app = Arc::new(App::new(setup));
        let engine = Arc::clone(&grounds[0].engine);
        let intake = Mutex::new(Some(intake));
        Self { app, clock, rng, engine, dns, options, grounds, resources, hidden: Mutex::new(hidden), intake }
    }

    /// The key service of `europe` that resources may choose.
    #[must_use]
    pub fn customer(&self) -> &Arc<CustomerKms> {
        &self.grounds[0].customer
    }

    /// What was accepted and not delivered: for a dispatcher of the test's own. Once only.
    #[must_use]
    pub fn take_intake(&self) -> Option<Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The resource that calls go to unless they say otherwise.
    #[must_use]
    pub fn resource(&self) -> &Arc<ResourceEntry> {
        &self.resources[0]
    }

    /// Another resource of the same cell.
    #[must_use]
    pub fn neighbour(&self) -> &Arc<ResourceEntry> {
        &self.resources[1]
    }

    /// A resource of another geography.
    #[must_use]
    pub fn abroad(&self) -> &Arc<ResourceEntry> {
        &self.resources[2]
    }

    /// A new user of [`Self::resource`] with a token for these scopes, such as `&["chat"]`.
    pub async fn user(&self, scopes: &[&str]) -> TestUser {
        self.user_of(&Arc::clone(self.resource()), scopes).await
    }

    /// A new user of `resource`.
    ///
    /// # Panics
    /// When the store does not take it, or a scope is unknown.
    pub async fn user_of(&self, resource: &ResourceEntry, scopes: &[&str]) -> TestUser {
        let id = UserId::mint(&*self.rng);
        let mut draft = resource.cell().draft(resource.id()).await.expect("the cell has the resource");
        let row = IdentityRow { created_on: self.clock.now(), epoch: 0 };
        draft.put_in_resource::<Identities>(&id, &row, &[]).expect("an identity fits a row");
        draft.commit().await.expect("the memory engine takes an identity");
        let raw_id = raw_id(resource.id(), id);
        TestUser { id, raw_id, token: self.token(resource, id, scopes) }
    }

    /// A token of an hour for `user`, whether it exists or not.
    ///
    /// # Panics
    /// When a scope is unknown.
    pub fn token(&self, resource: &ResourceEntry, user: UserId, scopes: &[&str]) -> String {
        let parsed = scopes.iter().map(|name| Scopes::parse(name).expect("a scope of ACS"));
        let issued_at = self.clock.now();
        let token = resource.tokens().sign(&Claims {
            resource: resource.id(),
            geography: resource.geography().clone(),
            user,
            scopes: parsed.fold(Scopes::EMPTY, Scopes::union),
            issued_at,
            expires_at: issued_at.plus(std::time::Duration::from_secs(3600)),
            epoch: 0,
        });
        self.hide(&token);
        token
    }

    /// A text of its own that must never be logged: put it wherever a person may write.
    #[must_use]
    pub fn canary(&self) -> String {
        let text: String = self.rng.id().iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        self.hide(&text);
        text
    }

    /// Fails the test at its end when `secret` is found in the log.
    pub fn hide(&self, secret: &str) {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }

    /// All audit entries of [`Self::resource`] but those of its making, oldest first, then those of its cell.
    ///
    /// # Panics
    /// When the store does not answer.
    pub async fn audit(&self) -> Vec<Entry> {
        let mut all = self.audit_of(self.resource().id()).await;
        all.extend(self.audit_of(ResourceId::CELL).await);
        all
    }

    async fn audit_of(&self, id: ResourceId) -> Vec<Entry> {
        let mut reader = self.resource().cell().read(id).await.expect("the cell has the resource");
        let rows = reader
            .scan::<Entries>(store::KeyRange::all(), store::Direction::Forward, store::MAX_SCAN)
            .await
            .expect("the memory engine answers");
        let values = rows.into_iter().filter_map(|(_, opened)| opened.value());
        values.map(|row| row.value).filter(|entry| !entry.act.starts_with("resource.")).collect()
    }

    /// The numbers of [`Self::resource`], for a caller who leaves no audit entry.
    #[must_use]
    pub fn numbers(&self) -> NumbersDesk<'_> {
        self.numbers_of(self.resource())
    }

    /// The same of another resource.
    #[must_use]
    pub fn numbers_of<'a>(&'a self, resource: &'a ResourceEntry) -> NumbersDesk<'a> {
        NumbersDesk {
            cell: resource.cell(),
            resource: resource.id(),
            clock: &*self.clock,
            rng: &*self.rng,
            act: QUIET,
            attempts: self.options.limits.commit_attempts,
        }
    }

    /// Adds the numbers of a CSV text to the inventory of the cell of [`Self::resource`].
    ///
    /// # Panics
    /// When the text is no inventory.
    pub async fn load_numbers(&self, text: &str) {
        let inventory = post::numbers::csv::read(text).expect("an inventory");
        let cell = self.resource().cell();
        let loaded = numbers::load(cell, &inventory, None, QUIET, &*self.clock, &*self.rng).await;
        loaded.expect("the memory engine takes an inventory");
    }

    /// Lets `resource` hold a number, of which everything can be done.
    ///
    /// # Panics
    /// When it is no number, or another resource holds it.
    pub async fn hold_number(&self, resource: &ResourceEntry, number: &str) {
        let head = "number,country,type,calling,sms";
        let line = format!("{number},US,tollFree,inbound+outbound,inbound+outbound");
        let inventory = post::numbers::csv::read(&format!("{head}\n{line}")).expect("a number");
        let (desk, (number, _)) = (self.numbers_of(resource), &inventory.numbers[0]);
        let held = numbers::ensure_held(&desk, number, &inventory.offers[0]).await;
        assert!(held.expect("the memory engine takes a number"), "another resource holds it");
    }

    /// A call of `method` on `target`, a path with or without a query.
    #[must_use]
    pub fn call(&self, method: &str, target: &str) -> Call<'_> {
        Call::new(self, method, target)
    }
}

impl Drop for TestApp {
    #[expect(clippy::panic, reason = "a leak into the log must fail the test that made it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
        let log = capture::log();
        if let Some(at) = hidden.iter().position(|secret| log.contains(secret.as_str())) {
            panic!("the log holds a secret or personal text, the one hidden as number {at}");
        }
    }
}

/// What a resource of a test may send texts from: `contoso` any name, and the short codes 55555 (US) and 77777 (CA).
fn senders(name: &str) -> Senders {
    let listed: &[&str] = if name == "contoso" { &["*", "US:55555", "CA:77777"] } else { &[] };
    Senders::parse(listed.iter().copied()).unwrap_or_default()
}

/// The raw id of a user.
#[must_use]
pub fn raw_id(resource: ResourceId, user: UserId) -> String {
    wire::Identifier::CommunicationUser { resource, user }.raw_id()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[should_panic(expected = "the log holds a secret or personal text")]
    async fn a_personal_text_in_the_log_fails_the_test() {
        let test = TestApp::new().await;
        let canary = test.canary();
        tracing::trace!(text = %canary, "a slip of the tongue");
    }

    #[tokio::test]
    #[should_panic(expected = "the log holds a secret or personal text")]
    async fn so_does_a_token() {
        let test = TestApp::new().await;
        let user = test.user(&["chat"]).await;
        tracing::error!("refused {}", user.token);
    }

    #[tokio::test]
    async fn another_node_shares_the_store_and_the_keys() {
        let test = TestApp::new().await;
        let user = test.user(&["chat"]).await;
        let other = test.another_node().await;
        assert_eq!(other.resource().id(), test.resource().id());
        let _ = other.call("GET", "/chat/threads").by(&user).send().await.expect(200);
        let _ = other.call("POST", "/identities").signed_by(test.resource(), 1).send().await.expect(201);
    }
}
