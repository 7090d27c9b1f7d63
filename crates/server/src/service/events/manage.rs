//! Subscriptions made, changed and ended by whoever runs the server, and what was given up shown to it.

use base::{Clock, Personal, ResourceId, Rng, Timestamp};
use guard::hash::same;
use serde_json::Value;
use store::{Cell, Direction, Draft, KeyRange, Opened, StoreError, Versioned};
use thiserror::Error;
use wire::Identifier;
use wire::error::ApiError;
use wire::events::{
    DeadLetter, Envelope, MAX_SUBSCRIPTIONS, SubscriptionBody, SubscriptionPatch, SubscriptionView,
    dead_letter,
};

use super::router::EventRouter;
use super::rows::{Dead, DeadRow, Ended, Standing, SubscriptionRow, Subscriptions, To};
use crate::service::audit::{self, Act, Target};

/// How often a commit that lost a race is built anew.
const ATTEMPTS: usize = 8;

/// Why nothing was done.
#[derive(Debug, Error)]
pub enum EventsError {
    /// No subscription has this name.
    #[error("no such subscription")]
    Unknown,
    /// The resource has as many subscriptions as it may have.
    #[error("a resource has at most {MAX_SUBSCRIPTIONS} subscriptions")]
    TooMany,
    /// A change that cannot be.
    #[error("the change is refused: {0}")]
    Refused(ApiError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One subscription, as it is shown.
#[derive(Clone, Debug)]
pub struct SubscriptionItem {
    /// Its row.
    pub row: SubscriptionRow,
    /// Whether it is new.
    pub is_new: bool,
}

impl SubscriptionItem {
    /// Its JSON.
    #[must_use]
    pub fn value(&self) -> Value {
        let SubscriptionRow { name, topic, body, standing, .. } = &self.row;
        SubscriptionView { name, topic, state: standing.name(), body }.value()
    }
}

/// What was given up, ready to be shown.
#[derive(Clone, Debug)]
pub struct DeadLetterView {
    /// The dead letters, oldest first; they hold what users wrote.
    pub items: Vec<Personal<Value>>,
    /// Whether there are more.
    pub has_more: bool,
}

/// The subscriptions of one resource, at the service of whoever runs the server.
pub struct EventDesk<'a> {
    /// The cell the resource lives in.
    pub cell: &'a Cell,
    /// The resource.
    pub resource: ResourceId,
    /// Who is told of changes.
    pub router: &'a EventRouter,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
    /// Who does what.
    pub act: Act,
}

/// Where a change comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The Azure resource id of the resource: the topic of its events.
    pub topic: String,
    /// Scheme and host that were asked.
    pub base_url: String,
}

impl EventDesk<'_> {
    async fn key(&self, name: &str) -> Result<[u8; 16], StoreError> {
        let name = name.to_ascii_lowercase();
        self.cell.blind_index(self.resource, "event subscription", name.as_bytes()).await
    }

    /// Makes the subscription called `name`, or makes it anew. Its webhook is asked before it is told anything.
    ///
    /// # Errors
    /// [`EventsError::TooMany`].
    pub async fn put(
        &self,
        name: &str,
        body: &SubscriptionBody,
        origin: &Origin,
    ) -> Result<SubscriptionItem, EventsError> {
        self.again(name, |before| {
            let row = SubscriptionRow {
                id: before.as_ref().map_or_else(|| self.rng.id(), |row| row.id),
                name: before.as_ref().map_or_else(|| name.to_owned(), |row| row.name.clone()),
                topic: origin.topic.clone(),
                base_url: origin.base_url.clone(),
                ..self.fresh(before.as_ref(), body.clone())
            };
            Ok(row)
        })
        .await
    }

    /// Changes the subscription called `name`.
    ///
    /// # Errors
    /// [`EventsError::Unknown`]; [`EventsError::Refused`] for a change that cannot be.
    pub async fn patch(
        &self,
        name: &str,
        patch: &SubscriptionPatch,
    ) -> Result<SubscriptionItem, EventsError> {
        self.again(name, |before| {
            let before = before.ok_or(EventsError::Unknown)?;
            let body = before.body.patched(patch).map_err(EventsError::Refused)?;
            Ok(self.fresh(Some(&before), body))
        })
        .await
    }

    /// The row of a subscription whose webhook is to be asked.
    fn fresh(&self, before: Option<&SubscriptionRow>, body: SubscriptionBody) -> SubscriptionRow {
        let code: String = self.rng.id().iter().map(|byte| format!("{byte:02X}")).collect();
        let standing = if before.is_some() { Standing::Updating } else { Standing::Creating };
        SubscriptionRow {
            id: before.map_or([0; 16], |row| row.id),
            name: before.map_or_else(String::new, |row| row.name.clone()),
            topic: before.map_or_else(String::new, |row| row.topic.clone()),
            base_url: before.map_or_else(String::new, |row| row.base_url.clone()),
            body,
            standing,
            since: self.clock.now(),
            was_validated: before.is_some_and(|row| row.was_validated),
            asked: 0,
            code: code.into(),
        }
    }

    async fn again(
        &self,
        name: &str,
        change: impl Fn(Option<SubscriptionRow>) -> Result<SubscriptionRow, EventsError> + Send + Sync,
    ) -> Result<SubscriptionItem, EventsError> {
        let key = self.key(name).await?;
        for _ in 0..ATTEMPTS {
            let mut reader = self.cell.read(self.resource).await?;
            let found = reader.get::<Subscriptions>(&key).await?;
            if found.is_none() {
                let most = MAX_SUBSCRIPTIONS + 1;
                let all =
                    reader.scan_keys::<Subscriptions>(KeyRange::all(), Direction::Forward, most).await?;
                if all.len() >= MAX_SUBSCRIPTIONS {
                    return Err(EventsError::TooMany);
                }
            }
            let mut draft = reader.draft();
            drop(reader);
            expect(&mut draft, &key, found.as_ref());
            let is_new = found.is_none();
            let row = change(found.map(|found| found.value))?;
            draft.put_in_resource::<Subscriptions>(&key, &row, &[])?;
            match self.commit(draft).await {
                Err(StoreError::Conflict) => {}
                Err(fault) => return Err(fault.into()),
                Ok(()) => return Ok(SubscriptionItem { row, is_new }),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Commits a change of subscriptions with its audit entry, tells the other nodes, and this one at once.
    async fn commit(&self, mut draft: Draft) -> Result<(), StoreError> {
        let target = Target::Resource(self.resource);
        audit::record(&mut draft, self.act, target, self.clock.now(), self.rng)?;
        EventRouter::tell_change(&mut draft).await?;
        draft.commit().await?;
        self.router.load(self.cell, self.resource).await
    }

    async fn found(&self, name: &str) -> Result<([u8; 16], Versioned<SubscriptionRow>), EventsError> {
        let key = self.key(name).await?;
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Subscriptions>(&key).await?;
        found.map(|found| (key, found)).ok_or(EventsError::Unknown)
    }

    /// The subscription called `name`.
    ///
    /// # Errors
    /// [`EventsError::Unknown`].
    pub async fn get(&self, name: &str) -> Result<SubscriptionItem, EventsError> {
        let (_, found) = self.found(name).await?;
        Ok(SubscriptionItem { row: found.value, is_new: false })
    }

    /// The endpoint of the subscription called `name`, with its query, which may be a secret: showing it leaves an entry.
    ///
    /// # Errors
    /// [`EventsError::Unknown`].
    pub async fn full_url(&self, name: &str) -> Result<Personal<String>, EventsError> {
        let (_, found) = self.found(name).await?;
        let mut draft = self.cell.draft(self.resource).await?;
        audit::record(&mut draft, self.act, Target::Resource(self.resource), self.clock.now(), self.rng)?;
        draft.commit().await?;
        Ok(found.value.body.endpoint)
    }

    /// All subscriptions, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<SubscriptionItem>, EventsError> {
        let mut reader = self.cell.read(self.resource).await?;
        let most = MAX_SUBSCRIPTIONS;
        let rows = reader.scan::<Subscriptions>(KeyRange::all(), Direction::Forward, most).await?;
        let rows = rows.into_iter().filter_map(|(_, row)| row.value());
        let mut all: Vec<_> = rows.map(|row| SubscriptionItem { row: row.value, is_new: false }).collect();
        all.sort_unstable_by(|a, b| a.row.name.cmp(&b.row.name));
        Ok(all)
    }

    /// Ends the subscription called `name`; what waits for it is never told. `false` when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete(&self, name: &str) -> Result<bool, EventsError> {
        for _ in 0..ATTEMPTS {
            let (key, found) = match self.found(name).await {
                Err(EventsError::Unknown) => return Ok(false),
                found => found?,
            };
            let mut draft = self.cell.draft(self.resource).await?;
            draft.expect_version::<Subscriptions>(&key, found.version);
            draft.delete::<Subscriptions>(&key);
            draft.put_in_resource::<Ended>(&found.value.id, &self.clock.now(), &[])?;
            match self.commit(draft).await {
                Err(StoreError::Conflict) => {}
                fate => return fate.map(|()| true).map_err(EventsError::from),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Agrees in the place of the webhook, by whoever was given the code and within `within` of the question. `false`
    /// when the code is not that one, or it is too late.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn agree(
        &self,
        name: &str,
        code: &str,
        within: std::time::Duration,
    ) -> Result<bool, EventsError> {
        let (key, found) = match self.found(name).await {
            Err(EventsError::Unknown) => return Ok(false),
            found => found?,
        };
        let row = &found.value;
        let is_open = match row.standing {
            // An impatient webhook agrees before its answer to the question is recorded.
            Standing::Creating | Standing::Updating => row.asked > 0,
            Standing::AwaitingManualAction | Standing::Succeeded => true,
            Standing::Failed => false,
        };
        let is_late = self.clock.now().distance(row.since) > within;
        if !same(row.code.expose().as_bytes(), code.as_bytes()) || !is_open || is_late {
            return Ok(false);
        }
        let agreed = SubscriptionRow { standing: Standing::Succeeded, was_validated: true, ..row.clone() };
        record_standing(self.cell, self.resource, self.router, key, found.version, &agreed).await?;
        Ok(true)
    }

    /// The oldest `limit` dead letters of the subscription called `name`. They hold what users wrote, so the reading is an
    /// act that leaves an entry.
    ///
    /// # Errors
    /// [`EventsError::Unknown`].
    pub async fn dead_letters(&self, name: &str, limit: usize) -> Result<DeadLetterView, EventsError> {
        let (_, found) = self.found(name).await?;
        let mut reader = self.cell.read(self.resource).await?;
        let range = KeyRange::prefix(&found.value.id);
        let rows = reader.scan::<Dead>(range, Direction::Forward, limit + 1).await?;
        let mut draft = reader.draft();
        drop(reader);
        audit::record(&mut draft, self.act, Target::Resource(self.resource), self.clock.now(), self.rng)?;
        draft.commit().await?;
        let has_more = rows.len() > limit;
        let readable = rows.into_iter().take(limit).filter_map(|(_, row)| match row {
            Opened::Value(row) => Some(self.shown(&found.value, &row.value)),
            Opened::Shredded { .. } => None,
        });
        Ok(DeadLetterView { items: readable.collect(), has_more })
    }

    fn shown(&self, of: &SubscriptionRow, dead: &DeadRow) -> Personal<Value> {
        let event = &dead.event;
        let recipient = match event.to {
            To::One(user) => Some(Identifier::CommunicationUser { resource: self.resource, user }),
            To::All | To::Each(_) => None,
        };
        let told = Envelope {
            id: &event.id,
            topic: &of.topic,
            subject: event.subject.expose(),
            kind: &event.kind,
            data: event.data.expose(),
            participants: None,
            recipient: recipient.as_ref(),
            at: event.at,
        };
        let letter = DeadLetter {
            reason: &dead.reason,
            attempts: event.attempts,
            outcome: event.last.map_or("None", |(_, outcome)| outcome.name()),
            published: event.published,
            last_attempt: event.last.map(|(at, _)| at),
        };
        dead_letter(&told, of.body.schema, &letter).into()
    }

    /// Removes the dead letters of the subscription called `name`. Returns how many.
    ///
    /// # Errors
    /// [`EventsError::Unknown`].
    pub async fn clear_dead_letters(&self, name: &str) -> Result<usize, EventsError> {
        let (_, found) = self.found(name).await?;
        let mut draft = self.cell.draft(self.resource).await?;
        audit::record(&mut draft, self.act, Target::Resource(self.resource), self.clock.now(), self.rng)?;
        draft.commit().await?;
        let end = Timestamp::from_millis(u64::MAX);
        Ok(super::queue::purge_dead(self.cell, self.resource, found.value.id, end).await?)
    }
}

fn expect(draft: &mut Draft, key: &[u8; 16], found: Option<&Versioned<SubscriptionRow>>) {
    match found {
        Some(found) => draft.expect_version::<Subscriptions>(key, found.version),
        None => draft.expect_absent::<Subscriptions>(key),
    }
}

/// Records where a subscription stands, unless somebody changed it since it was of `version`. Tells all nodes.
///
/// # Errors
/// Those of the store; [`StoreError::Conflict`] when it was changed.
pub async fn record_standing(
    cell: &Cell,
    resource: ResourceId,
    router: &EventRouter,
    key: [u8; 16],
    version: u64,
    row: &SubscriptionRow,
) -> Result<(), StoreError> {
    let mut draft = cell.draft(resource).await?;
    draft.expect_version::<Subscriptions>(&key, version);
    draft.put_in_resource::<Subscriptions>(&key, row, &[])?;
    EventRouter::tell_change(&mut draft).await?;
    draft.commit().await?;
    router.load(cell, resource).await
}
