//! Phone numbers: the inventory of a geography, and who holds which. An operation that ACS runs for a while is done here
//! when it is accepted, in one commit over the cell's register and the resource's rows, so that two resources never
//! hold one number and nothing is half done.

mod desk;
mod error;
mod held;
mod holder;
mod inventory;
mod keeping;
mod offers;
mod operation;
mod purchase;
mod release;
mod reservation;
mod rows;
mod search;

pub use desk::NumbersDesk;
pub use error::NumbersError;
pub use held::{CapabilityChange, Lookup};
pub use holder::{MayText, Sender, expect_held, holder, holding, key, may_text, may_text_in};
pub use inventory::{Listed, Loaded, Lot, Standing, ensure_held, load, lots, numbers};
pub use offers::{Browsed, Filter};
pub use operation::OperationName;
pub use release::{OnRelease, Released};
pub use reservation::{Item, ItemStatus, ReservationView, Standing as ReservationStanding};
pub use rows::{
    HeldNumber, Holding, NumberKey, OperationFailure, OperationKind, OperationRow, SearchRow, keyspaces,
};
pub use search::Wanted;
