//! Making unreadable what a user wrote.

use base::UserId;
use store::{Cell, Draft, Reader, StoreError};

/// Adds to `draft` the destruction of all keys of what `user` wrote and was called in the chats of the resource.
///
/// # Errors
/// Those of the store.
pub async fn forget_user(
    _cell: &Cell,
    _reader: &mut Reader,
    _draft: &mut Draft,
    _user: UserId,
) -> Result<(), StoreError> {
    Ok(())
}
