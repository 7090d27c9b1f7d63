//! What sealing is bound to, and how long keys stay in memory.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{Clock, ResourceId};
use guard::{KmsError, Sealed};
use store::cell::{RESOURCE_KEY, SCOPE_KEY};
use store::{Commit, Direction, Engine, KeyRange, KeyspaceDef, RowKey, Scan, StoreError, Write};

use super::{MESSAGE, Message, START, TOPIC, Topic, World, text};

/// Every stored row, as its engine holds it.
async fn stored(
    engine: &dyn Engine,
    def: &'static KeyspaceDef,
    resource: ResourceId,
) -> Vec<(RowKey, Sealed)> {
    let scan = Scan::prefix(def, resource, vec![], Direction::Forward, 100);
    let rows = engine.snapshot().await.unwrap().scan(&scan).await.unwrap();
    rows.into_iter().map(|row| (RowKey { keyspace: def, resource, key: row.key }, row.value)).collect()
}

#[tokio::test]
async fn a_record_moved_or_changed_does_not_open() {
    let world = World::new().await;
    world.send(0, 1, "one").await.unwrap();
    world.send(0, 2, "two").await.unwrap();
    let rows = stored(world.engine.as_ref(), &MESSAGE, world.resource).await;
    let put =
        |row: RowKey, value: Sealed| Commit { preconditions: vec![], writes: vec![Write::Put(row, value)] };
    let corrupt = Some(StoreError::Corrupt { keyspace: "it_message" });
    // The value of the second in the place of the first, then each with a byte changed.
    let mut planted = vec![rows[1].1.clone()];
    let bytes = rows[0].1.as_bytes();
    for at in (0..bytes.len()).step_by(3) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        planted.push(Sealed::from_stored(changed));
    }
    planted.push(Sealed::from_stored(bytes[..bytes.len() - 1].to_vec()));
    planted.push(Sealed::from_stored(vec![]));
    for (n, value) in planted.into_iter().enumerate() {
        assert_eq!(world.engine.apply(vec![put(rows[0].0.clone(), value)]).await.unwrap(), [Ok(())]);
        let mut reader = world.cell.read(world.resource).await.unwrap();
        let error = reader.get::<Message>(&world.key(1)).await.err();
        // A changed hint or generation names another scope or another life of it, whose key is not there.
        assert!(error == corrupt || error == Some(StoreError::Shredded), "{n}: {error:?}");
        assert_eq!(text(world.read(2).await), Some("two".into()));
    }
    let odd = RowKey { key: vec![1, 2, 3], ..rows[0].0.clone() };
    assert_eq!(world.engine.apply(vec![put(odd, rows[0].1.clone())]).await.unwrap(), [Ok(())]);
    let mut reader = world.cell.read(world.resource).await.unwrap();
    assert_eq!(reader.scan::<Message>(KeyRange::all(), Direction::Forward, 9).await.err(), corrupt);
}

#[tokio::test]
async fn keys_do_not_open_in_another_geography_or_resource() {
    let world = World::new().await;
    world.send(0, 1, "one").await.unwrap();
    let abroad =
        World::open(&world.engine, world.services(), &world.clock, &world.rng, "india").await.unwrap();
    assert!(matches!(abroad.read(world.resource).await.err(), Some(StoreError::Kms(_))));
    let other = ResourceId::mint(&*world.rng);
    world.cell.create_resource_key(other).await.unwrap();
    for def in [&MESSAGE, &SCOPE_KEY] {
        for (row, value) in stored(world.engine.as_ref(), def, world.resource).await {
            let copy = Commit {
                preconditions: vec![],
                writes: vec![Write::Put(RowKey { resource: other, ..row }, value)],
            };
            assert_eq!(world.engine.apply(vec![copy]).await.unwrap(), [Ok(())]);
        }
    }
    let mut reader = world.cell.read(other).await.unwrap();
    let error = reader.get::<Message>(&world.key(1)).await.err();
    assert_eq!(error, Some(StoreError::Corrupt { keyspace: "scope_key" }));
}

#[tokio::test]
async fn no_plaintext_and_no_bare_key_reaches_the_engine() {
    let world = World::new().await;
    let canary = "a sentence that nobody else may read";
    world.send(0, 1, canary).await.unwrap();
    let mut draft = world.cell.draft(world.resource).await.unwrap();
    draft.put_in_resource::<Topic>(&world.thread, &(canary.into(), 1), b"").unwrap();
    draft.commit().await.unwrap();
    let mut rows = Vec::new();
    for def in [&MESSAGE, &TOPIC, &SCOPE_KEY, &RESOURCE_KEY] {
        rows.extend(stored(world.engine.as_ref(), def, world.resource).await);
    }
    assert_eq!(rows.len(), 4);
    for (row, value) in rows {
        for bytes in [&row.key[..], value.as_bytes()] {
            assert!(!bytes.windows(8).any(|part| canary.as_bytes().windows(8).any(|word| word == part)));
        }
    }
}

#[tokio::test]
async fn a_disabled_key_service_bites_within_a_minute_and_is_asked_once_by_many() {
    let world = World::new().await;
    world.send(0, 1, "m").await.unwrap();
    let asked = || world.kms.asked.load(Ordering::SeqCst);
    let cell = world.again().await;
    let before = asked();
    let many = (0..20).map(|_| {
        let (cell, resource) = (cell.clone(), world.resource);
        async move { cell.read(resource).await.map(drop) }
    });
    let mut tasks: tokio::task::JoinSet<_> = many.collect();
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(asked() - before, 1, "one asks for all");
    world.kms.disabled.store(true, Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(59));
    cell.read(world.resource).await.expect("still within its time");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(cell.read(world.resource).await.err(), Some(StoreError::Kms(KmsError::Disabled)));
    assert_eq!(cell.draft(world.resource).await.err(), Some(StoreError::Kms(KmsError::Disabled)));
    assert!(world.cell.cached_scope_key(world.resource, &world.scope(0)).is_none());
    world.kms.disabled.store(false, Ordering::SeqCst);
    assert_eq!(text(world.read(1).await), Some("m".into()));
    assert!(world.clock.now() > START);
}
