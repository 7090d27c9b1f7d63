//! Access tokens of Microsoft Entra ID for an application with a secret (OAuth 2.0 client credentials, RFC 6749, 4.4),
//! kept until shortly before they end.

use std::sync::{Arc, Mutex, PoisonError};

use base::{Clock, Secret, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::KmsError;
use super::remote::{Ask, Exchange, Reply};

/// A token is no longer used for so long before its end, in milliseconds.
const MARGIN: u64 = 60_000;

/// The application that asks.
#[derive(Clone, Debug)]
pub struct AzureApplication {
    /// Its client id.
    pub id: String,
    /// Its client secret.
    pub secret: Secret<String>,
}

/// Fetches them anew for each token, so that they may be replaced while running; `None` when they cannot be had.
pub type FetchApplication = Arc<dyn Fn() -> Option<AzureApplication> + Send + Sync>;

/// A token and when it is no longer used.
#[derive(Clone)]
struct Kept {
    token: Secret<String>,
    until: Timestamp,
}

/// Gives out tokens for one scope.
pub(super) struct Tokens {
    url: String,
    scope: String,
    application: FetchApplication,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    /// For `scope`, from the directory at `place`.
    pub(super) fn new(
        place: &str,
        scope: String,
        application: FetchApplication,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { url: format!("{place}/oauth2/v2.0/token"), scope, application, clock, kept: Mutex::new(None) }
    }

    /// A token that holds for a while yet.
    ///
    /// # Errors
    /// [`KmsError::Disabled`] when the directory does not know the application or its secret any more.
    pub(super) async fn have(&self, exchange: &dyn Exchange) -> Result<Secret<String>, KmsError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = kept.filter(|kept| self.clock.now() < kept.until) {
            return Ok(kept.token);
        }
        let AzureApplication { id, secret } = (self.application)().ok_or(KmsError::Unavailable)?;
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &id)
            .append_pair("client_secret", secret.expose())
            .append_pair("scope", &self.scope)
            .finish();
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        let asked_at = self.clock.now();
        let ask = Ask { method: "POST", url: self.url.clone(), headers, body: Zeroizing::new(body.into()) };
        let reply = exchange.exchange(ask).await.map_err(|_| KmsError::Unavailable)?;
        if reply.status != 200 {
            return Err(meaning(&reply));
        }
        let granted: Granted = serde_json::from_slice(&reply.body).map_err(|_| KmsError::Unavailable)?;
        let token = Secret::new(granted.access_token);
        let holds = granted.expires_in.saturating_mul(1000).saturating_sub(MARGIN);
        let until = Timestamp::from_millis(asked_at.as_millis().saturating_add(holds));
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Kept { token: token.clone(), until });
        Ok(token)
    }

    /// Uses `token` no more.
    pub(super) fn forget(&self, token: &Secret<String>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take_if(|kept| kept.token.expose() == token.expose());
    }
}

/// What a refusal means (RFC 6749, 5.2; Microsoft identity platform, error codes).
fn meaning(reply: &Reply) -> KmsError {
    match reply.status {
        // invalid_client, unauthorized_client, no such tenant: whose owner took the application or its secret away.
        400 | 401 => KmsError::Disabled,
        429 => KmsError::Throttled { retry_after: reply.retry_after },
        _ => KmsError::Unavailable,
    }
}
