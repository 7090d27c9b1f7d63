//! The services on one engine, without HTTP, with some users who hold tokens: for tests of what the chat does.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base::{Limits, ManualClock, ResourceId, SeededRng, ThreadId, Timestamp, UserId};
use guard::token::{Claims, Scopes};
use server::service::audit::{Act, Actor};
use server::service::chat::{ChatState, Desk};
use server::service::events::EventRouter;
use server::service::identity::{IdentityCache, IdentityDesk};
use server::service::resources::CellTokens;
use store::Cell;
use wire::error::ApiError;

use crate::engines;

/// When every world begins: 2026-11-23T08:00:00Z.
pub(crate) const START: u64 = 1_795_420_800_000;

pub(crate) struct World {
    pub(crate) cell: Cell,
    pub(crate) resource: ResourceId,
    pub(crate) state: ChatState,
    pub(crate) identities: IdentityCache,
    pub(crate) events: EventRouter,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) rng: Arc<SeededRng>,
    pub(crate) claims: Vec<Arc<Claims>>,
    tokens: CellTokens,
    /// Kept so that the folder of a file outlives the cell.
    _engine: engines::Opened,
}

fn without_limit(_thread: ThreadId) -> Result<(), ApiError> {
    Ok(())
}

impl World {
    /// A cell with one resource and so many users.
    pub(crate) async fn new(engine: engines::Opened, seed: u64, users: usize) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(START)));
        let rng = Arc::new(SeededRng::new(seed));
        let cell = engine.cell(clock.clone(), rng.clone(), &server::service::keyspaces()).await;
        let resource = ResourceId::mint(&*rng);
        cell.create_resource_key(resource).await.unwrap();
        let tokens = CellTokens::open(&cell).await.unwrap();
        let mut world = Self {
            cell,
            resource,
            state: ChatState::new(),
            identities: IdentityCache::new(),
            events: EventRouter::default(),
            limits: Limits::default(),
            clock,
            rng,
            claims: Vec::new(),
            tokens,
            _engine: engine,
        };
        for _ in 0..users {
            let (user, _) = world.identity_desk().create(None).await.unwrap();
            world.claims.push(Arc::new(Claims {
                resource,
                geography: world.cell.geography().clone(),
                user,
                scopes: Scopes::CHAT,
                issued_at: Timestamp::from_millis(START),
                expires_at: Timestamp::from_millis(START).plus(Duration::from_secs(86_400)),
                epoch: 0,
            }));
        }
        world
    }

    /// The chat as one user finds it.
    pub(crate) fn desk(&self, user: usize) -> Desk<'_> {
        Desk {
            cell: &self.cell,
            resource: self.resource,
            state: &self.state,
            identities: &self.identities,
            events: &self.events,
            limits: &self.limits,
            clock: &*self.clock,
            rng: &*self.rng,
            allowance: &without_limit,
            act: Act { name: None, by: Actor::User(self.claims[user].user) },
            claims: &self.claims[user],
            counted: AtomicBool::new(false),
        }
    }

    /// Deletes an identity as its resource's owner would.
    pub(crate) async fn delete_identity(&self, user: UserId) {
        self.identity_desk().delete(user).await.unwrap();
    }

    fn identity_desk(&self) -> IdentityDesk<'_> {
        IdentityDesk {
            cell: &self.cell,
            resource: self.resource,
            tokens: &self.tokens,
            live: &self.state.live,
            cache: &self.identities,
            clock: &*self.clock,
            rng: &*self.rng,
            act: Act { name: None, by: Actor::AccessKey(0) },
            attempts: 4,
        }
    }
}
