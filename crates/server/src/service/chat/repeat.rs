//! Creations that are asked for twice: the id of a request leads to what it made the first time.

use base::{ThreadId, Timestamp, UserId};
use store::Draft;

use super::ChatError;
use super::rows::{HINT_RESOURCE, RepeatRow, Repeats};
use super::thread::Repeatability;

/// What a repeatability id leads to.
#[derive(Default)]
pub(super) struct Repeat {
    pub(super) first: Option<ThreadId>,
    pub(super) version: Option<u64>,
    pub(super) expired: Vec<[u8; 16]>,
}

impl Repeat {
    /// Remembers `thread` as the first result, against any other that is being made at the same time.
    pub(super) fn write(
        &self,
        draft: &mut Draft,
        user: UserId,
        thread: ThreadId,
        on: Timestamp,
        repeat: Option<Repeatability>,
    ) -> Result<(), ChatError> {
        let Some(Repeatability { id, request }) = repeat else { return Ok(()) };
        match self.version {
            Some(version) => draft.expect_version::<Repeats>(&(user, id), version),
            None => draft.expect_absent::<Repeats>(&(user, id)),
        }
        for old in self.expired.iter().filter(|old| **old != id) {
            draft.delete::<Repeats>(&(user, *old));
        }
        draft.put_in_resource::<Repeats>(&(user, id), &RepeatRow { thread, on, request }, HINT_RESOURCE)?;
        Ok(())
    }
}
