//! What every key service must do, run against each provider by its tests. It must know no provider.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use base::{Geography, ResourceId, SeededRng};

use super::{BoxFuture, KeyContext, Kms, KmsError};
use crate::seal::{Place, ScopeKey, Sealed};

/// Runs a future that never waits for anything but itself.
pub(crate) fn now<T>(future: BoxFuture<'_, T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(out) = future.as_mut().poll(&mut context) {
            return out;
        }
    }
}

pub(crate) fn context(geography: &str, resource: u8, generation: u32) -> KeyContext {
    let resource = ResourceId::from_bytes([resource; 16]);
    KeyContext { geography: geography.parse().unwrap(), resource, generation }
}

/// Whether two keys are the same key: one opens what the other sealed.
fn same_key(a: &ScopeKey, b: &ScopeKey) -> bool {
    let geography: Geography = "europe".parse().unwrap();
    let place =
        Place { geography: &geography, resource: ResourceId::CELL, keyspace: "k", key: b"", scope: b"" };
    let sealed = a.seal(&SeededRng::new(1), &place, b"", b"text").unwrap();
    a.generation() == b.generation() && b.open(&place, &sealed).is_ok()
}

/// The whole contract. `kms` and `other` must have different root keys.
pub(crate) fn check(kms: &dyn Kms, other: &dyn Kms) {
    round_trip(kms);
    bound_to_context(kms);
    bound_to_root(kms, other);
    damage_is_refused(kms);
    rotation(kms);
    assert!(
        !kms.name().is_empty()
            && kms.name().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    );
}

fn round_trip(kms: &dyn Kms) {
    let context = context("europe", 1, 7);
    let key = ScopeKey::generate(&SeededRng::new(10), 7);
    let wrapped = now(kms.wrap(&context, &key)).unwrap();
    let again = now(kms.unwrap(&context, &wrapped)).unwrap();
    assert!(same_key(&key, &again));
    let twice = now(kms.wrap(&context, &key)).unwrap();
    assert_ne!(wrapped, twice, "wrapping the same key twice must not show");
    assert!(same_key(&key, &now(kms.unwrap(&context, &twice)).unwrap()));
}

fn bound_to_context(kms: &dyn Kms) {
    let right = context("europe", 1, 7);
    let key = ScopeKey::generate(&SeededRng::new(11), 7);
    let wrapped = now(kms.wrap(&right, &key)).unwrap();
    for wrong in [context("uk", 1, 7), context("europe", 2, 7), context("europe", 1, 8)] {
        let refused = now(kms.unwrap(&wrong, &wrapped)).unwrap_err();
        assert!(matches!(refused, KmsError::Refused | KmsError::Generation), "{wrong:?}: {refused:?}");
    }
    assert!(now(kms.unwrap(&right, &wrapped)).is_ok());
    let other = context("europe", 1, 8);
    assert_eq!(now(kms.wrap(&other, &key)).unwrap_err(), KmsError::Generation, "a key under another number");
}

fn bound_to_root(kms: &dyn Kms, other: &dyn Kms) {
    let context = context("europe", 1, 1);
    let wrapped = now(kms.wrap(&context, &ScopeKey::generate(&SeededRng::new(12), 1))).unwrap();
    assert_eq!(now(other.unwrap(&context, &wrapped)).unwrap_err(), KmsError::Refused);
}

fn damage_is_refused(kms: &dyn Kms) {
    let context = context("europe", 1, 1);
    let bytes = now(kms.wrap(&context, &ScopeKey::generate(&SeededRng::new(13), 1))).unwrap().into_bytes();
    let refused = |bytes: Vec<u8>| {
        now(kms.unwrap(&context, &Sealed::from_stored(bytes))).err() == Some(KmsError::Refused)
    };
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        assert!(refused(bad), "byte {at} changed");
        assert!(refused(bytes[..at].to_vec()), "cut to {at}");
    }
    assert!(refused([bytes.as_slice(), &[0]].concat()), "extended");
}

/// A new generation stands beside the old one; both open, each under its own number.
fn rotation(kms: &dyn Kms) {
    let rng = SeededRng::new(14);
    let keys = [1, 2].map(|generation| ScopeKey::generate(&rng, generation));
    let wrapped = [0, 1].map(|at| now(kms.wrap(&context("uk", 3, at as u32 + 1), &keys[at])).unwrap());
    for at in [0, 1] {
        let opened = now(kms.unwrap(&context("uk", 3, at as u32 + 1), &wrapped[at])).unwrap();
        assert!(same_key(&opened, &keys[at]) && !same_key(&opened, &keys[1 - at]));
    }
}
