//! The typed layer: sealing, scopes and their keys, drafts and their fates, on the memory engine and where it matters on
//! the others.

mod erasure;
mod keys;
mod records;
mod rotation;
mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base::{Limits, ManualClock, MessageId, ResourceId, SeededRng, ThreadId, Timestamp, UserId};
use guard::{KeyContext, Kms, KmsError, LocalKms, ScopeKey, Sealed};
use store::engine::memory::MemoryEngine;
use store::{
    BoxFuture, Cell, CellParts, Class, KeyServices, Keyspace, KeyspaceDef, Opened, Scope, StoreError,
};

/// A message belongs to the scope of its author within its thread; the author is its hint.
struct Message;
/// A thread's own record belongs to the resource.
struct Topic;

static MESSAGE: KeyspaceDef = KeyspaceDef { name: "it_message", class: Class::Content };
static TOPIC: KeyspaceDef = KeyspaceDef { name: "it_topic", class: Class::Content };
static ALL: [&KeyspaceDef; 2] = [&MESSAGE, &TOPIC];

fn author_scope(thread: &ThreadId, author: &[u8]) -> Scope {
    Scope::new(1, &[thread.as_bytes(), author])
}

impl Keyspace for Message {
    const DEF: &'static KeyspaceDef = &MESSAGE;
    const FORMAT: u8 = 1;
    type Key = (ThreadId, MessageId);
    type Value = String;

    fn scope(key: &Self::Key, hint: &[u8]) -> Scope {
        author_scope(&key.0, hint)
    }
}

impl Keyspace for Topic {
    const DEF: &'static KeyspaceDef = &TOPIC;
    const FORMAT: u8 = 1;
    type Key = ThreadId;
    type Value = (String, u32);

    fn scope(_: &ThreadId, _: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

const START: Timestamp = Timestamp::from_millis(1_795_420_800_000);

struct World {
    clock: Arc<ManualClock>,
    rng: Arc<SeededRng>,
    engine: Arc<MemoryEngine>,
    kms: Arc<Switch>,
    /// Another key service, called `vault`.
    vault: Arc<Switch>,
    cell: Cell,
    resource: ResourceId,
    thread: ThreadId,
    authors: [UserId; 2],
}

/// A key service that counts, and can be disabled.
struct Switch {
    local: LocalKms,
    disabled: AtomicBool,
    asked: AtomicUsize,
}

impl Kms for Switch {
    fn name(&self) -> &'static str {
        "switch"
    }
    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        self.local.wrap(context, key)
    }
    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.disabled.load(Ordering::SeqCst) {
                return Err(KmsError::Disabled);
            }
            self.local.unwrap(context, wrapped).await
        })
    }
}

impl World {
    async fn new() -> Self {
        let rng = Arc::new(SeededRng::new(1));
        let clock = Arc::new(ManualClock::new(START));
        let [kms, vault] = [1, 2].map(|_| {
            let local = LocalKms::in_memory(&*rng);
            Arc::new(Switch { local, disabled: AtomicBool::new(false), asked: AtomicUsize::new(0) })
        });
        let engine = Arc::new(MemoryEngine::new());
        let services = KeyServices::new(Arc::clone(&kms) as _).with("vault", Arc::clone(&vault) as _);
        let cell = Self::open(&engine, services, &clock, &rng, "europe").await.unwrap();
        let resource = ResourceId::mint(&*rng);
        cell.create_resource_key(resource).await.unwrap();
        let (thread, authors) = (ThreadId::mint(&*rng), [UserId::mint(&*rng), UserId::mint(&*rng)]);
        Self { clock, rng, engine, kms, vault, cell, resource, thread, authors }
    }

    async fn open(
        engine: &Arc<MemoryEngine>,
        kms: KeyServices,
        clock: &Arc<ManualClock>,
        rng: &Arc<SeededRng>,
        geography: &str,
    ) -> Result<Cell, StoreError> {
        let parts = CellParts {
            geography: geography.parse().unwrap(),
            engine: Arc::clone(engine) as _,
            kms,
            clock: Arc::clone(clock) as _,
            rng: Arc::clone(rng) as _,
            limits: &Limits::default(),
            keyspaces: &ALL,
        };
        Cell::open(parts).await
    }

    fn services(&self) -> KeyServices {
        KeyServices::new(Arc::clone(&self.kms) as _).with("vault", Arc::clone(&self.vault) as _)
    }

    /// The same store, opened anew: nothing in memory.
    async fn again(&self) -> Cell {
        Self::open(&self.engine, self.services(), &self.clock, &self.rng, "europe").await.unwrap()
    }

    fn scope(&self, author: usize) -> Scope {
        author_scope(&self.thread, self.authors[author].as_bytes())
    }

    fn key(&self, n: u64) -> (ThreadId, MessageId) {
        (self.thread, MessageId(n))
    }

    async fn send(&self, author: usize, n: u64, text: &str) -> Result<(), StoreError> {
        send(&self.cell, self.resource, self.key(n), &self.authors[author], text).await
    }

    async fn read(&self, n: u64) -> Option<Opened<String>> {
        self.cell.read(self.resource).await.unwrap().try_get::<Message>(&self.key(n)).await.unwrap()
    }

    async fn erase(&self, author: usize) {
        let mut draft = self.cell.draft(self.resource).await.unwrap();
        draft.destroy_scope_key(&self.scope(author));
        draft.commit().await.unwrap();
    }
}

/// Sends as a service would: with the scope's key, made when there is none.
async fn send(
    cell: &Cell,
    resource: ResourceId,
    key: (ThreadId, MessageId),
    author: &UserId,
    text: &str,
) -> Result<(), StoreError> {
    let scope = author_scope(&key.0, author.as_bytes());
    let known = match cell.cached_scope_key(resource, &scope) {
        Some(handle) => Some(handle),
        None => cell.read(resource).await?.scope_key(&scope).await?,
    };
    let mut draft = cell.draft(resource).await?;
    let handle = match known {
        Some(handle) => handle,
        None => draft.new_scope_key(scope)?,
    };
    draft.put::<Message>(&key, &text.to_owned(), author.as_bytes(), &handle)?;
    draft.commit().await
}

fn text(opened: Option<Opened<String>>) -> Option<String> {
    opened.and_then(Opened::value).map(|found| found.value)
}
