//! The inventory of a cell, as its operator fills it and looks at it.

use base::{Clock, PhoneNumber, ResourceId, Rng};
use post::numbers::{Inventory, Offer};
use store::{Cell, Direction, Draft, KeyRange, MAX_SCAN, Opened, StoreError};

use super::desk::{NumbersDesk, Registered, retry};
use super::error::NumbersError;
use super::rows::{
    FreeNumbers, NumberKey, NumberRow, Numbers, RegisterRow, Registers, ShelfKey, Shelves, State,
};
use super::{holder, keeping, purchase};
use crate::service::audit::{self, Act, Target};

/// The domain of the hash of offers.
const DOMAIN: &str = "number offer";
/// How often an import that met another is tried again.
const ATTEMPTS: usize = 8;

/// What came of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Numbers that were not there before.
    pub added: usize,
    /// Free numbers that are offered otherwise now.
    pub changed: usize,
    /// Numbers that were there, just so.
    pub known: usize,
    /// Numbers that somebody has and that stay as they are, although the file says otherwise.
    pub busy: usize,
}

/// Adds an inventory to the cell's, all or nothing. The same again changes nothing. A built-in one carries a mark, by
/// which it is loaded once.
///
/// # Errors
/// [`NumbersError::Busy`], [`NumbersError::Store`].
pub async fn load(
    cell: &Cell,
    inventory: &Inventory,
    built_in: Option<u32>,
    act: Act,
    clock: &dyn Clock,
    rng: &dyn Rng,
) -> Result<Loaded, NumbersError> {
    let desk = NumbersDesk { cell, resource: ResourceId::CELL, clock, rng, act, attempts: ATTEMPTS };
    retry!(desk, load_once(&desk, inventory, built_in))
}

async fn load_once(
    desk: &NumbersDesk<'_>,
    inventory: &Inventory,
    built_in: Option<u32>,
) -> Result<Loaded, NumbersError> {
    let cell = desk.cell;
    let (mut draft, register) = touch(cell).await?;
    if built_in.is_some_and(|mark| register.built_in >= mark) {
        return Ok(Loaded { known: inventory.numbers.len(), ..Loaded::default() });
    }
    let mut shelves = Vec::with_capacity(inventory.offers.len());
    for offer in &inventory.offers {
        let shelf = shelf(cell, offer).await?;
        draft.put_in_resource::<Shelves>(&shelf, offer, &[])?;
        shelves.push(shelf);
    }
    let numbers: Vec<PhoneNumber> = inventory.numbers.iter().map(|(number, _)| number.clone()).collect();
    let found = desk.registered(&numbers).await?;
    let mut loaded = Loaded::default();
    for ((number, offer), found) in inventory.numbers.iter().zip(found) {
        let shelf = shelves.get(*offer).copied().ok_or(StoreError::Corrupt { keyspace: "number_shelf" })?;
        match found {
            None => {
                let key = holder::key(cell, number).await?;
                put_free(&mut draft, key, number, shelf)?;
                loaded.added += 1;
            }
            Some(found) if found.row.shelf == shelf => loaded.known += 1,
            Some(found) if found.row.state == State::Free => {
                draft.expect_version::<Numbers>(&found.key, found.version);
                draft.delete::<FreeNumbers>(&(found.row.shelf, found.key));
                put_free(&mut draft, found.key, number, shelf)?;
                loaded.changed += 1;
            }
            Some(_) => loaded.busy += 1,
        }
    }
    let register = RegisterRow {
        numbers: register.numbers + loaded.added as u64,
        built_in: built_in.unwrap_or(register.built_in),
    };
    draft.put_in_resource::<Registers>(&(), &register, &[])?;
    audit::record(&mut draft, desk.act, Target::Resource(ResourceId::CELL), desk.now(), desk.rng)?;
    draft.commit().await?;
    Ok(loaded)
}

/// A commit to the cell's register that loses against every other one that adds numbers: whoever adds writes the row.
async fn touch(cell: &Cell) -> Result<(Draft, RegisterRow), StoreError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Registers>(&()).await?;
    let mut draft = reader.draft();
    match found {
        Some(found) => {
            draft.expect_version::<Registers>(&(), found.version);
            Ok((draft, found.value))
        }
        None => {
            draft.expect_absent::<Registers>(&());
            Ok((draft, RegisterRow::default()))
        }
    }
}

fn put_free(
    draft: &mut Draft,
    key: NumberKey,
    number: &PhoneNumber,
    shelf: ShelfKey,
) -> Result<(), StoreError> {
    let row = NumberRow { number: number.clone(), shelf, state: State::Free };
    draft.put_in_resource::<Numbers>(&key, &row, &[])?;
    draft.put_in_resource::<FreeNumbers>(&(shelf, key), number, &[])
}

async fn shelf(cell: &Cell, offer: &Offer) -> Result<ShelfKey, StoreError> {
    let bytes = serde_json::to_vec(offer).map_err(|_| StoreError::Corrupt { keyspace: "number_shelf" })?;
    cell.blind_index(ResourceId::CELL, DOMAIN, &bytes).await
}

/// Lets the resource of the desk hold the number from the start, which is added to the inventory when it is not there.
/// Gives back whether the resource holds it now: not when somebody else has it.
///
/// # Errors
/// [`NumbersError::Busy`], [`NumbersError::Store`].
pub async fn ensure_held(
    desk: &NumbersDesk<'_>,
    number: &PhoneNumber,
    offer: &Offer,
) -> Result<bool, NumbersError> {
    retry!(desk, ensure_held_once(desk, number, offer))
}

async fn ensure_held_once(
    desk: &NumbersDesk<'_>,
    number: &PhoneNumber,
    offer: &Offer,
) -> Result<bool, NumbersError> {
    let now = desk.now();
    let found = desk.registered(std::slice::from_ref(number)).await?.pop().flatten();
    let (mut cell, register) = touch(desk.cell).await?;
    let shelf = shelf(desk.cell, offer).await?;
    let registered = match found {
        Some(found) if found.row.state == (State::Held { by: desk.resource }) => return Ok(true),
        Some(found) if !keeping::is_free(&found, now) => return Ok(false),
        Some(found) => {
            keeping::hold(&mut cell, &found, desk.resource)?;
            found
        }
        None => {
            let key = holder::key(desk.cell, number).await?;
            let row = NumberRow { number: number.clone(), shelf, state: State::Held { by: desk.resource } };
            cell.expect_absent::<Numbers>(&key);
            cell.put_in_resource::<Shelves>(&shelf, offer, &[])?;
            cell.put_in_resource::<Numbers>(&key, &row, &[])?;
            Registered { key, row, version: 0 }
        }
    };
    cell.put_in_resource::<Registers>(&(), &register, &[])?;
    let mut draft = desk.cell.draft(desk.resource).await?;
    purchase::write_held(&mut draft, &registered, offer.clone(), None, now)?;
    desk.audit(&mut draft)?;
    draft.join(cell)?;
    draft.commit().await?;
    Ok(true)
}

/// An offer and how its numbers stand.
#[derive(Clone, Debug)]
pub struct Lot {
    /// The offer.
    pub offer: Offer,
    /// How many can be had.
    pub free: usize,
    /// How many are kept for somebody.
    pub kept: usize,
    /// How many are held.
    pub held: usize,
}

/// How a number of the inventory stands, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be had.
    Free,
    /// It is kept for this resource.
    Kept(ResourceId),
    /// This resource holds it.
    Held(ResourceId),
}

/// A number of the inventory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The number.
    pub number: PhoneNumber,
    /// What it is offered as.
    pub offer: Offer,
    /// How it stands.
    pub standing: Standing,
    /// Its place in the list: what a later page begins after.
    pub key: NumberKey,
}

fn stands(row: &NumberRow, clock: &dyn Clock) -> Standing {
    match row.state {
        State::Held { by } => Standing::Held(by),
        State::Kept { by, until, .. } if clock.now() < until => Standing::Kept(by),
        State::Free | State::Kept { .. } => Standing::Free,
    }
}

/// What the cell offers, sorted, with how many of each can be had.
///
/// # Errors
/// When the store fails.
pub async fn lots(cell: &Cell, clock: &dyn Clock) -> Result<Vec<Lot>, StoreError> {
    let mut counts = std::collections::HashMap::<ShelfKey, [usize; 3]>::new();
    let mut range = KeyRange::all();
    loop {
        let mut reader = cell.read(ResourceId::CELL).await?;
        let page = reader.scan::<Numbers>(range, Direction::Forward, MAX_SCAN).await?;
        let Some((last, _)) = page.last() else { break };
        range = KeyRange::all().after(last);
        for row in page.into_iter().filter_map(|(_, row)| row.value()) {
            let at = match stands(&row.value, clock) {
                Standing::Free => 0,
                Standing::Kept(_) => 1,
                Standing::Held(_) => 2,
            };
            counts.entry(row.value.shelf).or_default()[at] += 1;
        }
    }
    let mut reader = cell.read(ResourceId::CELL).await?;
    let all = super::offers::shelves(&mut reader, &super::Filter::default()).await?;
    let mut lots: Vec<Lot> = all
        .into_iter()
        .filter_map(|(shelf, offer)| {
            let [free, kept, held] = counts.get(&shelf).copied()?;
            Some(Lot { offer, free, kept, held })
        })
        .collect();
    lots.sort_by(|a, b| a.offer.cmp(&b.offer));
    Ok(lots)
}

/// Numbers of the cell after the one at `after`, in an order that is any, and stays: at most `most`.
///
/// # Errors
/// When the store fails.
pub async fn numbers(
    cell: &Cell,
    after: Option<NumberKey>,
    most: usize,
    clock: &dyn Clock,
) -> Result<Vec<Listed>, StoreError> {
    let range = match after {
        Some(key) => KeyRange::all().after(&key),
        None => KeyRange::all(),
    };
    let mut reader = cell.read(ResourceId::CELL).await?;
    let rows = reader.scan::<Numbers>(range, Direction::Forward, most).await?;
    let rows: Vec<_> = rows.into_iter().filter_map(|(key, row)| Some((key, row.value()?.value))).collect();
    let shelves: Vec<_> = rows.iter().map(|(_, row)| row.shelf).collect();
    let offers = reader.multi_get::<Shelves>(&shelves).await?;
    let listed = rows.into_iter().zip(offers).filter_map(|((key, row), offer)| {
        let offer = offer.and_then(Opened::value)?.value;
        Some(Listed { standing: stands(&row, clock), number: row.number, offer, key })
    });
    Ok(listed.collect())
}
