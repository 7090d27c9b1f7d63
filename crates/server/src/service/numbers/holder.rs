//! Who holds a number, and whether texts may be sent from it: what other services ask.

use base::phone::{Capabilities, NumberType};
use base::{PhoneNumber, ResourceId};
use store::{Cell, Draft, Reader, StoreError};

use super::rows::{HeldNumbers, Holding, NumberKey, Numbers, State};

/// The domain of the blind index of numbers in a cell.
const DOMAIN: &str = "number";

/// A number that the resource holds, as it was at the moment of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What lasts from its purchase to its release.
    pub holding: Holding,
    /// What kind of number.
    pub kind: NumberType,
    /// ISO 3166, two capitals.
    pub country: String,
    /// What it is set up for.
    pub capabilities: Capabilities,
    version: u64,
}

/// Whether texts may be sent from a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MayText {
    /// The resource holds it and it is set up for it.
    Yes(Sender),
    /// The resource holds it, but it is not set up for sending texts.
    NotEnabled(Sender),
    /// The resource does not hold it: nobody does, or another resource. One answer for all (law 6).
    NotHeld,
}

/// The number's name in row keys of this cell.
///
/// # Errors
/// When the store or the key service fails.
pub async fn key(cell: &Cell, number: &PhoneNumber) -> Result<NumberKey, StoreError> {
    cell.blind_index(ResourceId::CELL, DOMAIN, number.digits().as_bytes()).await
}

/// Which resource of the cell holds the number: where a text goes that was sent to it.
///
/// # Errors
/// When the store or the key service fails.
pub async fn holder(cell: &Cell, number: &PhoneNumber) -> Result<Option<ResourceId>, StoreError> {
    let key = key(cell, number).await?;
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Numbers>(&key).await?;
    Ok(found.and_then(|row| match row.value.state {
        State::Held { by } => Some(by),
        State::Free | State::Kept { .. } => None,
    }))
}

/// Whether `resource` may send texts from the number. To be sure that it still may when the text is accepted, let the
/// commit [`expect_held`].
///
/// # Errors
/// When the store or the key service fails.
pub async fn may_text(cell: &Cell, resource: ResourceId, from: &PhoneNumber) -> Result<MayText, StoreError> {
    let key = key(cell, from).await?;
    let mut reader = cell.read(resource).await?;
    may_text_in(&mut reader, key).await
}

/// The same in a view that is open already, of the resource that wants to send.
///
/// # Errors
/// When the store fails.
pub async fn may_text_in(reader: &mut Reader, key: NumberKey) -> Result<MayText, StoreError> {
    let Some(found) = reader.try_get::<HeldNumbers>(&key).await? else { return Ok(MayText::NotHeld) };
    let Some(row) = found.value() else { return Ok(MayText::NotHeld) };
    let sender = Sender {
        holding: Holding::of(key, &row.hint),
        kind: row.value.offer.kind,
        country: row.value.offer.country,
        capabilities: row.value.capabilities,
        version: row.version,
    };
    let may = sender.capabilities.sms.sends();
    Ok(if may { MayText::Yes(sender) } else { MayText::NotEnabled(sender) })
}

/// The holding of a number that `resource` has, whatever it is set up for; `None` when it does not have it.
///
/// # Errors
/// When the store or the key service fails.
pub async fn holding(
    cell: &Cell,
    resource: ResourceId,
    number: &PhoneNumber,
) -> Result<Option<Holding>, StoreError> {
    let key = key(cell, number).await?;
    let found = cell.read(resource).await?.try_get::<HeldNumbers>(&key).await?;
    Ok(found.and_then(|found| found.value()).map(|row| Holding::of(key, &row.hint)))
}

/// Makes a commit of the resource conditional on the number being held, and set up, as it was when it was looked at.
pub fn expect_held(draft: &mut Draft, sender: &Sender) {
    draft.expect_version::<HeldNumbers>(&sender.holding.number, sender.version);
    // Versions begin anew with each purchase.
    draft.expect_scope_key(&sender.holding.scope());
}
