//! The suppression list of a resource: addresses that are left alone, why, since when and until when. ACS's is hidden and
//! shared by all its customers; this one is the resource's own, and can be read and changed.

use std::fmt::Write as _;
use std::time::Duration;

use base::{MailId, Personal, Timestamp};
use post::mail::Address;
use store::{Direction, Draft, KeyRange, Opened, Reader, ScopeHandle, StoreError, key_bytes};

use super::rows::{EVERY_LIST, Hash, Reason, SuppressionRow, Suppressions, suppressed_scope};
use super::{MailDesk, MailError, audit, retry};

/// The meanings of keyed hashes (see [`store::Cell::blind_index`]).
pub(super) const ADDRESS: &str = "mail address";
const LIST: &str = "mail list";

/// How long a hard bounce keeps an address from being tried: first, and after each send within that time (ACS behaviour,
/// section 3: 24 h, 48 h, 96 h, 7 days, at most 14 days).
const LEASES: [Duration; 5] = [hours(24), hours(48), hours(96), hours(7 * 24), hours(14 * 24)];
/// The most lists that may name one address.
const MOST_LISTS: usize = 256;

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

/// Names one entry: the hashes of an address and of a list, telling nothing of either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuppressionId(pub(super) Hash, pub(super) Hash);

impl SuppressionId {
    /// Sixty-four hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.0.iter().chain(&self.1) {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Reads [`Self::to_hex`]'s form.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let half = |text: &str| MailId::from_hex(text).ok().map(|id| *id.as_bytes());
        let (address, list) = text.split_at_checked(32)?;
        Some(Self(half(address)?, half(list)?))
    }
}

/// One entry of the list, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Names it.
    pub id: SuppressionId,
    /// Who is left alone.
    pub address: Personal<String>,
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: until it is deleted.
    pub until: Option<Timestamp>,
    /// By which sender; `None`: by all of the resource.
    pub sender: Option<Personal<String>>,
    /// What the other side said.
    pub detail: Option<Personal<String>>,
    /// The mail it came of.
    pub mail: Option<MailId>,
}

/// What is known of one recipient at the moment of acceptance.
pub(super) struct Standing {
    entries: Vec<((Hash, Hash), u64, SuppressionRow)>,
    /// The entry that applies.
    applies: Option<usize>,
    scope: Option<ScopeHandle>,
}

/// A reason to leave an address alone.
pub(super) struct Cause<'a> {
    pub(super) reason: Reason,
    pub(super) sender: Option<&'a Personal<String>>,
    pub(super) detail: Option<Personal<String>>,
    pub(super) mail: Option<MailId>,
    pub(super) until: Option<Timestamp>,
}

fn is_active(row: &SuppressionRow, now: Timestamp) -> bool {
    row.until.is_none_or(|until| now < until)
}

impl MailDesk<'_> {
    /// What the list says of each address, for mail of `sender`.
    pub(super) async fn standings(
        &self,
        reader: &mut Reader,
        hashes: &[Hash],
        sender: &Personal<String>,
    ) -> Result<Vec<Standing>, StoreError> {
        let sender = folded(sender);
        let now = self.clock.now();
        let mut all = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let found = entries(reader, *hash).await?;
            let applies = found.iter().position(|(_, _, row)| {
                is_active(row, now) && row.sender.as_ref().is_none_or(|only| folded(only) == sender)
            });
            let scope = match applies {
                Some(_) => reader.scope_key(&suppressed_scope(*hash)).await?,
                None => None,
            };
            all.push(Standing { entries: found, applies, scope });
        }
        Ok(all)
    }

    /// Makes a commit rest on `standing`, and says whether the address is left alone. What has ended goes; a lease that
    /// holds is extended, for somebody tried within it.
    pub(super) fn rest_on(
        &self,
        draft: &mut Draft,
        hash: Hash,
        standing: Standing,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let Standing { entries, applies, scope } = standing;
        draft.expect_last::<Suppressions>(key_bytes(&hash), entries.last().map(|(key, _, _)| key));
        if !entries.is_empty() && entries.iter().all(|(_, _, row)| !is_active(row, now)) {
            draft.destroy_scope_key(&suppressed_scope(hash));
        }
        for (at, (key, version, row)) in entries.into_iter().enumerate() {
            draft.expect_version::<Suppressions>(&key, version);
            if !is_active(&row, now) {
                draft.delete::<Suppressions>(&key);
            } else if let (true, Reason::HardBounce, Some(_), Some(scope)) =
                (applies == Some(at), row.reason, row.until, &scope)
            {
                let extended = row.extended.saturating_add(1);
                let lease = LEASES[usize::from(extended).min(LEASES.len() - 1)];
                let row = SuppressionRow { extended, until: Some(now.plus(lease)), ..row };
                draft.put::<Suppressions>(&key, &row, &[], scope)?;
            }
        }
        Ok(applies.is_some())
    }

    /// Puts an address on the list, in the commit of `draft`. An entry that is there already is kept when it lasts longer.
    pub(super) async fn put_suppression(
        &self,
        draft: &mut Draft,
        address: &Personal<String>,
        cause: Cause<'_>,
    ) -> Result<SuppressionId, StoreError> {
        let now = self.clock.now();
        let hash = self.hash(ADDRESS, &folded(address)).await?;
        let list = match cause.sender {
            Some(sender) => self.hash(LIST, &folded(sender)).await?,
            None => EVERY_LIST,
        };
        let key = (hash, list);
        let mut reader = self.reader().await?;
        let found = reader.try_get::<Suppressions>(&key).await?;
        let scope = reader.scope_key(&suppressed_scope(hash)).await?;
        drop(reader);
        let id = SuppressionId(hash, list);
        match &found {
            Some(opened) => draft.expect_version::<Suppressions>(&key, opened.version()),
            None => draft.expect_absent::<Suppressions>(&key),
        }
        let known = found.and_then(Opened::value).map(|row| row.value);
        if known.as_ref().is_some_and(|row| row.until.is_none()) && cause.until.is_some() {
            return Ok(id);
        }
        let scope = match scope {
            Some(scope) => scope,
            None => draft.new_scope_key(suppressed_scope(hash))?,
        };
        let row = SuppressionRow {
            address: address.clone(),
            reason: cause.reason,
            since: now,
            until: cause.until,
            extended: 0,
            sender: cause.sender.cloned(),
            detail: cause.detail,
            mail: cause.mail,
        };
        draft.put::<Suppressions>(&key, &row, &[], &scope)?;
        Ok(id)
    }

    /// The end of a first lease.
    pub(super) fn first_lease(&self) -> Timestamp {
        self.clock.now().plus(LEASES[0])
    }

    /// A page of the list, after the entry `after`, at most `limit` long. Entries whose time is over are left out.
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn suppressions(
        &self,
        after: Option<SuppressionId>,
        limit: usize,
    ) -> Result<(Vec<Suppression>, Option<SuppressionId>), MailError> {
        let mut reader = self.reader().await?;
        let range = match after {
            Some(SuppressionId(address, list)) => KeyRange::all().after(&(address, list)),
            None => KeyRange::all(),
        };
        let rows = reader.scan::<Suppressions>(range, Direction::Forward, limit.saturating_add(1)).await?;
        let mut draft = reader.draft();
        drop(reader);
        let more = rows.len() > limit;
        let rows: Vec<_> = rows.into_iter().take(limit).collect();
        let next = rows.last().filter(|_| more).map(|(key, _)| SuppressionId(key.0, key.1));
        let now = self.clock.now();
        let read = rows.into_iter().filter_map(|(key, opened)| Some((key, opened.value()?.value)));
        let page =
            read.filter(|(_, row)| is_active(row, now)).map(|(key, row)| explained(key, row)).collect();
        audit(self, &mut draft)?;
        if self.act.name.is_some() {
            draft.commit().await?;
        }
        Ok((page, next))
    }

    /// Why `address` is left alone: nothing when it is not.
    ///
    /// # Errors
    /// [`MailError::Address`]; [`MailError::Store`].
    pub async fn explain(&self, address: &Personal<String>) -> Result<Vec<Suppression>, MailError> {
        check(address)?;
        let hash = self.hash(ADDRESS, &folded(address)).await?;
        let mut reader = self.reader().await?;
        let found = entries(&mut reader, hash).await?;
        let mut draft = reader.draft();
        drop(reader);
        audit(self, &mut draft)?;
        draft.commit().await?;
        let now = self.clock.now();
        let active = found.into_iter().filter(|(_, _, row)| is_active(row, now));
        Ok(active.map(|(key, _, row)| explained(key, row)).collect())
    }

    /// Puts an address on the list by hand: for mail of `sender`, or of all.
    ///
    /// # Errors
    /// [`MailError::Address`]; [`MailError::Store`].
    pub async fn suppress(
        &self,
        address: &Personal<String>,
        sender: Option<&Personal<String>>,
        until: Option<Timestamp>,
    ) -> Result<SuppressionId, MailError> {
        check(address)?;
        if let Some(sender) = sender {
            Address::parse(sender.expose()).map_err(|_| MailError::Address("sender".to_owned()))?;
        }
        retry!(self, async {
            let mut draft = self.cell().draft(self.id()).await?;
            let cause = Cause { reason: Reason::Manual, sender, detail: None, mail: None, until };
            let id = self.put_suppression(&mut draft, address, cause).await?;
            audit(self, &mut draft)?;
            draft.commit().await?;
            Ok(id)
        })
    }

    /// Takes an entry off the list. When it was the address's last one, nothing of the address can be read afterwards.
    ///
    /// # Errors
    /// [`MailError::NotFound`]; [`MailError::Store`].
    pub async fn unsuppress(&self, id: SuppressionId) -> Result<(), MailError> {
        retry!(self, async {
            let mut reader = self.reader().await?;
            let keys = reader
                .scan_keys::<Suppressions>(KeyRange::prefix(&id.0), Direction::Forward, MOST_LISTS)
                .await?;
            let mut draft = reader.draft();
            drop(reader);
            let key = (id.0, id.1);
            if keys.iter().all(|(known, _, _)| *known != key) {
                return Err(MailError::NotFound("suppression"));
            }
            for (known, version, _) in &keys {
                draft.expect_version::<Suppressions>(known, *version);
            }
            draft.delete::<Suppressions>(&key);
            if keys.len() == 1 {
                draft.destroy_scope_key(&suppressed_scope(id.0));
            }
            audit(self, &mut draft)?;
            Ok(draft.commit().await?)
        })
    }
}

/// All entries of one address, in the order of their keys. What was erased is passed over.
async fn entries(
    reader: &mut Reader,
    hash: Hash,
) -> Result<Vec<((Hash, Hash), u64, SuppressionRow)>, StoreError> {
    let rows = reader.scan::<Suppressions>(KeyRange::prefix(&hash), Direction::Forward, MOST_LISTS).await?;
    let whole = rows.into_iter().filter_map(|(key, opened)| opened.value().map(|row| (key, row)));
    Ok(whole.map(|(key, row)| (key, row.version, row.value)).collect())
}

fn explained(key: (Hash, Hash), row: SuppressionRow) -> Suppression {
    Suppression {
        id: SuppressionId(key.0, key.1),
        address: row.address,
        reason: row.reason,
        since: row.since,
        until: row.until,
        sender: row.sender,
        detail: row.detail,
        mail: row.mail,
    }
}

fn check(address: &Personal<String>) -> Result<(), MailError> {
    Address::parse(address.expose()).map(|_| ()).map_err(|_| MailError::Address("address".to_owned()))
}

/// One form for all spellings of an address.
pub(super) fn folded(address: &Personal<String>) -> String {
    address.expose().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_both_ways() {
        let id = SuppressionId([0xAB; 16], [0x01; 16]);
        assert_eq!(SuppressionId::from_hex(&id.to_hex()), Some(id));
        for bad in
            ["", "ab", &"g".repeat(64), &id.to_hex()[1..], &format!("{}0", id.to_hex()), &"é".repeat(32)]
        {
            assert_eq!(SuppressionId::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn leases_grow_to_fourteen_days() {
        assert!(LEASES.is_sorted());
        assert_eq!((LEASES[0].as_secs(), LEASES[4].as_secs()), (86_400, 14 * 86_400));
    }
}
