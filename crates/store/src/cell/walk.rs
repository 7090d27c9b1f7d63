//! A walk through all rows of a resource in small steps, which may be interrupted anywhere and taken up again, by another
//! process too.

use std::collections::BTreeMap;
use std::ops::Bound;

use base::ResourceId;
use serde::{Deserialize, Serialize};

use super::keys::generation_of;
use super::{Cell, RESOURCE_KEY};
use crate::commit::Row;
use crate::error::StoreError;
use crate::keyspace::KeyspaceDef;
use crate::scan::{Direction, Scan};

/// How many rows one step of a walk looks at.
pub const STEP_ROWS: usize = 64;

/// Where a walk is: begin with the default, go on until it is [`Walk::is_over`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// The keyspace it is in, by its name, and the key of the last row that was seen.
    keyspace: String,
    after: Option<Vec<u8>>,
    /// Which keyspaces there were when it began; with others it begins again.
    of: Vec<String>,
    is_over: bool,
}

impl Walk {
    /// Whether every row has been looked at.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// How many keyspaces were walked through, and how many there are. Keyspaces differ much in size.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let place = self.of.iter().position(|name| *name == self.keyspace).unwrap_or(0);
        (if self.is_over { self.of.len() } else { place }, self.of.len())
    }
}

/// Under which keys the rows of a resource rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// How far it is.
    pub walk: Walk,
    /// Rows sealed under each generation of the resource's own key, scope keys among them.
    pub generations: BTreeMap<u32, u64>,
    /// Rows sealed under keys of scopes.
    pub scopes: u64,
}

impl Cell {
    /// The next rows of a walk, and the keyspace they are in; none when it is over.
    pub(super) async fn walked(
        &self,
        resource: ResourceId,
        walk: &mut Walk,
    ) -> Result<Option<(&'static KeyspaceDef, Vec<Row>)>, StoreError> {
        let all = &self.0.keyspaces;
        if !walk.of.iter().map(String::as_str).eq(all.iter().map(|def| def.name)) {
            let of = all.iter().map(|def| def.name.to_owned()).collect();
            *walk = Walk { of, ..Walk::default() };
        }
        if walk.is_over {
            return Ok(None);
        }
        let place = all.iter().position(|def| def.name == walk.keyspace).unwrap_or(0);
        let Some(def) = all.get(place).copied() else { return Ok(None) };
        let mut scan = Scan::prefix(def, resource, Vec::new(), Direction::Forward, STEP_ROWS);
        if let Some(after) = &walk.after {
            scan.from = Bound::Excluded(after.clone());
        }
        let rows = self.0.engine.snapshot().await?.scan(&scan).await?;
        let next = all.get(place + 1).map(|next| next.name.to_owned());
        match rows.last() {
            Some(last) if rows.len() == STEP_ROWS => {
                (walk.keyspace, walk.after) = (def.name.to_owned(), Some(last.key.clone()));
            }
            _ => {
                walk.is_over = next.is_none();
                (walk.keyspace, walk.after) = (next.unwrap_or_default(), None);
            }
        }
        Ok(Some((def, rows)))
    }

    /// One step of a count of what rests under which key. Nothing is opened. No key service is asked.
    ///
    /// # Errors
    /// [`StoreError::UnknownResource`], or when the engine fails.
    pub async fn count_keys(&self, resource: ResourceId, census: &mut Census) -> Result<(), StoreError> {
        let own: Vec<u32> =
            self.stored_resource_keys(resource).await?.iter().map(generation_of).collect::<Result<_, _>>()?;
        if own.is_empty() {
            return Err(StoreError::UnknownResource);
        }
        let begins = census.walk == Walk::default();
        let mut walk = census.walk.clone();
        let Some((def, rows)) = self.walked(resource, &mut walk).await? else { return Ok(()) };
        if begins {
            *census =
                Census { generations: own.iter().map(|number| (*number, 0)).collect(), ..Census::default() };
        }
        census.walk = walk;
        if def.name == RESOURCE_KEY.name {
            return Ok(());
        }
        for row in rows {
            // Scopes draw their number from four thousand million, so that they practically never share one.
            match row.value.header() {
                Ok(header) if own.contains(&header.generation) => {
                    *census.generations.entry(header.generation).or_default() += 1;
                }
                _ => census.scopes += 1,
            }
        }
        Ok(())
    }
}
