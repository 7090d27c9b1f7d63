//! A key service that is not there yet: one that a resource chose must not keep the node from serving the others.

use std::sync::Arc;

use base::{Clock, Rng};
use guard::{BoxFuture, KeyContext, Kms, KmsError, ScopeKey, Sealed};
use tokio::sync::OnceCell;

use super::{Guarded, open};
use crate::config::KeyServiceConfig;

/// A key service that is begun by the first call that finds it there.
struct Late {
    service: KeyServiceConfig,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    begun: OnceCell<Arc<dyn Kms>>,
}

impl Late {
    async fn kms(&self) -> Result<&Arc<dyn Kms>, KmsError> {
        let begin = async || {
            open(&self.service.kms, &self.clock, &*self.rng).await.map_err(|fault| {
                tracing::error!(key_service = self.service.name, %fault, "a key service cannot be begun");
                KmsError::Unavailable
            })
        };
        self.begun.get_or_try_init(begin).await
    }
}

impl Kms for Late {
    fn name(&self) -> &'static str {
        self.begun.get().map_or("not begun", |kms| kms.name())
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(async move { self.kms().await?.wrap(context, key).await })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move { self.kms().await?.unwrap(context, wrapped).await })
    }
}

/// Begins a key service that resources chose. Where it cannot be begun now, calls try again, at the pace of [`Guarded`].
pub async fn open_or_later(
    service: &KeyServiceConfig,
    clock: &Arc<dyn Clock>,
    rng: &Arc<dyn Rng>,
) -> Arc<dyn Kms> {
    let begun = OnceCell::new();
    let late = Late { service: service.clone(), clock: Arc::clone(clock), rng: Arc::clone(rng), begun };
    if let Ok(kms) = late.kms().await {
        return Arc::clone(kms);
    }
    Arc::new(Guarded::new(late, Arc::clone(clock)))
}

#[cfg(test)]
mod tests {
    use base::{ManualClock, ResourceId, SeededRng, Timestamp};

    use super::*;
    use crate::config::KmsConfig;
    use crate::kms::MAX_PAUSE;

    #[tokio::test]
    async fn it_begins_as_soon_as_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys").join("contoso.key");
        std::fs::write(folder.path().join("keys"), "in the way").unwrap();
        let service =
            KeyServiceConfig { name: "contoso".to_owned(), kms: KmsConfig::Local { path, passphrase: None } };
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_420_800_000)));
        let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(1));
        let kms = open_or_later(&service, &(Arc::clone(&clock) as _), &rng).await;
        let context =
            KeyContext { geography: "europe".parse().unwrap(), resource: ResourceId::CELL, generation: 1 };
        let key = ScopeKey::generate(&*rng, 1);
        assert_eq!(kms.wrap(&context, &key).await.unwrap_err(), KmsError::Unavailable);
        assert_eq!(kms.name(), "not begun");
        std::fs::remove_file(folder.path().join("keys")).unwrap();
        clock.advance(MAX_PAUSE);
        let wrapped = kms.wrap(&context, &key).await.unwrap();
        assert!(kms.unwrap(&context, &wrapped).await.is_ok());
        assert_eq!(kms.name(), "local");
    }
}
