//! What is kept of mail: its keyspaces, the values of their rows, and under whose key each rests.
//!
//! | keyspace | key | value | key that seals it |
//! |---|---|---|---|
//! | `mail` | mail | its envelope and the beginning of its message | the mail's |
//! | `mail_chunk` | mail, number from 1 | the rest of a long message | the mail's |
//! | `mail_operation` | mail | how far it came; no content | the resource's |
//! | `mail_recipient` | mail, place | an address and what became of it | the day's |
//! | `mail_expiry` | day, mail | nothing: what is forgotten when | the resource's |
//! | `mail_suppression` | hash of an address, hash of a list | why, since when, until when | the address's |
//! | `mail_domain` | hash of a domain | its name, state and senders | the resource's |
//! | `mail_domain_key` | hash of a domain, selector | private keys that sign | the resource's |
//!
//! A mail's key goes with the commit that records the last outcome: then nothing of what was written can be read. What
//! became of each recipient is kept for some days, for bounces come late; all of one day dies with that day's key.

use base::{MailId, Personal, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

use super::blob::Blob;

/// Kinds of scope owned by mail; the number is part of the scope's bytes and never changes.
const SCOPE_MAIL: u8 = 10;
const SCOPE_DAY: u8 = 0x20;
const SCOPE_SUPPRESSED: u8 = 0x21;

/// A day of a resource's mail, counted from 1970.
pub(crate) type Day = u32;
/// The keyed hash of an address, a domain or a list.
pub(crate) type Hash = [u8; 16];

/// The list that stands for all mail of the resource.
pub(crate) const EVERY_LIST: Hash = [0; 16];

/// The day of an instant.
pub(crate) fn day(at: Timestamp) -> Day {
    u32::try_from(at.as_secs() / 86_400).unwrap_or(u32::MAX)
}

/// The scope of what one mail says.
pub(crate) fn mail_scope(mail: MailId) -> Scope {
    Scope::new(SCOPE_MAIL, &[mail.as_bytes()])
}

/// The scope of what became of one day's mails.
pub(crate) fn day_scope(day: Day) -> Scope {
    Scope::new(SCOPE_DAY, &[&day.to_be_bytes()])
}

/// The scope of why one address is left alone.
pub(crate) fn suppressed_scope(address: Hash) -> Scope {
    Scope::new(SCOPE_SUPPRESSED, &[&address])
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
    /// Mails, until all that can be delivered of them is.
    Mails, "mail", MailId, MailRow, |mail, _hint| mail_scope(*mail)
);
keyspace!(
    /// The rest of long messages.
    Chunks, "mail_chunk", (MailId, u16), Blob, |key, _hint| mail_scope(key.0)
);
keyspace!(
    /// How far each mail came.
    Operations, "mail_operation", MailId, OperationRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// What became of each recipient; the hint is the day, big-endian.
    Recipients, "mail_recipient", (MailId, u16), RecipientRow,
    |_key, hint| day_scope(hint.try_into().map_or(Day::MAX, Day::from_be_bytes))
);
keyspace!(
    /// Which mails are forgotten when.
    Expiries, "mail_expiry", (Day, MailId), (), |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Addresses that are left alone.
    Suppressions, "mail_suppression", (Hash, Hash), SuppressionRow, |key, _hint| suppressed_scope(key.0)
);
keyspace!(
    /// Domains that the resource may send from.
    Domains, "mail_domain", Hash, DomainRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Private keys of domains.
    DomainKeys, "mail_domain_key", (Hash, u8), DomainKeyRow, |_key, _hint| Scope::RESOURCE
);

/// All keyspaces of mail.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![
        Mails::DEF,
        Chunks::DEF,
        Operations::DEF,
        Recipients::DEF,
        Expiries::DEF,
        Suppressions::DEF,
        Domains::DEF,
        DomainKeys::DEF,
        super::smtp::Users::DEF,
        super::smtp::Names::DEF,
    ]
}

/// A mail on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailRow {
    pub(crate) accepted: Timestamp,
    /// Who it is from.
    pub(crate) sender: Personal<String>,
    /// The domain it is from.
    pub(crate) domain: Hash,
    /// Its Message-ID, without angle brackets.
    pub(crate) message_id: Personal<String>,
    /// Everybody who gets it, each once; those who are suppressed are in no part.
    pub(crate) recipients: Vec<Personal<String>>,
    /// What goes where.
    pub(crate) parts: Vec<PartRow>,
    /// Whether opens and clicks may be told of.
    pub(crate) tracking: bool,
    /// The message as it was composed, unsigned: all of it, or its beginning.
    pub(crate) message: Blob,
    /// How many rows hold the rest.
    pub(crate) chunks: u16,
}

/// The part of a mail that goes to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartRow {
    pub(crate) destination: Personal<String>,
    /// Places in [`MailRow::recipients`].
    pub(crate) recipients: Vec<u16>,
}

/// How far a mail came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperationRow {
    pub(crate) accepted: Timestamp,
    pub(crate) state: State,
    /// Parts, one for each destination, that are still to be delivered.
    pub(crate) open: u16,
}

/// Where the sending of a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Nobody has said yet what becomes of it.
    Running,
    /// Some mail server took it, or refused it: it was out for delivery.
    Succeeded,
    /// Every recipient is suppressed.
    Suppressed,
    /// It could not be handed over in time.
    Dropped,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecipientRow {
    /// As the sender wrote it.
    pub(crate) address: Personal<String>,
    /// Who sent the mail, for the event.
    pub(crate) sender: Personal<String>,
    /// The Message-ID that the mail has in the world.
    pub(crate) message_id: Personal<String>,
    pub(crate) status: Status,
    /// What the other side said, or why there is no other side.
    pub(crate) detail: Personal<String>,
    /// The server that said it.
    pub(crate) host: Option<String>,
    pub(crate) at: Timestamp,
}

/// What became of one recipient, in the words of ACS's delivery reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// The recipient's server took it.
    Delivered,
    /// There is no such mailbox.
    Bounced,
    /// Not delivered for another reason.
    Failed,
    /// Refused as spam.
    FilteredSpam,
    /// Taken, and put aside.
    Quarantined,
    /// Not sent, because the address is on a suppression list.
    Suppressed,
    /// Taken by a list, which sends it on.
    Expanded,
}

/// Why an address is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SuppressionRow {
    pub(crate) address: Personal<String>,
    pub(crate) reason: Reason,
    pub(crate) since: Timestamp,
    /// When it ends by itself; `None` when only who runs the list ends it.
    pub(crate) until: Option<Timestamp>,
    /// How often the lease was extended.
    pub(crate) extended: u8,
    /// Only for mail of this sender; `None` for all.
    pub(crate) sender: Option<Personal<String>>,
    /// What the other side said.
    pub(crate) detail: Option<Personal<String>>,
    /// The mail it came of.
    pub(crate) mail: Option<MailId>,
}

/// What an address is left alone for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A server said that there is no such mailbox.
    HardBounce,
    /// The recipient called a mail of this resource spam.
    Complaint,
    /// The recipient asked to be left alone by one sender.
    Unsubscribed,
    /// Somebody put it on the list.
    Manual,
}

/// A domain of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DomainRow {
    /// Lower case.
    pub(crate) name: Personal<String>,
    /// Made by the server for development: always verified, and has one sender only.
    pub(crate) managed: bool,
    pub(crate) created: Timestamp,
    /// What the ownership record holds.
    pub(crate) proof: String,
    /// Each record's state, in the order of [`super::domain::Record::ALL`].
    pub(crate) records: [RecordRow; 6],
    /// Which of the two selectors signs: 1 or 2.
    pub(crate) selector: u8,
    pub(crate) senders: Vec<SenderRow>,
    /// Whether opens and clicks are told of.
    pub(crate) tracking: bool,
}

/// Where a record of a domain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordRow {
    pub(crate) state: super::domain::RecordState,
    pub(crate) at: Timestamp,
}

/// A sender of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SenderRow {
    /// The part before the `@`, as it was registered; compared without regard to case.
    pub(crate) username: Personal<String>,
    pub(crate) display_name: Option<Personal<String>>,
}

/// The private keys of one selector.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DomainKeyRow {
    pub(crate) created: Timestamp,
    /// PKCS #8.
    pub(crate) rsa: Blob,
    /// PKCS #8.
    pub(crate) ed25519: Blob,
}
