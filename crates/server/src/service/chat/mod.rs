//! The chat: threads, participants, messages, receipts. What ACS promises about them, kept on sealed rows.
//!
//! Every function is a method of [`Desk`], which stands for one caller in one resource. It first resolves what the
//! caller may do ([`access`]), and only what came out of that is acted on (law 6). Nothing here knows HTTP.

/// Runs an attempt until it commits, fails for another reason than a lost race, or has lost as many races as allowed.
/// `$row` is the id of what is raced for: a loser waits for its turn at it, and who comes while others wait goes behind
/// them; with `hasty` it is tried first, for what seldom races and must not wait. A macro because a function taking an
/// async closure would lose the closure's `Send`.
macro_rules! retry {
    ($desk:expr, $row:expr, $lost:ident, $attempt:block) => {
        retry!(@ $desk.state.turns.behind(*$row.as_bytes()).await, $desk, $row, $lost, $attempt)
    };
    (hasty, $desk:expr, $row:expr, $lost:ident, $attempt:block) => {
        retry!(@ None, $desk, $row, $lost, $attempt)
    };
    (@ $turn:expr, $desk:expr, $row:expr, $lost:ident, $attempt:block) => {{
        let mut $lost = 0_usize;
        let mut turn = $turn;
        loop {
            let outcome: Result<_, $crate::service::chat::ChatError> = async { $attempt }.await;
            if let std::ops::ControlFlow::Break(done) = $desk.again(&mut $lost, outcome) {
                break done;
            }
            if turn.is_none() {
                turn = Some($desk.state.turns.take(*$row.as_bytes()).await);
            }
        }
    }};
}

mod access;
mod append;
pub mod erasure;
pub mod follow;
mod html;
mod listing;
mod message;
mod participant;
mod receipt;
mod repeat;
pub mod resume;
mod rows;
pub mod tell;
mod thread;
mod threads;
pub mod view;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::{Clock, Limits, ResourceId, Rng, ThreadId, UserId};
use guard::token::Claims;
use store::{Cell, Draft, Reader, StoreError};
use thiserror::Error;
use wire::error::ApiError;

use crate::service::audit::Act;
use crate::service::events::EventRouter;
use crate::service::identity::IdentityCache;
use crate::service::live::Live;
use crate::service::turns::Turns;

pub use listing::{MessageCursor, MessagePage, MessageQuery};
pub use message::{MessageEdit, NewMessage};
pub use participant::NewParticipant;
pub use rows::keyspaces;
pub use thread::{CreatedThread, NewThread, Repeatability, ThreadChange};
pub use threads::{ThreadCursor, ThreadItem, ThreadPage, ThreadQuery};

/// What the chat remembers between requests, and can forget at any time.
pub struct ChatState {
    ends: append::Ends,
    standings: access::Standings,
    turns: Turns,
    /// Who listens.
    pub live: Arc<Live>,
}

impl ChatState {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ends: append::Ends::new(),
            standings: access::Standings::new(),
            turns: Turns::new(),
            live: Live::new(),
        }
    }
}

impl Default for ChatState {
    fn default() -> Self {
        Self::new()
    }
}

/// One caller's place at the chat of one resource.
pub struct Desk<'a> {
    /// The cell that the resource lives in: the only way to storage.
    pub cell: &'a Cell,
    /// The resource that was asked.
    pub resource: ResourceId,
    /// What is remembered between requests.
    pub state: &'a ChatState,
    /// Who is known to live.
    pub identities: &'a IdentityCache,
    /// Who wants to hear of what.
    pub events: &'a EventRouter,
    /// Configured limits.
    pub limits: &'a Limits,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
    /// Counts the request against what the thread may take; asked once the caller is known to belong to it, so that a
    /// stranger can neither use up a thread's allowance nor learn from a refusal that it exists (law 6).
    pub allowance: &'a (dyn Fn(ThreadId) -> Result<(), ApiError> + Sync),
    /// What the audit log is to say of this, where the operation asks for it.
    pub act: Act,
    /// The caller's token; whether it still holds is judged against the store in each operation.
    pub claims: &'a Arc<Claims>,
    /// Whether this request was counted: once, however often its commit has to be built anew.
    pub counted: AtomicBool,
}

/// Why the chat did not do what was asked. None of these says more than the caller may know.
#[derive(Debug, Error)]
pub enum ChatError {
    /// The caller's token does not hold any more, or the caller asks too often.
    #[error("the caller is refused: {0}")]
    Refused(ApiError),
    /// Not a participant, not the sender, or no such thread: one answer for all.
    #[error("not permitted")]
    Forbidden,
    /// A thread that the caller was in and that is deleted.
    #[error("the thread is deleted")]
    ThreadDeleted,
    /// No message of that id is visible to the caller.
    #[error("no such message")]
    MessageUnknown,
    /// No participant of that id is, or was, in the thread.
    #[error("no such participant")]
    ParticipantUnknown,
    /// More participants than a thread may have.
    #[error("a thread has at most {limit} participants")]
    TooManyParticipants {
        /// The limit that applies.
        limit: usize,
    },
    /// The repeatability id was used before, for another request.
    #[error("the repeatability id was used for another request")]
    RepeatDiffers,
    /// HTML of which nothing is left when it is cleaned.
    #[error("nothing is left of the content when it is cleaned")]
    NothingLeft,
    /// HTML whose elements would multiply without measure when it is read.
    #[error("the HTML would multiply when it is read")]
    TooIntricate,
    /// Content and metadata of a message, after an edit or after cleaning, past the limit.
    #[error("a message has at most {limit} bytes")]
    MessageTooLarge {
        /// The limit that applies, in bytes.
        limit: usize,
    },
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Desk<'_> {
    /// The caller.
    fn user(&self) -> UserId {
        self.claims.user
    }

    fn count(&self, thread: ThreadId) -> Result<(), ChatError> {
        if self.counted.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        (self.allowance)(thread).map_err(ChatError::Refused)
    }

    async fn reader(&self) -> Result<Reader, ChatError> {
        Ok(self.cell.read(self.resource).await?)
    }

    async fn draft(&self) -> Result<Draft, ChatError> {
        Ok(self.cell.draft(self.resource).await?)
    }

    fn key(&self, thread: ThreadId) -> (ResourceId, ThreadId) {
        (self.resource, thread)
    }

    /// Whether an attempt that lost a race is to be made again.
    fn again<T>(&self, lost: &mut usize, outcome: Result<T, ChatError>) -> ControlFlow<Result<T, ChatError>> {
        let Err(ChatError::Store(StoreError::Conflict)) = outcome else { return ControlFlow::Break(outcome) };
        *lost += 1;
        if *lost < self.limits.commit_attempts {
            return ControlFlow::Continue(());
        }
        let why = "too many concurrent changes of one thread".to_owned();
        ControlFlow::Break(Err(StoreError::Unavailable(why).into()))
    }
}
