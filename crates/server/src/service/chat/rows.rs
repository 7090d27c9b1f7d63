//! What the chat keeps: its keyspaces, the values of their rows, and under whose key each rests.
//!
//! | keyspace | key | value | key that seals it |
//! |---|---|---|---|
//! | `chat_thread` | thread | topic, metadata, retention; after deletion a tombstone | the thread's; the resource's |
//! | `chat_participant` | thread, user | name, metadata, periods of membership | (thread, user) |
//! | `chat_membership` | user, thread | nothing: the threads of a user | the resource's |
//! | `chat_message` | thread, message | one message | (thread, author); system messages the thread's |
//! | `chat_change` | thread, instant, message | nothing: what was edited or deleted when | the resource's |
//! | `chat_receipt` | thread, user | the last message read | (thread, user) |
//! | `chat_repeat` | user, hash of the repeatability id | the thread that was made | the resource's |
//! | `chat_erasure` | due, id | what is still to be removed | the resource's |
//!
//! Destroying the key of (thread, author) is therefore the erasure of all that one person wrote or was called in one
//! thread, and destroying all keys of a thread is the erasure of the thread (law 5).

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

use super::view::Retention;
use crate::service::receipts::Order;

/// Kinds of scope owned by the chat; the number is part of the scope's bytes and never changes.
const SCOPE_THREAD: u8 = 0x10;
const SCOPE_AUTHOR: u8 = 0x11;

/// Hint of a row that rests under the resource's key where its live form rests under a narrower one.
pub(crate) const HINT_RESOURCE: &[u8] = &[0];

/// The scope of what belongs to a thread as a whole: its topic, its metadata, its system messages.
pub(crate) fn thread_scope(thread: ThreadId) -> Scope {
    Scope::new(SCOPE_THREAD, &[thread.as_bytes()])
}

/// The scope of what one person wrote or was called in one thread.
pub(crate) fn author_scope(thread: ThreadId, author: UserId) -> Scope {
    Scope::new(SCOPE_AUTHOR, &[thread.as_bytes(), author.as_bytes()])
}

/// Pairs of a metadata object, sorted by key.
pub(crate) type Metadata = Vec<(Personal<String>, Personal<String>)>;

macro_rules! keyspace {
    ($(#[$doc:meta])* $name:ident, $table:literal, $key:ty, $value:ty, |$k:ident, $hint:ident| $scope:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Keyspace for $name {
            const DEF: &'static KeyspaceDef = &KeyspaceDef { name: $table, class: Class::Content };
            const FORMAT: u8 = 1;
            type Key = $key;
            type Value = $value;

            fn scope($k: &Self::Key, $hint: &[u8]) -> Scope {
                $scope
            }
        }
    };
}

keyspace!(
    /// Threads, live and deleted.
    Threads, "chat_thread", ThreadId, ThreadRow,
    |thread, hint| if hint == HINT_RESOURCE { Scope::RESOURCE } else { thread_scope(*thread) }
);
keyspace!(
    /// Who is or was in a thread.
    Participants, "chat_participant", (ThreadId, UserId), ParticipantRow, |key, _hint| author_scope(key.0, key.1)
);
keyspace!(
    /// The threads a user is or was in.
    Memberships, "chat_membership", (UserId, ThreadId), (), |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Messages in the order of their ids.
    Messages, "chat_message", (ThreadId, MessageId), MessageRow,
    |key, hint| Hint::parse(hint).and_then(|h| h.author).map_or_else(|| thread_scope(key.0), |a| author_scope(key.0, a))
);
keyspace!(
    /// Which messages were edited or deleted, by the instant of their latest change.
    Changes, "chat_change", (ThreadId, Timestamp, MessageId), (), |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// The last message each participant says to have read.
    Receipts, "chat_receipt", (ThreadId, UserId), ReceiptRow, |key, _hint| author_scope(key.0, key.1)
);
keyspace!(
    /// Threads by the repeatability id they were created with.
    Repeats, "chat_repeat", (UserId, [u8; 16]), RepeatRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Rows whose content is already unreadable and whose bytes are still to be removed.
    Erasures, "chat_erasure", (Timestamp, [u8; 16]), ErasureRow, |_key, _hint| Scope::RESOURCE
);

/// All keyspaces of the chat.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![
        Threads::DEF,
        Participants::DEF,
        Memberships::DEF,
        Messages::DEF,
        Changes::DEF,
        Receipts::DEF,
        Repeats::DEF,
        Erasures::DEF,
    ]
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ThreadRow {
    Live(LiveThread),
    /// Deleted: only the fact remains, so that its members are told 404 and nobody else learns of it.
    Deleted {
        on: Timestamp,
    },
}

/// A thread that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LiveThread {
    pub(crate) created_on: Timestamp,
    pub(crate) created_by: UserId,
    pub(crate) topic: Personal<String>,
    pub(crate) metadata: Metadata,
    /// What was said about how long it is kept, if anything was.
    pub(crate) retention: Option<Retention>,
}

/// One participant's part in a thread, kept after removal because the past stays readable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParticipantRow {
    pub(crate) display_name: Option<Personal<String>>,
    pub(crate) metadata: Metadata,
    /// The message with which name and metadata became what they are.
    pub(crate) named_at: u64,
    /// What the participant sees. Ascending, not overlapping; the last one is open while the membership lasts.
    pub(crate) periods: Vec<Period>,
    /// What the thread was called when the participant was removed, so that a later name is not learned.
    pub(crate) topic_at_removal: Option<Personal<String>>,
}

/// A stretch of messages, by id: from `from` to just before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

impl ParticipantRow {
    /// Whether the participant is in the thread now.
    pub(crate) fn is_current(&self) -> bool {
        self.periods.last().is_some_and(|p| p.until.is_none())
    }

    /// When the participant began to see the thread for the last time: the share-history time.
    pub(crate) fn share_history_from(&self) -> Timestamp {
        Timestamp::from_millis(self.periods.last().map_or(0, |p| p.from))
    }

    /// Whether a message is within what the participant may see.
    pub(crate) fn sees(&self, message: MessageId) -> bool {
        self.periods.iter().any(|p| p.from <= message.0 && p.until.is_none_or(|end| message.0 < end))
    }

    /// Whether the participant may know what somebody has been called since message `named_at`: who was removed knows
    /// what was so until then.
    pub(crate) fn knows_name_of(&self, named_at: u64) -> bool {
        self.periods.last().is_some_and(|last| last.until.is_none_or(|end| named_at < end))
    }

    /// The membership begins (again) and reaches back to `from`. Earlier periods stay, joined where they touch; past
    /// `limit` periods the oldest is given up.
    pub(crate) fn join(&mut self, from: u64, limit: usize) {
        let mut start = from;
        while let Some(last) = self.periods.pop_if(|last| last.until.is_none_or(|end| end >= start)) {
            start = start.min(last.from);
        }
        self.periods.push(Period { from: start, until: None });
        let surplus = self.periods.len().saturating_sub(limit.max(1));
        self.periods.drain(..surplus);
        self.topic_at_removal = None;
    }

    /// The membership ends just before message `at`. A period that would show nothing goes.
    pub(crate) fn leave(&mut self, at: u64, topic: Personal<String>) {
        if let Some(last) = self.periods.last_mut() {
            last.until = Some(at.max(last.from));
        }
        self.topic_at_removal = Some(topic);
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MessageRow {
    pub(crate) body: Body,
    pub(crate) sender_display_name: Option<Personal<String>>,
    pub(crate) metadata: Metadata,
    /// When it was last edited.
    pub(crate) edited_on: Option<Timestamp>,
    /// When it was deleted by its sender.
    pub(crate) deleted_on: Option<Timestamp>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    Text(Personal<String>),
    Html(Personal<String>),
    TopicUpdated {
        topic: Personal<String>,
        initiator: UserId,
    },
    ParticipantsAdded {
        /// With the instant from which each sees the history.
        participants: Vec<(UserId, Timestamp)>,
        initiator: UserId,
    },
    ParticipantRemoved {
        participant: UserId,
        initiator: UserId,
    },
    /// Its author's identity was deleted. The row remains only to keep the numbering.
    Erased,
}

impl MessageRow {
    /// A message as it is first written.
    pub(crate) fn new(body: Body) -> Self {
        Self { body, sender_display_name: None, metadata: Vec::new(), edited_on: None, deleted_on: None }
    }

    /// The instant of the latest edit or deletion.
    pub(crate) fn changed_on(&self) -> Option<Timestamp> {
        self.deleted_on.or(self.edited_on)
    }
}

/// What stands beside a sealed message in the clear (and is authenticated): who may open it, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// `None` for what the service itself wrote.
    pub(crate) author: Option<UserId>,
    /// 1, 2, 3 ... within the thread, system messages included.
    pub(crate) sequence: u32,
}

impl Hint {
    const LEN: usize = 20;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        if let Some(author) = self.author {
            out[..16].copy_from_slice(author.as_bytes());
        }
        out[16..].copy_from_slice(&self.sequence.to_be_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let (author, sequence) = bytes.split_at(16);
        let author: [u8; 16] = author.try_into().ok()?;
        let sequence = u32::from_be_bytes(sequence.try_into().ok()?);
        Some(Self { author: (author != [0; 16]).then(|| UserId::from_bytes(author)), sequence })
    }
}

/// A read receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceiptRow {
    pub(crate) message: MessageId,
    pub(crate) read_on: Timestamp,
}

/// The first result of a repeatable creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RepeatRow {
    pub(crate) thread: ThreadId,
    pub(crate) on: Timestamp,
    /// Hash of the request, so that another request under the same id is noticed.
    pub(crate) request: [u8; 16],
}

/// Something whose keys are destroyed and whose rows are still to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ErasureRow {
    /// The first two as they were written before there were receipts.
    Thread(ThreadId),
    User(UserId),
    ThreadOf(ThreadId, Order),
    UserOf(UserId, Order),
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    fn row(periods: &[(u64, Option<u64>)]) -> ParticipantRow {
        ParticipantRow {
            periods: periods.iter().map(|(from, until)| Period { from: *from, until: *until }).collect(),
            ..ParticipantRow::default()
        }
    }

    #[test]
    fn hints_round_trip_and_pick_the_key() {
        let rng = SeededRng::new(1);
        let (thread, author) = (ThreadId::mint(&rng), UserId::mint(&rng));
        let own = Hint { author: Some(author), sequence: 7 };
        let system = Hint { author: None, sequence: u32::MAX };
        for hint in [own, system] {
            assert_eq!(Hint::parse(&hint.to_bytes()), Some(hint));
        }
        let key = (thread, MessageId(5));
        assert_eq!(Messages::scope(&key, &own.to_bytes()), author_scope(thread, author));
        assert_eq!(Messages::scope(&key, &system.to_bytes()), thread_scope(thread));
        assert_eq!(
            Messages::scope(&key, b"short"),
            thread_scope(thread),
            "a damaged hint never widens the scope"
        );
        assert_eq!(Hint::parse(b"short"), None);
    }

    #[test]
    fn a_member_sees_from_the_shared_instant_on() {
        let row = row(&[(100, None)]);
        assert!(row.is_current());
        assert!(!row.sees(MessageId(99)) && row.sees(MessageId(100)) && row.sees(MessageId(u64::MAX)));
        assert_eq!(row.share_history_from(), Timestamp::from_millis(100));
    }

    #[test]
    fn removal_closes_the_view_just_before_its_message() {
        let mut row = row(&[(100, None)]);
        row.leave(200, "as it was".to_owned().into());
        assert!(!row.is_current());
        assert!(row.sees(MessageId(199)) && !row.sees(MessageId(200)));
        assert!(row.knows_name_of(199) && !row.knows_name_of(200), "nor a name given since");
        assert_eq!(row.topic_at_removal.as_ref().map(|t| t.expose().as_str()), Some("as it was"));
    }

    #[test]
    fn a_second_membership_adds_to_the_first() {
        let mut apart = row(&[(100, Some(200))]);
        apart.join(300, 8);
        assert_eq!(apart.periods, row(&[(100, Some(200)), (300, None)]).periods);
        assert!(apart.sees(MessageId(150)) && !apart.sees(MessageId(250)) && apart.sees(MessageId(300)));

        let mut touching = row(&[(100, Some(200))]);
        touching.join(200, 8);
        assert_eq!(touching.periods, row(&[(100, None)]).periods);

        let mut all = row(&[(100, Some(200)), (300, Some(400))]);
        all.join(0, 8);
        assert_eq!(all.periods, row(&[(0, None)]).periods, "whole history swallows the rest");
        assert_eq!(all.topic_at_removal, None);
    }

    #[test]
    fn periods_have_a_limit() {
        let mut row = ParticipantRow::default();
        for n in 0..10_u64 {
            row.join(n * 100, 4);
            assert!(row.periods.len() <= 4);
            row.leave(n * 100 + 50, String::new().into());
        }
        assert_eq!(row.periods.first(), Some(&Period { from: 600, until: Some(650) }), "the oldest went");
    }

    #[test]
    fn joined_and_removed_within_one_instant_sees_nothing() {
        let mut row = ParticipantRow::default();
        row.join(500, 4);
        row.leave(400, String::new().into());
        assert!(!row.sees(MessageId(400)) && !row.sees(MessageId(499)) && !row.sees(MessageId(500)));
    }

    #[test]
    fn nothing_of_it_prints() {
        let row = MessageRow::new(Body::Text("canary".to_owned().into()));
        assert!(!format!("{row:?}").contains("canary"));
    }

    #[test]
    fn keyspace_names_are_unique() {
        let mut names: Vec<_> = keyspaces().iter().map(|d| d.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), keyspaces().len());
        assert!(names.iter().all(|n| n.starts_with("chat_")));
    }
}
