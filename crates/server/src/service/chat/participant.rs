//! Adding, removing and listing the participants of a thread.

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use store::{Direction, Draft, KeyRange, Opened, Reader, ScopeHandle, StoreError, Versioned};

use super::rows::{
    Body, HINT_RESOURCE, Memberships, ParticipantRow, Participants, ThreadRow, Threads, author_scope,
};
use super::view::{ParticipantView, shared_from};
use super::{ChatError, Desk, tell};
use crate::service::audit::{self, Target};
use crate::service::identity::Identities;
use crate::service::live::Joined;

/// Someone to be in a thread.
#[derive(Clone, Debug)]
pub struct NewParticipant {
    /// Who.
    pub user: UserId,
    /// What to call the participant.
    pub display_name: Option<Personal<String>>,
    /// From when on the history is shown. `None`: all of it to who is there from the start, none to who comes later.
    pub share_history_from: Option<Timestamp>,
    /// Pairs that programs attach, sorted by key.
    pub metadata: Vec<(Personal<String>, Personal<String>)>,
}

impl NewParticipant {
    /// Someone of whom nothing more is said.
    #[must_use]
    pub fn named(user: UserId) -> Self {
        Self { user, display_name: None, share_history_from: None, metadata: Vec::new() }
    }
}

/// A present or former participant.
pub(super) struct Known {
    pub(super) user: UserId,
    pub(super) row: ParticipantRow,
    pub(super) version: u64,
}

/// What is known of someone who is to be added.
enum Before {
    /// Never was in the thread, or all that was known went with an identity.
    Nothing {
        version: Option<u64>,
    },
    Former(Known),
    Current,
}

impl Desk<'_> {
    /// Adds participants and tells so in the log, in one message. Who is in the thread already stays as before.
    /// Returns those that have no identity in this resource.
    ///
    /// # Errors
    /// [`ChatError::TooManyParticipants`], and then nobody is added.
    pub async fn add_participants(
        &self,
        thread: ThreadId,
        new: Vec<NewParticipant>,
    ) -> Result<Vec<UserId>, ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let (member, standing) = self.member(&mut reader, thread).await?;
            let (known, unknown) = self.split_known(&mut reader, &new).await?;
            let mut adding = Vec::new();
            for participant in known {
                match self.before(&mut reader, thread, participant.user).await? {
                    Before::Current => {}
                    before => adding.push((participant, before)),
                }
            }
            if adding.is_empty() {
                return Ok(unknown);
            }
            let present = self.participants(&mut reader, thread).await?;
            self.check_count(present.iter().filter(|p| p.row.is_current()).count() + adding.len())?;
            let hearers = self.hearers_of(tell::ADDED, || {
                let there = present.iter().filter(|p| p.row.is_current()).map(|p| p.user);
                there.chain(adding.iter().map(|(participant, _)| participant.user)).collect()
            });
            let thread_key = self.thread_key(&mut reader, thread).await?;
            let keys = former_keys(&mut reader, thread, &adding).await?;
            let mut draft = reader.draft();
            self.expect(&mut draft, &member);
            // Written again unchanged, so that whatever rested on the old list of participants is built anew.
            let created = standing.live.created_on;
            draft.put::<Threads>(&thread, &ThreadRow::Live(standing.live), &[], &thread_key)?;
            let limit = self.limits.membership_periods;
            let mut users = Vec::new();
            let with = self
                .tell(reader, thread, draft, &thread_key, |id, draft| {
                    let mut listed = Vec::new();
                    for ((participant, before), key) in adding.into_iter().zip(keys) {
                        let user = participant.user;
                        let from = history_begins(participant.share_history_from, created, id);
                        let join = |row: &mut ParticipantRow| row.join(from, limit);
                        let Some((row, key)) = admit(draft, thread, id, (participant, before), key, join)?
                        else {
                            continue;
                        };
                        listed.push((user, row.share_history_from()));
                        if let Some(hearers) = &hearers {
                            let times = (created, Timestamp::from_millis(id.0));
                            let told = self.told_participant(thread, (user, &row), true, times);
                            self.announce(draft, hearers, told, &key)?;
                        }
                    }
                    users = listed.iter().map(|(user, _)| *user).collect();
                    Ok(Body::ParticipantsAdded { participants: listed, initiator: self.user() })
                })
                .await?;
            self.state.live.joined(self.cell, self.key(thread), &Joined { with, users });
            Ok(unknown)
        })
    }

    /// Removes a participant, or lets the caller leave, and tells so in the log. Who was removed before stays removed.
    ///
    /// # Errors
    /// [`ChatError::ParticipantUnknown`] for who never was in the thread.
    pub async fn remove_participant(&self, thread: ThreadId, user: UserId) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let (member, standing) = self.member(&mut reader, thread).await?;
            let mut known = match self.before(&mut reader, thread, user).await? {
                Before::Current => {
                    self.known(&mut reader, thread, user).await?.ok_or(ChatError::ParticipantUnknown)?
                }
                Before::Former(_) => return Ok(()),
                Before::Nothing { .. } => return Err(ChatError::ParticipantUnknown),
            };
            let thread_key = self.thread_key(&mut reader, thread).await?;
            let key =
                reader.scope_key(&author_scope(thread, user)).await?.ok_or(ChatError::ParticipantUnknown)?;
            let mut draft = reader.draft();
            self.expect(&mut draft, &member);
            if user != self.user() {
                draft.expect_version::<Participants>(&(thread, user), known.version);
            }
            draft.put::<Threads>(&thread, &ThreadRow::Live(standing.live.clone()), &[], &thread_key)?;
            let now = self.clock.now();
            let hearers = self.hearers_in(&mut reader, thread, tell::REMOVED).await?;
            let id = self
                .tell(reader, thread, draft, &thread_key, |id: MessageId, draft| {
                    if let Some(hearers) = &hearers {
                        let times = (standing.live.created_on, Timestamp::from_millis(id.0));
                        let told = self.told_participant(thread, (user, &known.row), false, times);
                        self.announce(draft, hearers, told, &key)?;
                    }
                    known.row.leave(id.0, standing.live.topic);
                    draft.put::<Participants>(&(thread, user), &known.row, &[], &key)?;
                    audit::record(draft, self.act, Target::User(user), now, self.rng)?;
                    Ok(Body::ParticipantRemoved { participant: user, initiator: self.user() })
                })
                .await?;
            self.state.live.left(self.cell, self.key(thread), user, id).await?;
            Ok(())
        })
    }

    /// The present participants, `skip` of them passed over, at most `limit` of them, and whether more follow.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant now.
    pub async fn list_participants(
        &self,
        thread: ThreadId,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<ParticipantView>, bool), ChatError> {
        let mut reader = self.reader().await?;
        self.member(&mut reader, thread).await?;
        let present = self.participants(&mut reader, thread).await?;
        let mut present = present.into_iter().filter(|p| p.row.is_current()).skip(skip);
        let page = present.by_ref().take(limit).map(|p| participant_view(p.user, p.row)).collect();
        Ok((page, present.next().is_some()))
    }

    /// All present and former participants whose keys exist, in the order of their ids.
    pub(super) async fn participants(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
    ) -> Result<Vec<Known>, ChatError> {
        const AT_ONCE: usize = 512;
        let mut found = Vec::new();
        let mut range = KeyRange::prefix(&thread);
        loop {
            let rows = reader.scan::<Participants>(range.clone(), Direction::Forward, AT_ONCE).await?;
            let Some((last, _)) = rows.last() else { return Ok(found) };
            range = range.after(last);
            let exhausted = rows.len() < AT_ONCE;
            for ((_, user), row) in rows {
                if let Opened::Value(Versioned { value, version, .. }) = row {
                    found.push(Known { user, row: value, version });
                }
            }
            if exhausted {
                return Ok(found);
            }
        }
    }

    async fn known(
        &self,
        reader: &mut Reader,
        thread: ThreadId,
        user: UserId,
    ) -> Result<Option<Known>, ChatError> {
        Ok(match reader.try_get::<Participants>(&(thread, user)).await? {
            Some(Opened::Value(Versioned { value, version, .. })) => {
                Some(Known { user, row: value, version })
            }
            _ => None,
        })
    }

    async fn before(&self, reader: &mut Reader, thread: ThreadId, user: UserId) -> Result<Before, ChatError> {
        Ok(match reader.try_get::<Participants>(&(thread, user)).await? {
            None => Before::Nothing { version: None },
            Some(Opened::Shredded { version, .. }) => Before::Nothing { version: Some(version) },
            Some(Opened::Value(row)) if row.value.is_current() => Before::Current,
            Some(Opened::Value(row)) => Before::Former(Known { user, row: row.value, version: row.version }),
        })
    }
}

pub(super) fn participant_view(user: UserId, row: ParticipantRow) -> ParticipantView {
    let share_history_from = shared_from(row.share_history_from());
    ParticipantView { user, display_name: row.display_name, share_history_from, metadata: row.metadata }
}

/// Writes one who joins `thread` with message `id`, and `join`s. `None` for who is in it already.
fn admit(
    draft: &mut Draft,
    thread: ThreadId,
    id: MessageId,
    (participant, before): (NewParticipant, Before),
    key: Option<ScopeHandle>,
    join: impl FnOnce(&mut ParticipantRow),
) -> Result<Option<(ParticipantRow, ScopeHandle)>, StoreError> {
    let user = participant.user;
    let (mut row, version) = match before {
        Before::Former(known) => (known.row, Some(known.version)),
        Before::Nothing { version } => (ParticipantRow::default(), version),
        Before::Current => return Ok(None),
    };
    let key = match key {
        Some(key) => key,
        None => draft.new_scope_key(author_scope(thread, user))?,
    };
    match version {
        Some(version) => draft.expect_version::<Participants>(&(thread, user), version),
        None => draft.expect_absent::<Participants>(&(thread, user)),
    }
    draft.expect_exists::<Identities>(&user);
    if participant.display_name.is_some() || !participant.metadata.is_empty() {
        row.named_at = id.0;
    }
    row.display_name = participant.display_name.or(row.display_name);
    if !participant.metadata.is_empty() {
        row.metadata = participant.metadata;
    }
    join(&mut row);
    draft.put::<Participants>(&(thread, user), &row, &[], &key)?;
    draft.put_in_resource::<Memberships>(&(user, thread), &(), HINT_RESOURCE)?;
    Ok(Some((row, key)))
}

/// The keys under which former participants' parts rest, in the order of `adding`; none for who is new.
async fn former_keys(
    reader: &mut Reader,
    thread: ThreadId,
    adding: &[(NewParticipant, Before)],
) -> Result<Vec<Option<ScopeHandle>>, ChatError> {
    let mut keys = Vec::new();
    for (participant, before) in adding {
        keys.push(match before {
            Before::Former(_) => reader.scope_key(&author_scope(thread, participant.user)).await?,
            _ => None,
        });
    }
    Ok(keys)
}

/// The first message that someone who joins with message `joined` sees: that one, or those since the instant from which
/// the history is shared, or all when that is not after the thread's creation.
fn history_begins(share: Option<Timestamp>, created: Timestamp, joined: MessageId) -> u64 {
    match share {
        None => joined.0,
        Some(at) if at <= created => 0,
        Some(at) => at.as_millis().min(joined.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_shared_as_asked() {
        let (created, joined) = (Timestamp::from_millis(100), MessageId(500));
        let from = |share: Option<u64>| history_begins(share.map(Timestamp::from_millis), created, joined);
        assert_eq!(from(None), 500, "nothing before joining unless it is shared");
        assert_eq!(from(Some(0)), 0);
        assert_eq!(from(Some(100)), 0, "the creation itself is the whole history");
        assert_eq!(from(Some(101)), 101);
        assert_eq!(from(Some(900)), 500, "a time to come is now");
    }
}
