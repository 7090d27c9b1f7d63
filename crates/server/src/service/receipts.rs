//! Receipts of deletions: what was deleted, when, by whom, why, and how much, signed, so that whoever asked can show it to
//! others. A receipt holds ids that name nobody, never content.
//!
//! They rest under the cell's own key, so that they outlive the resource and its customer's key; the public keys they are
//! checked with never end.

use std::fmt;

use base::{ResourceId, Timestamp, UserId};
use guard::token::{PublicKey, TokenSigner, read_statement};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    Cell, Class, Direction, Draft, KeyRange, Keyspace, KeyspaceDef, Opened, Reader, Scope, StoreError,
};

use super::audit::{Act, Actor, Target};
use super::resources::ResourceError;

/// The type of a receipt (RFC 7515, 4.1.9).
pub const TYPE: &str = "chancery-deletion-receipt+jws";
/// The most keys there can be: one is made, and nothing replaces it yet.
const MOST_KEYS: usize = 16;
/// How often a first key that races with another node's is tried again.
const ATTEMPTS: usize = 8;

/// Receipts by resource, the moment the deletion was asked for, and what was deleted; under [`ResourceId::CELL`].
pub struct Receipts;

impl Keyspace for Receipts {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "deletion_receipt", class: Class::Content };
    const FORMAT: u8 = 1;
    type Key = (ResourceId, Timestamp, [u8; 16]);
    type Value = ReceiptRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRow {
    /// The signed statement.
    pub statement: String,
}

/// The keys that sign receipts, by their number, under [`ResourceId::CELL`].
pub struct ReceiptKeys;

impl Keyspace for ReceiptKeys {
    const DEF: &'static KeyspaceDef = &KeyspaceDef { name: "receipt_key", class: Class::Key };
    const FORMAT: u8 = 1;
    type Key = u32;
    type Value = ReceiptKeyRow;

    fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
        Scope::RESOURCE
    }
}

/// One such key: ES256, PKCS #8.
#[derive(Clone, Serialize, Deserialize)]
pub struct ReceiptKeyRow {
    pkcs8: Vec<u8>,
}

impl fmt::Debug for ReceiptKeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptKeyRow(..)")
    }
}

/// A deletion that was asked for, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// When it was asked for; from then on nothing of it could be read.
    pub asked_on: Timestamp,
    /// By whom.
    pub by: Actor,
    /// The operation that asked for it.
    pub act: String,
    /// Scope keys destroyed so far.
    pub keys: u64,
    /// Rows whose bytes were removed so far.
    pub rows: u64,
}

impl Order {
    /// Of the act that is under way.
    #[must_use]
    pub fn of(act: Act, asked_on: Timestamp) -> Self {
        Self { asked_on, by: act.by, act: act.name.unwrap_or_default().to_owned(), keys: 0, rows: 0 }
    }

    /// The same, further.
    #[must_use]
    pub fn further(&self, keys: u64, rows: u64) -> Self {
        Self { keys: self.keys + keys, rows: self.rows + rows, ..self.clone() }
    }
}

/// Keeps the receipt of a deletion that is complete. One that is there already stays as it is.
///
/// # Errors
/// [`ResourceError`].
pub async fn keep(
    cell: &Cell,
    resource: ResourceId,
    target: Target,
    order: &Order,
) -> Result<(), ResourceError> {
    let key = (resource, order.asked_on, id_of(target));
    for _ in 0..ATTEMPTS {
        let signer = ensure_key(cell).await?;
        let mut reader = cell.read(ResourceId::CELL).await?;
        if reader.get::<Receipts>(&key).await?.is_some() {
            return Ok(());
        }
        drop(reader);
        let payload = json!({
            "geography": cell.geography().as_str(),
            "resource": resource.to_string(),
            "deleted": thing(resource, target),
            "askedOn": order.asked_on.to_iso(),
            "askedBy": person(resource, order.by),
            "operation": order.act,
            "reason": "request",
            "keysDestroyed": order.keys,
            "rowsRemoved": order.rows,
            "completedOn": cell.clock().now().to_iso(),
        });
        let row = ReceiptRow { statement: signer.state(TYPE, &payload) };
        let mut draft: Draft = cell.draft(ResourceId::CELL).await?;
        draft.expect_absent::<Receipts>(&key);
        draft.put_in_resource::<Receipts>(&key, &row, &[])?;
        match draft.commit().await {
            Err(StoreError::Conflict) => {}
            done => return Ok(done?),
        }
    }
    Err(StoreError::Conflict.into())
}

/// A page of a resource's receipts in the order in which the deletions were asked for, after `after`; and where it ended.
///
/// # Errors
/// [`ResourceError`].
pub async fn list(
    cell: &Cell,
    resource: ResourceId,
    after: Option<(Timestamp, [u8; 16])>,
    most: usize,
) -> Result<(Vec<String>, Option<(Timestamp, [u8; 16])>), ResourceError> {
    let mut range = KeyRange::prefix(&resource);
    if let Some((at, id)) = after {
        range = range.after(&(resource, at, id));
    }
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.scan::<Receipts>(range, Direction::Forward, most + 1).await?;
    drop(reader);
    let more = found.len() > most;
    let (mut statements, mut last) = (Vec::new(), None);
    for ((_, at, id), row) in found.into_iter().take(most) {
        let Opened::Value(row) = row else {
            return Err(ResourceError::Key { keyspace: Receipts::DEF.name });
        };
        statements.push(row.value.statement);
        last = Some((at, id));
    }
    Ok((statements, last.filter(|_| more)))
}

/// The public keys that receipts of a cell are checked with, as a JWK set (RFC 7517).
///
/// # Errors
/// [`ResourceError`].
pub async fn jwks(cell: &Cell) -> Result<Value, ResourceError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let keys = signers(&mut reader).await?;
    Ok(json!({ "keys": keys.iter().map(TokenSigner::jwk).collect::<Vec<_>>() }))
}

/// What a receipt says, when one of the keys of `jwks` signed it.
#[must_use]
pub fn read(jwks: &Value, statement: &str) -> Option<Value> {
    let keys = jwks["keys"].as_array()?.iter().filter_map(|jwk| PublicKey::from_jwk(jwk).ok());
    read_statement(&keys.collect::<Vec<_>>(), TYPE, statement)
}

/// The newest key, the first one made when there is none.
async fn ensure_key(cell: &Cell) -> Result<TokenSigner, ResourceError> {
    for _ in 0..ATTEMPTS {
        let mut reader = cell.read(ResourceId::CELL).await?;
        if let Some(newest) = signers(&mut reader).await?.into_iter().next() {
            return Ok(newest);
        }
        drop(reader);
        let signer = TokenSigner::generate().map_err(|_| ResourceError::NoKey)?;
        let mut draft = cell.draft(ResourceId::CELL).await?;
        draft.expect_absent::<ReceiptKeys>(&1);
        let row = ReceiptKeyRow { pkcs8: signer.to_pkcs8().expose().clone() };
        draft.put_in_resource::<ReceiptKeys>(&1, &row, &[])?;
        match draft.commit().await {
            Err(StoreError::Conflict) => {}
            done => return done.map(|()| signer).map_err(Into::into),
        }
    }
    Err(StoreError::Conflict.into())
}

/// All keys, the newest first.
async fn signers(reader: &mut Reader) -> Result<Vec<TokenSigner>, ResourceError> {
    let rows = reader.scan::<ReceiptKeys>(KeyRange::all(), Direction::Backward, MOST_KEYS).await?;
    let bad = || ResourceError::Key { keyspace: ReceiptKeys::DEF.name };
    rows.into_iter()
        .map(|(_, row)| match row {
            Opened::Value(row) => TokenSigner::from_pkcs8(&row.value.pkcs8).map_err(|_| bad()),
            _ => Err(bad()),
        })
        .collect()
}

/// The keyspaces of receipts.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Receipts::DEF, ReceiptKeys::DEF]
}

/// The raw id of a user of the resource.
fn raw(resource: ResourceId, user: UserId) -> String {
    format!("8:acs:{resource}_{user}")
}

fn id_of(target: Target) -> [u8; 16] {
    match target {
        Target::Resource(resource) => *resource.as_bytes(),
        Target::User(user) => *user.as_bytes(),
        Target::Thread(thread) => *thread.as_bytes(),
    }
}

fn thing(resource: ResourceId, target: Target) -> Value {
    match target {
        Target::Resource(id) => json!({ "kind": "resource", "id": id.to_string() }),
        Target::User(user) => json!({ "kind": "identity", "id": raw(resource, user) }),
        Target::Thread(thread) => json!({ "kind": "chatThread", "id": wire::thread_id::format(thread) }),
    }
}

fn person(resource: ResourceId, actor: Actor) -> Value {
    match actor {
        Actor::AccessKey(index) => json!({ "kind": "accessKey", "index": index }),
        Actor::User(user) => json!({ "kind": "user", "id": raw(resource, user) }),
        Actor::Operator => json!({ "kind": "operator" }),
        Actor::Server => json!({ "kind": "server" }),
    }
}
