//! Receipts: what carriers say became of the texts they took. They come when they like: before the answer that names the
//! text, long after it, twice, or for texts of somebody else. What is answered to the carrier is durable.

use std::time::Duration;

use base::ResourceId;
use store::{Cell, Opened, StoreError};

use super::book::{Known, Mark, Sent};
use super::report::verdict;
use super::rows::{
    Done, End, Progress, ReceiptRow, Receipts, TextId, TextRow, Texts, Verdict, ends, text_scope,
};
use super::{CarrierDesk, Counts, RECEIPT_PARKED};
use crate::channel::TextReceipt;

/// How long a receipt waits for the answer it overtook: first without a look at the store, then after one.
const WAITS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];

impl CarrierDesk<'_> {
    /// The hash under which a carrier's id is known in its cell.
    pub(super) async fn mark(cell: &Cell, carrier: &str, message_id: &str) -> Result<Mark, StoreError> {
        let name = [carrier, message_id].join("\0");
        cell.blind_index(ResourceId::CELL, "sms receipt", name.as_bytes()).await
    }

    /// Takes a receipt. `false`: it could not be kept, and must be brought again.
    pub async fn receipt(&self, receipt: &TextReceipt) -> bool {
        let Some(verdict) = verdict(receipt.state) else { return true };
        match self.settle(receipt, verdict).await {
            Ok(()) => {
                self.with.events.wake();
                true
            }
            Err(fault) => {
                tracing::warn!(carrier = receipt.carrier, %fault, "a receipt could not be kept");
                false
            }
        }
    }

    async fn settle(&self, receipt: &TextReceipt, verdict: Verdict) -> Result<(), StoreError> {
        let mark = Self::mark(self.cell, &receipt.carrier, &receipt.message_id).await?;
        let book = &self.with.state.book;
        let mut waits = WAITS.iter();
        let mut attempts = 0;
        while attempts < self.with.limits.commit_attempts.max(1) {
            let outcome = match book.look(&mark) {
                Known::Recording(gate) => {
                    drop(gate.lock().await);
                    continue;
                }
                Known::Sent(sent) => {
                    let ended = self.end_sent(&mark, &sent, verdict).await;
                    book.forget(&[mark]);
                    ended
                }
                Known::Nothing => {
                    let first = waits.len() == WAITS.len();
                    if first && book.is_carrying() {
                        if self.met(mark, verdict, waits.next()).await {
                            return Ok(());
                        }
                        continue;
                    }
                    match self.find(&mark).await? {
                        None if book.is_carrying() && waits.len() > 0 => {
                            if self.met(mark, verdict, waits.next_back()).await {
                                return Ok(());
                            }
                            continue;
                        }
                        None => self.park(&mark, verdict).await,
                        Some(ReceiptRow::Parked(_)) => Ok(()),
                        Some(ReceiptRow::Awaited { resource, text, segments }) => {
                            self.apply(&mark, resource, &text, segments, verdict).await
                        }
                    }
                }
            };
            match outcome {
                Err(StoreError::Conflict) => attempts += 1,
                done => return done,
            }
        }
        Err(StoreError::Conflict)
    }

    /// Waits for who is about to record this mark. `true` when the receipt is kept.
    async fn met(&self, mark: Mark, verdict: Verdict, wait: Option<&Duration>) -> bool {
        let book = &self.with.state.book;
        let (Some(mut told), Some(wait)) = (book.leave(mark, verdict), wait) else { return false };
        if let Ok(answer) = tokio::time::timeout(*wait, &mut told).await {
            return answer.unwrap_or(false);
        }
        // Taken at the last moment: the answer is on its way.
        !book.take_back(&mark) && told.await.unwrap_or(false)
    }

    async fn find(&self, mark: &Mark) -> Result<Option<ReceiptRow>, StoreError> {
        let found = self.cell.read(ResourceId::CELL).await?.get::<Receipts>(mark).await?;
        Ok(found.map(|found| found.value))
    }

    /// Keeps a receipt for a text that is not known yet.
    async fn park(&self, mark: &Mark, verdict: Verdict) -> Result<(), StoreError> {
        let counts = &self.with.state.counts;
        let now = self.with.clock.now();
        if !self.with.state.park(now) {
            Counts::one(&counts.unknown);
            tracing::warn!("too many receipts of unknown texts: one is dropped");
            return Ok(());
        }
        let mut register = self.cell.draft(ResourceId::CELL).await?;
        let hint = ends(now.plus(RECEIPT_PARKED));
        register.expect_absent::<Receipts>(mark);
        register.put_in_resource::<Receipts>(mark, &ReceiptRow::Parked(verdict), &hint)?;
        register.commit().await?;
        Counts::one(&counts.parked);
        Ok(())
    }

    /// Ends a text of one segment as it is remembered; conflicts when it is not so any more.
    async fn end_sent(&self, mark: &Mark, sent: &Sent, verdict: Verdict) -> Result<(), StoreError> {
        let done = self.done(verdict, 0);
        let mut draft = self.cell.draft(sent.resource).await?;
        self.with.end(&mut draft, self.cell, &sent.id, &sent.head, sent.version, done)?;
        let mut register = self.cell.draft(ResourceId::CELL).await?;
        register.expect_exists::<Receipts>(mark);
        register.delete::<Receipts>(mark);
        draft.join(register)?;
        draft.commit().await
    }

    /// Records one segment of a text.
    async fn apply(
        &self,
        mark: &Mark,
        resource: ResourceId,
        id: &TextId,
        segments: u16,
        verdict: Verdict,
    ) -> Result<(), StoreError> {
        let mut register = self.cell.draft(ResourceId::CELL).await?;
        register.expect_exists::<Receipts>(mark);
        register.delete::<Receipts>(mark);
        let mut reader = match self.cell.read(resource).await {
            // The resource is gone, and its texts with it.
            Err(StoreError::UnknownResource) => return register.commit().await,
            other => other?,
        };
        let found = reader.try_get::<Texts>(id).await?.and_then(Opened::value);
        let waiting = found.and_then(|found| match found.value.progress {
            Progress::Waiting { text, delivered } => Some((found.version, found.value.head, text, delivered)),
            Progress::Done(_) => None,
        });
        let Some((version, head, text, delivered)) = waiting else {
            Counts::one(&self.with.state.counts.late);
            drop(reader);
            return register.commit().await;
        };
        let mut draft = reader.draft();
        let more = verdict == Verdict::Delivered && delivered.saturating_add(1) < segments;
        if more {
            let key = reader.scope_key(&text_scope(id)).await?.ok_or(StoreError::Conflict)?;
            let row = TextRow { head, progress: Progress::Waiting { text, delivered: delivered + 1 } };
            draft.expect_version::<Texts>(id, version);
            draft.put::<Texts>(id, &row, &[], &key)?;
        } else {
            let done = self.done(verdict, delivered);
            self.with.end(&mut draft, self.cell, id, &head, version, done)?;
        }
        drop(reader);
        draft.join(register)?;
        draft.commit().await
    }

    fn done(&self, verdict: Verdict, delivered: u16) -> Done {
        let at = self.with.clock.now();
        match verdict {
            Verdict::Delivered => Done { at, end: End::Delivered, succeeded: delivered + 1, failed: 0 },
            Verdict::Failed(code) => Done { at, end: End::Failed(code), succeeded: delivered, failed: 1 },
        }
    }
}
