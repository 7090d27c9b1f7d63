//! Keeps what the capture channel hands over: one item for each mail or text, however many deliveries it takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::limits::MAX_OUTBOX_ITEMS;
use base::{Clock, Personal, ResourceId, Rng};
use guard::BoxFuture;
use post::outbox::{MailView, preview};
use store::{Direction, KeyRange, StoreError};
use wire::outbox::Rule;

use super::rows::{
    Hint, ItemId, ItemRow, Items, Messages, Outcome, PIECE, Pieces, RecipientRow, What, scope,
};
use super::{AT_ONCE, erase, rules_of};
use crate::channel::capture::{Fate, Outbox, Verdict};
use crate::channel::{MailParcel, TextParcel};
use crate::directory::{Directory, ResourceEntry};

/// How often a commit that lost a race is built anew: the parts of one mail arrive at the same time.
const ATTEMPTS: usize = 16;

/// Keeps items of the resources of this node.
pub struct Keeper {
    resources: HashMap<ResourceId, Arc<ResourceEntry>>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    /// How many items each resource has, as far as this node counted.
    counts: Mutex<HashMap<ResourceId, usize>>,
    built_in: Vec<Rule>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Keeper {
    /// Keeps for the resources of `directory`.
    #[must_use]
    pub fn new(directory: &Directory, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        let resources = directory.resources().iter().map(|entry| (entry.id(), Arc::clone(entry))).collect();
        Self { resources, clock, rng, counts: Mutex::default(), built_in: Rule::built_in() }
    }

    async fn rules(&self, resource: ResourceId) -> Result<Arc<[Rule]>, StoreError> {
        let cell = self.resources.get(&resource).ok_or(StoreError::UnknownResource)?.cell();
        let own = rules_of(&mut cell.read(resource).await?).await?;
        Ok(own.into_iter().chain(self.built_in.iter().cloned()).collect())
    }

    /// Puts `new` into the outbox, or what it tells of recipients into the item that is there already.
    async fn keep(&self, resource: ResourceId, new: &ItemRow, message: &[u8]) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            match self.try_keep(resource, new, message).await {
                Err(StoreError::Conflict) => {}
                fate => return fate,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn try_keep(&self, resource: ResourceId, new: &ItemRow, message: &[u8]) -> Result<(), StoreError> {
        let cell = self.resources.get(&resource).ok_or(StoreError::UnknownResource)?.cell();
        let mut reader = cell.read(resource).await?;
        if let Some(item) = reader.get::<Messages>(&new.message).await? {
            let item = item.value;
            if let Some(found) = reader.get::<Items>(&item).await? {
                let scope = reader.scope_key(&scope(&item)).await?.ok_or(StoreError::Conflict)?;
                let mut draft = reader.draft();
                drop(reader);
                draft.expect_version::<Items>(&item, found.version);
                draft.put::<Items>(&item, &merged(found.value, new), &found.hint, &scope)?;
                return draft.commit().await;
            }
        }
        let mut draft = reader.draft();
        drop(reader);
        let item = self.mint();
        let scope = draft.new_scope_key(scope(&item))?;
        let pieces = message.chunks(PIECE);
        let count = u16::try_from(pieces.len()).map_err(|_| StoreError::TooLarge)?;
        for (at, piece) in (0..count).zip(pieces) {
            draft.put::<Pieces>(&(item, at), &Personal::new(piece.to_vec()), &[], &scope)?;
        }
        let hint = Hint { pieces: count, message: new.message };
        draft.put::<Items>(&item, new, &hint.bytes(), &scope)?;
        draft.expect_absent::<Messages>(&new.message);
        draft.put_in_resource::<Messages>(&new.message, &item, &[])?;
        draft.commit().await?;
        self.bound(resource).await
    }

    fn mint(&self) -> ItemId {
        let (mut id, random) = (self.rng.id(), self.clock.now().as_millis().to_be_bytes());
        id[..8].copy_from_slice(&random);
        id
    }

    /// Deletes the oldest items when there are more than may be.
    async fn bound(&self, resource: ResourceId) -> Result<(), StoreError> {
        let cell = self.resources.get(&resource).ok_or(StoreError::UnknownResource)?.cell();
        let known = self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(&resource).copied();
        let count = match known {
            Some(count) if count < MAX_OUTBOX_ITEMS => count + 1,
            _ => {
                let mut reader = cell.read(resource).await?;
                let all = MAX_OUTBOX_ITEMS + AT_ONCE;
                let keys = reader.scan_keys::<Items>(KeyRange::all(), Direction::Forward, all).await?;
                let mut draft = reader.draft();
                drop(reader);
                // A few more than must go, so that this look at all of them is not needed again for each.
                let over = keys.len().saturating_sub(MAX_OUTBOX_ITEMS);
                let gone = if over == 0 { 0 } else { over.max(AT_ONCE) };
                keys.iter().take(gone).for_each(|(item, _, hint)| erase(&mut draft, *item, hint));
                if gone > 0 {
                    draft.commit().await?;
                }
                keys.len() - gone
            }
        };
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).insert(resource, count);
        Ok(())
    }

    async fn kept(&self, resource: ResourceId, new: ItemRow, message: &[u8]) -> bool {
        let kept = self.keep(resource, &new, message).await;
        if let Err(error) = &kept {
            tracing::warn!(%error, "the development outbox could not keep something");
        }
        kept.is_ok()
    }
}

/// The item as it is, with what `new` tells of its recipients.
fn merged(mut item: ItemRow, new: &ItemRow) -> ItemRow {
    for recipient in &new.to {
        match item.to.iter_mut().find(|known| known.address == recipient.address) {
            Some(known) => {
                known.outcome = recipient.outcome;
                known.rule = recipient.rule;
                known.attempts = known.attempts.saturating_add(1);
            }
            None => item.to.push(recipient.clone()),
        }
    }
    if let (What::Mail { return_paths, .. }, What::Mail { return_paths: new, .. }) =
        (&mut item.what, &new.what)
    {
        return_paths
            .extend(new.iter().filter(|path| !return_paths.contains(path)).cloned().collect::<Vec<_>>());
    }
    item
}

fn recipient(address: &Personal<String>, verdict: &Verdict) -> RecipientRow {
    let outcome = match verdict.outcome {
        Fate::Accepted => Outcome::Accepted,
        Fate::Refused => Outcome::Refused,
        Fate::Later => Outcome::Later,
    };
    RecipientRow { address: address.clone(), outcome, rule: verdict.rule, attempts: 1 }
}

impl Outbox for Keeper {
    fn rules(&self, resource: ResourceId) -> BoxFuture<'_, Option<Arc<[Rule]>>> {
        Box::pin(async move {
            let rules = Self::rules(self, resource).await;
            if let Err(error) = &rules {
                tracing::warn!(%error, "the rules of the development outbox cannot be read");
            }
            rules.ok()
        })
    }

    fn mail<'a>(&'a self, parcel: &'a MailParcel, verdicts: &'a [Verdict]) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let message = parcel.message.expose();
            let view = MailView::read(message);
            let to = parcel.recipients.iter().zip(verdicts);
            let new = ItemRow {
                message: parcel.id,
                at: self.clock.now(),
                what: What::Mail {
                    subject: view.header("Subject").unwrap_or_default().to_owned().into(),
                    size: message.len() as u64,
                    return_paths: vec![parcel.return_path.clone()],
                },
                from: view.header("From").unwrap_or_default().to_owned().into(),
                to: to.map(|(address, verdict)| recipient(address, verdict)).collect(),
                preview: view.preview().into(),
            };
            self.kept(parcel.resource, new, message).await
        })
    }

    fn text<'a>(&'a self, parcel: &'a TextParcel, verdict: &'a Verdict) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let new = ItemRow {
                message: parcel.id,
                at: self.clock.now(),
                what: What::Text { text: parcel.text.clone(), receipt: parcel.receipt },
                from: parcel.from.clone(),
                to: vec![recipient(&parcel.to, verdict)],
                preview: preview(parcel.text.expose()).into(),
            };
            self.kept(parcel.resource, new, &[]).await
        })
    }
}
