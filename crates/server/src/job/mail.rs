//! Carries mail: loads one destination's part of a mail, hands it to the channel, records what became of it.

use std::sync::Arc;

use base::{Clock, Limits, Rng};
use guard::BoxFuture;
use store::StoreError;

use crate::channel::MailChannel;
use crate::http::State;
use crate::service::audit::{Act, Actor};
use crate::service::delivery::{Courier, Delivery, Errand, LONGEST_ATTEMPT};
use crate::service::email::{self, EmailState, MailDesk};
use crate::service::events::EventRouter;

/// Carries mail by a channel.
pub struct MailCourier {
    /// Takes the mail out of the house.
    pub channel: Arc<dyn MailChannel>,
    /// What mail remembers.
    pub email: Arc<EmailState>,
    /// Takes what is to be delivered later.
    pub delivery: Arc<Delivery>,
    /// Who wants to hear of what.
    pub events: Arc<EventRouter>,
    /// Configured limits.
    pub limits: Arc<Limits>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The dice.
    pub rng: Arc<dyn Rng>,
}

impl MailCourier {
    /// A courier of this node.
    #[must_use]
    pub fn new(state: &State, channel: Arc<dyn MailChannel>) -> Self {
        Self {
            channel,
            email: Arc::clone(&state.email),
            delivery: Arc::clone(&state.delivery),
            events: Arc::clone(&state.events),
            limits: Arc::clone(&state.limits),
            clock: Arc::clone(&state.clock),
            rng: Arc::clone(&state.rng),
        }
    }

    fn desk<'a>(&'a self, errand: &'a Errand) -> MailDesk<'a> {
        MailDesk {
            resource: &errand.resource,
            state: &self.email,
            delivery: &self.delivery,
            events: &self.events,
            limits: &self.limits,
            clock: &*self.clock,
            rng: &*self.rng,
            act: Act { name: None, by: Actor::Operator },
        }
    }
}

impl Courier for MailCourier {
    fn carry<'a>(&'a self, errand: &'a Errand) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let desk = self.desk(errand);
            let Some(loaded) = desk.load(errand).await? else { return Ok(()) };
            // Past this time another node may take the errand on: what the channel has not said by then is not known.
            let said = tokio::time::timeout(LONGEST_ATTEMPT, self.channel.deliver(&loaded.parcel)).await;
            desk.record(errand, &loaded, &said.unwrap_or_default()).await
        })
    }
}

/// Forgets what is old enough, in every resource of this node. A resource whose store fails is left for the next time.
pub(super) async fn sweep(state: &State) {
    for resource in state.directory.resources() {
        if !resource.is_within_reach().await {
            continue;
        }
        let now = state.clock.now();
        match email::sweep(resource.cell(), resource.id(), &state.limits, now).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(resource = resource.name(), count, "forgot old mail"),
            Err(error) => {
                tracing::warn!(resource = resource.name(), %error, "old mail could not be forgotten yet");
            }
        }
    }
}
