//! The stack of incoming SMTP, between the sockets and the services, as `http` is for HTTP: reports of what became of mail,
//! and mail that programs submit. It knows no sockets (those are `net`) and no product rules (those are `service`).

mod reports;
mod submission;

use std::sync::Arc;

use base::limits::{MAX_REPORT, MAX_SMTP_RECIPIENTS};
use post::smtp::{Profile, Reply};
use store::StoreError;

pub use reports::Reports;
pub use submission::Submission;

use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::audit::{Act, Actor};
use crate::service::email::MailDesk;

/// How much longer a message is than the request that would say the same: what text becomes in quoted-printable.
const ROOM: usize = 2;

/// The listener of bounces and complaints: a report may bring the whole mail back, but only its beginning is looked at.
#[must_use]
pub fn reports_profile(host: String, state: &State) -> Profile {
    let max_message = state.limits.mail_request_bytes.saturating_mul(ROOM).max(MAX_REPORT);
    let max_recipients = MAX_SMTP_RECIPIENTS;
    Profile { host, submission: false, tls: true, max_message, keep: MAX_REPORT, max_recipients }
}

/// The listener of submission: as much as the API takes.
#[must_use]
pub fn submission_profile(host: String, state: &State) -> Profile {
    let max_message = state.limits.mail_request_bytes;
    let max_recipients = state.limits.mail_recipients;
    Profile { host, submission: true, tls: true, max_message, keep: max_message, max_recipients }
}

/// The mail of `resource`, at the service of the server itself: what comes by SMTP is no privileged act.
fn desk<'a>(state: &'a State, resource: &'a Arc<ResourceEntry>) -> MailDesk<'a> {
    MailDesk {
        resource,
        state: &state.email,
        delivery: &state.delivery,
        events: &state.events,
        limits: &state.limits,
        clock: &*state.clock,
        rng: &*state.rng,
        act: Act { name: None, by: Actor::Operator },
    }
}

/// The reply when the store could not do it: the client comes again.
fn not_now(error: &StoreError) -> Reply {
    tracing::warn!(%error, "the store cannot take mail now");
    Reply::later()
}
