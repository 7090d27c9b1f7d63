//! The keys with which a cell signs its requests to webhooks, the first made when it is needed; every node of the cell has
//! them.

use std::fmt;
use std::time::Duration;

use base::{ResourceId, Timestamp};
use guard::http_signature::{RequestSigner, SIGNATURE_LIFETIME};
use store::{Cell, Direction, KeyRange, Opened, StoreError};

use super::rows::{SignerRow, Signers};
use crate::service::audit::{self, Act, Actor, Target};

/// Keys that are published; the newest that is ripe signs.
const MOST: usize = 8;
/// How often a start that races with another node's is tried again.
const ATTEMPTS: usize = 8;
/// How long a new key is published before it signs: longer than a key set may be kept, and than a node takes to learn of it.
pub const LEAD: Duration = Duration::from_secs(330);

/// One key, and from when on it signs.
struct Signer {
    number: u32,
    signs_from: Timestamp,
    signer: RequestSigner,
}

/// What signs the requests of one cell: the keys of one moment, the newest first.
pub struct EventSigner {
    signers: Vec<Signer>,
    jwks: Vec<u8>,
}

/// Why there is no new key.
#[derive(Debug)]
pub enum NoNewKey {
    /// There are as many as can be published; the oldest end by themselves.
    TooMany,
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for NoNewKey {
    fn from(fault: StoreError) -> Self {
        Self::Store(fault)
    }
}

impl fmt::Debug for EventSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.signers.iter().map(|one| one.signer.kid()).collect();
        f.debug_struct("EventSigner").field("kids", &kids).finish_non_exhaustive()
    }
}

impl EventSigner {
    /// The keys of `cell`, the first one made when there is none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(cell: &Cell) -> Result<Self, StoreError> {
        for _ in 0..ATTEMPTS {
            if let Some(read) = Self::read(cell).await? {
                return Ok(read);
            }
            match make(cell, 1, &[], Act { name: None, by: Actor::Server }, Duration::ZERO).await {
                Err(StoreError::Conflict) => {}
                made => made?,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn read(cell: &Cell) -> Result<Option<Self>, StoreError> {
        let bad = || StoreError::Corrupt { keyspace: "event_signer" };
        let mut reader = cell.read(ResourceId::CELL).await?;
        let rows = reader.scan::<Signers>(KeyRange::all(), Direction::Backward, MOST).await?;
        drop(reader);
        let mut signers = Vec::new();
        for (number, row) in rows {
            let Opened::Value(row) = row else { return Err(bad()) };
            let signer = RequestSigner::from_pkcs8(row.value.pkcs8()).map_err(|_| bad())?;
            signers.push(Signer { number, signs_from: row.value.created_on().plus(LEAD), signer });
        }
        if signers.is_empty() {
            return Ok(None);
        }
        let keys: Vec<_> = signers.iter().map(|one| one.signer.jwk()).collect();
        let jwks = serde_json::json!({ "keys": keys }).to_string().into_bytes();
        Ok(Some(Self { signers, jwks }))
    }

    /// Whether the store has other keys now.
    pub(super) async fn is_old(&self, cell: &Cell) -> Result<bool, StoreError> {
        let mut reader = cell.read(ResourceId::CELL).await?;
        let rows = reader.scan_keys::<Signers>(KeyRange::all(), Direction::Backward, MOST).await?;
        Ok(!rows.iter().map(|(number, ..)| *number).eq(self.signers.iter().map(|one| one.number)))
    }

    /// What signs at `now`.
    #[must_use]
    pub fn signer(&self, now: Timestamp) -> &RequestSigner {
        let ripe = self.signers.iter().find(|one| one.signs_from <= now);
        // Of a first key there was nobody to tell, and a clock may have gone back: the oldest is known to everybody.
        let oldest = self.signers.len() - 1;
        &ripe.unwrap_or(&self.signers[oldest]).signer
    }

    /// Each key's id, from when on it signs, and until when it is published; the newest first.
    pub fn ages(&self) -> impl Iterator<Item = (&str, Timestamp, Option<Timestamp>)> {
        let newer = std::iter::once(None).chain(self.signers.iter().map(|one| Some(one.signs_from)));
        self.signers.iter().zip(newer).map(|(one, newer)| {
            (one.signer.kid(), one.signs_from, newer.map(|from| from.plus(SIGNATURE_LIFETIME).plus(LEAD)))
        })
    }

    /// The public keys as a JWK set.
    #[must_use]
    pub fn jwks(&self) -> &[u8] {
        &self.jwks
    }
}

/// Makes a new key. It signs when receivers had the time to learn of it; with `at_once` it signs now and the former ones end
/// now, for a key that somebody else may have.
///
/// # Errors
/// [`NoNewKey`].
pub async fn rotate(cell: &Cell, act: Act, at_once: bool) -> Result<(), NoNewKey> {
    for _ in 0..ATTEMPTS {
        let keys = EventSigner::open(cell).await?;
        if keys.signers.len() >= MOST && !at_once {
            return Err(NoNewKey::TooMany);
        }
        let number = keys.signers.first().map_or(1, |newest| newest.number + 1);
        let former: Vec<u32> = keys.signers.iter().map(|one| one.number).collect();
        let (former, before) = if at_once { (&former[..], LEAD) } else { (&[][..], Duration::ZERO) };
        match make(cell, number, former, act, before).await {
            Err(StoreError::Conflict) => {}
            made => return Ok(made?),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Ends keys whose last signature is worth nothing any more. Gives how many.
///
/// # Errors
/// Those of the store.
pub async fn end_former(cell: &Cell, keys: &EventSigner) -> Result<usize, StoreError> {
    let now = cell.clock().now();
    let ended = keys.signers.iter().zip(keys.ages());
    let ended: Vec<u32> = ended
        .filter(|(_, (.., until))| until.is_some_and(|until| until <= now))
        .map(|(one, _)| one.number)
        .collect();
    if !ended.is_empty() {
        let mut draft = cell.draft(ResourceId::CELL).await?;
        ended.iter().for_each(|number| draft.delete::<Signers>(number));
        let act = Act { name: Some("cell.end_webhook_key"), by: Actor::Server };
        audit::record(&mut draft, act, Target::Resource(ResourceId::CELL), now, &**cell.rng())?;
        draft.commit().await?;
    }
    Ok(ended.len())
}

/// Makes the key of that number, unless there is one, as if so long `before`, and ends the `former` ones.
async fn make(
    cell: &Cell,
    number: u32,
    former: &[u32],
    act: Act,
    before: Duration,
) -> Result<(), StoreError> {
    let none = || StoreError::Unavailable("no key can be made".to_owned());
    let signer = RequestSigner::generate().map_err(|_| none())?;
    let now = cell.clock().now();
    let row = SignerRow::new(now.minus(before), &signer.to_pkcs8().map_err(|_| none())?);
    let mut draft = cell.draft(ResourceId::CELL).await?;
    draft.expect_absent::<Signers>(&number);
    draft.put_in_resource::<Signers>(&number, &row, &[])?;
    former.iter().for_each(|number| draft.delete::<Signers>(number));
    audit::record(&mut draft, act, Target::Resource(ResourceId::CELL), now, &**cell.rng())?;
    draft.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, TestApp};
    use base::Clock;

    const ACT: Act = Act { name: Some("cell.rotate_webhook_key"), by: Actor::Operator };

    fn kids(keys: &EventSigner) -> Vec<String> {
        keys.ages().map(|(kid, ..)| kid.to_owned()).collect()
    }

    #[tokio::test]
    async fn a_cell_has_one_key_and_another_cell_another() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let (one, other) = tokio::join!(EventSigner::open(cell), EventSigner::open(cell));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.jwks(), other.jwks());
        assert_eq!(one.signer(START).kid(), other.signer(START).kid());
        let abroad = EventSigner::open(test.abroad().cell()).await.unwrap();
        assert_ne!(one.signer(START).kid(), abroad.signer(START).kid());
        assert!(!String::from_utf8_lossy(one.jwks()).contains("\"d\""), "no private part");
    }

    #[tokio::test]
    async fn a_new_key_is_published_before_it_signs_and_the_former_one_for_as_long_as_it_is_good() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let first = EventSigner::open(cell).await.unwrap();
        let old = kids(&first);
        test.clock.set(START.plus(LEAD));
        rotate(cell, ACT, false).await.unwrap();
        assert!(first.is_old(cell).await.unwrap());
        let both = EventSigner::open(cell).await.unwrap();
        assert!(!both.is_old(cell).await.unwrap());
        assert_eq!((kids(&both).len(), &kids(&both)[1]), (2, &old[0]));
        let signs = test.clock.now().plus(LEAD);
        assert_eq!(both.signer(signs.minus(Duration::from_millis(1))).kid(), old[0]);
        assert_eq!(both.signer(signs).kid(), kids(&both)[0]);
        assert_eq!(both.signer(Timestamp::EPOCH).kid(), old[0], "a clock that went back");
        let ends = signs.plus(SIGNATURE_LIFETIME).plus(LEAD);
        test.clock.set(ends.minus(Duration::from_millis(1)));
        assert_eq!(end_former(cell, &both).await.unwrap(), 0);
        test.clock.set(ends);
        assert_eq!(end_former(cell, &both).await.unwrap(), 1);
        assert_eq!(kids(&EventSigner::open(cell).await.unwrap()), kids(&both)[..1]);
    }

    #[tokio::test]
    async fn a_key_that_others_may_have_ends_at_once() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        for _ in 1..MOST {
            rotate(cell, ACT, false).await.unwrap();
        }
        assert!(matches!(rotate(cell, ACT, false).await, Err(NoNewKey::TooMany)));
        let before = kids(&EventSigner::open(cell).await.unwrap());
        assert_eq!(before.len(), MOST);
        rotate(cell, ACT, true).await.unwrap();
        let after = EventSigner::open(cell).await.unwrap();
        assert_eq!(kids(&after).len(), 1);
        assert!(!before.contains(&kids(&after)[0]));
        assert_eq!(after.signer(test.clock.now()).kid(), kids(&after)[0]);
    }
}
