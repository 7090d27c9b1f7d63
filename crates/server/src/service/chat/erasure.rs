//! Making unreadable what a user wrote.

use base::UserId;
use guard::BoxFuture;
use store::{Draft, Reader, StoreError};

/// Adds to `draft` the destruction of all keys under which `user` wrote.
pub fn forget_user<'a>(
    _reader: &'a mut Reader,
    _draft: &'a mut Draft,
    _user: UserId,
) -> BoxFuture<'a, Result<(), StoreError>> {
    Box::pin(async { Ok(()) })
}
