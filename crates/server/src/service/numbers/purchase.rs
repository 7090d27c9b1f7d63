//! Buying what a search found.

use base::phone::Capabilities;
use base::{EntryId, ResourceId, Timestamp};
use post::numbers::Offer;
use store::{Draft, Opened, StoreError, Versioned};

use super::desk::{NumbersDesk, Registered, retry};
use super::error::NumbersError;
use super::keeping;
use super::operation::OperationName;
use super::rows::{
    HeldNumber, HeldNumbers, Holding, OperationFailure, OperationKind, SearchRow, Searches, Shelves,
};

impl NumbersDesk<'_> {
    /// Buys all that a search found. When it is kept no longer, or nothing was found, the operation has failed, and says
    /// so to who asks for it.
    ///
    /// # Errors
    /// [`NumbersError::SearchUnknown`], [`NumbersError::Purchased`], [`NumbersError::NotAgreed`].
    pub async fn purchase(&self, search: EntryId, agrees: bool) -> Result<OperationName, NumbersError> {
        retry!(self, self.purchase_once(search, agrees))
    }

    async fn purchase_once(&self, search: EntryId, agrees: bool) -> Result<OperationName, NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Searches>(&search).await?.ok_or(NumbersError::SearchUnknown)?;
        drop(reader);
        if found.value.purchased {
            return Err(NumbersError::Purchased);
        }
        if found.value.not_for_resale && !agrees {
            return Err(NumbersError::NotAgreed);
        }
        let name = OperationName { kind: OperationKind::Purchase, id: self.id() };
        let mut draft = self.cell.draft(self.resource).await?;
        draft.expect_version::<Searches>(&search, found.version);
        self.audit(&mut draft)?;
        match self.buyable(search, &found).await? {
            Err(failure) => self.done(&mut draft, name, None, Some(failure))?,
            Ok(numbers) => {
                let row = SearchRow { purchased: true, ..found.value };
                draft.put_in_resource::<Searches>(&search, &row, &[])?;
                self.done(&mut draft, name, None, None)?;
                self.hand_over(&mut draft, numbers, Some(row.capabilities)).await?;
            }
        }
        draft.commit().await?;
        Ok(name)
    }

    /// The numbers of a search, or why they cannot be bought any more.
    async fn buyable(
        &self,
        search: EntryId,
        found: &Versioned<SearchRow>,
    ) -> Result<Result<Vec<Registered>, OperationFailure>, StoreError> {
        if found.value.numbers.is_empty() {
            return Ok(Err(OperationFailure::NothingFound));
        }
        let now = self.now();
        let numbers = self.registered(&found.value.numbers).await?;
        let kept: Vec<_> = numbers.into_iter().flatten().collect();
        let all = kept.len() == found.value.numbers.len();
        let good = all && kept.iter().all(|number| keeping::is_kept(number, self.resource, search, now));
        Ok(if good { Ok(kept) } else { Err(OperationFailure::Expired) })
    }

    /// Adds to the commit that the resource holds these numbers, set up for `capabilities` or for all that is offered.
    pub(super) async fn hand_over(
        &self,
        draft: &mut Draft,
        numbers: Vec<Registered>,
        capabilities: Option<Capabilities>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let shelves: Vec<_> = numbers.iter().map(|number| number.row.shelf).collect();
        let offers = reader.multi_get::<Shelves>(&shelves).await?;
        let mut cell = reader.draft();
        drop(reader);
        for (number, offer) in numbers.iter().zip(offers) {
            let offer = offer.and_then(Opened::value).ok_or(StoreError::Conflict)?.value;
            keeping::hold(&mut cell, number, self.resource)?;
            write_held(draft, number, offer, capabilities, now)?;
        }
        draft.join(cell)
    }
}

/// Adds to the resource's commit that it holds the number.
pub(super) fn write_held(
    draft: &mut Draft,
    number: &Registered,
    offer: Offer,
    capabilities: Option<Capabilities>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let holding = Holding { number: number.key, id: draft.cell().rng().id() };
    let scope = draft.new_scope_key(holding.scope())?;
    let row = HeldNumber {
        number: number.row.number.clone(),
        capabilities: capabilities.unwrap_or(offer.capabilities),
        offer,
        purchased_at: now,
    };
    draft.expect_absent::<HeldNumbers>(&number.key);
    draft.put::<HeldNumbers>(&number.key, &row, &holding.id, &scope)
}
