//! Looks after keys: hands those of a resource to whom the configuration wants, notices that a customer took a key away or
//! gave it back, and writes down when access keys were used. A resource whose key service hangs delays no other.

use std::sync::Arc;
use std::time::Duration;

use base::{Geography, Personal, Secret};
use bytes::Bytes;
use serde_json::json;
use store::StoreError;
use tokio::task::JoinSet;

use crate::channel::webhook::{HookChannel, HookRequest};
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::resources::ResourceError;
use crate::service::resources::custody::{self, Change, Reach};

/// How often keys are looked at.
pub const LOOK: Duration = Duration::from_secs(5);
/// How many resources are looked at side by side.
const AT_ONCE: usize = 32;

/// Who is told of what whoever runs the server should know.
pub struct Alerts {
    /// Carries it.
    pub hooks: Arc<dyn HookChannel>,
    /// To where.
    pub webhook: String,
    /// The token that goes with it.
    pub token: Option<Secret<String>>,
}

/// Looks after keys until `stop` is done.
pub async fn run(state: Arc<State>, alerts: Option<Alerts>, stop: impl Future<Output = ()> + Send) {
    let alerts = alerts.map(Arc::new);
    let work = async {
        loop {
            look(&state, alerts.as_ref()).await;
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        () = stop => {}
        () = work => {}
    }
    for entry in state.directory.resources() {
        if let Err(fault) = entry.access_keys().write_uses(Duration::ZERO).await {
            tracing::warn!(resource = entry.name(), %fault, "the last use of access keys is not written");
        }
    }
}

/// One look at all resources.
pub async fn look(state: &State, alerts: Option<&Arc<Alerts>>) {
    let mut looks = JoinSet::new();
    for entry in state.directory.resources() {
        if looks.len() >= AT_ONCE {
            looks.join_next().await;
        }
        let (entry, alerts) = (Arc::clone(entry), alerts.cloned());
        looks.spawn(async move {
            let looked = look_at(&entry, alerts.as_deref()).await;
            // Said when it begins and when it ends, and not at every look between.
            match (entry.custody().note_trouble(looked.is_err()), looked) {
                (true, Err(fault)) => {
                    tracing::warn!(resource = entry.name(), %fault, "its keys cannot be looked after now");
                }
                (true, Ok(())) => {
                    tracing::info!(resource = entry.name(), "its keys can be looked after again");
                }
                (false, _) => {}
            }
        });
    }
    while looks.join_next().await.is_some() {}
    look_at_signing_keys(state).await;
}

/// Learns of keys that sign tokens and requests to webhooks, when other nodes made them, and ends those that are over.
async fn look_at_signing_keys(state: &State) {
    let mut seen: Vec<&Geography> = Vec::new();
    for entry in state.directory.resources() {
        if seen.contains(&entry.geography()) {
            continue;
        }
        seen.push(entry.geography());
        let looked = async {
            let hooks = state.events.look_at_signer(entry.cell()).await?;
            let tokens = entry.tokens().refresh().await?;
            Ok::<_, ResourceError>((tokens || hooks, entry.tokens().end_former().await?))
        };
        match looked.await {
            Ok((is_new, ended)) if is_new || ended > 0 => {
                tracing::info!(geography = entry.geography().as_str(), ended, "its signing keys changed");
            }
            Ok(_) => {}
            Err(fault) => {
                let geography = entry.geography().as_str();
                tracing::warn!(geography, %fault, "its signing keys cannot be looked after now");
            }
        }
    }
}

async fn look_at(entry: &ResourceEntry, alerts: Option<&Alerts>) -> Result<(), StoreError> {
    entry.access_keys().write_uses(crate::service::resources::USE_STEP).await?;
    let (cell, resource) = (entry.cell(), entry.id());
    if !entry.custody().is_settled() {
        match entry.custody().ensure(cell, resource).await {
            Ok(_) => tracing::info!(resource = entry.name(), "its keys are where they are wanted"),
            Err(fault) => tracing::warn!(resource = entry.name(), %fault, "its keys are not handed over yet"),
        }
    }
    // Where no resource can have a customer's key there is nothing to look for.
    if cell.key_services().nth(1).is_none() {
        return Ok(());
    }
    let Some(change) = custody::look(cell, resource).await? else { return Ok(()) };
    let resource_name = entry.name();
    match change.row.reach {
        Reach::Available => tracing::info!(resource_name, "the key of this resource is available again"),
        Reach::Disabled => tracing::error!(resource_name, "the key of this resource is disabled"),
        Reach::Deleted => tracing::error!(resource_name, "the key of this resource was deleted"),
    }
    let is_told = match alerts {
        Some(alerts) => alerts.tell(entry, &change).await,
        // The log is all there is.
        None => true,
    };
    if is_told { custody::told(cell, resource, &change).await } else { Ok(()) }
}

impl Alerts {
    async fn tell(&self, entry: &ResourceEntry, change: &Change) -> bool {
        let mut headers = vec![("content-type", "application/cloudevents+json; charset=utf-8".to_owned())];
        let token = self.token.iter();
        headers.extend(token.map(|token| ("authorization", format!("Bearer {}", token.expose()))));
        let body = cloud_event(entry, change).to_string();
        let request = HookRequest {
            method: "POST",
            url: Personal::new(self.webhook.clone()),
            headers,
            body: Personal::new(Bytes::from(body)),
        };
        let answer = self.hooks.send(request).await;
        let is_told = answer.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status));
        if !is_told {
            let status = answer.as_ref().ok().map(|answer| answer.status);
            tracing::error!(status, fault = ?answer.err(), "an alert was not taken; it is told again");
        }
        is_told
    }
}

/// The alert as a CloudEvent 1.0. Told twice it has the same id.
fn cloud_event(entry: &ResourceEntry, change: &Change) -> serde_json::Value {
    let (kind, severity) = match change.row.reach {
        Reach::Available => ("Chancery.CustomerKeyAvailable", "information"),
        Reach::Disabled | Reach::Deleted => ("Chancery.CustomerKeyUnavailable", "critical"),
    };
    json!({
        "specversion": "1.0",
        "id": format!("{}-{}", entry.id(), change.row.since.as_millis()),
        "source": format!("/resources/{}", entry.name()),
        "type": kind,
        "subject": entry.name(),
        "time": change.row.since.to_iso(),
        "datacontenttype": "application/json",
        "data": {
            "resource": entry.name(),
            "dataLocation": entry.geography().as_str(),
            "severity": severity,
            "isFinal": change.row.reach == Reach::Deleted,
            "message": message(change.row.reach),
        },
    })
}

const fn message(reach: Reach) -> &'static str {
    match reach {
        Reach::Available => "The customer's key can be used again. Content is readable and accepted again.",
        Reach::Disabled => {
            "The customer's key is disabled. Requests for content answer 403 CustomerKeyUnavailable until it is enabled."
        }
        Reach::Deleted => {
            "The customer's key was deleted. What it opened cannot be read any more, by anybody, for good, unless the key service brings the key back."
        }
    }
}
