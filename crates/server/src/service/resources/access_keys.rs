//! A resource's own row: its name and its two access keys.

use std::fmt;

use base::{ResourceId, Secret, Timestamp};
use guard::signature::AccessKey;
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Keyspace, KeyspaceDef, Scope, StoreError};

use super::{ResourceError, is_name};
use crate::service::audit::{self, Act, Actor, Target};

/// How often a start that races with another node's is tried again.
const ATTEMPTS: usize = 8;

/// The row of each resource, under its own id.
pub struct Resources;

impl Keyspace for Resources {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "resource", class: Class::Key };
    const FORMAT: u8 = 1;
    type Key = u32;
    type Value = ResourceRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// There is one row of each resource.
const ONLY: u32 = 0;

/// What is kept of a resource.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResourceRow {
    name: String,
    created_on: Timestamp,
    /// Standard base64, the first and the second key.
    keys: Vec<String>,
}

impl fmt::Debug for ResourceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceRow").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An opened resource.
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_on: Timestamp,
    /// Its access keys, the first one first.
    pub access_keys: Vec<AccessKey>,
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Resource {
    /// The first access key in the form of a connection string.
    #[must_use]
    pub fn primary_key(&self) -> Option<Secret<String>> {
        self.access_keys.first().map(AccessKey::to_base64)
    }
}

/// The resource `id` of `cell`, made with two fresh access keys when it is not there yet. A `first_key` takes the place
/// of the first access key, of an existing resource too, which ends the former one.
///
/// # Errors
/// [`ResourceError`].
pub async fn ensure(
    cell: &Cell,
    id: ResourceId,
    name: &str,
    first_key: Option<&AccessKey>,
) -> Result<Resource, ResourceError> {
    if !is_name(name) {
        return Err(ResourceError::Name);
    }
    cell.create_resource_key(id).await?;
    for _ in 0..ATTEMPTS {
        match ensure_once(cell, id, name, first_key).await {
            Err(ResourceError::Store(StoreError::Conflict)) => {}
            done => return done,
        }
    }
    Err(StoreError::Conflict.into())
}

/// The resource `id` of `cell`.
///
/// # Errors
/// [`ResourceError::Unknown`] when it is not there.
pub async fn load(cell: &Cell, id: ResourceId) -> Result<Resource, ResourceError> {
    let mut reader = cell.read(id).await?;
    let found = reader.get::<Resources>(&ONLY).await?.ok_or(ResourceError::Unknown)?;
    open(id, &found.value)
}

async fn ensure_once(
    cell: &Cell,
    id: ResourceId,
    name: &str,
    first_key: Option<&AccessKey>,
) -> Result<Resource, ResourceError> {
    let mut reader = cell.read(id).await?;
    let found = reader.get::<Resources>(&ONLY).await?;
    drop(reader);
    let mut draft = cell.draft(id).await?;
    let first = first_key.map(|key| key.to_base64().expose().clone());
    let (row, act) = match (found, first) {
        (Some(found), None) => return open(id, &found.value),
        (Some(found), Some(first)) if found.value.keys.first() == Some(&first) => {
            return open(id, &found.value);
        }
        (Some(found), Some(first)) => {
            let mut row = found.value;
            row.keys.truncate(2);
            if row.keys.is_empty() {
                row.keys.push(first);
            } else {
                row.keys[0] = first;
            }
            draft.expect_version::<Resources>(&ONLY, found.version);
            (row, "resource.set_key")
        }
        (None, first) => {
            let fresh = || AccessKey::generate(&**cell.rng()).to_base64().expose().clone();
            let keys = vec![first.unwrap_or_else(fresh), fresh()];
            draft.expect_absent::<Resources>(&ONLY);
            (ResourceRow { name: name.to_owned(), created_on: cell.clock().now(), keys }, "resource.create")
        }
    };
    draft.put_in_resource::<Resources>(&ONLY, &row, &[])?;
    let act = Act { name: Some(act), by: Actor::Operator };
    audit::record(&mut draft, act, Target::Resource(id), cell.clock().now(), &**cell.rng())?;
    draft.commit().await?;
    open(id, &row)
}

fn open(id: ResourceId, row: &ResourceRow) -> Result<Resource, ResourceError> {
    let keys: Result<Vec<_>, _> = row.keys.iter().map(|key| AccessKey::parse(key)).collect();
    let access_keys = keys.map_err(|_| ResourceError::Key { keyspace: Resources::DEF.name })?;
    Ok(Resource { id, name: row.name.clone(), created_on: row.created_on, access_keys })
}

#[cfg(test)]
mod tests {
    use store::{Direction, KeyRange, MAX_SCAN};

    use super::*;
    use crate::testing::TestApp;

    async fn keys(cell: &Cell, id: ResourceId, first: Option<&AccessKey>) -> Vec<String> {
        let made = ensure(cell, id, "fresh", first).await.unwrap();
        made.access_keys.iter().map(|key| key.to_base64().expose().clone()).collect()
    }

    #[tokio::test]
    async fn a_resource_keeps_its_two_keys() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let id = ResourceId::mint(&*test.rng);
        assert!(matches!(load(cell, id).await, Err(ResourceError::Store(StoreError::UnknownResource))));
        let made = keys(cell, id, None).await;
        assert_eq!(made.len(), 2);
        assert_ne!(made[0], made[1]);
        assert_eq!(keys(cell, id, None).await, made, "asked again, nothing is made anew");
        let loaded = load(cell, id).await.unwrap();
        assert_eq!(loaded.name, "fresh");
        assert_eq!(loaded.primary_key().map(|key| key.expose().clone()), made.first().cloned());
        let row = format!("{loaded:?}");
        assert!(row.contains("fresh") && !row.contains(&made[0]));
    }

    #[tokio::test]
    async fn a_given_key_takes_the_place_of_the_first_and_leaves_a_trace() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let id = ResourceId::mint(&*test.rng);
        let before = keys(cell, id, None).await;
        let given = AccessKey::generate(&*test.rng);
        for _ in 0..2 {
            let after = keys(cell, id, Some(&given)).await;
            assert_eq!(after, [given.to_base64().expose().clone(), before[1].clone()]);
        }
        let mut reader = cell.read(id).await.unwrap();
        let entries =
            reader.scan::<audit::Entries>(KeyRange::all(), Direction::Forward, MAX_SCAN).await.unwrap();
        let mut acts: Vec<_> =
            entries.into_iter().filter_map(|(_, e)| e.value()).map(|e| e.value.act).collect();
        acts.sort_unstable();
        assert_eq!(acts, ["resource.create", "resource.set_key"], "one entry for each change, none for none");
    }

    #[tokio::test]
    async fn a_fresh_resource_takes_a_given_key_at_once() {
        let test = TestApp::new().await;
        let given = AccessKey::generate(&*test.rng);
        let made = keys(test.resource().cell(), ResourceId::mint(&*test.rng), Some(&given)).await;
        assert_eq!(made[0], *given.to_base64().expose());
        assert_eq!(made.len(), 2);
    }

    #[tokio::test]
    async fn names_are_checked_before_anything_is_made() {
        let test = TestApp::new().await;
        let id = ResourceId::mint(&*test.rng);
        let refused = ensure(test.resource().cell(), id, "not a name", None).await;
        assert!(matches!(refused, Err(ResourceError::Name)));
        assert!(load(test.resource().cell(), id).await.is_err());
    }
}
