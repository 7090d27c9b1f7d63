//! What is kept of a certificate that an authority issues by itself (ACME, RFC 8555): the account, the answers to its
//! challenges, the certificate with its key. All nodes of a cell share it, and one of them at a time asks for a new one.

use std::fmt;
use std::time::Duration;

use base::{Personal, ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Cell, Class, Draft, Keyspace, KeyspaceDef, Scope, StoreError, Versioned};

/// For how long a node that asks keeps the others from asking too; longer than an order takes.
pub const LEASE: Duration = Duration::from_secs(300);
/// How long after an order, whatever came of it, the next is made. Nodes that were told different names would otherwise ask in
/// turns, until the authority asks neither again.
pub const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// See [`FIRST_PAUSE`]; it doubles with each order, up to this.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 60 * 60);

macro_rules! kept {
    ($(#[$doc:meta])* $name:ident, $table:literal, $class:expr, $key:ty, $value:ty) => {
        $(#[$doc])*
        pub struct $name;

        impl Keyspace for $name {
            const DEF: &'static KeyspaceDef = &KeyspaceDef { name: $table, class: $class };
            const FORMAT: u8 = 1;
            type Key = $key;
            type Value = $value;

            fn scope(_key: &Self::Key, _hint: &[u8]) -> Scope {
                Scope::RESOURCE
            }
        }
    };
}

kept!(
    /// Accounts, by the hash of the directory's address.
    Accounts, "acme_account", Class::Key, [u8; 32], Personal<String>
);
kept!(
    /// The answers to challenges that are open, by the token of each.
    Challenges, "acme_challenge", Class::Content, String, Personal<String>
);
kept!(
    /// The certificate, under 0.
    Certificates, "acme_certificate", Class::Key, u32, CertificateRow
);
kept!(
    /// Who asks for the next one, and when at the earliest; under 0.
    Orders, "acme_order", Class::Content, u32, OrderRow
);

/// A certificate that was issued.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRow {
    /// The names it was asked for.
    pub names: Vec<String>,
    /// When.
    pub issued_on: Timestamp,
    /// Its chain, the leaf first (PEM).
    pub chain: String,
    /// Its key (PEM).
    pub key: Personal<String>,
}

impl fmt::Debug for CertificateRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRow").field("issued_on", &self.issued_on).finish_non_exhaustive()
    }
}

/// After so long without an order the next pause is a [`FIRST_PAUSE`] again.
pub const CALM: Duration = Duration::from_secs(24 * 60 * 60);

/// Who asks for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    node: [u8; 16],
    /// Until when nobody else may.
    until: Timestamp,
    /// Orders in a row.
    orders: u32,
}

/// The keyspaces of certificates that are asked for.
#[must_use]
pub fn keyspaces() -> Vec<&'static KeyspaceDef> {
    vec![Accounts::DEF, Challenges::DEF, Certificates::DEF, Orders::DEF]
}

/// The certificate there is, and its version.
///
/// # Errors
/// Those of the store.
pub async fn certificate(cell: &Cell) -> Result<Option<Versioned<CertificateRow>>, StoreError> {
    cell.read(ResourceId::CELL).await?.get::<Certificates>(&0).await
}

/// The version of the certificate there is.
///
/// # Errors
/// Those of the store.
pub async fn version(cell: &Cell) -> Result<Option<u64>, StoreError> {
    cell.version_of::<Certificates>(ResourceId::CELL, &0).await
}

/// Keeps a certificate.
///
/// # Errors
/// Those of the store.
pub async fn keep(cell: &Cell, row: &CertificateRow) -> Result<(), StoreError> {
    let mut draft = cell.draft(ResourceId::CELL).await?;
    draft.put_in_resource::<Certificates>(&0, row, &[])?;
    draft.commit().await
}

/// The credentials of the account at a directory, when there is one.
///
/// # Errors
/// Those of the store.
pub async fn account(cell: &Cell, directory: &str) -> Result<Option<Personal<String>>, StoreError> {
    let key = guard::hash::sha256(directory.as_bytes());
    let found = cell.read(ResourceId::CELL).await?.get::<Accounts>(&key).await?;
    Ok(found.map(|found| found.value))
}

/// Keeps the credentials of an account.
///
/// # Errors
/// Those of the store.
pub async fn keep_account(cell: &Cell, directory: &str, it: &Personal<String>) -> Result<(), StoreError> {
    let key = guard::hash::sha256(directory.as_bytes());
    let mut draft = cell.draft(ResourceId::CELL).await?;
    draft.put_in_resource::<Accounts>(&key, it, &[])?;
    draft.commit().await
}

/// What answers the challenge of this token.
///
/// # Errors
/// Those of the store.
pub async fn answer(cell: &Cell, token: &str) -> Result<Option<Personal<String>>, StoreError> {
    let found = cell.read(ResourceId::CELL).await?.get::<Challenges>(&token.to_owned()).await?;
    Ok(found.map(|found| found.value))
}

/// Lets all nodes answer a challenge; without an answer, no longer.
///
/// # Errors
/// Those of the store.
pub async fn post(cell: &Cell, token: &str, answer: Option<&Personal<String>>) -> Result<(), StoreError> {
    let mut draft: Draft = cell.draft(ResourceId::CELL).await?;
    match answer {
        Some(answer) => draft.put_in_resource::<Challenges>(&token.to_owned(), answer, &[])?,
        None => draft.delete::<Challenges>(&token.to_owned()),
    }
    draft.commit().await
}

/// Makes `node` the one that asks, unless another does, or the last order is too fresh.
///
/// # Errors
/// Those of the store.
pub async fn take(cell: &Cell, node: [u8; 16]) -> Result<bool, StoreError> {
    let now = cell.clock().now();
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Orders>(&0).await?;
    let mut draft = reader.draft();
    drop(reader);
    let recent = found.as_ref().filter(|found| found.value.until.plus(CALM) > now);
    let orders = recent.map_or(0, |found| found.value.orders);
    match &found {
        Some(found) if found.value.until > now => return Ok(false),
        Some(found) => draft.expect_version::<Orders>(&0, found.version),
        None => draft.expect_absent::<Orders>(&0),
    }
    let row = OrderRow { node, until: now.plus(LEASE), orders };
    draft.put_in_resource::<Orders>(&0, &row, &[])?;
    match draft.commit().await {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Says that the order of `node` is over. Gives how long the next waits.
///
/// # Errors
/// Those of the store.
pub async fn let_go(cell: &Cell, node: [u8; 16]) -> Result<Duration, StoreError> {
    let mut reader = cell.read(ResourceId::CELL).await?;
    let found = reader.get::<Orders>(&0).await?;
    let mut draft = reader.draft();
    drop(reader);
    let Some(found) = found.filter(|found| found.value.node == node) else { return Ok(FIRST_PAUSE) };
    let orders = found.value.orders;
    let pause = FIRST_PAUSE.saturating_mul(1 << orders.min(16)).min(LONGEST_PAUSE);
    let until = cell.clock().now().plus(pause);
    draft.expect_version::<Orders>(&0, found.version);
    draft.put_in_resource::<Orders>(&0, &OrderRow { node, until, orders: orders.saturating_add(1) }, &[])?;
    draft.commit().await?;
    Ok(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, TestApp};

    #[tokio::test]
    async fn one_node_asks_and_after_it_nobody_for_a_while() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        let (one, other) = tokio::join!(take(cell, [1; 16]), take(cell, [2; 16]));
        assert!(one.unwrap() ^ other.unwrap(), "one of the two");
        let node = if take(cell, [3; 16]).await.unwrap() { [3; 16] } else { [1; 16] };
        assert_eq!(node, [1; 16], "nor a third");
        test.clock.set(START.plus(LEASE));
        assert!(take(cell, [3; 16]).await.unwrap(), "a node that stopped keeps nobody away for ever");
        let mut expected = FIRST_PAUSE;
        for _ in 0..20 {
            assert_eq!(let_go(cell, [9; 16]).await.unwrap(), FIRST_PAUSE, "it was not the one that asked");
            let pause = let_go(cell, [3; 16]).await.unwrap();
            assert_eq!(pause, expected);
            expected = (expected * 2).min(LONGEST_PAUSE);
            test.clock.advance(pause - Duration::from_millis(1));
            assert!(!take(cell, [3; 16]).await.unwrap());
            test.clock.advance(Duration::from_millis(1));
            assert!(take(cell, [3; 16]).await.unwrap());
        }
        assert_eq!(expected, LONGEST_PAUSE);
        let_go(cell, [3; 16]).await.unwrap();
        test.clock.advance(LONGEST_PAUSE + CALM);
        assert!(take(cell, [3; 16]).await.unwrap());
        assert_eq!(let_go(cell, [3; 16]).await.unwrap(), FIRST_PAUSE, "it begins anew after a calm day");
    }

    #[tokio::test]
    async fn what_is_kept_is_found_on_every_node_and_not_printed() {
        let test = TestApp::new().await;
        let (here, another) = (test.resource().cell(), test.another_node().await);
        let there = another.resource().cell();
        assert!(certificate(there).await.unwrap().is_none() && version(there).await.unwrap().is_none());
        let secret = || Personal::new("secret".to_owned());
        let row =
            CertificateRow { names: vec!["a.b".into()], issued_on: START, chain: "c".into(), key: secret() };
        keep(here, &row).await.unwrap();
        let found = certificate(there).await.unwrap().unwrap();
        assert_eq!((found.value, Some(found.version)), (row.clone(), version(there).await.unwrap()));
        assert!(!format!("{row:?}").contains("secret"));
        keep_account(here, "https://ca/dir", &secret()).await.unwrap();
        assert_eq!(account(there, "https://ca/dir").await.unwrap(), Some(secret()));
        assert_eq!(account(there, "https://other/dir").await.unwrap(), None);
        post(here, "token", Some(&secret())).await.unwrap();
        assert_eq!(answer(there, "token").await.unwrap(), Some(secret()));
        assert_eq!(answer(there, "token2").await.unwrap(), None);
        post(here, "token", None).await.unwrap();
        assert_eq!(answer(there, "token").await.unwrap(), None);
    }
}
