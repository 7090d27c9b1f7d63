//! SIP routing: trunks and routes, stored and validated.

use store::KeyspaceDef;

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    Vec::new()
}
