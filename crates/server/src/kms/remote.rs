//! Key services across the network: what `guard` asks and signs, carried over TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::RETRY_AFTER;
use base::{Clock, Personal};
use bytes::Bytes;
use guard::tls::mail::mail_verified;
use guard::{
    Ask, AwsCredentials, AwsKms, AwsOptions, AzureApplication, AzureKms, AzureOptions, BoxFuture, Exchange,
    FetchCredentials, Reply, Unreachable, VaultKms, VaultOptions, Zeroizing,
};

use super::KmsFault;
use crate::channel::webhook::{HookChannel, HookRequest, Webhook};
use crate::config::{AwsConfig, AzureConfig, VaultConfig};
use crate::net::SocketDial;

/// A key in AWS KMS, as configured.
pub(super) fn aws(config: &AwsConfig, clock: &Arc<dyn Clock>) -> Result<AwsKms, KmsFault> {
    let options = AwsOptions {
        region: config.region.clone(),
        endpoint: config.endpoint.clone(),
        key: config.key.clone(),
    };
    Ok(AwsKms::new(options, credentials(config)?, carrier(&config.ca)?, Arc::clone(clock)))
}

/// A key in Azure Key Vault, as configured.
pub(super) fn azure(config: &AzureConfig, clock: &Arc<dyn Clock>) -> Result<AzureKms, KmsFault> {
    let options = AzureOptions {
        vault: config.address.clone(),
        key: config.key.clone(),
        authority: config.authority.clone(),
        tenant: config.tenant.clone(),
    };
    let (id, place) = (config.client_id.clone(), config.client_secret.clone());
    let application = again(move || Ok(AzureApplication { id: id.clone(), secret: place.fetch()? }))?;
    Ok(AzureKms::new(options, application, carrier(&config.ca)?, Arc::clone(clock)))
}

/// A key in Vault, as configured.
pub(super) fn vault(config: &VaultConfig) -> Result<VaultKms, KmsFault> {
    let options = VaultOptions {
        address: config.address.clone(),
        mount: config.mount.clone(),
        key: config.key.clone(),
        namespace: config.namespace.clone(),
    };
    let place = config.token.clone();
    let token = again(move || Ok(place.fetch()?))?;
    Ok(VaultKms::new(options, token, carrier(&config.ca)?))
}

/// Whoever is asked shows a certificate of these authorities.
fn carrier(ca: &Path) -> Result<Arc<Carrier>, KmsFault> {
    let authorities = || KmsFault::Authorities(ca.display().to_string());
    let pem = std::fs::read(ca).map_err(|_| authorities())?;
    let tls = mail_verified(&pem).map_err(|_| authorities())?;
    // The operator names the endpoint, so it may be anywhere. How long it is waited for is its guard's business.
    Ok(Arc::new(Carrier { hooks: Webhook::new(Arc::new(SocketDial::everywhere()), tls, true) }))
}

fn credentials(config: &AwsConfig) -> Result<FetchCredentials, KmsFault> {
    let config = config.clone();
    again(move || {
        Ok(AwsCredentials {
            id: config.access_key_id.fetch()?.expose().clone(),
            secret: config.secret_access_key.fetch()?,
            session: config.session_token.as_ref().map(crate::config::SecretRef::fetch).transpose()?,
        })
    })
}

/// Fetches now, so that what is wrong is said at the start; and anew for each call.
fn again<T>(
    fetch: impl Fn() -> Result<T, KmsFault> + Send + Sync + 'static,
) -> Result<Arc<dyn Fn() -> Option<T> + Send + Sync>, KmsFault> {
    fetch()?;
    Ok(Arc::new(move || {
        let fetched = fetch();
        if let Err(fault) = &fetched {
            tracing::error!(%fault, "what opens a key service cannot be had");
        }
        fetched.ok()
    }))
}

struct Carrier {
    hooks: Webhook,
}

impl Exchange for Carrier {
    fn exchange(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, Unreachable>> {
        Box::pin(async move {
            let request = HookRequest {
                method: ask.method,
                url: Personal::new(ask.url),
                headers: ask.headers,
                body: Personal::new(Bytes::from_owner(Wiped(ask.body))),
            };
            let answer = self.hooks.send(request).await.map_err(|fault| {
                tracing::warn!(?fault, "a key service cannot be reached");
                Unreachable
            })?;
            let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let body = Zeroizing::new(answer.body.expose().to_vec());
            Ok(Reply { status: answer.status, retry_after: wait.map(Duration::from_secs), body })
        })
    }
}

/// Bytes that are wiped when the last who holds them lets go.
struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
