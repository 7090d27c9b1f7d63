//! The keys with which a cell signs user tokens. Each cell has its own, so a token is good in one geography only; every
//! node of the cell reads them from the store, so each verifies what the others signed.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::{ResourceId, Timestamp};
use guard::token::{Claims, TokenError, TokenSigner, TokenVerifier};
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Direction, KeyRange, Keyspace, KeyspaceDef, Opened, Scope, StoreError};

use super::ResourceError;
use crate::service::audit::{self, Act, Actor, Target};

/// How often a start that races with another node's is tried again.
const ATTEMPTS: usize = 8;
/// The most signing keys at once; all verify.
pub(super) const MOST: usize = 16;
/// How long a new key is known before it signs: longer than a node takes to learn of it, and than a JWK set is kept.
pub const LEAD: Duration = Duration::from_secs(60);
/// The longest that a token lives (ACS: 24 hours).
pub(super) const LONGEST_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);
/// For how long a node goes by what it knows of the keys while others may end them: longer than it takes between two looks,
/// and how long after the answer a key that was ended at once may be accepted elsewhere.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// How soon after a look a token of an unknown key is worth another.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The first key is made by no act.
const NO_ACT: Act = Act { name: None, by: Actor::Server };

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

/// One key, and from when on it signs.
struct Signer {
    number: u32,
    signs_from: Timestamp,
    signer: TokenSigner,
}

/// The keys of one moment, the newest first.
struct Keys {
    signers: Vec<Signer>,
    verifier: TokenVerifier,
    jwks: Vec<u8>,
}

/// A signing key, as far as it may be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyAge {
    /// Its number; the greatest is the newest.
    pub number: u32,
    /// Its id in tokens and in the JWK set.
    pub kid: String,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// Until when its tokens are accepted; `None` while no newer one is there.
    pub verifies_until: Option<Timestamp>,
}

/// What signs and verifies the user tokens of one cell.
pub struct CellTokens {
    cell: Cell,
    keys: RwLock<Arc<Keys>>,
    /// When the store was last asked, in milliseconds.
    looked: AtomicU64,
    /// When all keys were last found to have been ended at once, in milliseconds.
    ended: AtomicU64,
}

impl fmt::Debug for CellTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys();
        let kids: Vec<_> = keys.signers.iter().map(|one| one.signer.kid()).collect();
        f.debug_struct("CellTokens").field("kids", &kids).finish_non_exhaustive()
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
            let Some(keys) = read(cell).await? else {
                match make(cell, 1, &[], NO_ACT, Duration::ZERO).await {
                    Ok(()) | Err(ResourceError::Store(StoreError::Conflict)) => continue,
                    Err(fault) => return Err(fault),
                }
            };
            let looked = AtomicU64::new(cell.clock().now().as_millis());
            let (keys, ended) = (RwLock::new(Arc::new(keys)), AtomicU64::new(0));
            return Ok(Self { cell: cell.clone(), keys, looked, ended });
        }
        Err(StoreError::Conflict.into())
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tokens issued up to then are refused, for all keys of that time were ended at once; [`Timestamp::EPOCH`] when none were.
    #[must_use]
    pub fn ended(&self) -> Timestamp {
        Timestamp::from_millis(self.ended.load(Ordering::SeqCst))
    }

    /// Learns of keys that another node made or ended. Gives whether there was one.
    ///
    /// # Errors
    /// [`ResourceError`]; the keys stay as they were.
    pub async fn refresh(&self) -> Result<bool, ResourceError> {
        let now = self.cell.clock().now();
        let is_new = self.look().await?;
        self.looked.store(now.as_millis(), Ordering::Relaxed);
        Ok(is_new)
    }

    async fn look(&self) -> Result<bool, ResourceError> {
        let known: Vec<u32> = self.keys().signers.iter().map(|one| one.number).collect();
        let mut reader = self.cell.read(ResourceId::CELL).await?;
        let rows = reader.scan_keys::<SigningKeys>(KeyRange::all(), Direction::Backward, MOST).await?;
        drop(reader);
        if rows.iter().map(|(number, ..)| *number).eq(known.iter().copied()) {
            return Ok(false);
        }
        let Some(keys) = read(&self.cell).await? else { return Ok(false) };
        let is_none_left = !keys.signers.iter().any(|one| known.contains(&one.number));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        if is_none_left {
            self.ended.store(self.cell.clock().now().as_millis(), Ordering::SeqCst);
        }
        Ok(true)
    }

    /// Makes a new key. It signs after [`LEAD`], when every node and whoever reads the JWK set knows it; tokens of the
    /// former ones are accepted for as long as a token can live.
    ///
    /// # Errors
    /// [`ResourceError::TooManyKeys`]; [`ResourceError`].
    pub async fn rotate(&self, act: Act) -> Result<(), ResourceError> {
        for _ in 0..ATTEMPTS {
            self.refresh().await?;
            let keys = self.keys();
            if keys.signers.len() >= MOST {
                return Err(ResourceError::TooManyKeys);
            }
            let number = keys.signers.first().map_or(1, |newest| newest.number + 1);
            match make(&self.cell, number, &[], act, Duration::ZERO).await {
                Err(ResourceError::Store(StoreError::Conflict)) => {}
                made => {
                    made?;
                    self.refresh().await?;
                    return Ok(());
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Makes a new key that signs at once, and ends all others: every token there is is refused from the answer on, here,
    /// and on other nodes at the latest when [`LEASE`] is over. For a key that somebody else may have.
    ///
    /// # Errors
    /// [`ResourceError`].
    pub async fn replace(&self, act: Act) -> Result<(), ResourceError> {
        for _ in 0..ATTEMPTS {
            self.refresh().await?;
            let keys = self.keys();
            let number = keys.signers.first().map_or(1, |newest| newest.number + 1);
            let former: Vec<u32> = keys.signers.iter().map(|one| one.number).collect();
            match make(&self.cell, number, &former, act, LEAD).await {
                Err(ResourceError::Store(StoreError::Conflict)) => {}
                made => {
                    made?;
                    self.refresh().await?;
                    return Ok(());
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Asks the store when what is known is older than [`LEASE`]; where no other process can change it, never.
    ///
    /// # Errors
    /// [`ResourceError`]: whether the keys still hold cannot be told.
    pub async fn stay_fresh(&self, now: Timestamp) -> Result<(), ResourceError> {
        if self.is_older(LEASE, now) {
            self.refresh().await?;
        }
        Ok(())
    }

    /// Asks the store for a key that is not known, unless it was asked just now. Gives whether there is a new one.
    ///
    /// # Errors
    /// [`ResourceError`].
    pub async fn learn(&self, now: Timestamp) -> Result<bool, ResourceError> {
        if self.is_older(LOOK_AGAIN, now) { self.refresh().await } else { Ok(false) }
    }

    fn is_older(&self, age: Duration, now: Timestamp) -> bool {
        let looked = Timestamp::from_millis(self.looked.load(Ordering::Relaxed));
        self.cell.is_shared() && (looked > now || now.distance(looked) >= age)
    }

    /// When a key that was ended now is refused on every node.
    #[must_use]
    pub fn refused_everywhere_from(&self) -> Timestamp {
        let now = self.cell.clock().now();
        if self.cell.is_shared() { now.plus(LEASE) } else { now }
    }

    /// Ends keys none of whose tokens can be alive. Gives how many.
    ///
    /// # Errors
    /// [`ResourceError`]; what was not ended is the next time.
    pub async fn end_former(&self) -> Result<usize, ResourceError> {
        let now = self.cell.clock().now();
        let over: Vec<u32> = self
            .ages()
            .iter()
            .filter(|key| key.verifies_until.is_some_and(|until| until <= now))
            .map(|key| key.number)
            .collect();
        if over.is_empty() {
            return Ok(0);
        }
        let mut draft = self.cell.draft(ResourceId::CELL).await?;
        over.iter().for_each(|number| draft.delete::<SigningKeys>(number));
        let act = Act { name: Some("cell.end_signing_key"), by: Actor::Server };
        audit::record(&mut draft, act, Target::Resource(ResourceId::CELL), now, &**self.cell.rng())?;
        draft.commit().await?;
        self.refresh().await?;
        Ok(over.len())
    }

    /// The keys there are, the newest first.
    #[must_use]
    pub fn ages(&self) -> Vec<SigningKeyAge> {
        let keys = self.keys();
        let newer = std::iter::once(None).chain(keys.signers.iter().map(|one| Some(one.signs_from)));
        let ages = keys.signers.iter().zip(newer).map(|(one, newer)| SigningKeyAge {
            number: one.number,
            kid: one.signer.kid().to_owned(),
            signs_from: one.signs_from,
            verifies_until: newer.map(|from| from.plus(LONGEST_TOKEN).plus(LEAD)),
        });
        ages.collect()
    }

    /// Signs a token.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let keys = self.keys();
        let ripe = keys.signers.iter().find(|one| one.signs_from <= claims.issued_at);
        // A clock that went back finds none: the oldest is known to everybody.
        let one = ripe.or_else(|| keys.signers.last());
        one.map(|one| one.signer.sign(claims)).unwrap_or_default()
    }

    /// What `token` says, when one of the cell's keys signed it and it has not expired.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, TokenError> {
        self.keys().verifier.verify(token, now)
    }

    /// The public keys as a JWK set (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Vec<u8> {
        self.keys().jwks.clone()
    }
}

/// The keys as they are stored; `None` when there is none.
async fn read(cell: &Cell) -> Result<Option<Keys>, ResourceError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let rows = reader.scan::<SigningKeys>(KeyRange::all(), Direction::Backward, MOST).await?;
    drop(reader);
    let bad = || ResourceError::Key { keyspace: SigningKeys::DEF.name };
    let mut signers = Vec::new();
    for (number, row) in rows {
        let Opened::Value(row) = row else { return Err(bad()) };
        let signer = TokenSigner::from_pkcs8(&row.value.pkcs8).map_err(|_| bad())?;
        signers.push(Signer { number, signs_from: row.value.created_on.plus(LEAD), signer });
    }
    // There was nobody who had to learn of the first one.
    if let Some(oldest) = signers.last_mut() {
        oldest.signs_from = oldest.signs_from.minus(LEAD);
    }
    if signers.is_empty() {
        return Ok(None);
    }
    let public: Vec<_> = signers.iter().map(|one| one.signer.jwk()).collect();
    let jwks = serde_json::json!({ "keys": public }).to_string().into_bytes();
    let verifier = TokenVerifier::from_signers(&signers.iter().map(|one| &one.signer).collect::<Vec<_>>());
    Ok(Some(Keys { signers, verifier, jwks }))
}

/// Makes the key of that number, unless there is one, as if so long `before`, and ends the `former` ones.
async fn make(
    cell: &Cell,
    number: u32,
    former: &[u32],
    act: Act,
    before: Duration,
) -> Result<(), ResourceError> {
    let signer = TokenSigner::generate().map_err(|_| ResourceError::NoKey)?;
    let now = cell.clock().now();
    let row = SigningKeyRow { created_on: now.minus(before), pkcs8: signer.to_pkcs8().expose().clone() };
    let mut draft = cell.draft(ResourceId::CELL).await?;
    draft.expect_absent::<SigningKeys>(&number);
    draft.put_in_resource::<SigningKeys>(&number, &row, &[])?;
    former.iter().for_each(|number| draft.delete::<SigningKeys>(number));
    audit::record(&mut draft, act, Target::Resource(ResourceId::CELL), now, &**cell.rng())?;
    draft.commit().await?;
    Ok(())
}

#[cfg(test)]
#[path = "signing_tests.rs"]
mod tests;
