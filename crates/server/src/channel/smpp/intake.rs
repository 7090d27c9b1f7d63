//! What one carrier brings, over all its connections: receipts at once, texts when they are whole. Parts are answered when
//! their text is kept; a peer that sends nothing more before it has the answer gets it after [`HOLD`], and then its part is
//! only in memory until the last one comes. That is the one thing a crash can lose.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Clock;
use post::smpp::pdu::{Brought, Delivery, read};
use post::text::assemble::{Assembler, Ends, Part, Place, Taken, Whole, decode};
use post::text::receipt::{IdForm, Receipt, State};
use tokio::sync::watch;

use crate::channel::{TextIn, TextInbox, TextReceipt, TextState};

/// How long the answer to a part waits for the others. Peers expect answers within several seconds.
const HOLD: Duration = Duration::from_secs(1);
/// How often texts whose parts never came are looked for.
const SWEEP: Duration = Duration::from_secs(30);

pub(super) struct Intake {
    carrier: String,
    ids: IdForm,
    inbox: Arc<dyn TextInbox>,
    clock: Arc<dyn Clock>,
    assembler: Mutex<Assembler>,
    /// Rises when a text was settled.
    settled: watch::Sender<u64>,
}

impl Intake {
    pub(super) fn new(carrier: &str, ids: IdForm, inbox: Arc<dyn TextInbox>, clock: Arc<dyn Clock>) -> Self {
        let (settled, _) = watch::channel(0);
        Self { carrier: carrier.to_owned(), ids, inbox, clock, assembler: Mutex::default(), settled }
    }

    fn assembler(&self) -> MutexGuard<'_, Assembler> {
        self.assembler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was brought. `false`: the peer must bring it again.
    pub(super) async fn keep(&self, delivery: &Delivery<'_>) -> bool {
        match read(delivery) {
            Brought::Receipt(receipt) => self.inbox.receipt(self.receipt(receipt)).await,
            Brought::Text { ends, place: None, part } => {
                self.inbox.text(self.text(ends, decode([&part]).into(), 1)).await
            }
            Brought::Text { ends, place: Some(place), part } => self.part(ends, place, part).await,
            Brought::Other => {
                tracing::debug!(
                    carrier = self.carrier,
                    "something that is neither text nor receipt was passed over"
                );
                true
            }
        }
    }

    async fn part(&self, ends: Ends, place: Place, part: Part) -> bool {
        let mut settled = self.settled.subscribe();
        let taken = self.assembler().take(ends.clone(), place, part, self.clock.now());
        match taken {
            Taken::Known => true,
            Taken::Whole(whole) => self.whole(whole).await,
            Taken::Waiting => {
                let kept = async {
                    while !self.assembler().is_kept(&ends, place) && settled.changed().await.is_ok() {}
                };
                let _ = tokio::time::timeout(HOLD, kept).await;
                true
            }
        }
    }

    async fn whole(&self, whole: Whole) -> bool {
        let text = self.text(whole.ends.clone(), whole.text.clone(), whole.parts);
        let kept = self.inbox.text(text).await;
        self.assembler().settle(&whole, kept, self.clock.now());
        self.settled.send_modify(|count| *count += 1);
        kept
    }

    /// Gives on texts whose parts never came, for ever.
    pub(super) async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            loop {
                let overdue = self.assembler().overdue(self.clock.now());
                let Some(whole) = overdue else { break };
                tracing::warn!(
                    carrier = self.carrier,
                    parts = whole.parts,
                    of = whole.total,
                    "parts of a text never came; it is given on with a mark where they are missing"
                );
                self.whole(whole).await;
            }
        }
    }

    fn text(&self, ends: Ends, text: base::Personal<String>, segments: u32) -> TextIn {
        TextIn { carrier: self.carrier.clone(), from: ends.from, to: ends.to, text, segments }
    }

    fn receipt(&self, receipt: Receipt) -> TextReceipt {
        TextReceipt {
            carrier: self.carrier.clone(),
            message_id: self.ids.of_receipt(&receipt.message_id),
            state: state(receipt.state),
            error: receipt.error,
        }
    }
}

const fn state(state: State) -> TextState {
    match state {
        State::Enroute => TextState::Enroute,
        State::Delivered => TextState::Delivered,
        State::Expired => TextState::Expired,
        State::Deleted => TextState::Deleted,
        State::Undeliverable => TextState::Undeliverable,
        State::Accepted => TextState::Accepted,
        State::Unknown => TextState::Unknown,
        State::Rejected => TextState::Rejected,
    }
}
