//! What the product does. The only layer that opens a commit; it knows no HTTP.

pub mod audit;
pub mod chat;
pub mod identity;
pub mod resources;

use store::KeyspaceDef;

/// The keyspaces of all areas, for [`store::Cell::open`].
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    let mut all = vec![audit::DEF];
    all.extend(identity::keyspaces());
    all.extend(resources::keyspaces());
    all.extend(chat::keyspaces());
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn every_keyspace_has_a_name_of_its_own() {
        let all = super::keyspaces();
        let names: HashSet<_> = all.iter().map(|def| def.name).collect();
        assert_eq!(names.len(), all.len());
        for name in ["audit", "identity", "resource", "signing_key"] {
            assert!(names.contains(name), "{name}");
        }
    }
}
