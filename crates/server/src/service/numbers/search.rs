//! Searching: numbers that match are kept for the resource for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use base::phone::{Assignment, Capabilities, NumberType};
use base::{EntryId, PhoneNumber, ResourceId};
use post::numbers::{Cost, Offer};
use store::{Direction, KeyRange, Opened, Reader};

use super::desk::{NumbersDesk, retry};
use super::error::NumbersError;
use super::keeping;
use super::offers::{Filter, shelves};
use super::operation::OperationName;
use super::rows::{FreeNumbers, NumberKey, OperationKind, SearchRow, Searches, ShelfKey};

/// How long what a search found is kept (ACS: less than 15 minutes).
pub(super) const KEPT: Duration = Duration::from_secs(15 * 60);

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where, what kind, and who for.
    pub country: String,
    /// What kind of numbers.
    pub kind: NumberType,
    /// Who they are for.
    pub assignment: Assignment,
    /// What must be possible with them; none leaves it to the offer.
    pub capabilities: Option<Capabilities>,
    /// Their area code.
    pub area_code: Option<String>,
    /// How many.
    pub quantity: usize,
}

/// Numbers that can be found by one search: all of the same price and conditions.
type Terms = (Cost, bool, Capabilities);

struct Found {
    terms: Option<Terms>,
    numbers: Vec<PhoneNumber>,
}

impl NumbersDesk<'_> {
    /// Looks for numbers and keeps them for the resource. There may be fewer than asked for, or none.
    ///
    /// # Errors
    /// [`NumbersError::Busy`], [`NumbersError::Store`].
    pub async fn search(&self, wanted: &Wanted) -> Result<(OperationName, EntryId), NumbersError> {
        keeping::end_overdue(self.cell, self.now()).await?;
        retry!(self, self.search_once(wanted))
    }

    async fn search_once(&self, wanted: &Wanted) -> Result<(OperationName, EntryId), NumbersError> {
        let found = self.find(wanted).await?;
        let id = self.id();
        let now = self.now();
        let until = now.plus(KEPT);
        let mut cell = self.cell.draft(ResourceId::CELL).await?;
        let mut kept = Vec::with_capacity(found.numbers.len());
        for registered in self.registered(&found.numbers).await?.into_iter().flatten() {
            if keeping::is_free(&registered, now) {
                keeping::keep(&mut cell, &registered, self.resource, id, until)?;
                kept.push(registered.row.number);
            }
        }
        let row = SearchRow {
            short: kept.len() < wanted.quantity,
            numbers: kept,
            kind: wanted.kind,
            assignment: wanted.assignment,
            capabilities: wanted
                .capabilities
                .or(found.terms.as_ref().map(|terms| terms.2))
                .unwrap_or(Capabilities::NONE),
            not_for_resale: found.terms.as_ref().is_some_and(|terms| terms.1),
            cost: found.terms.map(|terms| terms.0),
            expires: until,
            purchased: false,
        };
        let name = OperationName { kind: OperationKind::Search, id };
        let mut draft = self.cell.draft(self.resource).await?;
        draft.expect_absent::<Searches>(&id);
        draft.put_in_resource::<Searches>(&id, &row, &[])?;
        self.done(&mut draft, name, Some(format!("/availablePhoneNumbers/searchResults/{id}")), None)?;
        self.forget_old(&mut draft).await?;
        draft.join(cell)?;
        draft.commit().await?;
        Ok((name, id))
    }

    /// What a search found.
    ///
    /// # Errors
    /// [`NumbersError::SearchUnknown`].
    pub async fn search_result(&self, search: EntryId) -> Result<SearchRow, NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Searches>(&search).await?;
        found.map(|found| found.value).ok_or(NumbersError::SearchUnknown)
    }

    /// Free numbers of the terms that have most of them, up to as many as are wanted.
    async fn find(&self, wanted: &Wanted) -> Result<Found, NumbersError> {
        let filter = Filter {
            country: Some(wanted.country.clone()),
            kind: Some(wanted.kind),
            assignment: Some(wanted.assignment),
            capabilities: wanted.capabilities.unwrap_or(Capabilities::NONE),
            area_code: wanted.area_code.clone(),
            ..Filter::default()
        };
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let mut by_terms: BTreeMap<Terms, Vec<ShelfKey>> = BTreeMap::new();
        for (shelf, offer) in shelves(&mut reader, &filter).await? {
            by_terms.entry(terms(offer)).or_default().push(shelf);
        }
        let mut best = Found { terms: None, numbers: Vec::new() };
        for (terms, mut shelves) in by_terms {
            let turn = self.rng.below(shelves.len() as u64) as usize;
            shelves.rotate_left(turn);
            let mut numbers = Vec::new();
            for shelf in shelves {
                let left = wanted.quantity - numbers.len();
                numbers.extend(pick(&mut reader, shelf, self.rng.id(), left).await?);
                if numbers.len() == wanted.quantity {
                    return Ok(Found { terms: Some(terms), numbers });
                }
            }
            if numbers.len() > best.numbers.len() {
                best = Found { terms: Some(terms), numbers };
            }
        }
        Ok(best)
    }
}

fn terms(offer: Offer) -> Terms {
    (offer.cost, offer.not_for_resale, offer.capabilities)
}

/// Up to `count` free numbers of a shelf, from `start` on and around: keys are hashes, so any start is as good as
/// another, and those who look at once rarely meet.
pub(super) async fn pick(
    reader: &mut Reader,
    shelf: ShelfKey,
    start: NumberKey,
    count: usize,
) -> Result<Vec<PhoneNumber>, NumbersError> {
    let after = KeyRange::prefix(&shelf).starting_at(&(shelf, start));
    let before = KeyRange::prefix(&shelf).before(&(shelf, start));
    let mut numbers = Vec::new();
    for range in [after, before] {
        let left = count - numbers.len();
        if left > 0 {
            let found = reader.scan::<FreeNumbers>(range, Direction::Forward, left).await?;
            numbers.extend(found.into_iter().filter_map(|(_, one)| Opened::value(one)).map(|one| one.value));
        }
    }
    Ok(numbers)
}
