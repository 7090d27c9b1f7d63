//! Puts the development outbox together: mail and texts of every cell go into it, and word of them comes back.

use std::sync::Arc;

use store::Cell;

use crate::channel::capture::{Capture, Inboxes, Words};
use crate::channel::{MailChannel, TextChannel, TextInbox};
use crate::http::State;
use crate::job::delivery::Couriers;
use crate::job::mail::MailCourier;
use crate::job::outbox::ComesBack;
use crate::job::text::{CellInbox, TextCourier};
use crate::service::delivery::Kind;
use crate::service::outbox::Keeper;

/// What brings word back; it must run.
pub(super) struct Captured {
    words: Words,
    inboxes: Arc<Inboxes>,
    state: Arc<State>,
}

impl Captured {
    /// Lets the outbox take all that leaves `cells`.
    pub(super) fn attach(state: &Arc<State>, cells: &[Cell], couriers: Couriers) -> (Couriers, Self) {
        let keeper = Keeper::new(&state.directory, Arc::clone(&state.clock), Arc::clone(&state.rng));
        let (capture, words) = Capture::new(Arc::new(keeper));
        let capture = Arc::new(capture);
        let mut couriers = couriers;
        let mut inboxes = Inboxes::new();
        for cell in cells {
            let mail = MailCourier::new(state, Arc::clone(&capture) as Arc<dyn MailChannel>);
            let texts = TextCourier::new(Arc::clone(state), Arc::clone(&capture) as Arc<dyn TextChannel>);
            let inbox: Arc<dyn TextInbox> = Arc::new(CellInbox::new(Arc::clone(state), cell.clone()));
            couriers = couriers.with(cell.geography().clone(), Kind::Mail, Arc::new(mail)).with(
                cell.geography().clone(),
                Kind::Text,
                Arc::new(texts),
            );
            let of_cell = state.directory.resources().iter();
            let of_cell = of_cell.filter(|entry| entry.geography() == cell.geography());
            inboxes.extend(of_cell.map(|entry| (entry.id(), Arc::clone(&inbox))));
        }
        let inboxes = Arc::new(inboxes);
        state.outbox.attach(Arc::clone(&inboxes));
        (couriers, Self { words, inboxes, state: Arc::clone(state) })
    }

    /// Brings word back until `stop` is done.
    pub(super) async fn run(self, stop: impl Future<Output = ()> + Send) {
        let bounces = Arc::new(ComesBack::new(self.state));
        self.words.run(self.inboxes, Some(bounces), stop).await;
    }
}
