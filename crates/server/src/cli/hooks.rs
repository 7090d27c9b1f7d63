//! The way to webhooks of events: whom a node trusts and reaches, as its configuration says.

use std::sync::Arc;

use base::Rng;
use guard::SystemRng;
use guard::tls::mail::mail_verified;
use tokio::task::JoinSet;

use super::CliError;
use crate::channel::webhook::{HookChannel, Webhook};
use crate::config::{AlertsConfig, EventsConfig, SecretRef};
use crate::http::State;
use crate::job::{self, custody::Alerts};
use crate::net::{Drained, SocketDial, Stop};

/// What tells events on this node.
pub(super) struct Hooks(Option<Arc<dyn HookChannel>>);

impl Hooks {
    /// Learns who wants to hear of what, before anything can happen that is to be told, and opens the way to them.
    pub(super) async fn open(state: &State, config: &EventsConfig) -> Result<Self, CliError> {
        job::events::learn(state).await.map_err(|(geography, fault)| CliError::Cell {
            geography: geography.as_str().to_owned(),
            why: fault.to_string(),
        })?;
        Ok(Self::new(config))
    }

    /// As configured. Where no authority can be read nothing is told, and what is to be told waits.
    fn new(config: &EventsConfig) -> Self {
        let mut pem = Vec::new();
        for path in &config.ca {
            match std::fs::read(path) {
                Ok(bytes) => pem.extend([bytes, b"\n".to_vec()].concat()),
                Err(fault) => {
                    let path = path.display();
                    tracing::warn!(%path, fault = %fault.kind(), "the authorities of webhooks cannot be read");
                }
            }
        }
        let Ok(tls) = mail_verified(&pem) else {
            tracing::warn!("no authority of webhooks is known: events wait; name a file in [events] ca");
            return Self(None);
        };
        let dial = Arc::new(SocketDial::new(config.allow.clone()));
        Self(Some(Arc::new(Webhook::new(dial, tls, config.allow_http))))
    }

    /// The way to whom `config` names, with the token that goes with it.
    pub(super) fn alerts(&self, config: Option<AlertsConfig>) -> Result<Option<Alerts>, CliError> {
        let Some(AlertsConfig { webhook, token }) = config else { return Ok(None) };
        let token = token.as_ref().map(SecretRef::fetch).transpose()?;
        if self.0.is_none() {
            tracing::warn!("alerts have no way out: no authority of webhooks is known");
        }
        Ok(self.0.clone().map(|hooks| Alerts { hooks, webhook, token }))
    }

    /// Looks after keys until the node stops, and tells whom `alerts` names when a customer took one away.
    pub(super) fn alert(
        &self,
        alerts: Option<Alerts>,
        state: &Arc<State>,
        stop: &Stop,
        tasks: &mut JoinSet<Option<Drained>>,
    ) {
        let (state, stop) = (Arc::clone(state), stop.clone());
        tasks.spawn(async move {
            job::custody::run(state, alerts, async move { stop.begun().await }).await;
            None
        });
    }

    /// Tells events until the node stops.
    pub(super) fn tell(self, state: &Arc<State>, stop: &Stop, tasks: &mut JoinSet<Option<Drained>>) {
        let Some(hooks) = self.0 else { return };
        let (state, stop) = (Arc::clone(state), stop.clone());
        tasks.spawn(async move {
            job::events::run(state, hooks, SystemRng.id(), async move { stop.begun().await }).await;
            None
        });
    }
}
