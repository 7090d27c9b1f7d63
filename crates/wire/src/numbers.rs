//! Phone numbers on the wire: requests read into values that cannot be wrong, and what is answered.

mod query;
mod request;
mod response;

pub use query::{AreaCodes, Localities, Offerings};
pub use request::{
    Browse, ChangeCapabilities, OperatorLookup, Purchase, PurchaseReservation, ReservationPatch, Search,
    country, number,
};
pub use response::{
    AreaCode, Available, Cost, CountryItem, Division, Locality, NumberCapabilities, NumberError, Offering,
    Operation, OperatorDetails, OperatorInformation, Purchased, Reservation, SearchResult, browsed, list,
    lookups,
};

use crate::ApiVersion;

/// The first version that says `NotFound` of a number that is not held; before it was `PhoneNumberNotFound`.
pub const KNOWS_NOT_FOUND: ApiVersion = ApiVersion::known("2022-12-01");
/// Numbers on one page of a list unless something else is asked for, and the most there may be (ACS: 100).
pub const PAGE: usize = 100;
/// The most numbers of one search.
pub const MAX_QUANTITY: u32 = 500;
/// The most numbers that one request may add to or take from a reservation.
pub const MAX_RESERVATION_CHANGES: usize = 200;
/// The most numbers that are looked up in one request.
pub const MAX_LOOKUPS: usize = 100;
/// The most prefixes of one request to browse.
pub const MAX_PREFIXES: usize = 20;
