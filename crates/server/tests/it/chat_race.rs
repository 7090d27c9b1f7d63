//! Many at once in one thread: numbering without a gap, nothing lost, and no word from who was removed, on every engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{MessageId, ThreadId};
use server::service::chat::view::{ContentView, MessageView};
use server::service::chat::{ChatError, MessageQuery, NewMessage, NewParticipant, NewThread, ThreadChange};

use crate::chat_world::World;
use crate::engines;

const SENDERS: usize = 12;
const EACH: usize = 20;

fn says(text: String) -> NewMessage {
    NewMessage { content: text.into(), is_html: false, sender_display_name: None, metadata: Vec::new() }
}

async fn thread_of_all(world: &World) -> ThreadId {
    let participants = world.claims.iter().map(|c| NewParticipant::named(c.user)).collect();
    let new = NewThread {
        topic: "all".to_owned().into(),
        participants,
        metadata: Vec::new(),
        retention: None,
        repeatability: None,
    };
    world.desk(0).create_thread(new).await.unwrap().thread.id
}

/// Every message of a thread as user 0 sees it, oldest first.
async fn everything(world: &World, thread: ThreadId) -> Vec<MessageView> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let query = MessageQuery { page_size: 50, start: None, cursor };
        let page = world.desk(0).list_messages(thread, query).await.unwrap();
        all.extend(page.messages);
        cursor = page.next;
        if cursor.is_none() {
            all.reverse();
            return all;
        }
    }
}

fn numbered_without_a_gap(all: &[MessageView]) {
    let numbers: Vec<u32> = all.iter().map(|m| m.sequence).collect();
    assert_eq!(numbers, (1..=u32::try_from(all.len()).unwrap()).collect::<Vec<_>>());
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "ids rise");
}

async fn many_senders(engine: engines::Opened) {
    let world = Arc::new(World::new(engine, 7, SENDERS).await);
    let thread = thread_of_all(&world).await;
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let mut acknowledged = BTreeMap::new();
            for n in 0..EACH {
                let text = format!("{sender}/{n}");
                let id = world.desk(sender).send_message(thread, says(text.clone())).await.unwrap();
                acknowledged.insert(id, text);
            }
            acknowledged
        });
    }
    let mut acknowledged: BTreeMap<MessageId, String> = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        acknowledged.extend(done.unwrap());
    }
    assert_eq!(acknowledged.len(), SENDERS * EACH, "no two messages have one id");
    let all = everything(&world, thread).await;
    numbered_without_a_gap(&all);
    let stored: BTreeMap<MessageId, String> = all
        .into_iter()
        .filter_map(|m| match m.content {
            ContentView::Text(text) => Some((m.id, text.into_inner())),
            _ => None,
        })
        .collect();
    assert_eq!(stored, acknowledged);
    world.cell.close().await.unwrap();
}

/// While one participant sends without pause, another removes it: after the answer to the removal nothing of it comes.
async fn removed_while_sending(engine: engines::Opened) {
    let world = Arc::new(World::new(engine, 8, 3).await);
    let thread = thread_of_all(&world).await;
    for round in 0..10 {
        let mut tasks = tokio::task::JoinSet::new();
        {
            let world = Arc::clone(&world);
            tasks.spawn(async move {
                let mut sent = BTreeSet::new();
                // Bounded, so that a removal which did not work fails the test rather than filling the machine.
                for _ in 0..100_000 {
                    match world.desk(1).send_message(thread, says(format!("{round}"))).await {
                        Ok(id) => drop(sent.insert(id)),
                        Err(ChatError::Forbidden) => return sent,
                        Err(other) => panic!("{other}"),
                    }
                }
                panic!("never removed");
            });
        }
        let victim = world.claims[1].user;
        world.desk(2).send_message(thread, says("between".into())).await.unwrap();
        world.desk(0).remove_participant(thread, victim).await.unwrap();
        let sent = tasks.join_next().await.unwrap().unwrap();
        let all = everything(&world, thread).await;
        numbered_without_a_gap(&all);
        let removal =
            all.iter().rev().find(|m| matches!(m.content, ContentView::ParticipantRemoved(..))).unwrap();
        assert!(sent.iter().all(|id| *id < removal.id), "nothing was accepted after the removal");
        let written: BTreeSet<MessageId> = all
            .iter()
            .filter(|m| {
                m.author == Some(victim)
                    && matches!(&m.content, ContentView::Text(t) if *t.expose() == round.to_string())
            })
            .map(|m| m.id)
            .collect();
        assert_eq!(written, sent);
        world.desk(0).add_participants(thread, vec![NewParticipant::named(victim)]).await.unwrap();
    }
    world.cell.close().await.unwrap();
}

/// Many who change one row all come to their turn: nobody is told to come again later.
async fn many_changes_of_one_row(engine: engines::Opened) {
    let world = Arc::new(World::new(engine, 9, 8).await);
    let thread = thread_of_all(&world).await;
    let mut tasks = tokio::task::JoinSet::new();
    for user in 0..8 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            for n in 0..15 {
                let topic = Some(format!("{user}/{n}").into());
                let change = ThreadChange { topic, ..ThreadChange::default() };
                world.desk(user).update_thread(thread, change).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let all = everything(&world, thread).await;
    numbered_without_a_gap(&all);
    assert_eq!(all.len(), 2 + 8 * 15);
    world.cell.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_of_one_row_in_memory() {
    many_changes_of_one_row(engines::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_of_one_row_on_sqlite() {
    many_changes_of_one_row(engines::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_of_one_row_on_postgres() {
    many_changes_of_one_row(engines::postgres("one_row").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_in_memory() {
    many_senders(engines::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_on_sqlite() {
    many_senders(engines::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_on_postgres() {
    many_senders(engines::postgres("senders").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_while_sending_in_memory() {
    removed_while_sending(engines::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_while_sending_on_sqlite() {
    removed_while_sending(engines::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_while_sending_on_postgres() {
    removed_while_sending(engines::postgres("removed").await).await;
}
