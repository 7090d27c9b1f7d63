//! Texts as values: who they go to, how they are written in the alphabets of a telephone, how they are cut into segments
//! and put together again, and what a carrier's receipt says.

pub mod alphabet;
pub mod assemble;
pub mod keyword;
pub mod number;
pub mod receipt;
pub mod segment;
mod table;
