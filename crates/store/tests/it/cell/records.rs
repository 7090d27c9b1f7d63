//! Putting, reading, ranging over records, and what drafts expect and refuse.

use std::sync::Arc;

use base::{ManualClock, MessageId, ResourceId, SeededRng, ThreadId, UserId};
use store::testing::{cell_on, memory_cell};
use store::{
    Class, Direction, Engine, KeyRange, Keyspace, KeyspaceDef, Opened, Scope, StoreError, key_bytes,
};

use super::{ALL, Message, START, Topic, World, author_scope, send, text};
use crate::subject::{Postgres, Sqlite, Subject};

/// The same story on an engine with files.
async fn story(engine: Arc<dyn Engine>) {
    let rng = Arc::new(SeededRng::new(7));
    let clock = Arc::new(ManualClock::new(START));
    let cell = cell_on(engine, clock, Arc::clone(&rng) as _, &ALL).await;
    let resource = ResourceId::mint(&*rng);
    cell.create_resource_key(resource).await.unwrap();
    let (thread, author) = (ThreadId::mint(&*rng), UserId::mint(&*rng));
    for n in 1..=20 {
        send(&cell, resource, (thread, MessageId(n)), &author, &format!("m{n}")).await.unwrap();
    }
    let mut reader = cell.read(resource).await.unwrap();
    let rows = reader.scan::<Message>(KeyRange::prefix(&thread), Direction::Backward, 5).await.unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!(text(Some(rows[0].1.clone())), Some("m20".into()));
    drop(reader);
    let mut draft = cell.draft(resource).await.unwrap();
    draft.destroy_scope_key(&author_scope(&thread, author.as_bytes()));
    draft.commit().await.unwrap();
    let mut reader = cell.read(resource).await.unwrap();
    assert_eq!(reader.get::<Message>(&(thread, MessageId(3))).await.err(), Some(StoreError::Shredded));
    drop(reader);
    cell.check().await.unwrap();
    cell.close().await.unwrap();
}

#[tokio::test]
async fn records_come_back_as_they_were_put() {
    let world = World::new().await;
    world.send(0, 1, "hello").await.unwrap();
    world.send(0, 1, "hello again").await.unwrap();
    let mut draft = world.cell.draft(world.resource).await.unwrap();
    draft.put_in_resource::<Topic>(&world.thread, &("plans".into(), 7), b"hint").unwrap();
    draft.commit().await.unwrap();
    for cell in [world.cell.clone(), world.again().await] {
        let mut reader = cell.read(world.resource).await.unwrap();
        let found = reader.get::<Message>(&world.key(1)).await.unwrap().unwrap();
        assert_eq!((found.value.as_str(), found.version), ("hello again", 2));
        assert_eq!(found.hint, world.authors[0].as_bytes());
        let topic = reader.get::<Topic>(&world.thread).await.unwrap().unwrap();
        assert_eq!((topic.value, topic.version, topic.hint), (("plans".into(), 7), 1, b"hint".to_vec()));
        assert!(reader.get::<Message>(&world.key(2)).await.unwrap().is_none());
    }
    assert_eq!(world.cell.geography().as_str(), "europe");
    let mut resources = world.cell.resources().await.unwrap();
    resources.sort_unstable();
    assert_eq!(resources, [ResourceId::CELL, world.resource]);
    world.cell.check().await.unwrap();
    assert!(world.cell.size().await.unwrap() > 0);
}

#[tokio::test]
async fn ranges_are_read_both_ways() {
    let world = World::new().await;
    for n in 1..=9 {
        world.send(n as usize % 2, n, &format!("m{n}")).await.unwrap();
    }
    let cell = world.again().await;
    let mut reader = cell.read(world.resource).await.unwrap();
    let numbers = |rows: Vec<((ThreadId, MessageId), Opened<String>)>| {
        rows.into_iter()
            .map(|(key, opened)| {
                assert_eq!(opened.value().unwrap().value, format!("m{}", key.1));
                key.1.0
            })
            .collect::<Vec<_>>()
    };
    let thread = || KeyRange::prefix(&world.thread);
    let back = reader.scan::<Message>(thread().before(&world.key(6)), Direction::Backward, 3).await.unwrap();
    assert_eq!(numbers(back), [5, 4, 3]);
    let on = reader.scan::<Message>(thread().after(&world.key(6)), Direction::Forward, 100).await.unwrap();
    assert_eq!(numbers(on), [7, 8, 9]);
    let last = reader.last_key::<Message>(&world.thread).await.unwrap().unwrap();
    assert_eq!(last, (world.key(9), world.authors[1].as_bytes().to_vec()));
    assert!(reader.last_key::<Message>(&ThreadId::mint(&*world.rng)).await.unwrap().is_none());
    let keys = reader.scan_keys::<Message>(thread(), Direction::Forward, 2).await.unwrap();
    assert_eq!(keys[1], (world.key(2), 1, world.authors[0].as_bytes().to_vec()));
    let asked = [world.key(3), world.key(30), world.key(4), world.key(3)];
    let found = reader.multi_get::<Message>(&asked).await.unwrap();
    let found: Vec<Option<String>> = found.into_iter().map(text).collect();
    assert_eq!(found, [Some("m3".into()), None, Some("m4".into()), Some("m3".into())]);
}

#[tokio::test]
async fn expectations_are_kept() {
    let world = World::new().await;
    world.send(0, 5, "m").await.unwrap();
    let key = world.key(5);
    let check = async |expect: &dyn Fn(&mut store::Draft)| {
        let mut draft = world.cell.draft(world.resource).await.unwrap();
        expect(&mut draft);
        draft.put_in_resource::<Topic>(&world.thread, &("t".into(), 1), b"").unwrap();
        draft.commit().await
    };
    let prefix = key_bytes(&world.thread);
    let holds: [&dyn Fn(&mut store::Draft); 5] = [
        &|draft| draft.expect_exists::<Message>(&key),
        &|draft| draft.expect_version::<Message>(&key, 1),
        &|draft| draft.expect_absent::<Message>(&world.key(6)),
        &|draft| draft.expect_last::<Message>(prefix.clone(), Some(&key)),
        &|draft| draft.expect_last::<Message>(vec![0xFF; 17], None),
    ];
    for (n, expect) in holds.into_iter().enumerate() {
        assert_eq!(check(expect).await, Ok(()), "{n}");
    }
    let fails: [&dyn Fn(&mut store::Draft); 5] = [
        &|draft| draft.expect_exists::<Message>(&world.key(6)),
        &|draft| draft.expect_version::<Message>(&key, 2),
        &|draft| draft.expect_absent::<Message>(&key),
        &|draft| draft.expect_last::<Message>(prefix.clone(), None),
        &|draft| draft.expect_last::<Message>(prefix.clone(), Some(&world.key(4))),
    ];
    for (n, expect) in fails.into_iter().enumerate() {
        assert_eq!(check(expect).await, Err(StoreError::Conflict), "{n}");
    }
    let mut reader = world.cell.read(world.resource).await.unwrap();
    assert_eq!(reader.get::<Topic>(&world.thread).await.unwrap().unwrap().version, 5);
    let mut draft = reader.draft();
    assert_eq!(draft.resource(), reader.resource());
    draft.delete::<Topic>(&world.thread);
    draft.commit().await.unwrap();
    let mut reader = world.cell.read(world.resource).await.unwrap();
    assert!(reader.get::<Topic>(&world.thread).await.unwrap().is_none());
}

#[tokio::test]
async fn drafts_refuse_wrong_scopes_and_sizes() {
    let world = World::new().await;
    world.send(0, 1, "m").await.unwrap();
    let handle = world.cell.cached_scope_key(world.resource, &world.scope(0)).unwrap();
    let other = ResourceId::mint(&*world.rng);
    world.cell.create_resource_key(other).await.unwrap();
    let author = world.authors[0].as_bytes();
    let mut draft = world.cell.draft(world.resource).await.unwrap();
    let wrong = [
        draft.put::<Message>(&world.key(2), &"m".into(), world.authors[1].as_bytes(), &handle),
        draft.put::<Message>(&(ThreadId::mint(&*world.rng), MessageId(2)), &"m".into(), author, &handle),
        draft.put::<Topic>(&world.thread, &("t".into(), 1), b"", &handle),
        draft.put_in_resource::<Message>(&world.key(2), &"m".into(), author),
        draft.new_scope_key(Scope::RESOURCE).map(drop),
        world.cell.draft(other).await.unwrap().put::<Message>(&world.key(2), &"m".into(), author, &handle),
    ];
    assert_eq!(wrong, [const { Err(StoreError::WrongScope) }; 6]);
    let big = "x".repeat(base::limits::MAX_RECORD);
    let large = [
        draft.put::<Message>(&world.key(2), &big, author, &handle),
        draft.put_in_resource::<Topic>(&world.thread, &("t".into(), 1), &[0; 65]),
        draft.new_scope_key(Scope::new(1, &[&[0; 256]])).map(drop),
    ];
    assert_eq!(large, [const { Err(StoreError::TooLarge) }; 3]);
    let fits = "x".repeat(base::limits::MAX_RECORD - 8);
    draft.put::<Message>(&world.key(2), &fits, author, &handle).unwrap();
    draft.commit().await.unwrap();
    assert_eq!(text(world.read(2).await).map(|text| text.len()), Some(fits.len()));
}

#[tokio::test]
async fn unknown_resources_and_keyspaces_are_said_so() {
    static MISSING: KeyspaceDef = KeyspaceDef { name: "it_missing", class: Class::Content };
    struct Missing;
    impl Keyspace for Missing {
        const DEF: &'static KeyspaceDef = &MISSING;
        const FORMAT: u8 = 1;
        type Key = u32;
        type Value = u32;
        fn scope(_: &u32, _: &[u8]) -> Scope {
            Scope::RESOURCE
        }
    }
    let world = World::new().await;
    let stranger = ResourceId::mint(&*world.rng);
    assert_eq!(world.cell.read(stranger).await.err(), Some(StoreError::UnknownResource));
    assert_eq!(world.cell.draft(stranger).await.err(), Some(StoreError::UnknownResource));
    let mut reader = world.cell.read(world.resource).await.unwrap();
    let error = reader.get::<Missing>(&1).await.err().unwrap();
    assert!(matches!(error, StoreError::Keyspace(_)), "{error}");
    world.cell.create_resource_key(world.resource).await.expect("again is no harm");
    world.cell.read(ResourceId::CELL).await.expect("the cell has a key of its own");
}

#[tokio::test]
async fn a_closed_cell_refuses() {
    let world = World::new().await;
    let draft = world.cell.draft(world.resource).await.unwrap();
    assert_eq!(world.cell.waiting(), 0);
    world.cell.close().await.unwrap();
    assert_eq!(draft.commit().await, Err(StoreError::Closed));
    assert_eq!(world.cell.read(world.resource).await.err(), Some(StoreError::Closed));
}

#[tokio::test]
async fn the_story_on_sqlite() {
    story(Arc::clone(Sqlite::new().await.engine())).await;
}

#[tokio::test]
async fn the_story_on_postgres() {
    story(Arc::clone(Postgres::new().await.engine())).await;
}

#[tokio::test]
async fn the_cell_for_tests_needs_three_things() {
    let rng = Arc::new(SeededRng::new(1));
    let cell = memory_cell(Arc::new(ManualClock::new(START)), rng, &ALL).await;
    assert_eq!(cell.clock().now(), START);
    cell.draft(ResourceId::CELL).await.unwrap();
}
