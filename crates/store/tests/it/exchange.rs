//! What nodes of one store may rely on when they speak to each other, on every engine that lets them.

use std::sync::Arc;
use std::time::Duration;

use store::engine::exchange::MAX_TEXT;
use store::engine::memory::MemoryEngine;
use store::engine::postgres::{PostgresEngine, PostgresOptions};
use store::{Attendance, Engine, EngineError, Exchange, NodeName};

use crate::postgres::administer;
use crate::subject::{Postgres, Subject};

const LONG: Duration = Duration::from_secs(60);

fn name(node: u8, time: u64) -> NodeName {
    NodeName::new([node; 8], time)
}

async fn heard(attendance: &mut Box<dyn Attendance>, many: usize) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.len() < many {
        let next = tokio::time::timeout(Duration::from_secs(10), attendance.next());
        heard.push(next.await.expect("it is heard soon").unwrap());
    }
    heard
}

async fn whose(exchange: &dyn Exchange) -> Vec<NodeName> {
    let mut names: Vec<_> = exchange.pledged().await.unwrap().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

async fn is_heard_in_order_by_all_who_attend(exchange: &dyn Exchange) {
    let mut one = exchange.attend(name(1, 1)).await.unwrap();
    exchange.say(vec!["before".to_owned()]).await.unwrap();
    assert_eq!(heard(&mut one, 1).await, ["before"]);
    let mut two = exchange.attend(name(2, 1)).await.unwrap();
    let texts: Vec<String> = (0..1_000).map(|n| format!("text {n}")).collect();
    for some in texts.chunks(300) {
        exchange.say(some.to_vec()).await.unwrap();
    }
    assert_eq!(heard(&mut one, 1_000).await, texts);
    assert_eq!(heard(&mut two, 1_000).await, texts, "who came later hears nothing of before");
    drop(one);
    exchange.say(vec!["after".to_owned()]).await.unwrap();
    assert_eq!(heard(&mut two, 1).await, ["after"], "one who went is in nobody's way");
}

async fn takes_the_longest_text_and_none_longer(exchange: &dyn Exchange) {
    let mut one = exchange.attend(name(1, 1)).await.unwrap();
    exchange.say(vec!["x".repeat(MAX_TEXT)]).await.unwrap();
    assert_eq!(heard(&mut one, 1).await[0].len(), MAX_TEXT);
    exchange.say(vec!["x".repeat(8_000)]).await.unwrap_err();
    exchange.say(vec!["still there".to_owned()]).await.unwrap();
    assert_eq!(heard(&mut one, 1).await, ["still there"]);
}

async fn keeps_promises_for_their_time(exchange: &dyn Exchange) {
    assert_eq!(whose(exchange).await, []);
    let mut one = exchange.attend(name(1, 1)).await.unwrap();
    let mut two = exchange.attend(name(2, 1)).await.unwrap();
    one.pledge(LONG).await.unwrap();
    two.pledge(Duration::from_millis(200)).await.unwrap();
    let pledged = exchange.pledged().await.unwrap();
    let left = pledged.iter().find(|(found, _)| *found == name(1, 1)).unwrap().1;
    assert!(left > LONG / 2 && left <= LONG, "{left:?}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(whose(exchange).await, [name(1, 1)], "what was promised for 0.2 s is over");
    two.pledge(LONG).await.unwrap();
    let mut again = exchange.attend(name(1, 2)).await.unwrap();
    again.pledge(LONG).await.unwrap();
    assert_eq!(whose(exchange).await, [name(1, 1), name(1, 2), name(2, 1)]);
    again.retract().await.unwrap();
    assert_eq!(whose(exchange).await, [name(2, 1)], "of all times of that node, and of no other");
}

/// Its exchange, and what must live as long.
async fn memory() -> (Arc<dyn Exchange>, MemoryEngine) {
    let engine = MemoryEngine::new();
    assert!(engine.exchange().is_none());
    engine.let_nodes_talk();
    (engine.exchange().unwrap(), engine)
}

async fn postgres() -> (Arc<dyn Exchange>, Postgres) {
    let subject = Postgres::new().await;
    (subject.engine().exchange().unwrap(), subject)
}

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod on_memory {
            $(#[tokio::test]
            async fn $promise() {
                let (exchange, _engine) = super::memory().await;
                super::$promise(&*exchange).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $promise() {
                let (exchange, _subject) = super::postgres().await;
                super::$promise(&*exchange).await;
            })+
        }
    };
}

contract!(
    is_heard_in_order_by_all_who_attend,
    takes_the_longest_text_and_none_longer,
    keeps_promises_for_their_time,
);

#[tokio::test]
async fn schemas_of_one_database_do_not_hear_each_other() {
    let ((one, _first), (other, _second)) = (postgres().await, postgres().await);
    let mut here = one.attend(name(1, 1)).await.unwrap();
    other.say(vec!["over there".to_owned()]).await.unwrap();
    other.attend(name(2, 1)).await.unwrap().pledge(LONG).await.unwrap();
    one.say(vec!["here".to_owned()]).await.unwrap();
    assert_eq!(heard(&mut here, 1).await, ["here"]);
    assert_eq!(whose(&*one).await, []);
}

#[tokio::test]
async fn another_node_of_the_schema_hears_and_is_heard() {
    let (one, subject) = postgres().await;
    let options = PostgresOptions { readers: 1, ..subject.options().clone() };
    let other = PostgresEngine::open(&options).await.unwrap();
    let mut here = one.attend(name(1, 1)).await.unwrap();
    let mut there = other.exchange().unwrap().attend(name(2, 1)).await.unwrap();
    there.pledge(LONG).await.unwrap();
    assert_eq!(whose(&*one).await, [name(2, 1)]);
    one.say(vec!["to you".to_owned()]).await.unwrap();
    other.exchange().unwrap().say(vec!["and to you".to_owned()]).await.unwrap();
    assert_eq!(heard(&mut there, 2).await, ["to you", "and to you"]);
    assert_eq!(heard(&mut here, 2).await, ["to you", "and to you"]);
}

#[tokio::test]
async fn an_attendance_that_was_cut_says_so() {
    let (exchange, engine) = memory().await;
    let mut one = exchange.attend(name(1, 1)).await.unwrap();
    engine.part_nodes();
    assert!(matches!(one.next().await, Err(EngineError::Closed)));
    let (exchange, subject) = postgres().await;
    let mut one = exchange.attend(name(1, 1)).await.unwrap();
    let schema = subject.options().schema.clone().unwrap();
    administer(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN chancery_' || md5('{schema}')"
    ))
    .await;
    assert!(matches!(one.next().await, Err(EngineError::Unavailable(_))));
    one.pledge(LONG).await.unwrap_err();
}
