//! What the product does. The only layer that opens a commit; it knows no HTTP.

pub mod acme;
pub mod audit;
pub mod chat;
pub mod delivery;
pub mod email;
pub mod events;
pub mod identity;
pub mod live;
pub mod numbers;
pub mod outbox;
pub mod receipts;
pub mod resources;
pub mod sip;
pub mod sms;
pub mod turns;

use guard::KmsError;
use store::{KeyspaceDef, StoreError};
use wire::ApiError;

/// After how many seconds a client may try again when the store could not answer.
const RETRY_SECS: u32 = 1;

/// The keyspaces of all areas, for [`store::Cell::open`].
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    let mut all = vec![audit::DEF];
    all.extend(acme::keyspaces());
    all.extend(identity::keyspaces());
    all.extend(resources::keyspaces());
    all.extend(chat::keyspaces());
    all.extend(delivery::keyspaces());
    all.extend(email::keyspaces());
    all.extend(events::keyspaces());
    all.extend(numbers::keyspaces());
    all.extend(outbox::keyspaces());
    all.extend(receipts::keyspaces());
    all.extend(sip::keyspaces());
    all.extend(sms::keyspaces());
    all
}

/// The answer to who asked when too many others changed the same thing at once.
#[must_use]
pub fn busy() -> ApiError {
    ApiError::service_unavailable(RETRY_SECS)
}

/// The answer to who asked when the store failed: 503 for what may pass, 500 for what will not. What went wrong is for
/// the operator's log and not for the answer.
#[must_use]
pub fn unavailable(error: &StoreError) -> ApiError {
    match error {
        StoreError::Conflict | StoreError::Full | StoreError::Unavailable(_) | StoreError::Closed => {
            tracing::warn!(%error, "the store cannot answer now");
            ApiError::service_unavailable(RETRY_SECS)
        }
        StoreError::Kms(why @ (KmsError::Disabled | KmsError::Deleted)) => {
            tracing::error!(%error, "content cannot be opened: its key was taken away");
            ApiError::customer_key_unavailable(*why == KmsError::Deleted)
        }
        // A resource that is served is in the register; its keys are made as soon as its key service answers.
        StoreError::Kms(_) | StoreError::UnknownKeyService(_) | StoreError::UnknownResource => {
            tracing::error!(%error, "the keys cannot be had");
            ApiError::service_unavailable(RETRY_SECS)
        }
        StoreError::Shredded
        | StoreError::Corrupt { .. }
        | StoreError::TooLarge
        | StoreError::Generations
        | StoreError::WrongScope
        | StoreError::Keyspace(_) => {
            tracing::error!(%error, "the store failed");
            ApiError::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_keyspace_has_a_name_of_its_own() {
        let all = keyspaces();
        let names: HashSet<_> = all.iter().map(|def| def.name).collect();
        assert_eq!(names.len(), all.len());
        for name in ["audit", "identity", "resource", "signing_key"] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn only_what_may_pass_says_when_to_come_back() {
        assert_eq!(unavailable(&StoreError::Full).status(), 503);
        assert!(unavailable(&StoreError::Conflict).retry_after().is_some());
        let gone = unavailable(&StoreError::Kms(KmsError::Unavailable));
        assert_eq!((gone.status(), gone.retry_after().is_some()), (503, true));
        for (why, word) in [(KmsError::Disabled, "Enable it"), (KmsError::Deleted, "cannot be read any more")]
        {
            let taken = unavailable(&StoreError::Kms(why));
            assert_eq!(
                (taken.status(), taken.code(), taken.retry_after()),
                (403, "CustomerKeyUnavailable", None)
            );
            assert!(taken.message().contains(word), "{}", taken.message());
        }
        let lasting = unavailable(&StoreError::Corrupt { keyspace: "identity" });
        assert_eq!((lasting.status(), lasting.retry_after()), (500, None));
    }
}
