//! Walks through all rows of a resource that are interrupted, and what they count.

use base::ThreadId;
use store::cell::{Census, STEP_ROWS, Sweep};
use store::{Cell, StoreError};

use super::{Topic, World};

async fn fill(world: &World, topics: usize) {
    for _ in 0..topics {
        let mut draft = world.cell.draft(world.resource).await.unwrap();
        let thread = ThreadId::mint(&*world.rng);
        draft.put_in_resource::<Topic>(&thread, &("topic".to_owned(), 1), b"").unwrap();
        draft.commit().await.unwrap();
    }
}

/// As another process takes it up.
fn stored<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    postcard::from_bytes(&postcard::to_extend(value, Vec::new()).unwrap()).unwrap()
}

async fn counted(cell: &Cell, world: &World) -> Census {
    let mut census = Census::default();
    while !census.walk.is_over() {
        cell.count_keys(world.resource, &mut census).await.unwrap();
        census = stored(&census);
    }
    census
}

#[tokio::test]
async fn rows_are_counted_by_the_key_they_rest_under() {
    let world = World::new().await;
    fill(&world, STEP_ROWS * 2).await;
    world.send(0, 1, "in a scope").await.unwrap();
    let under_own = u64::try_from(STEP_ROWS * 2).unwrap();
    let census = counted(&world.cell, &world).await;
    assert_eq!(census.scopes, 1);
    let first = census.generations[&1];
    assert!(first > under_own, "the scope's key rests under it too: {census:?}");
    world.cell.begin_generation(world.resource).await.unwrap();
    fill(&world, 3).await;
    let census = counted(&world.cell, &world).await;
    assert_eq!(census.generations, [(1, first), (2, 3)].into());
    let mut sweep = Sweep::default();
    while !sweep.is_over() {
        world.cell.renew(world.resource, &mut sweep).await.unwrap();
    }
    let census = counted(&world.again().await, &world).await;
    assert_eq!(census.generations, [(1, 0), (2, first + 3)].into(), "the report ends at zero");
}

#[tokio::test]
async fn a_walk_is_taken_up_by_another_node_where_it_was_left() {
    let world = World::new().await;
    fill(&world, STEP_ROWS * 3 + 1).await;
    world.cell.begin_generation(world.resource).await.unwrap();
    let (mut sweep, mut steps) = (Sweep::default(), 0);
    while !sweep.is_over() {
        let node = world.again().await;
        let before = sweep.walk.progress();
        node.renew(world.resource, &mut sweep).await.unwrap();
        sweep = stored(&sweep);
        assert!(sweep.walk.progress() >= before);
        steps += 1;
    }
    let (done, of) = sweep.walk.progress();
    assert_eq!((done, of > 0), (of, true));
    assert_eq!(sweep.renewed, u64::try_from(STEP_ROWS * 3 + 1).unwrap());
    assert!(steps >= of + 3, "one step for each keyspace, and one for each {STEP_ROWS} rows");
    let seen = sweep.seen;
    world.cell.renew(world.resource, &mut sweep).await.unwrap();
    assert_eq!(sweep.seen, seen, "past its end there is nothing");
}

#[tokio::test]
async fn a_new_generation_begins_a_sweep_anew() {
    let world = World::new().await;
    fill(&world, 5).await;
    world.cell.begin_generation(world.resource).await.unwrap();
    let mut sweep = Sweep::default();
    while !sweep.is_over() {
        world.cell.renew(world.resource, &mut sweep).await.unwrap();
    }
    assert_eq!(sweep.renewed, 5);
    world.cell.begin_generation(world.resource).await.unwrap();
    world.cell.renew(world.resource, &mut sweep).await.unwrap();
    assert!(!sweep.is_over() && sweep.renewed < 5, "{sweep:?}");
}

#[tokio::test]
async fn who_has_no_keys_has_nothing_to_count() {
    let world = World::new().await;
    let stranger = base::ResourceId::mint(&*world.rng);
    let counted = world.cell.count_keys(stranger, &mut Census::default()).await;
    assert_eq!(counted, Err(StoreError::UnknownResource));
}
