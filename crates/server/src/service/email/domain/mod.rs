//! Domains that a resource may send mail from: the records that prove them, their senders, the keys that sign.
//!
//! A domain is found by the keyed hash of its name. Both of its selectors have keys from the start, so that both records
//! can stand in the DNS: to rotate is to sign with the other one, and then to make the one that rests anew.

mod records;
mod registry;
mod verify;

use base::{Personal, Timestamp};
use serde::{Deserialize, Serialize};
use store::Draft;

pub use records::{DnsRecord, second_name, selector_name};
pub use verify::{DomainLookup, LookupFault};

use super::rows::{DomainRow, Domains, Hash, RecordRow};
use super::signing::Signers;

/// The sender that every domain has (ACS behaviour, section 3).
pub(super) const DEFAULT_SENDER: &str = "DoNotReply";
/// The end of the names of domains for development; `.test` is never in the DNS (RFC 6761).
pub const DEVELOPMENT: &str = ".chancery.test";

/// The records by which a domain is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// That it is ours.
    Domain,
    /// That our server may send for it.
    Spf,
    /// The key of the first selector.
    Dkim,
    /// The key of the second selector.
    Dkim2,
    /// What receivers shall do with what is not signed. Not needed to send.
    Dmarc,
    /// The second key of the selector that signs, of a kind that newer receivers know: used once it is there. ACS has
    /// no such record.
    Ed25519,
}

impl Record {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Domain, Self::Spf, Self::Dkim, Self::Dkim2, Self::Dmarc, Self::Ed25519];

    /// The name ACS gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domain => "Domain",
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
            Self::Dkim2 => "DKIM2",
            Self::Dmarc => "DMARC",
            Self::Ed25519 => "DKIM-Ed25519",
        }
    }

    /// The record of that name, whatever its case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|record| record.name().eq_ignore_ascii_case(name))
    }

    /// The record of a selector, 1 or 2.
    #[must_use]
    pub const fn of_selector(selector: u8) -> Self {
        if selector == 1 { Self::Dkim } else { Self::Dkim2 }
    }
}

/// Where a record stands (ACS behaviour, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordState {
    /// Nobody asked yet.
    #[default]
    NotStarted,
    /// It was found.
    Verified,
    /// It was not found, or it says something else.
    VerificationFailed,
}

impl RecordState {
    /// The name ACS gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::Verified => "Verified",
            Self::VerificationFailed => "VerificationFailed",
        }
    }
}

/// A domain as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainView {
    /// Its name, lower case.
    pub name: Personal<String>,
    /// Whether the server made it for development.
    pub managed: bool,
    /// Since when it is known.
    pub created: Timestamp,
    /// Each record, what it must hold and where it stands.
    pub records: Vec<(Record, DnsRecord, RecordState)>,
    /// Which selector signs: 1 or 2.
    pub selector: u8,
    /// Its senders: username and display name.
    pub senders: Vec<(Personal<String>, Option<Personal<String>>)>,
    /// Whether opens and clicks are told of.
    pub tracking: bool,
    /// Whether it may send.
    pub verified: bool,
}

/// A domain with its keys, as this node last read it.
pub(super) struct DomainUse {
    pub(super) hash: Hash,
    pub(super) version: u64,
    pub(super) row: DomainRow,
    pub(super) signers: Signers,
    pub(super) read: Timestamp,
}

impl DomainUse {
    /// The display name of a sender of this domain, when it has that sender.
    pub(super) fn sender(&self, username: &str) -> Option<Option<&str>> {
        let found =
            self.row.senders.iter().find(|known| known.username.expose().eq_ignore_ascii_case(username))?;
        Some(found.display_name.as_ref().map(|name| name.expose().as_str()))
    }

    /// Makes a commit rest on the domain being as it was read.
    pub(super) fn expect(&self, draft: &mut Draft) {
        draft.expect_version::<Domains>(&self.hash, self.version);
    }
}

impl DomainRow {
    /// Whether mail may be sent from it: it is ours, we may send for it, and the selector that signs is in the DNS.
    pub(super) fn is_verified(&self) -> bool {
        let needed = [Record::Domain, Record::Spf, Record::of_selector(self.selector)];
        self.managed || needed.into_iter().all(|record| self.has(record))
    }

    /// Whether the second key may sign too.
    pub(super) fn has_ed25519(&self) -> bool {
        self.managed || self.has(Record::Ed25519)
    }

    /// Whether a record was found.
    pub(super) fn has(&self, record: Record) -> bool {
        let mut all = Record::ALL.into_iter().zip(&self.records);
        all.any(|(known, row)| known == record && row.state == RecordState::Verified)
    }

    /// Notes where a record stands.
    pub(super) fn set(&mut self, record: Record, state: RecordState, at: Timestamp) {
        for (known, slot) in Record::ALL.into_iter().zip(&mut self.records) {
            if known == record {
                *slot = RecordRow { state, at };
            }
        }
    }
}
