//! The keys with which a cell signs user tokens. Each cell has its own, so a token is good in one geography only; every
//! node of the cell reads them from the store, so each verifies what the others signed.

use std::fmt;
use std::sync::Arc;

use base::{ResourceId, Timestamp};
use guard::token::{Claims, TokenError, TokenSigner, TokenVerifier};
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Direction, KeyRange, Keyspace, KeyspaceDef, Opened, Scope, StoreError};

use super::ResourceError;

/// How often a start that races with another node's is tried again.
const ATTEMPTS: usize = 8;
/// Signing keys read at start; the newest signs, all verify.
const MOST: usize = 16;

/// A cell's signing keys by their number, under [`ResourceId::CELL`].
pub struct SigningKeys;

impl Keyspace for SigningKeys {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "signing_key", class: Class::Key };
    const FORMAT: u8 = 1;
    type Key = u32;
    type Value = SigningKeyRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// One signing key: ES256, PKCS #8.
#[derive(Clone, Serialize, Deserialize)]
pub struct SigningKeyRow {
    created_on: Timestamp,
    pkcs8: Vec<u8>,
}

impl fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyRow").field("created_on", &self.created_on).finish_non_exhaustive()
    }
}

/// What signs and verifies the user tokens of one cell.
pub struct CellTokens {
    signer: TokenSigner,
    verifier: TokenVerifier,
    jwks: Vec<u8>,
}

impl fmt::Debug for CellTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CellTokens").field("kid", &self.signer.kid()).finish_non_exhaustive()
    }
}

impl CellTokens {
    /// The keys of `cell`, the first one made when there is none.
    ///
    /// # Errors
    /// [`ResourceError`].
    pub async fn open(cell: &Cell) -> Result<Self, ResourceError> {
        cell.create_resource_key(ResourceId::CELL).await?;
        for _ in 0..ATTEMPTS {
            match Self::open_once(cell).await {
                Err(ResourceError::Store(StoreError::Conflict)) => {}
                done => return done,
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn open_once(cell: &Cell) -> Result<Self, ResourceError> {
        let mut reader = cell.read(ResourceId::CELL).await?;
        let rows = reader.scan::<SigningKeys>(KeyRange::all(), Direction::Backward, MOST).await?;
        drop(reader);
        let bad = || ResourceError::Key { keyspace: SigningKeys::DEF.name };
        let mut signers = Vec::new();
        for (_, row) in rows {
            let Opened::Value(row) = row else { return Err(bad()) };
            signers.push(TokenSigner::from_pkcs8(&row.value.pkcs8).map_err(|_| bad())?);
        }
        if signers.is_empty() {
            let signer = TokenSigner::generate().map_err(|_| ResourceError::NoKey)?;
            let row =
                SigningKeyRow { created_on: cell.clock().now(), pkcs8: signer.to_pkcs8().expose().clone() };
            let mut draft = cell.draft(ResourceId::CELL).await?;
            draft.expect_absent::<SigningKeys>(&1);
            draft.put_in_resource::<SigningKeys>(&1, &row, &[])?;
            draft.commit().await?;
            signers.push(signer);
        }
        let keys: Vec<_> = signers.iter().map(TokenSigner::jwk).collect();
        let jwks = serde_json::json!({ "keys": keys }).to_string().into_bytes();
        let verifier = TokenVerifier::from_signers(&signers.iter().collect::<Vec<_>>());
        Ok(Self { signer: signers.swap_remove(0), verifier, jwks })
    }

    /// Signs a token.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        self.signer.sign(claims)
    }

    /// What `token` says, when one of the cell's keys signed it and it has not expired.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, TokenError> {
        self.verifier.verify(token, now)
    }

    /// The public keys as a JWK set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> &[u8] {
        &self.jwks
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{Clock, UserId};
    use guard::token::Scopes;

    use super::*;
    use crate::testing::{START, TestApp};

    fn claims(test: &TestApp) -> Claims {
        Claims {
            resource: test.resource().id(),
            geography: test.resource().geography().clone(),
            user: UserId::mint(&*test.rng),
            scopes: Scopes::CHAT,
            issued_at: START,
            expires_at: START.plus(Duration::from_secs(60)),
            epoch: 3,
        }
    }

    #[tokio::test]
    async fn every_node_of_a_cell_verifies_what_another_signed() {
        let test = TestApp::new().await;
        let (one, other) =
            (test.resource().tokens(), CellTokens::open(test.resource().cell()).await.unwrap());
        let claims = claims(&test);
        let token = one.sign(&claims);
        assert_eq!(*other.verify(&token, test.clock.now()).unwrap(), claims);
        assert_eq!(one.jwks(), other.jwks());
        assert!(test.abroad().tokens().verify(&token, test.clock.now()).is_err(), "another cell does not");
    }

    #[tokio::test]
    async fn the_newest_key_signs_and_older_ones_still_verify() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let claims = claims(&test);
        let old = test.resource().tokens().sign(&claims);
        let next = TokenSigner::generate().unwrap();
        let row = SigningKeyRow { created_on: START, pkcs8: next.to_pkcs8().expose().clone() };
        assert!(!format!("{row:?}").contains("pkcs8"));
        let mut draft = cell.draft(ResourceId::CELL).await.unwrap();
        draft.put_in_resource::<SigningKeys>(&2, &row, &[]).unwrap();
        draft.commit().await.unwrap();
        let both = CellTokens::open(cell).await.unwrap();
        assert!(both.verify(&old, START).is_ok());
        let new = both.sign(&claims);
        assert!(test.resource().tokens().verify(&new, START).is_err(), "who has not seen the new key");
        assert!(format!("{both:?}").contains(next.kid()), "signed by the newest");
        let keys: serde_json::Value = serde_json::from_slice(both.jwks()).unwrap();
        assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
    }

    #[tokio::test]
    async fn two_first_starts_at_once_agree_on_one_key() {
        let test = TestApp::new().await;
        let cell = test.abroad().cell();
        let mut draft = cell.draft(ResourceId::CELL).await.unwrap();
        draft.delete::<SigningKeys>(&1);
        draft.commit().await.unwrap();
        let (one, other) = tokio::join!(CellTokens::open(cell), CellTokens::open(cell));
        assert_eq!(one.unwrap().jwks(), other.unwrap().jwks());
    }
}
