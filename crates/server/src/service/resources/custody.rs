//! Who holds the keys above a resource's content, and whether they can be had: a customer may take them away at any time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::ResourceId;
use guard::KmsError;
use guard::holder::ROOT;
use store::{Cell, StoreError};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinSet;

use super::rows::Custodies;
pub use super::rows::{CustodyRow, Reach};
use crate::service::audit::{self, Act, Actor, Target};

/// The custody that the configuration wants for a resource.
#[derive(Debug, Default)]
pub struct Custody {
    wanted: Option<String>,
    /// Whether it was so once since this node began; what is changed by hand after that is left so.
    is_settled: AtomicBool,
    /// Whether they could not be looked after the last time; it is said once.
    is_troubled: AtomicBool,
    /// Asks its key service for work that looks after many resources in turn; at most one at a time.
    asks: AsyncMutex<JoinSet<()>>,
}

/// How long work that looks after many resources waits for the key service of one.
pub const MOMENT: Duration = Duration::from_millis(50);

impl Custody {
    /// Keys held by the key service that is called so; without a name, by whoever holds them.
    #[must_use]
    pub fn new(wanted: Option<String>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Notes whether the keys can be looked after. Gives whether that is news.
    pub fn note_trouble(&self, is_troubled: bool) -> bool {
        self.is_troubled.swap(is_troubled, Ordering::Relaxed) != is_troubled
    }

    /// Whether the keys of `resource` are at hand, or come within a [`MOMENT`]; if not, they are still asked for. What looks
    /// after many resources in turn leaves those out whose key service hangs, so that the others do not wait for it.
    pub async fn within_reach(&self, cell: &Cell, resource: ResourceId) -> bool {
        if cell.knows_keys(resource) {
            return true;
        }
        let mut asks = self.asks.lock().await;
        if asks.is_empty() {
            let cell = cell.clone();
            asks.spawn(async move {
                // Why they cannot be had is said where they are looked after.
                let _ = cell.has_keys(resource).await;
            });
        }
        let _ = tokio::time::timeout(MOMENT, asks.join_next()).await;
        cell.knows_keys(resource)
    }

    /// Whether the keys were seen where they are wanted, since this node began.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }

    /// From here on the keys are where they are.
    pub fn settle(&self) {
        self.is_settled.store(true, Ordering::Relaxed);
    }

    /// Who is to hold the keys.
    #[must_use]
    pub fn wanted(&self) -> Option<&str> {
        self.wanted.as_deref()
    }

    /// Sees to it that `resource` has keys, and that they are held by whom the configuration wants. Gives how many changed
    /// hands.
    ///
    /// # Errors
    /// Those of the store and of the key services; it may be tried again.
    pub async fn ensure(&self, cell: &Cell, resource: ResourceId) -> Result<usize, StoreError> {
        let handed = match self.wanted() {
            None => cell.create_resource_key(resource).await.map(|()| 0)?,
            Some(wanted) => {
                cell.create_resource_key_under(resource, wanted).await?;
                cell.hand_over(resource, wanted).await?
            }
        };
        self.settle();
        Ok(handed)
    }
}

/// A customer's key that went out of reach, or came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where it stands now.
    pub row: CustodyRow,
    version: u64,
}

/// Where the customer's key of `resource` stands, as it was last seen.
///
/// # Errors
/// Those of the store.
pub async fn standing(cell: &Cell, resource: ResourceId) -> Result<Option<CustodyRow>, StoreError> {
    Ok(stored(cell, resource).await?.map(|(row, _)| row))
}

async fn stored(cell: &Cell, resource: ResourceId) -> Result<Option<(CustodyRow, u64)>, StoreError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Custodies>(resource.as_bytes()).await?;
    Ok(found.map(|found| (found.value, found.version)))
}

/// Looks whether the keys of `resource` can be had, and writes down when that changed. Gives a change that nobody was told
/// of yet, whichever node found it.
///
/// # Errors
/// Those of the store; of the key service when it does not answer, which says nothing about the key.
pub async fn look(cell: &Cell, resource: ResourceId) -> Result<Option<Change>, StoreError> {
    let known = stored(cell, resource).await?;
    let before = known.as_ref().map_or(Reach::Available, |(row, _)| row.reach);
    let asked = if before == Reach::Available {
        let generations = cell.key_generations(resource).await?;
        if generations.iter().all(|one| one.holder == ROOT) {
            return Ok(untold(known));
        }
        cell.has_keys(resource).await
    } else {
        // What this node remembers may be from before: only the key service itself can say that it is back.
        cell.ask_for_keys(resource).await
    };
    let now_is = match asked {
        Ok(()) => Reach::Available,
        Err(StoreError::Kms(KmsError::Disabled)) => Reach::Disabled,
        Err(StoreError::Kms(KmsError::Deleted)) => Reach::Deleted,
        Err(fault) => return Err(fault),
    };
    if now_is == before {
        return Ok(untold(known));
    }
    match write(cell, resource, now_is, known.map(|(_, version)| version)).await {
        // Another node was first.
        Err(StoreError::Conflict) => Ok(None),
        done => done.map(Some),
    }
}

fn untold(known: Option<(CustodyRow, u64)>) -> Option<Change> {
    known.filter(|(row, _)| !row.is_told).map(|(row, version)| Change { row, version })
}

async fn write(
    cell: &Cell,
    resource: ResourceId,
    reach: Reach,
    version: Option<u64>,
) -> Result<Change, StoreError> {
    let now = cell.clock().now();
    let row = CustodyRow { reach, since: now, is_told: false };
    let mut draft = cell.draft(ResourceId::CELL).await?;
    match version {
        Some(version) => draft.expect_version::<Custodies>(resource.as_bytes(), version),
        None => draft.expect_absent::<Custodies>(resource.as_bytes()),
    }
    draft.put_in_resource::<Custodies>(resource.as_bytes(), &row, &[])?;
    let name = match reach {
        Reach::Available => "resource.key_available",
        Reach::Disabled => "resource.key_disabled",
        Reach::Deleted => "resource.key_deleted",
    };
    let act = Act { name: Some(name), by: Actor::Server };
    audit::record(&mut draft, act, Target::Resource(resource), now, &**cell.rng())?;
    draft.commit().await?;
    Ok(Change { row, version: version.map_or(1, |version| version + 1) })
}

/// Writes down that `change` was told. Another change since is told by itself.
///
/// # Errors
/// Those of the store; then it is told once more.
pub async fn told(cell: &Cell, resource: ResourceId, change: &Change) -> Result<(), StoreError> {
    let row = CustodyRow { is_told: true, ..change.row.clone() };
    let mut draft = cell.draft(ResourceId::CELL).await?;
    draft.expect_version::<Custodies>(resource.as_bytes(), change.version);
    draft.put_in_resource::<Custodies>(resource.as_bytes(), &row, &[])?;
    match draft.commit().await {
        Ok(()) | Err(StoreError::Conflict) => Ok(()),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_news_when_it_begins_and_when_it_ends() {
        let custody = Custody::new(None);
        let news = [false, true, true, true, false, false, true].map(|is| custody.note_trouble(is));
        assert_eq!(news, [false, true, false, false, true, false, true]);
    }
}
