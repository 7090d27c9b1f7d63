//! The numbers a resource holds: listing, looking, changing what they are set up for, giving back. And what can be told
//! of any number.

use base::phone::{Capabilities, Capability};
use base::{PhoneNumber, ResourceId};
use post::numbers::Offer;
use store::{Direction, KeyRange, Opened, Versioned};

use super::desk::{NumbersDesk, retry};
use super::error::NumbersError;
use super::operation::OperationName;
use super::release::{ON_RELEASE, Released};
use super::rows::{HeldNumber, HeldNumbers, Holding, NumberKey, OperationKind, Shelves, State};
use super::{holder, keeping};

/// A change of what a number is set up for; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct CapabilityChange {
    /// Calls.
    pub calling: Option<Capability>,
    /// Texts.
    pub sms: Option<Capability>,
}

/// What the inventory knows of a number, whoever holds it.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The number.
    pub number: PhoneNumber,
    /// What it is offered as; none for a number of another's.
    pub offer: Option<Offer>,
}

impl NumbersDesk<'_> {
    /// The numbers that the resource holds, from the one at place `skip` on: at most `top`, and whether there are more.
    /// The order is any, and stays.
    ///
    /// # Errors
    /// [`NumbersError::Store`].
    pub async fn list(&self, skip: usize, top: usize) -> Result<(Vec<HeldNumber>, bool), NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let most = skip.saturating_add(top).saturating_add(1);
        let keys = reader.scan_keys::<HeldNumbers>(KeyRange::all(), Direction::Forward, most).await?;
        let more = keys.len() == most;
        let keys: Vec<_> = keys.into_iter().map(|(key, ..)| key).skip(skip).take(top).collect();
        let rows = reader.multi_get::<HeldNumbers>(&keys).await?;
        Ok((rows.into_iter().flatten().filter_map(Opened::value).map(|row| row.value).collect(), more))
    }

    /// A number that the resource holds.
    ///
    /// # Errors
    /// [`NumbersError::NumberUnknown`].
    pub async fn held(&self, number: &PhoneNumber) -> Result<HeldNumber, NumbersError> {
        let key = holder::key(self.cell, number).await?;
        self.find_held(key).await.map(|found| found.value)
    }

    async fn find_held(&self, key: NumberKey) -> Result<Versioned<HeldNumber>, NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.try_get::<HeldNumbers>(&key).await?.and_then(Opened::value);
        found.ok_or(NumbersError::NumberUnknown)
    }

    /// Changes what a number is set up for, within what it was offered with.
    ///
    /// # Errors
    /// [`NumbersError::NumberUnknown`], [`NumbersError::NotOffered`].
    pub async fn set_up(
        &self,
        number: &PhoneNumber,
        change: CapabilityChange,
    ) -> Result<OperationName, NumbersError> {
        let key = holder::key(self.cell, number).await?;
        retry!(self, self.set_up_once(key, change))
    }

    async fn set_up_once(
        &self,
        key: NumberKey,
        change: CapabilityChange,
    ) -> Result<OperationName, NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.try_get::<HeldNumbers>(&key).await?.and_then(Opened::value);
        let found = found.ok_or(NumbersError::NumberUnknown)?;
        let scope = Holding::of(key, &found.hint).scope();
        let scope = reader.scope_key(&scope).await?.ok_or(NumbersError::NumberUnknown)?;
        let mut draft = reader.draft();
        drop(reader);
        let mut row = found.value;
        row.capabilities = Capabilities {
            calling: change.calling.unwrap_or(row.capabilities.calling),
            sms: change.sms.unwrap_or(row.capabilities.sms),
        };
        if !row.offer.capabilities.cover(row.capabilities) {
            return Err(NumbersError::NotOffered);
        }
        let name = OperationName { kind: OperationKind::Capabilities, id: self.id() };
        draft.expect_version::<HeldNumbers>(&key, found.version);
        draft.put::<HeldNumbers>(&key, &row, &found.hint, &scope)?;
        self.done(&mut draft, name, Some(format!("/phoneNumbers/%2B{}", row.number.digits())), None)?;
        self.forget_old(&mut draft).await?;
        draft.commit().await?;
        Ok(name)
    }

    /// Gives a number back, and deletes all that belongs to it.
    ///
    /// # Errors
    /// [`NumbersError::NumberUnknown`].
    pub async fn release(&self, number: &PhoneNumber) -> Result<OperationName, NumbersError> {
        let key = holder::key(self.cell, number).await?;
        retry!(self, self.release_once(number, key))
    }

    async fn release_once(
        &self,
        number: &PhoneNumber,
        key: NumberKey,
    ) -> Result<OperationName, NumbersError> {
        let found = self.find_held(key).await?;
        let registered = self.registered(std::slice::from_ref(number)).await?.pop().flatten();
        let mut cell = self.cell.draft(ResourceId::CELL).await?;
        if let Some(registered) =
            registered.filter(|one| one.row.state == (State::Held { by: self.resource }))
        {
            keeping::free(&mut cell, &registered)?;
        }
        let mut reader = self.cell.read(self.resource).await?;
        let mut draft = reader.draft();
        draft.expect_version::<HeldNumbers>(&key, found.version);
        let holding = Holding::of(key, &found.hint);
        draft.expect_scope_key(&holding.scope());
        let released = Released { resource: self.resource, holding };
        for hook in ON_RELEASE {
            hook(&mut reader, &mut draft, &released).await?;
        }
        drop(reader);
        draft.delete::<HeldNumbers>(&key);
        draft.destroy_scope_key(&holding.scope());
        let name = OperationName { kind: OperationKind::Release, id: self.id() };
        self.done(&mut draft, name, None, None)?;
        self.audit(&mut draft)?;
        draft.join(cell)?;
        draft.commit().await?;
        Ok(name)
    }

    /// What the inventory knows of these numbers.
    ///
    /// # Errors
    /// [`NumbersError::Store`].
    pub async fn look_up(&self, numbers: Vec<PhoneNumber>) -> Result<Vec<Lookup>, NumbersError> {
        let found = self.registered(&numbers).await?;
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let mut known = Vec::with_capacity(numbers.len());
        for (number, found) in numbers.into_iter().zip(found) {
            let offer = match found {
                Some(found) => reader.get::<Shelves>(&found.row.shelf).await?.map(|offer| offer.value),
                None => None,
            };
            known.push(Lookup { number, offer });
        }
        Ok(known)
    }
}
