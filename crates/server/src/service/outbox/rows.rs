//! What is kept of what was captured: one row for each mail or text, the message itself in pieces, and the rules. Each item
//! has a key of its own, so that deleting it is an erasure.

use base::{Personal, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};
use wire::outbox::{Action, Rule};

/// An item: when it was captured, in milliseconds, and eight random bytes. So ids sort by time.
pub type ItemId = [u8; 16];

/// The kind of an item's scope.
const SCOPE: u8 = 13;
/// How long a piece is, in bytes: half of what a record may be.
pub(super) const PIECE: usize = 512 * 1024;

/// The scope of an item.
pub(super) fn scope(item: &ItemId) -> Scope {
    Scope::new(SCOPE, &[item])
}

/// Items, oldest first. The hint is that of [`Hint`].
pub(super) struct Items;

impl Keyspace for Items {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "outbox_item", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = ItemId;
    type Value = ItemRow;

    fn scope(key: &Self::Key, _hint: &[u8]) -> Scope {
        scope(key)
    }
}

/// The message of a mail, in pieces.
pub(super) struct Pieces;

impl Keyspace for Pieces {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "outbox_piece", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = (ItemId, u16);
    type Value = Personal<Vec<u8>>;

    fn scope(key: &Self::Key, _hint: &[u8]) -> Scope {
        scope(&key.0)
    }
}

/// Which item a mail or text has, by the id that its sender knows.
pub(super) struct Messages;

impl Keyspace for Messages {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "outbox_message", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = [u8; 16];
    type Value = ItemId;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// The rules of a resource, all in one row.
pub(super) struct Rules;

impl Keyspace for Rules {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "outbox_rules", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = ();
    type Value = Vec<Rule>;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemRow {
    /// The id that its sender knows: of the mail's operation, or of the text.
    pub message: [u8; 16],
    /// When it was captured first.
    pub at: Timestamp,
    /// What it is.
    pub what: What,
    /// Who sent it: of a mail, the address of its `From` field.
    pub from: Personal<String>,
    /// To whom, and what became of it.
    pub to: Vec<RecipientRow>,
    /// How it begins.
    pub preview: Personal<String>,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A mail; its message is in the pieces.
    Mail {
        /// The subject.
        subject: Personal<String>,
        /// The length of the message in bytes.
        size: u64,
        /// The envelope senders of its deliveries.
        return_paths: Vec<Personal<String>>,
    },
    /// A text.
    Text {
        /// What it says.
        text: Personal<String>,
        /// Whether a receipt was asked for.
        receipt: bool,
    },
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientRow {
    /// An address or a number.
    pub address: Personal<String>,
    /// What became of it at the last attempt.
    pub outcome: Outcome,
    /// The action of the rule that decided it.
    pub rule: Option<Action>,
    /// How often it was handed over.
    pub attempts: u16,
}

/// What became of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Taken.
    Accepted,
    /// Refused for good.
    Refused,
    /// Put off.
    Later,
}

impl Outcome {
    /// As it is told.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Later => "later",
        }
    }
}

/// What can be read of an item without its key: all that is needed to delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) pieces: u16,
    pub(super) message: [u8; 16],
}

impl Hint {
    pub(super) fn bytes(self) -> [u8; 18] {
        let mut bytes = [0; 18];
        bytes[..2].copy_from_slice(&self.pieces.to_be_bytes());
        bytes[2..].copy_from_slice(&self.message);
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (pieces, message) = bytes.split_at_checked(2)?;
        Some(Self { pieces: u16::from_be_bytes(pieces.try_into().ok()?), message: message.try_into().ok()? })
    }
}

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Items::DEF, Pieces::DEF, Messages::DEF, Rules::DEF]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_come_back() {
        let hint = Hint { pieces: 300, message: [7; 16] };
        assert_eq!(Hint::read(&hint.bytes()), Some(hint));
        for bad in [&[][..], &[0], &[0; 17], &[0; 19]] {
            assert_eq!(Hint::read(bad), None);
        }
    }
}
