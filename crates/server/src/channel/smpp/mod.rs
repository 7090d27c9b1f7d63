//! Texts by SMPP 3.4 to the SMS centres of carriers, and receipts and texts from them.
//!
//! A text goes to the carrier with the longest prefix of its number; when that one is not connected, to the next. It is
//! never sent to a second carrier once a first may have it. What was sent and not answered when a connection ended, or in
//! time, is [`TextOutcome::Later`]: it is sent again, so a text may arrive twice, and is never lost.

mod carrier;
mod intake;
mod link;
mod pace;
mod session;
mod settings;

use std::sync::Arc;

use base::{Clock, Rng};
use guard::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::carrier::{Attempt, Carrier, later};
pub use self::settings::CarrierSettings;
use super::{Dial, TextChannel, TextInbox, TextOutcome, TextParcel};

/// The carriers of one cell.
pub struct Smpp {
    carriers: Vec<Arc<Carrier>>,
}

impl Smpp {
    /// For these carriers; those with equal prefixes are tried in this order. Nothing is connected before [`Smpp::run`].
    #[must_use]
    pub fn new(carriers: Vec<CarrierSettings>, inbox: &Arc<dyn TextInbox>, clock: &Arc<dyn Clock>) -> Self {
        let carriers =
            carriers.into_iter().map(|one| Carrier::new(one, Arc::clone(inbox), Arc::clone(clock)));
        Self { carriers: carriers.map(Arc::new).collect() }
    }

    /// Holds all connections until `stop` is done; then what is unanswered may still be answered, and carriers are told.
    pub async fn run(&self, dial: Arc<dyn Dial>, rng: Arc<dyn Rng>, stop: impl Future<Output = ()>) {
        let (stopped, stopping) = watch::channel(false);
        let mut links = JoinSet::new();
        let mut sweeps = JoinSet::new();
        for carrier in &self.carriers {
            for at in 0..carrier.links() {
                let (carrier, dial, rng) = (Arc::clone(carrier), Arc::clone(&dial), Arc::clone(&rng));
                let stopping = stopping.clone();
                links.spawn(async move {
                    let stop = || {
                        let mut stopping = stopping.clone();
                        async move {
                            let _ = stopping.wait_for(|stopped| *stopped).await;
                        }
                    };
                    carrier.run_link(at, &*dial, &*rng, stop).await;
                });
            }
            let carrier = Arc::clone(carrier);
            sweeps.spawn(async move { carrier.sweep().await });
        }
        stop.await;
        let _ = stopped.send(true);
        while let Some(ended) = links.join_next().await {
            if let Err(fault) = ended {
                tracing::error!(panicked = fault.is_panic(), "a connection to a carrier ended badly");
            }
        }
        sweeps.shutdown().await;
    }

    /// Each carrier's name, how many connections are bound, and how many there should be.
    pub fn bound(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.carriers.iter().map(|carrier| (carrier.settings.name.as_str(), carrier.bound(), carrier.links()))
    }

    /// The carriers of a number, the best first.
    fn route(&self, number: &str) -> Vec<&Carrier> {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let carries = |carrier: &Arc<Carrier>| carrier.settings.carries(digits);
        let mut fit: Vec<_> =
            self.carriers.iter().filter_map(|carrier| Some((carries(carrier)?, &**carrier))).collect();
        // Stable: equals stay in the order of the configuration.
        fit.sort_by_key(|(len, _)| std::cmp::Reverse(*len));
        fit.into_iter().map(|(_, carrier)| carrier).collect()
    }

    async fn send(&self, parcel: &TextParcel) -> TextOutcome {
        let mut reason = "no carrier is configured for this number";
        for carrier in self.route(parcel.to.expose()) {
            match carrier.submit(parcel).await {
                Attempt::Done(outcome) => return outcome,
                Attempt::Elsewhere(why) => reason = why,
            }
        }
        later(reason, None)
    }
}

impl TextChannel for Smpp {
    fn submit<'a>(&'a self, parcel: &'a TextParcel) -> BoxFuture<'a, TextOutcome> {
        Box::pin(self.send(parcel))
    }
}

#[cfg(test)]
mod tests;
