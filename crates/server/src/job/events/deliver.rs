//! Tells one event once, and records what came of it.

use std::sync::Arc;
use std::time::Duration;

use base::{Personal, Timestamp};
use bytes::Bytes;
use guard::http_signature::Outbound;
use post::webhook::{Next, Outcome, next};
use store::StoreError;
use wire::Identifier;
use wire::events::{Envelope, envelope};

use crate::channel::webhook::{HookChannel, HookFault, HookRequest};
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::events::{self, Attempt, EventSigner, QueueKey, Route, To, Verdict};

/// One event to tell.
pub(super) struct Delivery {
    pub(super) state: Arc<State>,
    pub(super) resource: Arc<ResourceEntry>,
    pub(super) hooks: Arc<dyn HookChannel>,
    /// The subscription.
    pub(super) id: [u8; 16],
    pub(super) key: QueueKey,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// It was told.
    Told,
    /// It is not there any more: erased, ended, or given up.
    Gone,
    /// It is told again then.
    Again(Timestamp),
    /// The store could not say.
    Fault,
}

impl Delivery {
    /// Tells it.
    pub(super) async fn run(self) -> After {
        match self.attempt().await {
            Ok(after) => after,
            Err(error) => {
                tracing::warn!(resource = self.resource.name(), %error, "an event waits for the store");
                After::Fault
            }
        }
    }

    async fn attempt(&self) -> Result<After, StoreError> {
        let (cell, resource) = (self.resource.cell(), self.resource.id());
        let Some(route) = self.state.events.route(resource, self.id) else { return Ok(After::Gone) };
        let Some(attempt) = Attempt::read(cell, resource, self.key).await? else { return Ok(After::Gone) };
        let now = self.state.clock.now();
        let ttl = Duration::from_secs(u64::from(route.row.body.ttl_minutes) * 60);
        let (verdict, after) = if now >= attempt.row.published.plus(ttl) {
            (Verdict::Dead("TimeToLiveExceeded", None), After::Gone)
        } else {
            let signer = self.state.events.signer(cell).await?;
            let request = self.request(&route, &attempt, &signer, now);
            let outcome = outcome(self.hooks.send(request).await.map(|answer| answer.status));
            self.judge(&route, &attempt, outcome)
        };
        events::settle(cell, resource, &attempt, verdict).await?;
        Ok(after)
    }

    fn judge(&self, route: &Route, attempt: &Attempt, outcome: Outcome) -> (Verdict, After) {
        let jitter = u16::try_from(self.state.rng.below(1_024)).unwrap_or(0);
        let count = attempt.row.attempts.saturating_add(1);
        match next(outcome, count, route.row.body.max_attempts, jitter) {
            Next::Delivered => (Verdict::Told, After::Told),
            Next::Again(wait) => {
                let due = self.state.clock.now().plus(wait);
                (Verdict::Again(due, outcome), After::Again(due))
            }
            Next::GiveUp(reason) => {
                let (subscription, outcome_name) = (&route.row.name, outcome.name());
                tracing::warn!(subscription, outcome = outcome_name, reason, "an event was given up");
                (Verdict::Dead(reason, Some(outcome)), After::Gone)
            }
        }
    }

    fn request(&self, route: &Route, attempt: &Attempt, signer: &EventSigner, now: Timestamp) -> HookRequest {
        let (row, body) = (&attempt.row, &route.row.body);
        let recipient = match row.to {
            To::One(user) => Some(Identifier::CommunicationUser { resource: self.resource.id(), user }),
            To::All | To::Each(_) => None,
        };
        let told = Envelope {
            id: &row.id,
            topic: &route.row.topic,
            subject: row.subject.expose(),
            kind: &row.kind,
            data: row.data.expose(),
            participants: attempt.participants.as_deref(),
            recipient: recipient.as_ref(),
            at: row.at,
        };
        let told = envelope(&told, body.schema);
        let own = vec![
            ("aeg-event-type", "Notification".to_owned()),
            ("aeg-subscription-name", route.row.name.to_ascii_uppercase()),
            ("aeg-delivery-count", row.attempts.to_string()),
            ("aeg-data-version", "1.0".to_owned()),
            ("aeg-metadata-version", "1".to_owned()),
        ];
        let media = body.schema.media_type();
        signed(signer, &self.state, now, Unsigned { url: &body.endpoint, media, own, body: told })
    }
}

/// A request that is not signed yet.
pub(super) struct Unsigned<'a> {
    pub(super) url: &'a Personal<String>,
    pub(super) media: &'static str,
    pub(super) own: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// The request with its signature, which covers method, target, media type, `aeg-event-type` and body.
pub(super) fn signed(
    signer: &EventSigner,
    state: &State,
    now: Timestamp,
    request: Unsigned<'_>,
) -> HookRequest {
    let Unsigned { url, media, own, body } = request;
    let kind = own.iter().find(|(name, _)| *name == "aeg-event-type").map_or("", |(_, value)| value.as_str());
    let covered = [("content-type", media), ("aeg-event-type", kind)];
    let target = target_uri(url);
    let outbound =
        Outbound { method: "POST", target_uri: target.expose(), headers: &covered, body: Some(&body) };
    let made = signer.signer(now).sign(&outbound, now, &*state.rng);
    let mut headers = vec![
        ("content-type", media.to_owned()),
        ("content-digest", made.content_digest.unwrap_or_default()),
        ("signature-input", made.signature_input),
        ("signature", made.signature),
    ];
    headers.extend(own);
    HookRequest { method: "POST", url: url.clone(), headers, body: Personal::new(Bytes::from(body)) }
}

/// The URL as whoever receives the request works it out from its head (RFC 9421, section 2.2.2): the host in lower case,
/// no port where it is the usual one, and a path.
pub(super) fn target_uri(url: &Personal<String>) -> Personal<String> {
    let Ok(uri) = url.expose().parse::<::http::Uri>() else { return url.clone() };
    let scheme = uri.scheme_str().unwrap_or("https").to_ascii_lowercase();
    let authority =
        uri.authority().map_or_else(String::new, |authority| authority.as_str().to_ascii_lowercase());
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // A query right after the host has no slash before it, and on the wire it has one (RFC 9112, section 3.2.1).
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{authority}{slash}{path}").into()
}

/// What an answer, or that there was none, comes to.
pub(super) fn outcome(answer: Result<u16, HookFault>) -> Outcome {
    match answer {
        Ok(status) => Outcome::Status(status),
        Err(HookFault::TimedOut) => Outcome::TimedOut,
        Err(HookFault::Resolution) => Outcome::Resolution,
        Err(HookFault::Socket) => Outcome::Socket,
        Err(HookFault::NotAllowed) => Outcome::NotAllowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_signed_as_they_are_received() {
        let signed = |url: &str| target_uri(&url.to_owned().into()).into_inner();
        assert_eq!(signed("https://hooks.example/a?b=c"), "https://hooks.example/a?b=c");
        assert_eq!(signed("https://Hooks.Example"), "https://hooks.example/");
        assert_eq!(signed("https://hooks.example:443/A"), "https://hooks.example/A");
        assert_eq!(signed("http://hooks.example:80"), "http://hooks.example/");
        assert_eq!(signed("https://hooks.example:8443?x=1"), "https://hooks.example:8443/?x=1");
    }

    #[test]
    fn no_answer_has_a_name_too() {
        assert_eq!(outcome(Ok(302)), Outcome::Status(302));
        assert_eq!(outcome(Err(HookFault::NotAllowed)), Outcome::NotAllowed);
        assert_eq!(outcome(Err(HookFault::TimedOut)), Outcome::TimedOut);
    }
}
