//! What is kept of telephone numbers. The inventory is the cell's, under [`base::ResourceId::CELL`]; what a resource
//! holds, sought and reserved is the resource's own. Both change in one commit, so they always agree.
//!
//! | keyspace | whose | key | value | key that seals it |
//! |---|---|---|---|---|
//! | `number_register` | cell | none | what was loaded; one version for each import | the cell's |
//! | `number_shelf` | cell | hash of the offer | an offer: place, type, price, what can be done | the cell's |
//! | `number` | cell | number | the number, its shelf, who has it | the cell's |
//! | `number_free` | cell | shelf, number | the number: nobody has it | the cell's |
//! | `number_kept` | cell | instant, number | nothing: whose keeping ends when | the cell's |
//! | `number_held` | resource | number | a purchased number | that of this holding; which one it is stands in the hint |
//! | `number_search` | resource | search | what was found, and until when it is kept | the resource's |
//! | `number_reservation` | resource | reservation | what is reserved | the resource's |
//! | `number_operation` | resource | operation | what came of it | the resource's |
//!
//! A number is called by a blind index made with the cell's key ([`NumberKey`]), in both places the same: it is held by
//! one resource at most. Searches and operations are called by ids that begin with the time, so that the oldest come
//! first.

use std::collections::BTreeMap;

use base::phone::{Assignment, Capabilities, NumberType};
use base::{EntryId, Personal, PhoneNumber, ResourceId, Timestamp};
use post::numbers::{Cost, Offer};
use serde::{Deserialize, Serialize};
use store::{Class, Keyspace, KeyspaceDef, Scope};

/// The blind index of a number in its cell.
pub type NumberKey = [u8; 16];
/// The hash of an offer.
pub(crate) type ShelfKey = [u8; 16];

/// Kind of scope owned by this service; part of the scope's bytes, so it never changes.
const SCOPE_HELD: u8 = 0x22;

/// One resource's having a number, from one purchase to the release. A number that is bought again is another holding,
/// so that nothing of the former one comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Which number.
    pub number: NumberKey,
    /// Which holding of it. Random; those of before there were holdings have the number's key.
    pub id: [u8; 16],
}

impl Holding {
    /// The holding that a row of `number` with this hint tells of.
    pub(super) fn of(number: NumberKey, hint: &[u8]) -> Self {
        Self { number, id: hint.try_into().unwrap_or(number) }
    }

    /// What belongs to the number for as long as this holding lasts, and dies when it is released: other services may
    /// seal under it too.
    #[must_use]
    pub fn scope(&self) -> Scope {
        if self.id == self.number {
            return Scope::new(SCOPE_HELD, &[&self.number]);
        }
        Scope::new(SCOPE_HELD, &[&self.number, &self.id])
    }
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
    /// The one row that every import changes.
    Registers, "number_register", (), RegisterRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Offers.
    Shelves, "number_shelf", ShelfKey, Offer, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// The inventory.
    Numbers, "number", NumberKey, NumberRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Numbers that can be had.
    FreeNumbers, "number_free", (ShelfKey, NumberKey), PhoneNumber, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// When keeping ends.
    KeptNumbers, "number_kept", (Timestamp, NumberKey), (), |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Numbers that the resource holds.
    HeldNumbers, "number_held", NumberKey, HeldNumber, |key, hint| Holding::of(*key, hint).scope()
);
keyspace!(
    /// Searches of the resource.
    Searches, "number_search", EntryId, SearchRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Reservations of the resource.
    Reservations, "number_reservation", EntryId, ReservationRow, |_key, _hint| Scope::RESOURCE
);
keyspace!(
    /// Long-running operations of the resource.
    Operations, "number_operation", EntryId, OperationRow, |_key, _hint| Scope::RESOURCE
);

/// What was loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RegisterRow {
    /// How many numbers there are.
    pub numbers: u64,
    /// The mark of the last built-in inventory that was loaded.
    pub built_in: u32,
}

/// Who has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    /// Nobody.
    Free,
    /// A resource that may buy it until then.
    Kept {
        /// Which.
        by: ResourceId,
        /// For which search or reservation.
        of: EntryId,
        /// From then on it is free.
        until: Timestamp,
    },
    /// A resource that bought it.
    Held {
        /// Which.
        by: ResourceId,
    },
}

/// One number of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberRow {
    /// The number.
    pub number: PhoneNumber,
    /// Its offer.
    pub shelf: ShelfKey,
    /// Who has it.
    pub state: State,
}

/// A number that a resource holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldNumber {
    /// The number.
    pub number: PhoneNumber,
    /// What it was offered as.
    pub offer: Offer,
    /// What it is set up for, which is within what was offered.
    pub capabilities: Capabilities,
    /// When it was bought.
    pub purchased_at: Timestamp,
}

/// A search and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRow {
    /// The numbers, kept for the resource.
    pub numbers: Vec<PhoneNumber>,
    /// What was asked for.
    pub kind: NumberType,
    /// What was asked for.
    pub assignment: Assignment,
    /// What was asked for.
    pub capabilities: Capabilities,
    /// What one costs; none when none was found.
    pub cost: Option<Cost>,
    /// Whether who buys them must promise not to sell them on.
    pub not_for_resale: bool,
    /// Whether fewer were found than asked for.
    pub short: bool,
    /// Until when they are kept.
    pub expires: Timestamp,
    /// Whether they were bought.
    pub purchased: bool,
}

/// How a reservation stands, as far as the clock does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ReservationState {
    /// It can be changed and bought until it expires.
    Active,
    /// It was bought.
    Completed,
}

/// A reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReservationRow {
    /// How it stands.
    pub state: ReservationState,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends unless it is changed or bought.
    pub expires: Timestamp,
    /// The numbers by their digits, with what they are offered as.
    pub numbers: BTreeMap<Personal<String>, Offer>,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// Searches.
    Search,
    /// Buys what a search found.
    Purchase,
    /// Gives a number back.
    Release,
    /// Changes what a number is set up for.
    Capabilities,
    /// Buys what is reserved.
    PurchaseReservation,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationFailure {
    /// What was kept is kept no longer.
    Expired,
    /// Nothing had been found.
    NothingFound,
}

/// A long-running operation. Each is done when it is accepted; the row says what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRow {
    /// What it does.
    pub kind: OperationKind,
    /// When it was accepted.
    pub created: Timestamp,
    /// What it is about: the path of its result below the endpoint.
    pub result: Option<Personal<String>>,
    /// Why it failed, if it did.
    pub failure: Option<OperationFailure>,
}

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![
        Registers::DEF,
        Shelves::DEF,
        Numbers::DEF,
        FreeNumbers::DEF,
        KeptNumbers::DEF,
        HeldNumbers::DEF,
        Searches::DEF,
        Reservations::DEF,
        Operations::DEF,
    ]
}
