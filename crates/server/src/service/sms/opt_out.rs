//! Who does not want to hear from whom.

use base::{Personal, Timestamp};
use guard::BoxFuture;
use store::{Draft, KeyRange, Keyspace as _, Opened, Reader, StoreError};

use super::rows::{Due, DueRow, OptOutBy, OptOutKey, OptOutRow, OptOuts};
use super::{Origin, SmsError, TextDesk};
use crate::service::audit::{self, Act, Target};

/// One entry, for whoever runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// Names it, and tells nothing.
    pub id: ([u8; 16], [u8; 16]),
    /// Who sends.
    pub from: Personal<String>,
    /// Who does not want to hear from it.
    pub to: Personal<String>,
    /// Since when.
    pub since: Timestamp,
    /// Whether the recipient asked for it, by a keyword; otherwise the application did.
    pub by_keyword: bool,
}

impl OptOut {
    /// The most entries of the list that one call shows.
    pub const SHOWN: usize = 1_000;
}

impl TextDesk<'_> {
    /// Puts recipients on the list. Those that are there stay as they are: when and why they came is not rewritten.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn opt_out(&self, from: &Origin, to: &[Personal<String>]) -> Result<(), SmsError> {
        let known = self.opted_out(from, to).await?;
        let mut draft = self.draft().await?;
        let mut some = false;
        for (to, _) in to.iter().zip(known).filter(|(_, known)| !known) {
            self.list(&mut draft, from, to, OptOutBy::Api).await?;
            some = true;
        }
        if some {
            draft.commit().await?;
        }
        Ok(())
    }

    /// Takes recipients off the list.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn opt_in(&self, from: &Origin, to: &[Personal<String>]) -> Result<(), SmsError> {
        let mut draft = self.draft().await?;
        for to in to {
            self.unlist(&mut draft, from, to).await?;
        }
        if !to.is_empty() {
            draft.commit().await?;
        }
        Ok(())
    }

    /// Whether each of these is on the list.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn opted_out(&self, from: &Origin, to: &[Personal<String>]) -> Result<Vec<bool>, SmsError> {
        let mut keys = Vec::with_capacity(to.len());
        for to in to {
            keys.extend(self.opt_out_key(from, to).await?);
        }
        let mut reader = self.cell().read(self.id()).await?;
        let found = reader.multi_get::<OptOuts>(&keys).await?;
        // What cannot be opened is of a number that was released meanwhile.
        Ok(found.into_iter().map(|found| matches!(found, Some(Opened::Value(_)))).collect())
    }

    /// The list from the entry after `after`, at most [`OptOut::SHOWN`] entries. That it was looked at is recorded first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn opt_outs(
        &self,
        act: Act,
        after: Option<([u8; 16], [u8; 16])>,
    ) -> Result<Vec<OptOut>, SmsError> {
        let mut draft = self.draft().await?;
        audit::record(&mut draft, act, Target::Resource(self.id()), self.now(), self.with.rng)?;
        draft.commit().await?;
        let range = after.map_or_else(KeyRange::all, |after| KeyRange::all().after(&after));
        let mut reader = self.cell().read(self.id()).await?;
        let found = reader.scan::<OptOuts>(range, store::Direction::Forward, OptOut::SHOWN).await?;
        let shown = found.into_iter().filter_map(|(id, opened)| Some((id, opened.value()?.value)));
        Ok(shown
            .map(|(id, row)| OptOut {
                id,
                from: row.from,
                to: row.to,
                since: row.since,
                by_keyword: row.by == OptOutBy::Keyword,
            })
            .collect())
    }

    /// Takes one entry off the list, by who runs the server. `false` when it is not there; the act is recorded either
    /// way.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remove_opt_out(&self, act: Act, id: &([u8; 16], [u8; 16])) -> Result<bool, SmsError> {
        let mut reader = self.cell().read(self.id()).await?;
        let there = matches!(reader.try_get::<OptOuts>(id).await?, Some(Opened::Value(_)));
        let mut draft = reader.draft();
        drop(reader);
        draft.delete::<OptOuts>(id);
        audit::record(&mut draft, act, Target::Resource(self.id()), self.now(), self.with.rng)?;
        draft.commit().await?;
        Ok(there)
    }

    /// The hashes under which the wish of `to` not to hear from `from` is kept; none where there are no such wishes.
    pub(super) async fn opt_out_key(
        &self,
        from: &Origin,
        to: &Personal<String>,
    ) -> Result<Option<OptOutKey>, StoreError> {
        let Some(list) = from.list() else { return Ok(None) };
        let to = self.cell().blind_index(self.id(), "sms opt-out", to.expose().as_bytes()).await?;
        Ok(Some((list.id(), to)))
    }

    pub(super) async fn list(
        &self,
        draft: &mut Draft,
        from: &Origin,
        to: &Personal<String>,
        by: OptOutBy,
    ) -> Result<(), StoreError> {
        let (Some(key), Some(list)) = (self.opt_out_key(from, to).await?, from.list()) else { return Ok(()) };
        let row = OptOutRow { from: from.text().clone(), to: to.clone(), since: self.now(), by };
        let scope = OptOuts::scope(&key, list.hint());
        // Without a key the number was released a moment ago, and its list is no more.
        let Some(scope) = self.cell().read(self.id()).await?.scope_key(&scope).await? else { return Ok(()) };
        draft.put::<OptOuts>(&key, &row, list.hint(), &scope)
    }

    pub(super) async fn unlist(
        &self,
        draft: &mut Draft,
        from: &Origin,
        to: &Personal<String>,
    ) -> Result<(), StoreError> {
        if let Some(key) = self.opt_out_key(from, to).await? {
            draft.delete::<OptOuts>(&key);
        }
        Ok(())
    }
}

/// A number is released: what its recipients wished becomes unreadable with the key of the holding, and is removed by the
/// next sweep, for there may be very many.
pub fn on_release<'a>(
    _reader: &'a mut Reader,
    draft: &'a mut Draft,
    number: &'a crate::service::numbers::Released,
) -> BoxFuture<'a, Result<(), StoreError>> {
    let list = number.holding.id;
    let due = draft.put_in_resource::<Due>(&(Timestamp::EPOCH, list), &DueRow::Released(list), &[]);
    Box::pin(std::future::ready(due))
}
