//! The register of a cell's resources: each is made in it once, however many nodes begin at the same moment.

use std::collections::HashSet;

use base::{ResourceId, Timestamp};
use guard::signature::AccessKey;
use store::{Cell, Direction, Draft, KeyRange, MAX_SCAN, StoreError};

use super::access_keys::AccessKeys;
use super::rows::{Former, FormerRow, KeyRow, ONLY, Place, Register, ResourceRow};
use super::{ResourceError, is_name};
use crate::service::audit::{self, Act, Actor, Target};

/// How often a start that races with another node's is tried again.
const ATTEMPTS: usize = 8;

/// A resource that is to be there.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a str,
    /// The id it gets when it is new; one is drawn without it.
    pub id: Option<ResourceId>,
    /// Takes the place of the first access key, of an existing resource too, which ends the former one.
    pub first_key: Option<&'a AccessKey>,
}

/// An opened resource.
#[derive(Debug)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_on: Timestamp,
    /// The keys that sign its requests.
    pub access_keys: AccessKeys,
}

/// The resource called so in `cell`, made with two fresh access keys when it is not there yet. Its own keys are not
/// touched: see [`super::custody::ensure`].
///
/// # Errors
/// [`ResourceError`].
pub async fn ensure(cell: &Cell, wanted: Wanted<'_>) -> Result<Resource, ResourceError> {
    if !is_name(wanted.name) {
        return Err(ResourceError::Name);
    }
    let place = place(cell, wanted.name).await?;
    for _ in 0..ATTEMPTS {
        match ensure_once(cell, place, wanted).await {
            Err(ResourceError::Store(StoreError::Conflict)) => {}
            Err(fault) => return Err(fault),
            Ok(mut made) => {
                made.access_keys = made.access_keys.with_first_configured(wanted.first_key.is_some());
                return Ok(made);
            }
        }
    }
    Err(StoreError::Conflict.into())
}

/// Where a resource is in the register. Names that differ in case alone are one, as host names are.
async fn place(cell: &Cell, name: &str) -> Result<Place, StoreError> {
    let name = name.to_ascii_lowercase();
    cell.blind_index(ResourceId::CELL, "resource name", name.as_bytes()).await
}

async fn ensure_once(cell: &Cell, place: Place, wanted: Wanted<'_>) -> Result<Resource, ResourceError> {
    let now = cell.clock().now();
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Register>(&place).await?;
    drop(reader);
    let mut draft = cell.draft(ResourceId::CELL).await?;
    let (mut row, mut act, version) = match found {
        Some(found) => {
            draft.expect_version::<Register>(&place, found.version);
            (found.value, None, Some(found.version))
        }
        None => {
            draft.expect_absent::<Register>(&place);
            match former(cell, wanted.name).await? {
                Some((id, row, version)) => {
                    leave_former(&mut draft, id, version).await?;
                    (row.registered(id), Some("resource.register"), None)
                }
                None => (fresh(cell, wanted, now), Some("resource.create"), None),
            }
        }
    };
    if let Some(first) = wanted.first_key.map(|key| key.to_base64().expose().clone())
        && row.keys.first().is_none_or(|key| key.text != first)
    {
        let key = KeyRow { text: first, since: now };
        row.keys.truncate(2);
        match row.keys.first_mut() {
            Some(place) => *place = key,
            None => row.keys.push(key),
        }
        act = act.or(Some("resource.set_key"));
    }
    let Some(name) = act else { return open(cell, place, &row, version.unwrap_or(1)) };
    draft.put_in_resource::<Register>(&place, &row, &[])?;
    let act = Act { name: Some(name), by: Actor::Operator };
    audit::record(&mut draft, act, Target::Resource(row.id), now, &**cell.rng())?;
    draft.commit().await?;
    open(cell, place, &row, version.map_or(1, |version| version + 1))
}

fn fresh(cell: &Cell, wanted: Wanted<'_>, now: Timestamp) -> ResourceRow {
    let rng = &**cell.rng();
    let key = || KeyRow { text: AccessKey::generate(rng).to_base64().expose().clone(), since: now };
    let first = wanted
        .first_key
        .map_or_else(key, |given| KeyRow { text: given.to_base64().expose().clone(), since: now });
    let id = wanted.id.unwrap_or_else(|| ResourceId::mint(rng));
    ResourceRow { id, name: wanted.name.to_owned(), created_on: now, keys: vec![first, key()] }
}

fn open(cell: &Cell, place: Place, row: &ResourceRow, version: u64) -> Result<Resource, ResourceError> {
    let access_keys = AccessKeys::open(cell.clone(), place, row, version)?;
    Ok(Resource { id: row.id, name: row.name.clone(), created_on: row.created_on, access_keys })
}

/// The row of a resource called so from before there was a register, with its version. What cannot be read is not taken
/// for another's: a second id for one name would part it from its content.
async fn former(cell: &Cell, name: &str) -> Result<Option<(ResourceId, FormerRow, u64)>, ResourceError> {
    let registered = ids(cell).await?;
    for id in cell.resources().await? {
        if id == ResourceId::CELL || registered.contains(&id) {
            continue;
        }
        let found = match cell.read(id).await {
            Ok(mut reader) => reader.get::<Former>(&ONLY).await?,
            Err(StoreError::UnknownResource) => None,
            Err(fault) => return Err(fault.into()),
        };
        if let Some(found) = found.filter(|found| found.value.name.eq_ignore_ascii_case(name)) {
            return Ok(Some((id, found.value, found.version)));
        }
    }
    Ok(None)
}

/// The ids of all resources of the register.
async fn ids(cell: &Cell) -> Result<HashSet<ResourceId>, ResourceError> {
    let (mut all, mut range) = (HashSet::new(), KeyRange::all());
    loop {
        let mut reader = cell.read(ResourceId::CELL).await?;
        let rows = reader.scan::<Register>(range.clone(), Direction::Forward, MAX_SCAN).await?;
        let Some((last, _)) = rows.last() else { return Ok(all) };
        range = range.after(last);
        all.extend(rows.into_iter().filter_map(|(_, row)| row.value()).map(|row| row.value.id));
    }
}

async fn leave_former(draft: &mut Draft, id: ResourceId, version: u64) -> Result<(), StoreError> {
    let mut old = draft.cell().clone().draft(id).await?;
    old.expect_version::<Former>(&ONLY, version);
    old.delete::<Former>(&ONLY);
    draft.join(old)
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
