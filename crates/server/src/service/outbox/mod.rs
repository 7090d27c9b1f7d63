//! The development outbox: what was captured instead of sent, for who develops against the server. It keeps the newest
//! few thousand items of each resource, sealed like everything else, and the rules that make an address fail.

mod keep;
mod rows;

use std::sync::{Arc, OnceLock};

use base::limits::MAX_OUTBOX_ITEMS;
use base::{Clock, Personal, ResourceId, Rng};
use store::{Cell, Direction, Draft, KeyRange, Opened, Reader, StoreError};
use thiserror::Error;
use wire::outbox::Rule;

pub use keep::Keeper;
use rows::{Hint, Items, Messages, Pieces, Rules};
pub use rows::{ItemId, ItemRow, Outcome, RecipientRow, What, keyspaces};

use super::audit::{self, Act, Target};
use crate::channel::TextIn;
use crate::channel::capture::Inboxes;

/// How many items one page of the list is made from at most; a filter may leave none of them.
const LOOKED_THROUGH: usize = 1_000;
/// How many items go in one commit.
const AT_ONCE: usize = 50;

/// Why something could not be done with the outbox.
#[derive(Debug, Error)]
pub enum OutboxError {
    /// There is no such item.
    #[error("there is no such item in the outbox")]
    Unknown,
    /// This server takes no texts that come in.
    #[error("texts that come in have nowhere to go")]
    NoInbox,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where texts go that are made to come in: told once, at start.
#[derive(Default)]
pub struct Inbox(OnceLock<Arc<Inboxes>>);

impl Inbox {
    /// Texts go to `inboxes` from now on. Told twice, the first holds.
    pub fn attach(&self, inboxes: Arc<Inboxes>) {
        let _ = self.0.set(inboxes);
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Mail alone, or texts alone.
    pub kind: Option<Kind>,
    /// Only what went to this address or number, whatever the case.
    pub recipient: Option<Personal<String>>,
    /// Only what is older than this item.
    pub before: Option<ItemId>,
    /// How many items at most.
    pub limit: usize,
}

/// What an item can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A mail.
    Mail,
    /// A text.
    Text,
}

/// A part of the list, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    /// The items.
    pub items: Vec<(ItemId, ItemRow)>,
    /// Before which item the list goes on; none at its end.
    pub next: Option<ItemId>,
}

/// The outbox of one resource, at the service of its operator.
pub struct Desk<'a> {
    /// The cell that the resource lives in.
    pub cell: &'a Cell,
    /// The resource.
    pub resource: ResourceId,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
    /// Who does what, for the audit log.
    pub act: Act,
}

impl ItemRow {
    /// What it is, in short.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self.what {
            What::Mail { .. } => Kind::Mail,
            What::Text { .. } => Kind::Text,
        }
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        let to = |address: &Personal<String>| {
            self.to.iter().any(|one| one.address.expose().to_lowercase() == address.expose().to_lowercase())
        };
        wanted.kind.is_none_or(|kind| kind == self.kind()) && wanted.recipient.as_ref().is_none_or(to)
    }
}

impl Desk<'_> {
    /// A mark that changes whenever an item comes, changes or goes, and how many there are. It tells nothing of them, so it
    /// is no privileged act.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn state(&self) -> Result<(String, usize), OutboxError> {
        let mut reader = self.cell.read(self.resource).await?;
        let keys = reader.scan_keys::<Items>(KeyRange::all(), Direction::Backward, MAX_OUTBOX_ITEMS).await?;
        let mark = keys.first().map_or_else(String::new, |(key, ..)| hex(key));
        let versions: u64 = keys.iter().map(|(_, version, _)| *version).sum();
        Ok((format!("{mark}.{versions}"), keys.len()))
    }

    /// A page of the list.
    ///
    /// # Errors
    /// Those of the store, also when the look cannot be recorded.
    pub async fn list(&self, wanted: &Wanted) -> Result<Page, OutboxError> {
        let mut reader = self.cell.read(self.resource).await?;
        let range = match &wanted.before {
            Some(before) => KeyRange::all().before(before),
            None => KeyRange::all(),
        };
        let found = reader.scan::<Items>(range, Direction::Backward, LOOKED_THROUGH).await?;
        let exhausted = found.len() < LOOKED_THROUGH;
        let last = found.last().map(|(key, _)| *key);
        let mut items = Vec::new();
        for (key, opened) in found {
            let Some(row) = opened.value().map(|row| row.value) else { continue };
            if !row.is_wanted(wanted) {
                continue;
            }
            if items.len() == wanted.limit {
                let next = items.last().map(|(key, _)| *key);
                self.record(reader).await?;
                return Ok(Page { items, next });
            }
            items.push((key, row));
        }
        self.record(reader).await?;
        Ok(Page { items, next: last.filter(|_| !exhausted) })
    }

    /// One item, with its message when it is a mail.
    ///
    /// # Errors
    /// [`OutboxError::Unknown`]; those of the store, also when the look cannot be recorded.
    pub async fn read(&self, item: ItemId) -> Result<(ItemRow, Personal<Vec<u8>>), OutboxError> {
        let mut reader = self.cell.read(self.resource).await?;
        let row =
            reader.try_get::<Items>(&item).await?.and_then(Opened::value).ok_or(OutboxError::Unknown)?;
        let pieces = Hint::read(&row.hint).map_or(0, |hint| hint.pieces);
        let mut message = Vec::new();
        for piece in 0..pieces {
            let found = reader.try_get::<Pieces>(&(item, piece)).await?.and_then(Opened::value);
            message.extend(found.ok_or(OutboxError::Unknown)?.value.into_inner());
        }
        self.record(reader).await?;
        Ok((row.value, message.into()))
    }

    /// Deletes one item.
    ///
    /// # Errors
    /// [`OutboxError::Unknown`]; those of the store.
    pub async fn delete(&self, item: ItemId) -> Result<(), OutboxError> {
        let mut reader = self.cell.read(self.resource).await?;
        let row = reader.try_get::<Items>(&item).await?.ok_or(OutboxError::Unknown)?;
        let mut draft = reader.draft();
        drop(reader);
        erase(&mut draft, item, row.hint());
        self.note(&mut draft)?;
        Ok(draft.commit().await?)
    }

    /// Deletes all items there are; how many.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn clear(&self) -> Result<usize, OutboxError> {
        let mut deleted = 0;
        // More cannot be there than this, unless they come faster than they go.
        for round in 0..=MAX_OUTBOX_ITEMS.div_ceil(AT_ONCE) {
            let mut reader = self.cell.read(self.resource).await?;
            let keys = reader.scan_keys::<Items>(KeyRange::all(), Direction::Forward, AT_ONCE).await?;
            let mut draft = reader.draft();
            drop(reader);
            if keys.is_empty() && round > 0 {
                break;
            }
            for (item, _, hint) in &keys {
                erase(&mut draft, *item, hint);
            }
            if round == 0 {
                self.note(&mut draft)?;
            }
            draft.commit().await?;
            deleted += keys.len();
            if keys.len() < AT_ONCE {
                break;
            }
        }
        Ok(deleted)
    }

    /// The resource's own rules.
    ///
    /// # Errors
    /// Those of the store, also when the look cannot be recorded.
    pub async fn rules(&self) -> Result<Vec<Rule>, OutboxError> {
        let mut reader = self.cell.read(self.resource).await?;
        let rules = rules_of(&mut reader).await?;
        self.record(reader).await?;
        Ok(rules)
    }

    /// Makes `rules` the resource's own, instead of all it had.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn set_rules(&self, rules: &Vec<Rule>) -> Result<(), OutboxError> {
        let mut draft = self.cell.draft(self.resource).await?;
        draft.put_in_resource::<Rules>(&(), rules, &[])?;
        self.note(&mut draft)?;
        Ok(draft.commit().await?)
    }

    /// Makes a text come in as from a handset.
    ///
    /// # Errors
    /// [`OutboxError::NoInbox`]; those of the store.
    pub async fn receive(&self, inbox: &Inbox, text: TextIn) -> Result<(), OutboxError> {
        let inbox = inbox.0.get().and_then(|all| all.get(&self.resource)).ok_or(OutboxError::NoInbox)?;
        let mut draft = self.cell.draft(self.resource).await?;
        self.note(&mut draft)?;
        draft.commit().await?;
        if inbox.text(text).await { Ok(()) } else { Err(StoreError::Full.into()) }
    }

    /// Records the act before its answer is given.
    async fn record(&self, reader: Reader) -> Result<(), StoreError> {
        let mut draft = reader.draft();
        drop(reader);
        self.note(&mut draft)?;
        draft.commit().await
    }

    fn note(&self, draft: &mut Draft) -> Result<(), StoreError> {
        audit::record(draft, self.act, Target::Resource(self.resource), self.clock.now(), self.rng)
    }
}

/// The rules that a resource has of its own.
async fn rules_of(reader: &mut Reader) -> Result<Vec<Rule>, StoreError> {
    Ok(reader.get::<Rules>(&()).await?.map(|row| row.value).unwrap_or_default())
}

/// Deletes an item, as far as its hint tells what there is, and its key in any case.
fn erase(draft: &mut Draft, item: ItemId, hint: &[u8]) {
    if let Some(hint) = Hint::read(hint) {
        (0..hint.pieces).for_each(|piece| draft.delete::<Pieces>(&(item, piece)));
        draft.delete::<Messages>(&hint.message);
    }
    draft.delete::<Items>(&item);
    draft.destroy_scope_key(&rows::scope(&item));
}

/// An id as it is told.
#[must_use]
pub fn hex(id: &[u8; 16]) -> String {
    base::hex(id)
}

/// An id that was told; `None` for anything else.
#[must_use]
pub fn unhex(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    digits.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}

#[cfg(test)]
mod tests;
