//! Phone numbers: the inventory of a geography, and who holds which.

use base::ResourceId;
use store::{Cell, KeyspaceDef, StoreError};

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    Vec::new()
}

/// STUB until the numbers part is merged.
pub async fn holder(cell: &Cell, number: &str) -> Result<Option<ResourceId>, StoreError> {
    let _ = (cell, number);
    Ok(None)
}

/// STUB until the numbers part is merged.
pub async fn may_text(cell: &Cell, resource: ResourceId, from: &str) -> Result<bool, StoreError> {
    let _ = (cell, resource, from);
    Ok(false)
}
