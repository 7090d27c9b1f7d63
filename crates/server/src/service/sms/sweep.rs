//! What time does to texts: the overdue fail, what need not be remembered is forgotten, and receipts that nobody waited
//! for end. Idempotent, and conditional on what was read, so that any number of nodes may do it at once.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{ResourceId, Timestamp};
use store::{Direction, Draft, KeyRange, Opened, StoreError, Versioned};

use super::report::NO_RECEIPT;
use super::rows::{
    Done, Due, DueRow, End, HINT_FINAL, OptOuts, Progress, ReceiptRow, Receipts, TextId, TextRow, Texts,
    has_ended, text_scope,
};
use super::{CarrierDesk, Counts, SmsState, TextDesk, segments};

/// How long a text may be overdue before that is found: the period of the sweep.
pub const SWEPT: Duration = Duration::from_secs(10);
/// How long a receipt that ended may stay: the period of the sweep over the register of a cell.
pub const CARRIERS_SWEPT: Duration = Duration::from_secs(600);

/// The most rows that say what is due, and the most texts, looked at in one commit.
const AT_ONCE: usize = 256;
/// Texts remembered until about the same time share a row: within this many milliseconds.
const TOGETHER_MS: u64 = 60_000;
/// The most commits of one sweep over one resource; the rest is done by the next.
const COMMITS: usize = 64;

impl TextDesk<'_> {
    /// Does what is due. Returns how many texts were looked at.
    ///
    /// # Errors
    /// Those of the store; what was not done is done by the next sweep.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let mut all = 0;
        for _ in 0..COMMITS {
            match self.sweep_some().await {
                Ok(0) => break,
                Ok(count) => all += count,
                // Another node, or a receipt, was there first.
                Err(StoreError::Conflict) => {}
                Err(fault) => return Err(fault),
            }
        }
        if all > 0 {
            self.with.events.wake();
        }
        Ok(all)
    }

    async fn sweep_some(&self) -> Result<usize, StoreError> {
        let now = self.now();
        let mut reader = self.cell().read(self.id()).await?;
        let range = KeyRange::all().before(&now.plus(Duration::from_millis(1)));
        let found = reader.scan::<Due>(range, Direction::Forward, AT_ONCE).await?;
        let mut draft = reader.draft();
        let (mut sent, mut looked_at) = (Vec::new(), 0);
        for (key, opened) in found {
            draft.expect_exists::<Due>(&key);
            draft.delete::<Due>(&key);
            match opened.value().map(|row| row.value) {
                Some(DueRow::Sent(ids)) => sent.extend(ids),
                Some(DueRow::Received(ids)) => {
                    ids.iter().for_each(|id| draft.destroy_scope_key(&text_scope(id)));
                    looked_at += ids.len();
                }
                Some(DueRow::Released(list)) => {
                    let keys = reader
                        .scan_keys::<OptOuts>(KeyRange::prefix(&list), Direction::Forward, AT_ONCE)
                        .await?;
                    keys.iter().for_each(|(key, ..)| draft.delete::<OptOuts>(key));
                    if keys.len() == AT_ONCE {
                        // More than fit: the row that was just removed is put back.
                        draft.put_in_resource::<Due>(&key, &DueRow::Released(list), &[])?;
                    }
                }
                None => {}
            }
            looked_at += 1;
            if sent.len() >= AT_ONCE {
                break;
            }
        }
        if looked_at == 0 {
            return Ok(0);
        }
        looked_at += sent.len();
        let texts = reader.multi_get::<Texts>(&sent).await?;
        drop(reader);
        let mut later: BTreeMap<Timestamp, Vec<TextId>> = BTreeMap::new();
        for (id, found) in sent.into_iter().zip(texts) {
            let Some(Opened::Value(found)) = found else { continue };
            if let Some(at) = self.judge(&mut draft, &id, found, now)? {
                later.entry(together(at)).or_default().push(id);
            }
        }
        for (at, ids) in later {
            draft.put_in_resource::<Due>(&(at, self.with.rng.id()), &DueRow::Sent(ids), &[])?;
        }
        draft.commit().await?;
        Ok(looked_at)
    }

    /// Does what is due about one text; gives when to look at it again.
    fn judge(
        &self,
        draft: &mut Draft,
        id: &TextId,
        found: Versioned<TextRow>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let TextRow { head, progress } = found.value;
        match progress {
            Progress::Done(_) => {
                let until = self.with.kept_until(&head);
                if until > now {
                    return Ok(Some(until));
                }
                debug_assert_eq!(found.hint, HINT_FINAL);
                draft.expect_version::<Texts>(id, found.version);
                draft.delete::<Texts>(id);
                Ok(None)
            }
            Progress::Waiting { .. } if head.deadline > now => Ok(Some(head.deadline)),
            Progress::Waiting { text, delivered } => {
                let failed = segments(&text).saturating_sub(delivered).max(1);
                let done = Done { at: now, end: End::Failed(NO_RECEIPT), succeeded: delivered, failed };
                self.with.end(draft, self.cell(), id, &head, found.version, done)?;
                Counts::one(&self.with.state.counts.overdue);
                Ok(Some(self.with.kept_until(&head)))
            }
        }
    }
}

impl CarrierDesk<'_> {
    /// Removes receipts and what waited for receipts, where their time has ended. Returns how many.
    ///
    /// # Errors
    /// Those of the store; what was not done is done by the next sweep.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.with.clock.now();
        let mut range = KeyRange::all();
        let mut all = 0;
        loop {
            let mut reader = self.cell.read(ResourceId::CELL).await?;
            let found = reader.scan_keys::<Receipts>(range, Direction::Forward, store::MAX_SCAN).await?;
            let Some((last, ..)) = found.last() else { return Ok(all) };
            range = KeyRange::all().after(last);
            let ended = found.iter().filter(|(_, _, hint)| has_ended(hint, now));
            let ended: Vec<([u8; 16], u64)> = ended.map(|(key, version, _)| (*key, *version)).collect();
            for some in ended.chunks(AT_ONCE) {
                let keys: Vec<[u8; 16]> = some.iter().map(|(key, _)| *key).collect();
                let rows = reader.multi_get::<Receipts>(&keys).await?;
                let parked = |row: &Option<Opened<ReceiptRow>>| matches!(row, Some(Opened::Value(row)) if matches!(row.value, ReceiptRow::Parked(_)));
                let unknown = rows.iter().filter(|row| parked(row)).count();
                let mut draft = reader.draft();
                for (key, version) in some {
                    draft.expect_version::<Receipts>(key, *version);
                    draft.delete::<Receipts>(key);
                }
                match draft.commit().await {
                    Ok(()) => {
                        all += some.len();
                        self.with.state.dropped(unknown);
                    }
                    Err(StoreError::Conflict) => {}
                    Err(fault) => return Err(fault),
                }
            }
        }
    }
}

impl SmsState {
    fn dropped(&self, unknown: usize) {
        if unknown > 0 {
            tracing::warn!(unknown, "receipts of texts that are not ours were dropped");
            let unknown = u64::try_from(unknown).unwrap_or(u64::MAX);
            self.counts.unknown.fetch_add(unknown, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// A time up to a minute later, the same for all of that minute.
fn together(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis().div_ceil(TOGETHER_MS).saturating_mul(TOGETHER_MS))
}
