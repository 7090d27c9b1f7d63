//! New keys for what is stored: other holders, new generations, and what rests under the former ones.

use std::sync::atomic::Ordering;
use std::time::Duration;

use base::{ResourceId, ThreadId};
use guard::KmsError;
use guard::holder::ROOT;
use store::cell::{KeyGeneration, MAX_GENERATIONS, RESOURCE_KEY, SCOPE_KEY, Sweep};
use store::{Cell, Direction, Engine, KeyServices, KeyspaceDef, Scan, StoreError};

use super::{MESSAGE, Switch, TOPIC, Topic, World, text};

fn generation(number: u32, holder: &str) -> KeyGeneration {
    KeyGeneration { number, holder: holder.to_owned() }
}

async fn put_topic(
    cell: &Cell,
    resource: ResourceId,
    thread: ThreadId,
    topic: &str,
) -> Result<(), StoreError> {
    let mut draft = cell.draft(resource).await?;
    draft.put_in_resource::<Topic>(&thread, &(topic.to_owned(), 1), b"")?;
    draft.commit().await
}

async fn topic(cell: &Cell, world: &World) -> Option<String> {
    let mut reader = cell.read(world.resource).await.unwrap();
    reader.get::<Topic>(&world.thread).await.unwrap().map(|found| found.value.0)
}

/// A whole pass over everything.
async fn pass(cell: &Cell, resource: ResourceId) -> Sweep {
    let mut sweep = Sweep::default();
    while !sweep.is_over() {
        cell.renew(resource, &mut sweep).await.unwrap();
    }
    sweep
}

/// The generations in the headers of all rows of a keyspace.
async fn generations(world: &World, def: &'static KeyspaceDef) -> Vec<u32> {
    let scan = Scan::prefix(def, world.resource, vec![], Direction::Forward, 1000);
    let rows = world.engine.snapshot().await.unwrap().scan(&scan).await.unwrap();
    rows.iter().map(|row| row.value.header().unwrap().generation).collect()
}

fn forget(world: &World) {
    world.clock.advance(Duration::from_secs(61));
}

#[tokio::test]
async fn another_holder_takes_over_what_was_sealed() {
    let world = World::new().await;
    let (cell, resource) = (&world.cell, world.resource);
    world.send(0, 1, "before").await.unwrap();
    assert_eq!(cell.key_services().collect::<Vec<_>>(), [ROOT, "vault"]);
    assert_eq!(cell.key_generations(resource).await.unwrap(), [generation(1, ROOT)]);
    assert_eq!(cell.hand_over(resource, "vault").await, Ok(1));
    assert_eq!(cell.hand_over(resource, "vault").await, Ok(0), "again is no harm");
    assert_eq!(cell.key_generations(resource).await.unwrap(), [generation(1, "vault")]);
    world.kms.disabled.store(true, Ordering::SeqCst);
    forget(&world);
    assert_eq!(text(world.read(1).await), Some("before".into()), "the former holder is not asked");
    world.send(0, 2, "after").await.unwrap();
    world.vault.disabled.store(true, Ordering::SeqCst);
    forget(&world);
    assert_eq!(cell.read(resource).await.err(), Some(StoreError::Kms(KmsError::Disabled)));
    assert_eq!(cell.hand_over(resource, ROOT).await, Err(StoreError::Kms(KmsError::Disabled)));
    world.vault.disabled.store(false, Ordering::SeqCst);
    world.kms.disabled.store(false, Ordering::SeqCst);
    assert_eq!(cell.hand_over(resource, ROOT).await, Ok(1));
    let again = world.again().await;
    assert_eq!(topic(&again, &world).await, None);
    assert_eq!(text(world.read(2).await), Some("after".into()));
}

#[tokio::test]
async fn a_holder_that_is_not_configured_is_named() {
    let world = World::new().await;
    let (cell, resource) = (&world.cell, world.resource);
    let unknown = |name: &str| StoreError::UnknownKeyService(name.to_owned());
    assert_eq!(cell.hand_over(resource, "attic").await, Err(unknown("attic")));
    assert_eq!(cell.create_resource_key_under(ResourceId::mint(&*world.rng), "").await, Err(unknown("")));
    let nobody = ResourceId::mint(&*world.rng);
    assert_eq!(cell.hand_over(nobody, "vault").await, Err(StoreError::UnknownResource));
    assert_eq!(cell.begin_generation(nobody).await, Err(StoreError::UnknownResource));
    assert_eq!(cell.key_generations(nobody).await, Err(StoreError::UnknownResource));
    cell.hand_over(resource, "vault").await.unwrap();
    // Another node, which was not told of it.
    let root = KeyServices::new(std::sync::Arc::clone(&world.kms) as _);
    let other = World::open(&world.engine, root, &world.clock, &world.rng, "europe").await.unwrap();
    assert_eq!(other.read(resource).await.err(), Some(unknown("vault")));
    assert!(other.read(ResourceId::CELL).await.is_ok(), "the others are served");
}

#[tokio::test]
async fn a_new_resource_is_held_by_whoever_holds_the_cells_own_key() {
    let world = World::new().await;
    let mint = || ResourceId::mint(&*world.rng);
    let (chosen, before, after) = (mint(), mint(), mint());
    world.cell.create_resource_key(before).await.unwrap();
    world.cell.create_resource_key_under(chosen, "vault").await.unwrap();
    world.cell.hand_over(ResourceId::CELL, "vault").await.unwrap();
    world.cell.create_resource_key(after).await.unwrap();
    for (resource, holder) in [(before, ROOT), (chosen, "vault"), (after, "vault")] {
        assert_eq!(world.cell.key_generations(resource).await.unwrap(), [generation(1, holder)]);
    }
}

#[tokio::test]
async fn one_that_hangs_or_refuses_holds_up_only_its_own() {
    let world = World::new().await;
    world.cell.hand_over(world.resource, "vault").await.unwrap();
    let cell = world.again().await;
    world.vault.disabled.store(true, Ordering::SeqCst);
    let asked = |switch: &Switch| switch.asked.load(Ordering::SeqCst);
    let before = asked(&world.vault);
    for _ in 0..10 {
        assert_eq!(cell.read(world.resource).await.err(), Some(StoreError::Kms(KmsError::Disabled)));
    }
    assert_eq!(asked(&world.vault) - before, 1, "not asked again at once");
    assert!(cell.read(ResourceId::CELL).await.is_ok());
    world.vault.disabled.store(false, Ordering::SeqCst);
    world.clock.advance(Duration::from_millis(1_999));
    assert!(cell.read(world.resource).await.is_err());
    world.clock.advance(Duration::from_millis(1));
    assert!(cell.read(world.resource).await.is_ok(), "enabled again, it is seen soon");
}

#[tokio::test]
async fn a_new_generation_seals_and_the_former_still_opens() {
    let world = World::new().await;
    let (cell, resource, thread) = (&world.cell, world.resource, world.thread);
    let other = world.again().await;
    world.send(0, 1, "old").await.unwrap();
    put_topic(&other, resource, thread, "old").await.unwrap();
    assert_eq!(cell.begin_generation(resource).await, Ok(2));
    // The other node still knows the first alone: what it sealed under it does not happen, and is sealed anew.
    put_topic(&other, resource, thread, "new").await.unwrap();
    assert_eq!(generations(&world, &TOPIC).await, [2]);
    assert_eq!(topic(cell, &world).await, Some("new".into()));
    world.send(1, 2, "new").await.unwrap();
    let mut of_scopes = generations(&world, &SCOPE_KEY).await;
    of_scopes.sort_unstable();
    assert_eq!(of_scopes, [1, 2]);
    for (n, expected) in [(1, "old"), (2, "new")] {
        assert_eq!(text(world.read(n).await), Some(expected.into()));
    }
}

#[tokio::test]
async fn a_commit_is_sealed_anew_only_when_its_keys_were_superseded_and_all_else_holds() {
    let world = World::new().await;
    let (cell, resource, thread) = (&world.cell, world.resource, world.thread);
    let other = world.again().await;
    put_topic(&other, resource, thread, "one").await.unwrap();
    let drafted = async |topic: &str, version: u64| {
        let mut draft = other.draft(resource).await.unwrap();
        draft.expect_version::<Topic>(&thread, version);
        draft.put_in_resource::<Topic>(&thread, &(topic.to_owned(), 1), b"").unwrap();
        draft
    };
    let (superseded, wrong) = (drafted("two", 1).await, drafted("never", 7).await);
    let at_once = drafted("at once", 1).await;
    cell.begin_generation(resource).await.unwrap();
    cell.hand_over(resource, "vault").await.unwrap();
    assert_eq!(wrong.commit().await, Err(StoreError::Conflict), "what was expected does not hold");
    let fate = at_once.submit().unwrap().await;
    assert!(
        matches!(fate, Err(store::CommitError::Conflict { precondition: 1 })),
        "who does not wait is told"
    );
    superseded.commit().await.unwrap();
    assert_eq!((topic(cell, &world).await, generations(&world, &TOPIC).await), (Some("two".into()), vec![2]));
    // Another holder alone changes no key, and a new scope is wrapped as everything else.
    let mut draft = drafted("three", 2).await;
    let scope = draft.new_scope_key(world.scope(1)).unwrap();
    assert_eq!(*scope.scope(), world.scope(1));
    cell.hand_over(resource, ROOT).await.unwrap();
    cell.begin_generation(resource).await.unwrap();
    draft.commit().await.unwrap();
    assert_eq!(generations(&world, &SCOPE_KEY).await, [3]);
    let mut reader = world.again().await.read(resource).await.unwrap();
    assert!(reader.scope_key(&world.scope(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn steps_of_two_resources_are_sealed_anew_together() {
    let world = World::new().await;
    let (cell, resource, thread) = (&world.cell, world.resource, world.thread);
    let other = world.again().await;
    let mut draft = other.draft(resource).await.unwrap();
    draft.put_in_resource::<Topic>(&thread, &("tenant".to_owned(), 1), b"").unwrap();
    let mut register = other.draft(ResourceId::CELL).await.unwrap();
    register.put_in_resource::<Topic>(&thread, &("cell".to_owned(), 1), b"").unwrap();
    draft.join(register).unwrap();
    for id in [resource, ResourceId::CELL] {
        cell.begin_generation(id).await.unwrap();
    }
    draft.commit().await.unwrap();
    for (id, expected) in [(resource, "tenant"), (ResourceId::CELL, "cell")] {
        let found = world.again().await.read(id).await.unwrap().get::<Topic>(&thread).await.unwrap().unwrap();
        assert_eq!(found.value.0, expected);
    }
}

#[tokio::test]
async fn a_view_that_meets_a_generation_it_does_not_know_asks_for_it() {
    let world = World::new().await;
    let other = world.again().await;
    // The other node has the first generation in memory; rows of the second are written meanwhile.
    assert_eq!(topic(&other, &world).await, None);
    world.cell.begin_generation(world.resource).await.unwrap();
    put_topic(&world.cell, world.resource, world.thread, "second").await.unwrap();
    world.send(0, 1, "second").await.unwrap();
    assert_eq!(topic(&other, &world).await, Some("second".into()));
    let mut reader = other.read(world.resource).await.unwrap();
    assert!(reader.scope_key(&world.scope(0)).await.unwrap().is_some());
}

#[tokio::test]
async fn everything_is_renewed_and_the_former_generation_ends() {
    let world = World::new().await;
    let (cell, resource) = (&world.cell, world.resource);
    for n in 0..150 {
        world.send(usize::try_from(n % 2).unwrap(), n, &format!("message {n}")).await.unwrap();
        put_topic(cell, resource, ThreadId::mint(&*world.rng), "topic").await.unwrap();
    }
    put_topic(cell, resource, world.thread, "mine").await.unwrap();
    world.send(0, 500, "shredded").await.unwrap();
    cell.begin_generation(resource).await.unwrap();
    let first = pass(cell, resource).await;
    // 151 topics and the keys of two scopes; messages rest under those and are not touched.
    assert_eq!((first.renewed, first.damaged), (153, 0));
    assert!(first.seen >= 151 + 151 + 2, "{first:?}");
    assert_eq!(cell.end_generations(resource, &first).await, Ok(0), "only a pass that found nothing tells");
    let second = pass(cell, resource).await;
    assert_eq!((second.renewed, second.seen), (0, first.seen));
    assert_eq!(
        cell.end_generations(resource, &Sweep::default()).await,
        Ok(0),
        "a pass that is not over does not"
    );
    assert_eq!(cell.end_generations(resource, &second).await, Ok(1));
    assert_eq!(cell.key_generations(resource).await.unwrap(), [generation(2, ROOT)]);
    assert_eq!(generations(&world, &RESOURCE_KEY).await.len(), 1);
    for def in [&TOPIC, &SCOPE_KEY] {
        assert!(generations(&world, def).await.iter().all(|generation| *generation == 2));
    }
    let messages = generations(&world, &MESSAGE).await;
    assert_eq!(messages.len(), 151);
    for cell in [cell.clone(), world.again().await] {
        assert_eq!(topic(&cell, &world).await, Some("mine".into()));
    }
    for n in 0..150 {
        assert_eq!(text(world.read(n).await), Some(format!("message {n}")));
    }
}

#[tokio::test]
async fn a_damaged_row_keeps_the_former_generation() {
    let world = World::new().await;
    let (cell, resource) = (&world.cell, world.resource);
    put_topic(cell, resource, world.thread, "whole").await.unwrap();
    let scan = Scan::prefix(&TOPIC, resource, vec![], Direction::Forward, 1);
    let row = world.engine.snapshot().await.unwrap().scan(&scan).await.unwrap().remove(0);
    let mut bytes = row.value.as_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let name = store::RowKey { keyspace: &TOPIC, resource, key: row.key };
    let write = store::Write::Put(name, guard::Sealed::from_stored(bytes));
    let commit = store::Commit { preconditions: vec![], writes: vec![write] };
    world.engine.apply(vec![commit]).await.unwrap()[0].clone().unwrap();
    cell.begin_generation(resource).await.unwrap();
    let sweep = pass(cell, resource).await;
    assert_eq!((sweep.renewed, sweep.damaged), (0, 1));
    assert_eq!(cell.end_generations(resource, &sweep).await, Ok(0));
    assert_eq!(cell.key_generations(resource).await.unwrap().len(), 2);
}

#[tokio::test]
async fn there_are_only_so_many_generations_at_once() {
    let world = World::new().await;
    for number in 2..=u32::try_from(MAX_GENERATIONS).unwrap() {
        assert_eq!(world.cell.begin_generation(world.resource).await, Ok(number));
        put_topic(&world.cell, world.resource, world.thread, &number.to_string()).await.unwrap();
    }
    assert_eq!(world.cell.begin_generation(world.resource).await, Err(StoreError::Generations));
    assert_eq!(world.cell.hand_over(world.resource, "vault").await, Ok(MAX_GENERATIONS), "all change hands");
    assert_eq!(topic(&world.again().await, &world).await, Some("8".into()));
    pass(&world.cell, world.resource).await;
    let sweep = pass(&world.cell, world.resource).await;
    assert_eq!(world.cell.end_generations(world.resource, &sweep).await, Ok(MAX_GENERATIONS - 1));
    assert_eq!(world.cell.begin_generation(world.resource).await, Ok(9));
}

/// Law 5 beside a re-encryption: whoever is erased stays erased, and whoever comes back is not overwritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_renewal_beside_everything_else_brings_nothing_back_and_loses_nothing() {
    let world = std::sync::Arc::new(World::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    let writing = std::sync::Arc::clone(&world);
    let writer = tasks.spawn(async move {
        let mut kept = None;
        for n in 0..300 {
            match writing.send(0, n, &format!("life {n}")).await {
                Ok(()) => kept = Some(n),
                Err(StoreError::Conflict) => {}
                Err(fault) => panic!("{fault}"),
            }
            if n % 3 == 0 {
                writing.erase(0).await;
                kept = None;
            }
        }
        kept
    });
    while !writer.is_finished() {
        match world.cell.begin_generation(world.resource).await {
            Ok(_) | Err(StoreError::Generations) => {}
            Err(fault) => panic!("{fault}"),
        }
        let sweep = pass(&world.cell, world.resource).await;
        world.cell.end_generations(world.resource, &sweep).await.unwrap();
    }
    let kept =
        tasks.join_next().await.unwrap().unwrap().expect("the last two were sent after the last erasure");
    assert_eq!(text(world.read(kept).await), Some(format!("life {kept}")));
    for n in (0..300).step_by(3) {
        assert_eq!(text(world.read(n).await), None, "{n}");
    }
}

#[tokio::test]
async fn a_damaged_row_of_a_generation_that_never_was_costs_no_call_of_the_key_service() {
    let world = World::new().await;
    let (cell, resource) = (&world.cell, world.resource);
    put_topic(cell, resource, world.thread, "whole").await.unwrap();
    let scan = Scan::prefix(&TOPIC, resource, vec![], Direction::Forward, 1);
    let row = world.engine.snapshot().await.unwrap().scan(&scan).await.unwrap().remove(0);
    let mut bytes = row.value.as_bytes().to_vec();
    // The generation, after version and suite.
    bytes[2] = 7;
    let name = store::RowKey { keyspace: &TOPIC, resource, key: row.key };
    let write = store::Write::Put(name, guard::Sealed::from_stored(bytes));
    let commit = store::Commit { preconditions: vec![], writes: vec![write] };
    world.engine.apply(vec![commit]).await.unwrap()[0].clone().unwrap();
    let asked = || world.kms.asked.load(Ordering::SeqCst);
    let cell = world.again().await;
    cell.read(resource).await.unwrap();
    let before = asked();
    for _ in 0..10 {
        let found = cell.read(resource).await.unwrap().get::<Topic>(&world.thread).await;
        assert_eq!(found.err(), Some(StoreError::Corrupt { keyspace: "it_topic" }));
    }
    assert_eq!(asked(), before);
}
