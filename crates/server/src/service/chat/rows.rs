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

    /// Whether a message is within what the participant may see, given when it was last changed: only what was written, and
    /// as it was last written, while the participant was in the thread or had the history shared.
    pub(crate) fn sees_as_changed(&self, id: MessageId, changed_on: Option<Timestamp>) -> bool {
        self.sees(id) && changed_on.is_none_or(|at| self.sees(MessageId(at.as_millis())))
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
mod tests;
