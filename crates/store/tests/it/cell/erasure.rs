//! Destroyed scope keys: at once, for everybody, and without harming what is written meanwhile.

use std::sync::Arc;

use base::{Rng, SeededRng};
use store::cell::SCOPE_KEY;
use store::engine::memory::FaultPlan;
use store::{Commit, Direction, Engine, KeyRange, Opened, RowKey, StoreError, Write};

use super::{Message, World, text};

#[tokio::test]
async fn an_erased_scope_is_unreadable_at_once_and_the_others_are_not() {
    let world = World::new().await;
    world.send(0, 1, "mine").await.unwrap();
    world.send(1, 2, "theirs").await.unwrap();
    assert_eq!(text(world.read(1).await), Some("mine".into()));
    world.erase(0).await;
    assert!(world.cell.cached_scope_key(world.resource, &world.scope(0)).is_none());
    assert!(world.cell.cached_scope_key(world.resource, &world.scope(1)).is_some());
    let hint = world.authors[0].as_bytes().to_vec();
    for cell in [world.cell.clone(), world.again().await] {
        let mut reader = cell.read(world.resource).await.unwrap();
        assert_eq!(reader.get::<Message>(&world.key(1)).await.err(), Some(StoreError::Shredded));
        let rows = reader.scan::<Message>(KeyRange::all(), Direction::Forward, 10).await.unwrap();
        assert_eq!(rows[0].1, Opened::Shredded { version: 1, hint: hint.clone() });
        assert_eq!(text(Some(rows[1].1.clone())), Some("theirs".into()));
        assert!(reader.scope_key(&world.scope(0)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_scope_made_again_does_not_open_its_former_life() {
    let world = World::new().await;
    world.send(0, 1, "before").await.unwrap();
    world.erase(0).await;
    world.send(0, 2, "after").await.unwrap();
    assert!(matches!(world.read(1).await, Some(Opened::Shredded { version: 1, .. })));
    assert_eq!(text(world.read(2).await), Some("after".into()));
}

#[tokio::test]
async fn a_reader_of_an_older_moment_does_not_bring_a_destroyed_key_back() {
    let world = World::new().await;
    world.send(0, 1, "mine").await.unwrap();
    let cell = world.again().await;
    let mut reader = cell.read(world.resource).await.unwrap();
    // The view is pinned before the key is destroyed, the key is read after it.
    let mut draft = cell.draft(world.resource).await.unwrap();
    draft.destroy_scope_key(&world.scope(0));
    draft.commit().await.unwrap();
    let found = reader.get::<Message>(&world.key(1)).await.unwrap().unwrap();
    assert_eq!(found.value, "mine", "its moment is before the end");
    assert!(cell.cached_scope_key(world.resource, &world.scope(0)).is_none());
    let mut later = cell.read(world.resource).await.unwrap();
    assert_eq!(later.get::<Message>(&world.key(1)).await.err(), Some(StoreError::Shredded));
}

#[tokio::test]
async fn nothing_is_sealed_under_a_key_that_was_destroyed_meanwhile() {
    let world = World::new().await;
    world.send(0, 1, "mine").await.unwrap();
    let handle = world.cell.cached_scope_key(world.resource, &world.scope(0)).unwrap();
    // Destroyed behind this cell's back, as another node would.
    let row =
        RowKey { keyspace: &SCOPE_KEY, resource: world.resource, key: world.scope(0).as_bytes().to_vec() };
    let gone = Commit { preconditions: vec![], writes: vec![Write::Delete(row)] };
    assert_eq!(world.engine.apply(vec![gone]).await.unwrap(), [Ok(())]);
    let mut draft = world.cell.draft(world.resource).await.unwrap();
    draft.expect_exists::<Message>(&world.key(1));
    draft.put::<Message>(&world.key(2), &"late".into(), world.authors[0].as_bytes(), &handle).unwrap();
    assert_eq!(draft.commit().await, Err(StoreError::Conflict));
    assert!(world.read(2).await.is_none());
    assert!(
        world.cell.cached_scope_key(world.resource, &world.scope(0)).is_none(),
        "so that a retry succeeds"
    );
    world.send(0, 2, "with a new key").await.unwrap();
    assert_eq!(text(world.read(2).await), Some("with a new key".into()));
}

#[tokio::test]
async fn two_who_make_the_same_scope_do_not_both_succeed() {
    let world = World::new().await;
    let mut drafts = Vec::new();
    for n in 1..=2 {
        let mut draft = world.cell.draft(world.resource).await.unwrap();
        let handle = draft.new_scope_key(world.scope(0)).unwrap();
        draft.put::<Message>(&world.key(n), &"m".into(), world.authors[0].as_bytes(), &handle).unwrap();
        drafts.push(draft.submit().unwrap());
    }
    let fates: Vec<_> = [drafts.remove(0).await, drafts.remove(0).await].map(|fate| fate.is_ok()).into();
    assert_eq!(fates, [true, false]);
    assert_eq!(
        text(world.read(1).await),
        Some("m".into()),
        "the key that is remembered is the one that was stored"
    );
    assert!(world.read(2).await.is_none());
}

#[tokio::test]
async fn faults_below_never_show_half_a_draft() {
    for seed in 0..15 {
        let world = World::new().await;
        let mut plan = FaultPlan::none(Arc::new(SeededRng::new(seed)));
        (plan.before, plan.after, plan.delay) = (200, 200, 3);
        world.engine.set_faults(Some(plan));
        let mut acknowledged = Vec::new();
        for n in 1..=40 {
            let author = world.rng.below(2) as usize;
            match world.send(author, n, &format!("m{n}")).await {
                Ok(()) => acknowledged.push(n),
                Err(StoreError::Unavailable(_) | StoreError::Conflict) => {}
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        world.engine.set_faults(None);
        assert!(acknowledged.len() > 10);
        let cell = world.again().await;
        let mut reader = cell.read(world.resource).await.unwrap();
        let rows = reader.scan::<Message>(KeyRange::all(), Direction::Forward, 100).await.unwrap();
        // Each that is there opens: the key it was sealed under is the one that was stored with it or before it.
        let there: Vec<u64> = rows.iter().map(|(key, _)| key.1.0).collect();
        for (key, opened) in rows {
            assert_eq!(opened.value().unwrap().value, format!("m{}", key.1), "seed {seed}");
        }
        assert!(acknowledged.iter().all(|n| there.contains(n)), "seed {seed}");
    }
}
