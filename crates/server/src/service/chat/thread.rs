//! Creating, reading, changing and deleting a thread.

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use store::{Direction, Draft, KeyRange, Opened, Reader, ScopeHandle, StoreError, Versioned};

use super::erasure::KEYS_AT_ONCE;
use super::participant::{NewParticipant, participant_view};
use super::repeat::Repeat;
use super::rows::{
    Body, ErasureRow, Erasures, HINT_RESOURCE, Hint, LiveThread, Memberships, MessageRow, Messages,
    ParticipantRow, Participants, Period, RepeatRow, Repeats, ThreadRow, Threads, author_scope, thread_scope,
};
use super::view::{Retention, ThreadView};
use super::{ChatError, Desk, tell};
use crate::service::audit::{self, Target};
use crate::service::identity::{Identities, LiveUser};
use crate::service::live::{Joined, Passing};
use crate::service::receipts::Order;

/// Expired repeatability ids removed by one creation of the same user: more than one creation adds.
const EXPIRED_PER_CREATION: usize = 8;

/// A thread as its creator asks for it, within the limits of the API.
#[derive(Clone, Debug)]
pub struct NewThread {
    /// What it is about.
    pub topic: Personal<String>,
    /// Who is in it from the start, besides the creator; no user twice.
    pub participants: Vec<NewParticipant>,
    /// Pairs that programs attach, sorted by key.
    pub metadata: Vec<(Personal<String>, Personal<String>)>,
    /// How long it is kept, if anything is said of it.
    pub retention: Option<Retention>,
    /// The same id and request again within a day give the same thread.
    pub repeatability: Option<Repeatability>,
}

/// A repeatability id and the request it came with, both as keyed hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatability {
    /// Of the id.
    pub id: [u8; 16],
    /// Of the body.
    pub request: [u8; 16],
}

/// What came of a creation.
#[derive(Clone, Debug)]
pub struct CreatedThread {
    /// The thread.
    pub thread: ThreadView,
    /// Who could not be added because no such identity exists.
    pub unknown: Vec<UserId>,
}

/// A change of a thread; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ThreadChange {
    /// The new topic.
    pub topic: Option<Personal<String>>,
    /// All metadata from now on.
    pub metadata: Option<Vec<(Personal<String>, Personal<String>)>>,
    /// How long it is kept from now on.
    pub retention: Option<Retention>,
}

impl Desk<'_> {
    /// Creates a thread with the caller and the given participants in it.
    ///
    /// # Errors
    /// [`ChatError::TooManyParticipants`]; [`ChatError::RepeatDiffers`] when the repeatability id names another
    /// request.
    pub async fn create_thread(&self, new: NewThread) -> Result<CreatedThread, ChatError> {
        retry!(self, self.user(), _lost, {
            let mut reader = self.reader().await?;
            let caller = self.caller(&mut reader).await?;
            let repeat = self.repeat(&mut reader, new.repeatability).await?;
            if let Some(thread) = repeat.first {
                return self.repeated(&mut reader, thread, &new).await;
            }
            let (known, unknown) = self.split_known(&mut reader, &new.participants).await?;
            self.check_count(known.iter().filter(|p| p.user != self.user()).count() + 1)?;
            let thread = ThreadId::mint(self.rng);
            let mut draft = reader.draft();
            drop(reader);
            self.identities.expect(&mut draft, &caller);
            repeat.write(&mut draft, self.user(), thread, self.clock.now(), new.repeatability)?;
            let live = self.write_thread(&mut draft, thread, &caller, &new, &known)?;
            let users = known.iter().map(|p| p.user).chain([self.user()]).collect();
            draft.commit().await?;
            self.events.wake();
            let joined = Joined { with: MessageId(live.created_on.as_millis()), users };
            self.state.live.joined(self.cell, self.key(thread), &joined);
            Ok(CreatedThread { thread: thread_view(thread, live), unknown })
        })
    }

    /// The thread's properties.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant now; [`ChatError::ThreadDeleted`] to who was in it.
    pub async fn thread(&self, thread: ThreadId) -> Result<ThreadView, ChatError> {
        let mut reader = self.reader().await?;
        let (_, standing) = self.member(&mut reader, thread).await?;
        Ok(thread_view(thread, standing.live))
    }

    /// Changes topic, metadata or retention. A new topic is told in the log, the rest is not.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant.
    pub async fn update_thread(&self, thread: ThreadId, change: ThreadChange) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let (member, standing) = self.member(&mut reader, thread).await?;
            let key = self.thread_key(&mut reader, thread).await?;
            let mut live = standing.live;
            if let Some(topic) = change.topic.clone() {
                live.topic = topic;
            }
            if let Some(metadata) = change.metadata.clone() {
                live.metadata = metadata;
            }
            if change.retention.is_some() {
                live.retention = change.retention;
            }
            let hearers = self.hearers_in(&mut reader, thread, tell::UPDATED).await?;
            let mut draft = reader.draft();
            self.expect(&mut draft, &member);
            if let Some(hearers) = hearers {
                let told = self.told_updated(thread, &live, self.clock.now());
                self.announce(&mut draft, &hearers, told, &key)?;
            }
            draft.put::<Threads>(&thread, &ThreadRow::Live(live), &[], &key)?;
            let Some(topic) = change.topic.clone() else {
                drop(reader);
                let outcome = draft.commit().await;
                self.forget_member(thread);
                self.events.wake();
                outcome?;
                let passing = Passing::Updated(self.user(), self.clock.now());
                self.state.live.pass(self.cell, self.key(thread), passing);
                return Ok(());
            };
            let told = Body::TopicUpdated { topic, initiator: self.user() };
            self.tell(reader, thread, draft, &key, |_, _| Ok(told)).await?;
            self.state.live.changed(self.cell, self.key(thread));
            Ok(())
        })
    }

    /// Deletes the thread for everyone: its keys are destroyed before this returns, its rows are removed soon after.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant; [`ChatError::ThreadDeleted`] when it is deleted already.
    pub async fn delete_thread(&self, thread: ThreadId) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let (member, standing) = self.member(&mut reader, thread).await?;
            let now = self.clock.now();
            let everyone = all_participants(&mut reader, thread).await?;
            let hearers = self.hearers_in(&mut reader, thread, tell::ENDED).await?;
            let lasting = self.resource_key(&mut reader).await?;
            let by = participant_view(self.user(), standing.participant);
            let mut draft = reader.draft();
            drop(reader);
            self.expect(&mut draft, &member);
            draft.put_in_resource::<Threads>(&thread, &ThreadRow::Deleted { on: now }, HINT_RESOURCE)?;
            draft.destroy_scope_key(&thread_scope(thread));
            // Of all who ever were in it there may be more than fit one commit. Nobody can join any more once this one
            // has happened, so the others follow; should it not come to that, the sweep does them.
            let (first, others) = everyone.split_at(everyone.len().min(KEYS_AT_ONCE));
            first.iter().for_each(|(_, user)| draft.destroy_scope_key(&author_scope(thread, *user)));
            draft.put_in_resource::<Erasures>(
                &(now, *thread.as_bytes()),
                &ErasureRow::ThreadOf(thread, Order::of(self.act, now)),
                HINT_RESOURCE,
            )?;
            if let Some(hearers) = hearers {
                let told = self.told_ended(thread, standing.live.created_on, now);
                self.announce(&mut draft, &hearers, told, &lasting)?;
            }
            audit::record(&mut draft, self.act, Target::Thread(thread), now, self.rng)?;
            let outcome = draft.commit().await;
            self.forget_member(thread);
            outcome?;
            self.events.wake();
            self.state.live.ended(self.cell, self.key(thread), by, now).await?;
            for some in others.chunks(KEYS_AT_ONCE) {
                let mut draft = self.draft().await?;
                some.iter().for_each(|(_, user)| draft.destroy_scope_key(&author_scope(thread, *user)));
                draft.commit().await?;
            }
            Ok(())
        })
    }

    /// Writes a new thread, its participants, and the two system messages it begins with.
    fn write_thread(
        &self,
        draft: &mut Draft,
        thread: ThreadId,
        caller: &LiveUser,
        new: &NewThread,
        known: &[NewParticipant],
    ) -> Result<LiveThread, ChatError> {
        let now = self.clock.now();
        let live = LiveThread {
            created_on: now,
            created_by: self.user(),
            topic: new.topic.clone(),
            metadata: new.metadata.clone(),
            retention: new.retention,
        };
        let key = draft.new_scope_key(thread_scope(thread))?;
        draft.expect_absent::<Threads>(&thread);
        draft.put::<Threads>(&thread, &ThreadRow::Live(live.clone()), &[], &key)?;
        let creator = known.iter().find(|p| p.user == caller.user()).cloned();
        let creator = creator.unwrap_or_else(|| NewParticipant::named(caller.user()));
        let others = known.iter().filter(|p| p.user != caller.user()).cloned();
        let all: Vec<NewParticipant> = std::iter::once(creator).chain(others).collect();
        for participant in &all {
            draft.expect_exists::<Identities>(&participant.user);
            self.write_participant(draft, thread, participant, now)?;
        }
        let begins = |p: &NewParticipant| p.share_history_from.map_or(Timestamp::EPOCH, |at| at.min(now));
        let listed = all.iter().map(|p| (p.user, begins(p))).collect();
        let begins = [
            Body::ParticipantsAdded { participants: listed, initiator: self.user() },
            Body::TopicUpdated { topic: new.topic.clone(), initiator: self.user() },
        ];
        for (n, body) in (0_u32..).zip(begins) {
            let id = MessageId(now.as_millis() + u64::from(n));
            let hint = Hint { author: None, sequence: n + 1 }.to_bytes();
            draft.put::<Messages>(&(thread, id), &MessageRow::new(body), &hint, &key)?;
        }
        if let Some(hearers) = self.hearers_of(tell::CREATED, || all.iter().map(|p| p.user).collect()) {
            self.announce(draft, &hearers, self.told_created(thread, &live), &key)?;
        }
        Ok(live)
    }

    fn write_participant(
        &self,
        draft: &mut Draft,
        thread: ThreadId,
        participant: &NewParticipant,
        now: Timestamp,
    ) -> Result<(), ChatError> {
        let key = draft.new_scope_key(author_scope(thread, participant.user))?;
        let row = ParticipantRow {
            display_name: participant.display_name.clone(),
            metadata: participant.metadata.clone(),
            named_at: now.as_millis(),
            // Whoever is there from the start sees all: a time to come is now, as it is for who comes later. Else a
            // client whose clock is ahead would keep the first messages from those it invites.
            periods: vec![Period { from: 0, until: None }],
            topic_at_removal: None,
        };
        draft.put::<Participants>(&(thread, participant.user), &row, &[], &key)?;
        draft.put_in_resource::<Memberships>(&(participant.user, thread), &(), HINT_RESOURCE)?;
        Ok(())
    }

    /// Appends a system message to `draft` and commits it. `body` is given the message's id.
    pub(super) async fn tell(
        &self,
        mut reader: Reader,
        thread: ThreadId,
        draft: Draft,
        key: &ScopeHandle,
        body: impl FnOnce(MessageId, &mut Draft) -> Result<Body, StoreError>,
    ) -> Result<MessageId, ChatError> {
        self.state.ends.learn(self.key(thread), &mut reader).await?;
        drop(reader);
        let placed = self.state.ends.append(self.key(thread), self.clock.now(), draft, |place, draft| {
            let body = body(place.id, draft)?;
            let hint = Hint { author: None, sequence: place.sequence }.to_bytes();
            draft.put::<Messages>(&(thread, place.id), &MessageRow::new(body), &hint, key)
        })?;
        let Some((place, pending)) = placed else { return Err(StoreError::Conflict.into()) };
        let outcome = self.settle(thread, place, pending.await.map_err(StoreError::from));
        self.forget_member(thread);
        outcome
    }

    /// More than the limit is refused.
    pub(super) fn check_count(&self, count: usize) -> Result<(), ChatError> {
        let limit = self.limits.participants_per_thread;
        if count <= limit { Ok(()) } else { Err(ChatError::TooManyParticipants { limit }) }
    }

    /// Which of `wanted` have an identity in this resource, and the ids of those that have none.
    pub(super) async fn split_known(
        &self,
        reader: &mut Reader,
        wanted: &[NewParticipant],
    ) -> Result<(Vec<NewParticipant>, Vec<UserId>), ChatError> {
        let ids: Vec<UserId> = wanted.iter().map(|p| p.user).collect();
        let found = reader.multi_get::<Identities>(&ids).await?;
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for (participant, row) in wanted.iter().zip(found) {
            match row {
                Some(_) => known.push(participant.clone()),
                None => unknown.push(participant.user),
            }
        }
        Ok((known, unknown))
    }

    /// What is known of a repeatability id, and which older ones have expired.
    async fn repeat(&self, reader: &mut Reader, repeat: Option<Repeatability>) -> Result<Repeat, ChatError> {
        let Some(repeat) = repeat else { return Ok(Repeat::default()) };
        let oldest = self.clock.now().minus(self.limits.repeatability());
        let found = reader.get::<Repeats>(&(self.user(), repeat.id)).await?;
        let version = found.as_ref().map(|row| row.version);
        let first = match found {
            Some(Versioned { value, .. }) if value.on >= oldest && value.request != repeat.request => {
                return Err(ChatError::RepeatDiffers);
            }
            Some(Versioned { value, .. }) if value.on >= oldest => Some(value.thread),
            _ => None,
        };
        let expired =
            if first.is_none() { self.expired_repeats(reader, repeat.id, oldest).await? } else { Vec::new() };
        Ok(Repeat { first, version, expired })
    }

    /// Looks behind `id`, which is a hash, and so each time at others: at the smallest ones a few that have not
    /// expired would keep all the rest from being looked at.
    async fn expired_repeats(
        &self,
        reader: &mut Reader,
        id: [u8; 16],
        oldest: Timestamp,
    ) -> Result<Vec<[u8; 16]>, ChatError> {
        let range = KeyRange::prefix(&self.user()).after(&(self.user(), id));
        let rows = reader.scan::<Repeats>(range, Direction::Forward, EXPIRED_PER_CREATION).await?;
        let old = |row: &Opened<RepeatRow>| matches!(row, Opened::Value(row) if row.value.on < oldest);
        Ok(rows.into_iter().filter(|(_, row)| old(row)).map(|((_, id), _)| id).collect())
    }

    /// The first result of a creation that is repeated: as it was asked for then, which is what was asked for now, and
    /// not as it is today, which a creator who was removed may not know.
    async fn repeated(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
        new: &NewThread,
    ) -> Result<CreatedThread, ChatError> {
        let standing = self.standing(reader, thread).await?;
        let (_, unknown) = self.split_known(reader, &new.participants).await?;
        let first = LiveThread {
            topic: new.topic.clone(),
            metadata: new.metadata.clone(),
            retention: new.retention,
            ..standing.live
        };
        Ok(CreatedThread { thread: thread_view(thread, first), unknown })
    }
}

/// The keys of all who are or were in `thread`.
pub(super) async fn all_participants(
    reader: &mut Reader,
    thread: ThreadId,
) -> Result<Vec<(ThreadId, UserId)>, ChatError> {
    const AT_ONCE: usize = 1_000;
    let mut found: Vec<(ThreadId, UserId)> = Vec::new();
    let mut range = KeyRange::prefix(&thread);
    loop {
        let keys = reader.scan_keys::<Participants>(range.clone(), Direction::Forward, AT_ONCE).await?;
        let exhausted = keys.len() < AT_ONCE;
        found.extend(keys.into_iter().map(|(key, ..)| key));
        if let Some(last) = found.last() {
            range = range.after(last);
        }
        if exhausted {
            return Ok(found);
        }
    }
}

pub(super) fn thread_view(id: ThreadId, live: LiveThread) -> ThreadView {
    let LiveThread { created_on, created_by, topic, metadata, retention } = live;
    ThreadView { id, topic, created_on, created_by, metadata, retention }
}
