//! Keys renewed: begun once, taken up by whichever node comes, over when nothing rests under the former ones.

use base::Clock;

use super::*;
use crate::service::audit::Actor;
use crate::testing::TestApp;

const ACT: Act = Act { name: Some("operator.keys.rotate_resource"), by: Actor::Operator };
const WISH: Wish = Wish { rows_per_second: 0, keeps_former: false };
const NODES: [[u8; 16]; 2] = [[1; 16], [2; 16]];

async fn numbers(test: &TestApp) -> Vec<u32> {
    let generations = test.resource().cell().key_generations(test.resource().id()).await.unwrap();
    generations.iter().map(|one| one.number).collect()
}

async fn users(test: &TestApp, count: usize) {
    for _ in 0..count {
        test.user(&["chat"]).await;
    }
}

#[tokio::test]
async fn a_renewal_ends_with_nothing_under_the_former_key() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    users(&test, 70).await;
    ask(cell, id, WISH, ACT).await.unwrap();
    assert!(matches!(ask(cell, id, WISH, ACT).await, Err(RenewalError::Running)));
    assert_eq!(waiting(cell).await.unwrap(), [id]);
    let mut held = take(cell, id, NODES[0]).await.unwrap().unwrap();
    held.step().await.unwrap();
    assert_eq!(numbers(&test).await, [1, 2]);
    users(&test, 3).await;
    while !held.is_over() {
        held.step().await.unwrap();
    }
    held.keep().await.unwrap();
    assert_eq!(numbers(&test).await, [2]);
    let stands = of(cell, id).await.unwrap().unwrap();
    assert_eq!((stands.standing, stands.passes, stands.renewed, stands.ended), (Standing::Done, 2, 70, 1));
    assert_eq!(stands.ended_on, Some(test.clock.now()));
    assert!(waiting(cell).await.unwrap().is_empty());
    ask(cell, id, WISH, ACT).await.unwrap();
}

#[tokio::test]
async fn another_node_takes_it_up_where_it_was_left() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    users(&test, 200).await;
    ask(cell, id, WISH, ACT).await.unwrap();
    let mut first = take(cell, id, NODES[0]).await.unwrap().unwrap();
    while first.renewal.sweep.renewed < 64 {
        first.step().await.unwrap();
    }
    first.keep().await.unwrap();
    assert!(take(cell, id, NODES[1]).await.unwrap().is_none(), "the first node has it");
    test.clock.advance(LEASE);
    let another = test.another_node().await;
    let there = another.resource().cell();
    let mut second = take(there, id, NODES[1]).await.unwrap().unwrap();
    assert_eq!(second.renewal.sweep, first.renewal.sweep);
    assert_eq!(first.keep().await, Err(StoreError::Conflict), "the first one lost it");
    while !second.is_over() {
        second.step().await.unwrap();
    }
    assert_eq!((second.renewal.renewed, second.renewal.ended), (200, 1));
    assert_eq!(numbers(&test).await, [2]);
}

#[tokio::test]
async fn a_crash_after_the_new_generation_began_begins_no_other() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    ask(cell, id, WISH, ACT).await.unwrap();
    take(cell, id, NODES[0]).await.unwrap().unwrap().step().await.unwrap();
    // What the first step did is not written down.
    test.clock.advance(LEASE);
    take(cell, id, NODES[1]).await.unwrap().unwrap().step().await.unwrap();
    assert_eq!(numbers(&test).await, [1, 2]);
}

#[tokio::test]
async fn who_wants_to_keep_the_former_keys_keeps_them() {
    let test = TestApp::new().await;
    let (cell, id) = (test.resource().cell(), test.resource().id());
    ask(cell, id, Wish { keeps_former: true, ..WISH }, ACT).await.unwrap();
    let mut held = take(cell, id, NODES[0]).await.unwrap().unwrap();
    held.step().await.unwrap();
    assert!(held.is_over());
    assert_eq!(numbers(&test).await, [1, 2]);
}

#[tokio::test]
async fn the_cells_own_key_is_renewed_as_any_other() {
    let test = TestApp::new().await;
    let cell = test.resource().cell();
    ask(cell, ResourceId::CELL, WISH, ACT).await.unwrap();
    let mut held = take(cell, ResourceId::CELL, NODES[0]).await.unwrap().unwrap();
    while !held.is_over() {
        held.step().await.unwrap();
        held.keep().await.unwrap();
    }
    assert_eq!(held.renewal.standing, Standing::Done);
    test.call("POST", "/identities").signed().send().await.expect(201);
    let another = test.another_node().await;
    another.call("POST", "/identities").signed().send().await.expect(201);
}
