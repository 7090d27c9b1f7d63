//! Events: what happened, for webhooks that asked to hear of it. An event is a row in the commit of what it tells, so it
//! is told if and only if that happened, and rests under the same key.

use base::{Geography, Personal, ResourceId, Timestamp};
use store::{Draft, KeyspaceDef, ScopeHandle, StoreError};

/// All keyspaces of this service.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    Vec::new()
}

/// One Event Grid system event of a resource (`specs/eventgrid-events`).
#[derive(Clone, Debug)]
pub struct Event {
    /// Its type without the prefix `Microsoft.Communication.`: `ChatMessageReceived`.
    pub kind: &'static str,
    /// Its subject, which may name a person.
    pub subject: Personal<String>,
    /// Its `data`, a JSON object.
    pub data: Personal<Vec<u8>>,
    /// When it happened.
    pub at: Timestamp,
    /// Its id, when the service gives it one of its own (texts: the message id); otherwise one is drawn.
    pub id: Option<String>,
}

/// Who wants to hear of what, as far as this node knows.
#[derive(Debug, Default)]
pub struct EventRouter;

impl EventRouter {
    /// Whether anybody wants events of this kind from `resource`. Asked first, so that where nobody listens nothing is
    /// built.
    #[must_use]
    pub fn wants(&self, resource: ResourceId, kind: &str) -> bool {
        let _ = (resource, kind);
        false
    }

    /// Adds `event` to the commit of what it tells, once for each subscription that wants it, sealed under `scope`.
    ///
    /// # Errors
    /// Those of the store.
    pub fn publish(
        &self,
        draft: &mut Draft,
        geography: &Geography,
        event: &Event,
        scope: &ScopeHandle,
    ) -> Result<(), StoreError> {
        let _ = (draft, geography, event, scope);
        Ok(())
    }

    /// Tells those who deliver that a commit with events is durable.
    pub fn wake(&self) {}
}
