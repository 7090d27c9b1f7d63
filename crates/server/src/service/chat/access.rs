//! Who the caller is to a thread. Resolving and authorising are one step: what comes out is either a standing that says
//! what may be done, or a refusal that says nothing.

use std::sync::{Mutex, PoisonError};

use base::{BoundedCache, MessageId, ResourceId, ThreadId, Timestamp, UserId};
use store::{Draft, Opened, Reader, ScopeHandle, Versioned};

use super::rows::{
    LiveThread, Memberships, ParticipantRow, Participants, ThreadRow, Threads, author_scope, thread_scope,
};
use super::{ChatError, Desk};
use crate::service::identity::LiveUser;

/// How many standings are remembered for the next message of the same sender.
const REMEMBERED: usize = 65_536;

/// A caller who is, or was, a participant of a live thread. Made only by [`Desk::resolve`].
pub(crate) struct Standing {
    pub(crate) caller: LiveUser,
    pub(crate) thread: ThreadId,
    pub(crate) live: LiveThread,
    pub(crate) thread_version: u64,
    pub(crate) participant: ParticipantRow,
    pub(crate) participant_version: u64,
}

/// A caller who is a participant now. Made only by [`Desk::member`] and [`Desk::known_member`].
pub(crate) struct Member {
    pub(crate) caller: LiveUser,
    pub(crate) thread: ThreadId,
    pub(crate) versions: Versions,
}

/// The versions of the rows on which a membership rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) thread: u64,
    pub(crate) participant: u64,
}

/// Memberships seen lately. A commit that rests on one is conditional on its versions, so a stale entry costs a retry
/// and never a right (law 9).
pub(crate) struct Standings(Mutex<BoundedCache<(ResourceId, ThreadId, UserId), Versions>>);

impl Standings {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(BoundedCache::new(REMEMBERED)))
    }

    fn get(&self, key: (ResourceId, ThreadId, UserId)) -> Option<Versions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&key).copied()
    }

    fn insert(&self, key: (ResourceId, ThreadId, UserId), versions: Versions) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, versions);
    }

    fn forget(&self, key: (ResourceId, ThreadId, UserId)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

impl Standing {
    /// Whether the caller may see a message, given when it was last changed.
    pub(crate) fn sees(&self, id: MessageId, changed_on: Option<Timestamp>) -> bool {
        self.participant.sees_as_changed(id, changed_on)
    }

    fn versions(&self) -> Versions {
        Versions { thread: self.thread_version, participant: self.participant_version }
    }
}

impl Desk<'_> {
    /// Confirms the caller without regard to a thread.
    pub(crate) async fn caller(&self, reader: &mut Reader) -> Result<LiveUser, ChatError> {
        self.identities.confirm(reader, self.claims).await.map_err(ChatError::Refused)
    }

    /// The caller's standing in `thread`, present or past: enough to read.
    pub(crate) async fn standing(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
    ) -> Result<Standing, ChatError> {
        let standing = self.resolve(reader, thread).await?;
        self.count(thread)?;
        Ok(standing)
    }

    /// Who the caller is to `thread`, without counting the request.
    ///
    /// A stranger and a thread that never was get the same answer; who was in a deleted thread is told so.
    async fn resolve(&self, reader: &mut Reader, thread: ThreadId) -> Result<Standing, ChatError> {
        let caller = self.caller(reader).await?;
        let (live, thread_version) = match reader.try_get::<Threads>(&thread).await? {
            Some(Opened::Value(Versioned { value: ThreadRow::Live(live), version, .. })) => (live, version),
            Some(_) => {
                let was_in = reader.try_get::<Memberships>(&(self.user(), thread)).await?.is_some();
                return Err(if was_in { ChatError::ThreadDeleted } else { ChatError::Forbidden });
            }
            None => return Err(ChatError::Forbidden),
        };
        match reader.try_get::<Participants>(&(thread, self.user())).await? {
            Some(Opened::Value(Versioned { value: participant, version: participant_version, .. })) => {
                Ok(Standing { caller, thread, live, thread_version, participant, participant_version })
            }
            _ => Err(ChatError::Forbidden),
        }
    }

    /// The caller as a present participant of `thread`. Who was removed is not counted here: what such a caller may not
    /// do must not use up what the thread may take.
    pub(crate) async fn member(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
    ) -> Result<(Member, Standing), ChatError> {
        let standing = self.resolve(reader, thread).await?;
        if !standing.participant.is_current() {
            return Err(ChatError::Forbidden);
        }
        self.count(thread)?;
        let versions = standing.versions();
        self.state.standings.insert((self.resource, thread, self.user()), versions);
        Ok((Member { caller: standing.caller.clone(), thread, versions }, standing))
    }

    /// The caller as a participant by what was seen before, without reading. Good only for a commit that
    /// [`Desk::expect`]s it, and not counted yet.
    pub(crate) fn known_member(&self, thread: ThreadId) -> Option<Member> {
        let caller = self.identities.cached(self.claims)?;
        let versions = self.state.standings.get((self.resource, thread, self.user()))?;
        Some(Member { caller, thread, versions })
    }

    /// Makes a commit conditional on the membership it rests on.
    pub(crate) fn expect(&self, draft: &mut Draft, member: &Member) {
        self.identities.expect(draft, &member.caller);
        draft.expect_version::<Threads>(&member.thread, member.versions.thread);
        draft.expect_version::<Participants>(&(member.thread, self.user()), member.versions.participant);
    }

    /// Forgets what was seen before, after a commit that rested on it lost.
    pub(crate) fn forget_member(&self, thread: ThreadId) {
        self.identities.forget(self.claims);
        self.state.standings.forget((self.resource, thread, self.user()));
    }

    /// The key of what the caller writes in `thread`.
    pub(crate) async fn author_key(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
    ) -> Result<ScopeHandle, ChatError> {
        let key = reader.scope_key(&author_scope(thread, self.user())).await?;
        key.ok_or(ChatError::Forbidden)
    }

    /// The key of what belongs to `thread` as a whole.
    pub(crate) async fn thread_key(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
    ) -> Result<ScopeHandle, ChatError> {
        let key = reader.scope_key(&thread_scope(thread)).await?;
        key.ok_or(ChatError::Forbidden)
    }
}
