//! The development outbox's part of the work: mail that was taken and comes back after all.

use std::sync::Arc;

use base::{MailId, Personal, ResourceId};
use guard::BoxFuture;

use crate::channel::capture::Bounces;
use crate::http::State;
use crate::service::audit::{Act, Actor};
use crate::service::email::{Bounce, MailDesk, Status, Which};

/// What the report of a mail that comes back says.
const REPORT: &str = "550 5.1.1 There is no such mailbox here (a rule of the development outbox)";

/// Tells the product of mail that comes back, as a report from outside would.
pub struct ComesBack(Arc<State>);

impl ComesBack {
    /// For the resources of this node.
    #[must_use]
    pub const fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

impl Bounces for ComesBack {
    fn bounced<'a>(
        &'a self,
        resource: ResourceId,
        id: [u8; 16],
        recipient: &'a Personal<String>,
        _return_path: &'a Personal<String>,
    ) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let state = &self.0;
            let mut all = state.directory.resources().iter();
            let Some(resource) = all.find(|entry| entry.id() == resource) else { return true };
            let desk = MailDesk {
                resource,
                state: &state.email,
                delivery: &state.delivery,
                events: &state.events,
                limits: &state.limits,
                clock: &*state.clock,
                rng: &*state.rng,
                act: Act { name: None, by: Actor::Operator },
            };
            let bounce = Bounce { status: Status::Bounced, detail: REPORT.to_owned().into(), host: None };
            desk.bounced(MailId::from_bytes(id), &Which::Address(recipient.clone()), &bounce).await.is_ok()
        })
    }
}
