//! Telephone numbers for sale: what a number is offered as, inventories read from CSV, the fictitious numbers of
//! development, and how numbers are written for people.

use base::PhoneNumber;
use base::phone::{Assignment, Capabilities, NumberType};
use serde::{Deserialize, Serialize};

pub mod csv;
pub mod fictitious;
pub mod places;

/// The most numbers of one inventory that is loaded at once: they fit one commit of the store.
pub const MAX_NUMBERS: usize = 4_000;

/// What a number costs in a month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cost {
    /// In hundredths of the currency.
    pub cents: u32,
    /// ISO 4217, three capitals.
    pub currency: String,
}

/// The state or province of a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Division {
    /// Its short name: `WA`.
    pub short: String,
    /// Its name: `Washington`.
    pub name: String,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Operator {
    /// Its name.
    pub name: String,
    /// Mobile country code (ITU-T E.212), three digits.
    pub country_code: Option<String>,
    /// Mobile network code, two or three digits.
    pub network_code: Option<String>,
}

/// All that numbers of one kind and place have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offer {
    /// ISO 3166-1, two capitals.
    pub country: String,
    /// What kind of numbers.
    pub kind: NumberType,
    /// Who they are for.
    pub assignment: Assignment,
    /// What can be done with them.
    pub capabilities: Capabilities,
    /// What one costs.
    pub cost: Cost,
    /// The digits after the country's calling code that they share, where there is such a thing.
    pub area_code: Option<String>,
    /// The place they belong to.
    pub locality: Option<String>,
    /// The state or province of that place.
    pub division: Option<Division>,
    /// Whether who buys one must promise not to sell it on.
    pub not_for_resale: bool,
    /// Whose network they are in.
    pub operator: Option<Operator>,
}

/// Numbers with what they are offered as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Each once.
    pub offers: Vec<Offer>,
    /// Each once, with the place of its offer in [`Self::offers`].
    pub numbers: Vec<(PhoneNumber, usize)>,
}
