//! Phone numbers: the inventory of a geography, and who holds which.

mod holder;
mod release;
mod rows;

pub use holder::{MayText, Sender, expect_held, holder, key, may_text, may_text_in};
pub use release::{OnRelease, Released};
pub use rows::{NumberKey, held_scope, keyspaces};
