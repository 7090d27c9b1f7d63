//! What is offered: which offers match, and a look at free numbers without keeping them.

use base::phone::{Assignment, Capabilities, NumberType};
use base::{PhoneNumber, ResourceId};
use post::numbers::Offer;
use store::{Direction, KeyRange, MAX_SCAN, Opened, Reader, StoreError};

use super::desk::NumbersDesk;
use super::error::NumbersError;
use super::keeping;
use super::rows::{FreeNumbers, ShelfKey, Shelves};

/// How many numbers are shown to who browses.
const SHOWN: usize = 100;
/// How many numbers of one offer are looked through for those that begin as wanted.
const LOOKED_THROUGH: usize = 4_000;

/// Which offers are meant; what is `None` may be any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// ISO 3166, two capitals.
    pub country: Option<String>,
    /// What kind of numbers.
    pub kind: Option<NumberType>,
    /// Who they are for.
    pub assignment: Option<Assignment>,
    /// What must be possible with them.
    pub capabilities: Capabilities,
    /// Their area code.
    pub area_code: Option<String>,
    /// The name of the place, in any case of letters.
    pub locality: Option<String>,
    /// The name of its state or province, short or long, in any case of letters.
    pub division: Option<String>,
}

impl Filter {
    fn admits(&self, offer: &Offer) -> bool {
        let same = |wanted: &Option<String>, text: Option<&String>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase()))
        };
        let division = offer.division.as_ref();
        self.country.as_ref().is_none_or(|country| *country == offer.country)
            && self.kind.is_none_or(|kind| kind == offer.kind)
            && self.assignment.is_none_or(|assignment| assignment == offer.assignment)
            && offer.capabilities.cover(self.capabilities)
            && same(&self.area_code, offer.area_code.as_ref())
            && same(&self.locality, offer.locality.as_ref())
            && (same(&self.division, division.map(|division| &division.name))
                || same(&self.division, division.map(|division| &division.short)))
    }
}

/// A free number, with what it is offered as.
#[derive(Clone, Debug)]
pub struct Browsed {
    /// The number.
    pub number: PhoneNumber,
    /// What it is offered as.
    pub offer: Offer,
}

/// The offers that match; `reader` is the cell's.
pub(super) async fn shelves(
    reader: &mut Reader,
    filter: &Filter,
) -> Result<Vec<(ShelfKey, Offer)>, StoreError> {
    let all = reader.scan::<Shelves>(KeyRange::all(), Direction::Forward, MAX_SCAN).await?;
    let all = all.into_iter().filter_map(|(key, offer)| Some((key, offer.value()?.value)));
    Ok(all.filter(|(_, offer)| filter.admits(offer)).collect())
}

impl NumbersDesk<'_> {
    /// The offers that match, sorted.
    ///
    /// # Errors
    /// [`NumbersError::Store`].
    pub async fn offers(&self, filter: &Filter) -> Result<Vec<Offer>, NumbersError> {
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let mut offers: Vec<_> =
            shelves(&mut reader, filter).await?.into_iter().map(|(_, offer)| offer).collect();
        offers.sort();
        Ok(offers)
    }

    /// Some free numbers that match, in any order and others each time, up to a hundred. None is kept for anybody.
    ///
    /// # Errors
    /// [`NumbersError::Store`].
    pub async fn browse(&self, filter: &Filter, prefixes: &[String]) -> Result<Vec<Browsed>, NumbersError> {
        keeping::end_overdue(self.cell, self.now()).await?;
        let begins = |number: &PhoneNumber| {
            prefixes.is_empty() || prefixes.iter().any(|prefix| number.digits().starts_with(prefix))
        };
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let mut shown = Vec::new();
        for (shelf, offer) in shelves(&mut reader, filter).await? {
            let start = (shelf, self.rng.id());
            let most = if prefixes.is_empty() { SHOWN } else { LOOKED_THROUGH };
            for range in
                [KeyRange::prefix(&shelf).starting_at(&start), KeyRange::prefix(&shelf).before(&start)]
            {
                let found = reader.scan::<FreeNumbers>(range, Direction::Forward, most).await?;
                let found = found.into_iter().filter_map(|(_, one)| Opened::value(one)).map(|one| one.value);
                shown.extend(found.filter(begins).map(|number| Browsed { number, offer: offer.clone() }));
            }
        }
        // A random sample: each place takes one of those that are left.
        let count = shown.len().min(SHOWN);
        for place in 0..count {
            let other = place + usize::try_from(self.rng.below((shown.len() - place) as u64)).unwrap_or(0);
            shown.swap(place, other);
        }
        shown.truncate(count);
        Ok(shown)
    }
}
