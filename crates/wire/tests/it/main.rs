//! What the crate writes, compared with checked-in files under `tests/golden`. After a change that is meant, write them
//! anew with `UPDATE_GOLDEN=1 cargo nextest run -p wire` and read the difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chat;
mod golden;
mod identity;
mod operations;
