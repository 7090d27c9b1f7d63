//! Carrying one text to a carrier, and recording what became of it.

use std::sync::Arc;

use base::{ResourceId, Timestamp};
use store::{Opened, StoreError};

use super::book::{Accepted, Early, Mark, Sent};
use super::report::{UNAVAILABLE, refusal};
use super::rows::{
    Done, End, Progress, ReceiptRow, Receipts, TextId, TextRow, Texts, Verdict, ends, text_scope,
};
use super::{CarrierDesk, LATE_RECEIPTS, TextDesk, segments};
use crate::channel::{TextChannel, TextOutcome, TextParcel};
use crate::service::delivery::Errand;

/// One segment of a text that a carrier took.
struct Segment {
    mark: Mark,
    /// What is known of it already.
    verdict: Option<Verdict>,
    /// What rests in the register under its mark.
    register: Register,
}

/// What rests in the register under a mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    /// Nothing, as far as is known.
    Empty,
    /// A receipt that came early.
    Parked,
    /// This text: an earlier commit happened after all.
    Mine,
    /// Another text: the carrier uses its ids again.
    Another,
}

impl TextDesk<'_> {
    /// Carries one text.
    ///
    /// # Errors
    /// Those of the store: then the errand is as it was.
    pub async fn carry(&self, channel: &dyn TextChannel, errand: &Errand) -> Result<(), StoreError> {
        let id = errand.row.id;
        let remembered = self.with.state.book.take(&id);
        let found = match remembered {
            Some(text) => Some(text),
            None => self.load(&id).await?,
        };
        let Some(text) = found else { return self.drop_errand(errand).await };
        let now = self.now();
        if errand.is_over(now) {
            return self.give_up(errand, text, End::Failed(UNAVAILABLE)).await;
        }
        let carrying = self.with.state.book.carry();
        let parcel = TextParcel {
            id,
            resource: self.id(),
            from: text.head.from.clone(),
            to: text.head.to.clone(),
            text: text.text.clone(),
            receipt: text.head.report,
            validity: text.head.deadline.distance(now),
        };
        let outcome = channel.submit(&parcel).await;
        let recorded = match outcome {
            TextOutcome::Accepted { carrier, message_ids } if text.head.report && !message_ids.is_empty() => {
                self.handed_over(errand, text, &carrier, &message_ids).await
            }
            TextOutcome::Accepted { .. } => self.give_up(errand, text, End::HandedOver).await,
            TextOutcome::Refused { status, carrier } => {
                tracing::info!(carrier, status, "a carrier refused a text");
                self.give_up(errand, text, End::Failed(refusal(status))).await
            }
            TextOutcome::Later { reason, after } => {
                tracing::debug!(reason, "a text has to wait");
                let at = self.now().plus(errand.backoff(after, self.with.rng)).min(text.head.deadline);
                let mut draft = self.draft().await?;
                errand.again(&mut draft, at)?;
                draft.commit().await
            }
        };
        drop(carrying);
        recorded
    }

    /// A text that still waits, from the store.
    async fn load(&self, id: &TextId) -> Result<Option<Accepted>, StoreError> {
        let mut reader = self.cell().read(self.id()).await?;
        let found = reader.try_get::<Texts>(id).await?.and_then(Opened::value);
        Ok(found.and_then(|found| match found.value {
            TextRow { head, progress: Progress::Waiting { text, .. } } => {
                Some(Accepted { head: Arc::new(head), text, version: found.version })
            }
            TextRow { progress: Progress::Done(_), .. } => None,
        }))
    }

    /// Ends an errand that is about nothing (any more).
    async fn drop_errand(&self, errand: &Errand) -> Result<(), StoreError> {
        let mut draft = self.draft().await?;
        errand.finish(&mut draft);
        draft.commit().await
    }

    /// Ends a text and its errand.
    async fn give_up(&self, errand: &Errand, mut text: Accepted, end: End) -> Result<(), StoreError> {
        let id = errand.row.id;
        for _ in 0..self.with.limits.commit_attempts.max(1) {
            let all = segments(&text.text);
            let (succeeded, failed) = if matches!(end, End::Failed(_)) { (0, all) } else { (all, 0) };
            let done = Done { at: self.now(), end, succeeded, failed };
            let mut draft = self.draft().await?;
            errand.finish(&mut draft);
            self.with.end(&mut draft, self.cell(), &id, &text.head, text.version, done)?;
            match draft.commit().await {
                Err(StoreError::Conflict) => {}
                Ok(()) => {
                    self.with.events.wake();
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            }
            match self.load(&id).await? {
                Some(again) => text = again,
                None => return self.drop_errand(errand).await,
            }
        }
        Err(StoreError::Conflict)
    }

    /// Records that a carrier has the text under these ids, together with receipts that came before.
    async fn handed_over(
        &self,
        errand: &Errand,
        text: Accepted,
        carrier: &str,
        message_ids: &[String],
    ) -> Result<(), StoreError> {
        let mut marks = Vec::with_capacity(message_ids.len());
        for id in message_ids {
            marks.push(CarrierDesk::mark(self.cell(), carrier, id).await?);
        }
        let (early, gate) = self.with.state.book.claim(&marks);
        let verdict = |early: &Option<Early>| early.as_ref().map(|early| early.verdict);
        let named = marks.iter().zip(&early).map(|(mark, early)| Segment {
            mark: *mark,
            verdict: verdict(early),
            register: Register::Empty,
        });
        let recorded = self.record(errand, text, named.collect()).await;
        if recorded.is_err() {
            self.with.state.book.forget(&marks);
        }
        drop(gate);
        for one in early.into_iter().flatten() {
            // Who brought it may have given up waiting, and keeps it then.
            let _ = one.answer.send(recorded.is_ok());
        }
        recorded
    }

    async fn record(
        &self,
        errand: &Errand,
        mut text: Accepted,
        mut segments: Vec<Segment>,
    ) -> Result<(), StoreError> {
        let id = errand.row.id;
        let marks: Vec<Mark> = segments.iter().map(|one| one.mark).collect();
        for _ in 0..self.with.limits.commit_attempts.max(1) {
            let waits = segments.iter().all(|one| one.verdict.is_none());
            match self.record_once(errand, &text, &segments).await {
                Err(StoreError::Conflict) => {}
                Err(fault) => return Err(fault),
                Ok(()) => {
                    self.with.events.wake();
                    match marks[..] {
                        [mark] if waits => {
                            let sent =
                                Sent { resource: self.id(), id, head: text.head, version: text.version };
                            self.with.state.book.record(mark, sent);
                        }
                        _ => self.with.state.book.forget(&marks),
                    }
                    return Ok(());
                }
            }
            self.look_again(&id, &mut segments).await?;
            match self.load(&id).await? {
                Some(again) => text = again,
                None => {
                    self.with.state.book.forget(&marks);
                    return self.drop_errand(errand).await;
                }
            }
        }
        Err(StoreError::Conflict)
    }

    /// What rests in the register under each mark.
    async fn look_again(&self, id: &TextId, segments: &mut [Segment]) -> Result<(), StoreError> {
        let marks: Vec<Mark> = segments.iter().map(|one| one.mark).collect();
        let mut reader = self.cell().read(ResourceId::CELL).await?;
        let found = reader.multi_get::<Receipts>(&marks).await?;
        for (one, found) in segments.iter_mut().zip(found) {
            one.register = match found.and_then(Opened::value).map(|found| found.value) {
                None => Register::Empty,
                Some(ReceiptRow::Parked(verdict)) => {
                    one.verdict = one.verdict.or(Some(verdict));
                    Register::Parked
                }
                Some(ReceiptRow::Awaited { text, .. }) if text == *id => Register::Mine,
                Some(ReceiptRow::Awaited { .. }) => Register::Another,
            };
        }
        Ok(())
    }

    async fn record_once(
        &self,
        errand: &Errand,
        text: &Accepted,
        segments: &[Segment],
    ) -> Result<(), StoreError> {
        let id = errand.row.id;
        let mut draft = self.draft().await?;
        errand.finish(&mut draft);
        let mut register = self.cell().draft(ResourceId::CELL).await?;
        let count = u16::try_from(segments.len()).unwrap_or(u16::MAX);
        let awaited = ReceiptRow::Awaited { resource: self.id(), text: id, segments: count };
        let hint = ends(text.head.deadline.plus(LATE_RECEIPTS));
        for one in segments {
            match one.register {
                Register::Empty => register.expect_absent::<Receipts>(&one.mark),
                Register::Parked | Register::Mine | Register::Another => {
                    register.expect_exists::<Receipts>(&one.mark);
                }
            }
            match one.verdict {
                None if one.register == Register::Mine => {}
                None => register.put_in_resource::<Receipts>(&one.mark, &awaited, &hint)?,
                Some(_) if one.register == Register::Empty => {}
                Some(_) => register.delete::<Receipts>(&one.mark),
            }
        }
        draft.join(register)?;
        match sum(segments, self.now()) {
            Sum::Nothing => {}
            Sum::Partly(delivered) => {
                let scope = text_scope(&id);
                let key = match self.cell().cached_scope_key(self.id(), &scope) {
                    Some(key) => Some(key),
                    None => self.cell().read(self.id()).await?.scope_key(&scope).await?,
                };
                let key = key.ok_or(StoreError::Conflict)?;
                let progress = Progress::Waiting { text: text.text.clone(), delivered };
                let row = TextRow { head: (*text.head).clone(), progress };
                draft.expect_version::<Texts>(&id, text.version);
                draft.put::<Texts>(&id, &row, &[], &key)?;
            }
            Sum::All(done) => self.with.end(&mut draft, self.cell(), &id, &text.head, text.version, done)?,
        }
        draft.commit().await
    }
}

/// What early receipts come to.
enum Sum {
    Nothing,
    Partly(u16),
    All(Done),
}

fn sum(segments: &[Segment], at: Timestamp) -> Sum {
    let count = |wanted: fn(&Verdict) -> bool| {
        let found = segments.iter().filter(|one| one.verdict.as_ref().is_some_and(wanted)).count();
        u16::try_from(found).unwrap_or(u16::MAX)
    };
    let succeeded = count(|verdict| matches!(verdict, Verdict::Delivered));
    let failed = count(|verdict| matches!(verdict, Verdict::Failed(_)));
    let code = segments.iter().find_map(|one| match one.verdict {
        Some(Verdict::Failed(code)) => Some(code),
        _ => None,
    });
    if let Some(code) = code {
        return Sum::All(Done { at, end: End::Failed(code), succeeded, failed });
    }
    match usize::from(succeeded) {
        0 => Sum::Nothing,
        all if all == segments.len() => Sum::All(Done { at, end: End::Delivered, succeeded, failed }),
        _ => Sum::Partly(succeeded),
    }
}
