//! What is kept of texts: the keyspaces, the values of their rows, and under whose key each rests.
//!
//! | keyspace | of | key | value | key that seals it |
//! |---|---|---|---|---|
//! | `sms_text` | resource | id of the text | the text; once final what became of it, without its words | the text's; the resource's |
//! | `sms_due` | resource | when, id | texts to look at then | the resource's |
//! | `sms_opt_out` | resource | the sender's list, hash of the recipient | who does not want to hear from whom | that of the number's holding, which stands in the hint; for short codes the resource's |
//! | `sms_receipt` | cell | hash of carrier and its id | whose receipt that is, or a receipt nobody waited for yet | the cell's |
//!
//! The id of a text that may be asked for again is the keyed hash of its repeatability id, so that one row is both the
//! text and the memory of the request.

use base::{Personal, ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

use crate::service::numbers::Holding;

/// The kind of scope of texts; the number is part of the scope's bytes and never changes.
const SCOPE_TEXT: u8 = 11;

/// Hint of a text's row that rests under the resource's key: a final one.
pub(crate) const HINT_FINAL: &[u8] = &[0];

/// The id of a text, or of one that came in.
pub(crate) type TextId = [u8; 16];

/// A sender's list ([`List::id`]) and a recipient, as a hash.
pub(crate) type OptOutKey = ([u8; 16], [u8; 16]);

/// The list of those who do not want to hear from a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Of a number, for as long as it is held.
    Held(Holding),
    /// Of a short code, by its hash.
    Short([u8; 16]),
}

impl List {
    /// What the keys of its entries begin with.
    pub(crate) const fn id(&self) -> [u8; 16] {
        match self {
            Self::Held(holding) => holding.id,
            Self::Short(hash) => *hash,
        }
    }

    /// The hint of its entries: of which number it is.
    pub(crate) const fn hint(&self) -> &[u8] {
        match self {
            Self::Held(holding) => &holding.number,
            Self::Short(_) => &[],
        }
    }
}

fn opt_out_scope(key: &OptOutKey, hint: &[u8]) -> Scope {
    hint.try_into().map_or(Scope::RESOURCE, |number| Holding { number, id: key.0 }.scope())
}

/// The scope of one text, sent or received.
pub(crate) fn text_scope(id: &TextId) -> Scope {
    Scope::new(SCOPE_TEXT, &[id])
}

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
    /// Texts that were sent, or are being sent.
    Texts, "sms_text", TextId, TextRow,
    |id, hint| if hint == HINT_FINAL { Scope::RESOURCE } else { text_scope(id) }
);
keyspace!(
    /// When to look at which texts.
    Due, "sms_due", (Timestamp, [u8; 16]), DueRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Who does not want to hear from whom.
    OptOuts, "sms_opt_out", OptOutKey, OptOutRow, |key, hint| opt_out_scope(key, hint)
);
keyspace!(
    /// Of a cell: what its carriers call the texts of its resources. The hint is when a row ends, in milliseconds.
    Receipts, "sms_receipt", [u8; 16], ReceiptRow, |_key, _hint| Scope::RESOURCE
);

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Texts::DEF, Due::DEF, OptOuts::DEF, Receipts::DEF]
}

/// One text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextRow {
    pub(crate) head: Head,
    pub(crate) progress: Progress,
}

/// What stays of a text when its words are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) accepted: Timestamp,
    /// When trying and waiting end.
    pub(crate) deadline: Timestamp,
    pub(crate) from: Personal<String>,
    pub(crate) to: Personal<String>,
    /// Whether a delivery report was asked for.
    pub(crate) report: bool,
    pub(crate) tag: Option<Personal<String>>,
}

/// Where a text stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// On its way: with how many segments delivered.
    Waiting { text: Personal<String>, delivered: u16 },
    /// Final.
    Done(Done),
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) at: Timestamp,
    pub(crate) end: End,
    /// Segments delivered, and those that were not.
    pub(crate) succeeded: u16,
    pub(crate) failed: u16,
}

/// How a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Delivered,
    /// With a code of ACS (behaviour section 4).
    Failed(u16),
    /// Handed to the carrier, and nobody wanted to know more.
    HandedOver,
}

/// What to look at when the time has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DueRow {
    /// Texts that were sent: whether they are overdue, or need not be remembered any more.
    Sent(Vec<TextId>),
    /// Texts that came in: their keys end.
    Received(Vec<TextId>),
    /// A list whose number was released: what its recipients wished, unreadable already, is removed.
    Released([u8; 16]),
}

/// Who does not want to hear from whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OptOutRow {
    pub(crate) from: Personal<String>,
    pub(crate) to: Personal<String>,
    pub(crate) since: Timestamp,
    pub(crate) by: OptOutBy,
}

/// How a recipient came to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OptOutBy {
    Keyword,
    Api,
}

/// What is known of one id of a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReceiptRow {
    /// It is one of `segments` of this text.
    Awaited { resource: ResourceId, text: TextId, segments: u16 },
    /// A receipt that came before the text was known under this id.
    Parked(Verdict),
}

/// What a receipt says of a segment, when it says something final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Delivered,
    /// With a code of ACS.
    Failed(u16),
}

impl TextRow {
    /// The same text without its words, ended.
    pub(crate) fn ended(head: &Head, done: Done) -> Self {
        Self { head: head.clone(), progress: Progress::Done(done) }
    }
}

/// When a receipt's row ends, as its hint.
pub(crate) fn ends(at: Timestamp) -> [u8; 8] {
    at.as_millis().to_be_bytes()
}

/// Whether a receipt's row with this hint has ended. One that cannot be read never ends by itself.
pub(crate) fn has_ended(hint: &[u8], now: Timestamp) -> bool {
    <[u8; 8]>::try_from(hint).is_ok_and(|millis| u64::from_be_bytes(millis) <= now.as_millis())
}
