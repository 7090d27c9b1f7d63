//! The key with which a cell signs its requests to webhooks, made when it is first needed; every node of the cell has it.

use std::fmt;

use base::ResourceId;
use guard::http_signature::RequestSigner;
use store::{Cell, Direction, KeyRange, Opened, StoreError};

use super::rows::{SignerRow, Signers};

/// Keys that are published; the newest signs.
const MOST: usize = 8;
/// How often a start that races with another node's is tried again.
const ATTEMPTS: usize = 8;

/// What signs the requests of one cell.
pub struct EventSigner {
    signer: RequestSigner,
    jwks: Vec<u8>,
}

impl fmt::Debug for EventSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSigner").field("kid", &self.signer.kid()).finish_non_exhaustive()
    }
}

impl EventSigner {
    /// The keys of `cell`, the first one made when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(cell: &Cell) -> Result<Self, StoreError> {
        for _ in 0..ATTEMPTS {
            match Self::open_once(cell).await {
                Err(StoreError::Conflict) => {}
                done => return done,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn open_once(cell: &Cell) -> Result<Self, StoreError> {
        let bad = || StoreError::Corrupt { keyspace: "event_signer" };
        let mut reader = cell.read(ResourceId::CELL).await?;
        let rows = reader.scan::<Signers>(KeyRange::all(), Direction::Backward, MOST).await?;
        drop(reader);
        let mut signers = Vec::new();
        for (_, row) in rows {
            let Opened::Value(row) = row else { return Err(bad()) };
            signers.push(RequestSigner::from_pkcs8(row.value.pkcs8()).map_err(|_| bad())?);
        }
        if signers.is_empty() {
            let made = || StoreError::Unavailable("no key can be made".to_owned());
            let signer = RequestSigner::generate().map_err(|_| made())?;
            let row = SignerRow::new(cell.clock().now(), &signer.to_pkcs8().map_err(|_| made())?);
            let mut draft = cell.draft(ResourceId::CELL).await?;
            draft.expect_absent::<Signers>(&1);
            draft.put_in_resource::<Signers>(&1, &row, &[])?;
            draft.commit().await?;
            signers.push(signer);
        }
        let keys: Vec<_> = signers.iter().map(RequestSigner::jwk).collect();
        let jwks = serde_json::json!({ "keys": keys }).to_string().into_bytes();
        Ok(Self { signer: signers.swap_remove(0), jwks })
    }

    /// What signs.
    #[must_use]
    pub const fn signer(&self) -> &RequestSigner {
        &self.signer
    }

    /// The public keys as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> &[u8] {
        &self.jwks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn a_cell_has_one_key_and_another_cell_another() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let (one, other) = tokio::join!(EventSigner::open(cell), EventSigner::open(cell));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.jwks(), other.jwks());
        assert_eq!(one.signer().kid(), other.signer().kid());
        let abroad = EventSigner::open(test.abroad().cell()).await.unwrap();
        assert_ne!(one.signer().kid(), abroad.signer().kid());
        assert!(!String::from_utf8_lossy(one.jwks()).contains("\"d\""), "no private part");
    }
}
