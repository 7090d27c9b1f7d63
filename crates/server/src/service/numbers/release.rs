//! What belongs to a number is deleted in the commit that releases it. Other services add themselves to the list.

use base::ResourceId;
use guard::BoxFuture;
use store::{Draft, Reader, StoreError};

use super::rows::Holding;

/// A number that is being released.
#[derive(Clone, Copy, Debug)]
pub struct Released {
    /// Who held it.
    pub resource: ResourceId,
    /// What ends, and whose scope's key this commit destroys.
    pub holding: Holding,
}

/// Adds to the commit what deletes all that belongs to a number: small things at once, for many a row that a job works
/// off. `reader` is of the same resource, at the moment the commit rests on. The commit may lose and be built anew.
pub type OnRelease =
    for<'a> fn(&'a mut Reader, &'a mut Draft, &'a Released) -> BoxFuture<'a, Result<(), StoreError>>;

/// Who has something to delete.
pub(super) const ON_RELEASE: &[OnRelease] = &[crate::service::sms::on_release];
