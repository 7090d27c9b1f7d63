//! Texts: what was asked to be sent, what became of it, opt-outs, and what came in.
//!
//! A text costs three commits: one accepts it (with all others of its request), one records that a carrier has it, one
//! records its receipt. [`book`] lets the later two know what the earlier ones wrote, so that none of them reads.
//!
//! Between a carrier's answer and the commit that records it there is a window: a node that dies in it leaves the text to
//! be sent again, for a text sent twice is better than one that is lost. The first one's receipt then finds nobody.

mod book;
mod carry;
mod inbound;
mod opt_out;
mod receipt;
mod report;
mod rows;
mod send;
mod sender;
pub mod senders;
mod sweep;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Clock, Limits, Personal, ResourceId, Rng, Timestamp};
use store::{Cell, Draft, StoreError};
use thiserror::Error;

use super::delivery::Delivery;
use super::events::{Event, EventRouter};
use crate::directory::ResourceEntry;
use rows::{Done, End, Head, TextId, TextRow};

pub use opt_out::OptOut;
pub use opt_out::on_release;
pub use rows::keyspaces;
pub use send::{NewText, NewTexts, Outcome};
pub use sender::Origin;
pub use sweep::{CARRIERS_SWEPT, SWEPT};

/// How long a text may take, from acceptance to its receipt, when its sender says nothing (ACS: at most 12 hours).
pub const DEFAULT_WAIT: Duration = Duration::from_secs(12 * 3600);
/// How long what became of a text is remembered, and with it its numbers. Never less than repeatability ids are.
pub const REPORTS_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How long a receipt of an unknown text waits for that text.
pub const RECEIPT_PARKED: Duration = Duration::from_secs(600);
/// How long after a text's deadline its receipt is still known to be late, rather than unknown.
pub const LATE_RECEIPTS: Duration = Duration::from_secs(3600);
/// The most receipts of unknown texts that one node keeps within [`RECEIPT_PARKED`]; past it they are dropped.
pub const MAX_PARKED: u64 = 100_000;
/// How long the words of a text that came in can be told: longer than events are tried.
pub const RECEIVED_KEPT: Duration = Duration::from_secs(8 * 24 * 3600);

/// What this node remembers and counts of texts.
pub struct SmsState {
    book: book::Book,
    counts: Counts,
    owned: sender::Owned,
    /// Receipts parked since an instant: no more than [`MAX_PARKED`] in [`RECEIPT_PARKED`].
    parked: Mutex<(Timestamp, u64)>,
}

/// Things an operator wants to know the number of, since this node began.
#[derive(Debug, Default)]
pub struct Counts {
    /// Receipts that no text was waiting for when they came.
    pub parked: AtomicU64,
    /// Receipts dropped because no text came to wait for them.
    pub unknown: AtomicU64,
    /// Receipts of texts that were final already.
    pub late: AtomicU64,
    /// Texts that came in for a number nobody holds.
    pub unowned: AtomicU64,
    /// Texts whose time ended without a receipt.
    pub overdue: AtomicU64,
}

impl SmsState {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let parked = Mutex::new((Timestamp::EPOCH, 0));
        let (book, owned) = (book::Book::new(), sender::Owned::new());
        Self { book, counts: Counts::default(), owned, parked }
    }

    /// Counts one more parked receipt; `false` when there are too many.
    fn park(&self, now: Timestamp) -> bool {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if now.distance(parked.0) >= RECEIPT_PARKED {
            *parked = (now, 0);
        }
        parked.1 += 1;
        parked.1 <= MAX_PARKED
    }

    /// What was counted.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl Default for SmsState {
    fn default() -> Self {
        Self::new()
    }
}

impl Counts {
    fn one(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why texts were not done as asked.
#[derive(Debug, Error)]
pub enum SmsError {
    /// The sender is no number of the resource, and no name or short code it may use.
    #[error("the sender does not belong to the resource")]
    SenderNotOwned,
    /// Too many tries lost a race against others.
    #[error("too many concurrent changes")]
    Busy,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What all work on texts is given.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// What is remembered.
    pub state: &'a SmsState,
    /// Hands over what is to be carried.
    pub delivery: &'a Delivery,
    /// Who wants to hear of what.
    pub events: &'a EventRouter,
    /// Configured limits.
    pub limits: &'a Limits,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The dice.
    pub rng: &'a dyn Rng,
}

/// The texts of one resource.
#[derive(Clone, Copy)]
pub struct TextDesk<'a> {
    /// The resource.
    pub resource: &'a Arc<ResourceEntry>,
    /// What it works with.
    pub with: Means<'a>,
}

/// What the carriers of one cell bring.
#[derive(Clone, Copy)]
pub struct CarrierDesk<'a> {
    /// The cell.
    pub cell: &'a Cell,
    /// The resources of this node.
    pub resources: &'a [Arc<ResourceEntry>],
    /// What it works with.
    pub with: Means<'a>,
}

impl TextDesk<'_> {
    fn cell(&self) -> &Cell {
        self.resource.cell()
    }

    fn id(&self) -> ResourceId {
        self.resource.id()
    }

    async fn draft(&self) -> Result<Draft, StoreError> {
        self.cell().draft(self.id()).await
    }

    fn now(&self) -> Timestamp {
        self.with.clock.now()
    }
}

impl Means<'_> {
    /// Ends a text in the commit of `draft`: its words are gone with their key, and who asked to hear of it is told.
    /// The commit conflicts when the row is not of `version` any more.
    fn end(
        &self,
        draft: &mut Draft,
        cell: &Cell,
        id: &TextId,
        head: &Head,
        version: u64,
        done: Done,
    ) -> Result<(), StoreError> {
        draft.expect_version::<rows::Texts>(id, version);
        draft.destroy_scope_key(&rows::text_scope(id));
        self.write_end(draft, cell, id, head, done)
    }

    /// Writes what became of a text, and tells who asked to hear of it.
    fn write_end(
        &self,
        draft: &mut Draft,
        cell: &Cell,
        id: &TextId,
        head: &Head,
        done: Done,
    ) -> Result<(), StoreError> {
        let row = TextRow::ended(head, done);
        draft.put_in_resource::<rows::Texts>(id, &row, rows::HINT_FINAL)?;
        let told = head.report && done.end != End::HandedOver;
        if !told || !self.events.wants(draft.resource(), DELIVERY_REPORT) {
            return Ok(());
        }
        let report = report::report(id, &row);
        let event = Event {
            kind: DELIVERY_REPORT,
            subject: subject(&head.from),
            data: report.render().into(),
            at: done.at,
            id: Some(report.message_id),
        };
        let scope = draft.resource_scope();
        self.events.publish(draft, cell.geography(), &event, &scope)
    }

    /// Until when what became of a text is remembered.
    fn kept_until(&self, head: &Head) -> Timestamp {
        head.accepted.plus(REPORTS_KEPT.max(self.limits.repeatability())).max(head.deadline)
    }
}

/// The event that tells what became of a text.
const DELIVERY_REPORT: &str = "SMSDeliveryReportReceived";
/// The event that tells of a text that came in.
const RECEIVED: &str = "SMSReceived";

/// The subject of an event about a text of this number of the resource.
fn subject(number: &Personal<String>) -> Personal<String> {
    format!("/phonenumber/{}", number.expose().trim_start_matches('+')).into()
}

/// In how many segments a text goes.
fn segments(text: &Personal<String>) -> u16 {
    let size = post::text::segment::measure(text.expose(), &[]).ok();
    size.and_then(|size| u16::try_from(size.segments).ok()).unwrap_or(1).max(1)
}
