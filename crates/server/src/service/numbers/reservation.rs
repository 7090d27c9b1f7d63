//! Reservations: numbers picked one by one, kept for a while, bought together.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{EntryId, Personal, PhoneNumber, ResourceId, Timestamp};
use post::numbers::Offer;
use store::{Direction, Draft, KeyRange, Opened, StoreError, Versioned};

use super::desk::{NumbersDesk, retry};
use super::error::NumbersError;
use super::keeping;
use super::operation::OperationName;
use super::rows::{OperationKind, ReservationRow, ReservationState, Reservations, Shelves};

/// How long numbers are kept after the last change.
const KEPT: Duration = Duration::from_secs(15 * 60);
/// How long they are kept after the reservation was made, however often it is changed.
const KEPT_AT_MOST: Duration = Duration::from_secs(2 * 3600);
/// How long a reservation that has ended can be asked for.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most numbers of one reservation.
pub(super) const MAX_NUMBERS: usize = 100;
/// The most reservations of one resource that can still be asked for.
pub(super) const MAX_RESERVATIONS: usize = 500;

/// How a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be changed and bought.
    Active,
    /// It was bought.
    Completed,
    /// Its time is over.
    Expired,
}

/// How a number of a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemStatus {
    /// It is kept.
    Reserved,
    /// It was bought.
    Purchased,
    /// It is kept no longer.
    Expired,
    /// Somebody else has it, or there is no such number.
    Failed,
}

/// A number of a reservation.
#[derive(Clone, Debug)]
pub struct Item {
    /// The number.
    pub number: PhoneNumber,
    /// What it is offered as; none where there is no such number.
    pub offer: Option<Offer>,
    /// How it stands.
    pub status: ItemStatus,
}

/// A reservation.
#[derive(Clone, Debug)]
pub struct ReservationView {
    /// Its id, which who made it chose.
    pub id: EntryId,
    /// How it stands.
    pub standing: Standing,
    /// When it ends, or ended.
    pub expires: Timestamp,
    /// Its numbers.
    pub items: Vec<Item>,
}

type Numbers = BTreeMap<Personal<String>, Offer>;

fn standing(row: &ReservationRow, now: Timestamp) -> Standing {
    match row.state {
        ReservationState::Completed => Standing::Completed,
        ReservationState::Active if now < row.expires => Standing::Active,
        ReservationState::Active => Standing::Expired,
    }
}

fn view(id: EntryId, row: ReservationRow, now: Timestamp) -> ReservationView {
    let standing = standing(&row, now);
    let status = match standing {
        Standing::Active => ItemStatus::Reserved,
        Standing::Completed => ItemStatus::Purchased,
        Standing::Expired => ItemStatus::Expired,
    };
    let numbers = row.numbers.into_iter().filter_map(|(digits, offer)| {
        let number = PhoneNumber::lenient(digits.expose()).ok()?;
        Some(Item { number, offer: Some(offer), status })
    });
    ReservationView { id, standing, expires: row.expires, items: numbers.collect() }
}

fn digits(number: &PhoneNumber) -> Personal<String> {
    number.digits().to_owned().into()
}

fn listed(numbers: &Numbers) -> Vec<PhoneNumber> {
    numbers.keys().filter_map(|digits| PhoneNumber::lenient(digits.expose()).ok()).collect()
}

impl NumbersDesk<'_> {
    /// Makes or changes a reservation. Numbers that cannot be had are told as failed, and are not part of it; whether it
    /// was made by this call is told too.
    ///
    /// # Errors
    /// [`NumbersError::NotActive`], [`NumbersError::TooManyNumbers`], [`NumbersError::TooManyReservations`].
    pub async fn reserve(
        &self,
        id: EntryId,
        add: &[PhoneNumber],
        remove: &[PhoneNumber],
    ) -> Result<(ReservationView, bool), NumbersError> {
        keeping::end_overdue(self.cell, self.now()).await?;
        retry!(self, self.reserve_once(id, add, remove))
    }

    async fn reserve_once(
        &self,
        id: EntryId,
        add: &[PhoneNumber],
        remove: &[PhoneNumber],
    ) -> Result<(ReservationView, bool), NumbersError> {
        let now = self.now();
        let (found, mut draft) = self.find_reservation(id).await?;
        let made = found.is_none();
        let mut row = match &found {
            Some(found) if standing(&found.value, now) != Standing::Active => {
                return Err(NumbersError::NotActive);
            }
            Some(found) => {
                draft.expect_version::<Reservations>(&id, found.version);
                found.value.clone()
            }
            None => {
                self.make_room(&mut draft).await?;
                draft.expect_absent::<Reservations>(&id);
                let state = ReservationState::Active;
                ReservationRow { state, created: now, expires: now, numbers: Numbers::new() }
            }
        };
        row.expires = now.plus(KEPT).min(row.created.plus(KEPT_AT_MOST));
        let mut cell = self.cell.draft(ResourceId::CELL).await?;
        self.let_go(&mut cell, id, &mut row.numbers, remove).await?;
        self.extend(&mut cell, id, &mut row).await?;
        let failed = self.add(&mut cell, id, &mut row, add).await?;
        if row.numbers.len() > MAX_NUMBERS {
            return Err(NumbersError::TooManyNumbers { limit: MAX_NUMBERS });
        }
        draft.put_in_resource::<Reservations>(&id, &row, &[])?;
        draft.join(cell)?;
        draft.commit().await?;
        let mut view = view(id, row, now);
        view.items.extend(failed);
        Ok((view, made))
    }

    /// A reservation.
    ///
    /// # Errors
    /// [`NumbersError::ReservationUnknown`].
    pub async fn reservation(&self, id: EntryId) -> Result<ReservationView, NumbersError> {
        let (found, _) = self.find_reservation(id).await?;
        Ok(view(id, found.ok_or(NumbersError::ReservationUnknown)?.value, self.now()))
    }

    /// The reservations of the resource, without their numbers.
    ///
    /// # Errors
    /// [`NumbersError::Store`].
    pub async fn reservations(&self) -> Result<Vec<ReservationView>, NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let all = reader.scan::<Reservations>(KeyRange::all(), Direction::Forward, MAX_RESERVATIONS).await?;
        let now = self.now();
        let rows = all.into_iter().filter_map(|(id, row)| Some((id, row.value()?.value)));
        let bare = rows.map(|(id, row)| view(id, ReservationRow { numbers: Numbers::new(), ..row }, now));
        Ok(bare.collect())
    }

    /// Gives up a reservation and its numbers.
    ///
    /// # Errors
    /// [`NumbersError::ReservationUnknown`], [`NumbersError::NotActive`].
    pub async fn give_up(&self, id: EntryId) -> Result<(), NumbersError> {
        retry!(self, self.give_up_once(id))
    }

    async fn give_up_once(&self, id: EntryId) -> Result<(), NumbersError> {
        let (mut draft, mut found) = self.active(id).await?;
        let mut cell = self.cell.draft(ResourceId::CELL).await?;
        let all = listed(&found.numbers);
        self.let_go(&mut cell, id, &mut found.numbers, &all).await?;
        draft.delete::<Reservations>(&id);
        draft.join(cell)?;
        Ok(draft.commit().await?)
    }

    /// Buys all that is reserved.
    ///
    /// # Errors
    /// [`NumbersError::ReservationUnknown`], [`NumbersError::NotActive`], [`NumbersError::Empty`],
    /// [`NumbersError::NotAgreed`].
    pub async fn purchase_reservation(
        &self,
        id: EntryId,
        agrees: bool,
    ) -> Result<OperationName, NumbersError> {
        retry!(self, self.purchase_reservation_once(id, agrees))
    }

    async fn purchase_reservation_once(
        &self,
        id: EntryId,
        agrees: bool,
    ) -> Result<OperationName, NumbersError> {
        let (mut draft, mut row) = self.active(id).await?;
        if row.numbers.is_empty() {
            return Err(NumbersError::Empty);
        }
        if !agrees && row.numbers.values().any(|offer| offer.not_for_resale) {
            return Err(NumbersError::NotAgreed);
        }
        let now = self.now();
        let numbers: Vec<_> = self.registered(&listed(&row.numbers)).await?.into_iter().flatten().collect();
        let all = numbers.len() == row.numbers.len();
        if !all || !numbers.iter().all(|number| keeping::is_kept(number, self.resource, id, now)) {
            return Err(NumbersError::NotActive);
        }
        self.hand_over(&mut draft, numbers, None).await?;
        row.state = ReservationState::Completed;
        draft.put_in_resource::<Reservations>(&id, &row, &[])?;
        let name = OperationName { kind: OperationKind::PurchaseReservation, id: self.id() };
        self.done(&mut draft, name, None, None)?;
        self.audit(&mut draft)?;
        draft.commit().await?;
        Ok(name)
    }

    async fn find_reservation(
        &self,
        id: EntryId,
    ) -> Result<(Option<Versioned<ReservationRow>>, Draft), StoreError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Reservations>(&id).await?;
        Ok((found, reader.draft()))
    }

    /// A reservation that can still be changed, and a commit that rests on it.
    async fn active(&self, id: EntryId) -> Result<(Draft, ReservationRow), NumbersError> {
        let (found, mut draft) = self.find_reservation(id).await?;
        let found = found.ok_or(NumbersError::ReservationUnknown)?;
        if standing(&found.value, self.now()) != Standing::Active {
            return Err(NumbersError::NotActive);
        }
        draft.expect_version::<Reservations>(&id, found.version);
        Ok((draft, found.value))
    }

    /// Removes reservations that ended long ago; there must be room for one more.
    async fn make_room(&self, draft: &mut Draft) -> Result<(), NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let all = reader.scan::<Reservations>(KeyRange::all(), Direction::Forward, MAX_RESERVATIONS).await?;
        let now = self.now();
        let mut count = all.len();
        for (id, row) in all {
            let over = |row: ReservationRow| row.expires.plus(REMEMBERED) < now;
            if row.value().is_none_or(|row| over(row.value)) {
                draft.delete::<Reservations>(&id);
                count -= 1;
            }
        }
        if count < MAX_RESERVATIONS {
            Ok(())
        } else {
            Err(NumbersError::TooManyReservations { limit: MAX_RESERVATIONS })
        }
    }

    /// Frees those of `remove` that are reserved.
    async fn let_go(
        &self,
        cell: &mut Draft,
        id: EntryId,
        numbers: &mut Numbers,
        remove: &[PhoneNumber],
    ) -> Result<(), StoreError> {
        let mut ours: Vec<PhoneNumber> = Vec::new();
        for number in remove {
            if numbers.remove(&digits(number)).is_some() {
                ours.push(number.clone());
            }
        }
        for found in self.registered(&ours).await?.into_iter().flatten() {
            if keeping::is_kept(&found, self.resource, id, self.now()) {
                keeping::free(cell, &found)?;
            }
        }
        Ok(())
    }

    /// Keeps what is reserved already until the new end.
    async fn extend(
        &self,
        cell: &mut Draft,
        id: EntryId,
        row: &mut ReservationRow,
    ) -> Result<(), StoreError> {
        let all = listed(&row.numbers);
        for (number, found) in all.iter().zip(self.registered(&all).await?) {
            match found.filter(|found| keeping::is_kept(found, self.resource, id, self.now())) {
                Some(found) => keeping::keep(cell, &found, self.resource, id, row.expires)?,
                None => {
                    row.numbers.remove(&digits(number));
                }
            }
        }
        Ok(())
    }

    /// Keeps those of `add` that can be had; gives back the others.
    async fn add(
        &self,
        cell: &mut Draft,
        id: EntryId,
        row: &mut ReservationRow,
        add: &[PhoneNumber],
    ) -> Result<Vec<Item>, StoreError> {
        let new: Vec<_> = add.iter().filter(|n| !row.numbers.contains_key(&digits(n))).cloned().collect();
        let found = self.registered(&new).await?;
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let shelves: Vec<_> = found.iter().flatten().map(|found| found.row.shelf).collect();
        let mut offers = reader.multi_get::<Shelves>(&shelves).await?.into_iter();
        drop(reader);
        let mut failed = Vec::new();
        for (number, found) in new.into_iter().zip(found) {
            let offer = match &found {
                Some(_) => offers.next().flatten().and_then(Opened::value).map(|offer| offer.value),
                None => None,
            };
            match (found, offer) {
                (Some(found), Some(offer)) if keeping::is_free(&found, self.now()) => {
                    keeping::keep(cell, &found, self.resource, id, row.expires)?;
                    row.numbers.insert(digits(&number), offer);
                }
                (_, offer) => failed.push(Item { number, offer, status: ItemStatus::Failed }),
            }
        }
        Ok(failed)
    }
}
