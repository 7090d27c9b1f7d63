//! Two who change the same thing, at the worst instant: one has read and not yet written when the other does both.

use std::sync::Arc;

use base::{MessageId, Personal, ThreadId};
use server::service::audit::{Act, Actor};
use server::service::chat::view::ContentView;
use server::service::chat::{
    ChatError, Desk, MessageEdit, MessageQuery, NewMessage, NewParticipant, NewThread, Repeatability, erasure,
};

use crate::chat_spy::SpyEngine;
use crate::chat_world::World;
use crate::engines;

async fn watched(seed: u64, users: usize) -> (Arc<SpyEngine>, World) {
    let spy = Arc::new(SpyEngine::new());
    let world = World::new(engines::of(spy.clone()), seed, users).await;
    (spy, world)
}

fn about(world: &World, with: std::ops::Range<usize>) -> NewThread {
    NewThread {
        topic: "x".to_owned().into(),
        participants: world.claims[with].iter().map(|c| NewParticipant::named(c.user)).collect(),
        metadata: Vec::new(),
        retention: None,
        repeatability: None,
    }
}

async fn thread_of(world: &World, with: std::ops::Range<usize>) -> ThreadId {
    world.desk(0).create_thread(about(world, with)).await.unwrap().thread.id
}

async fn send(world: &World, user: usize, thread: ThreadId) -> MessageId {
    let metadata = vec![("k".to_owned().into(), "v".to_owned().into())];
    let content = "first".to_owned().into();
    let message = NewMessage { content, is_html: false, sender_display_name: None, metadata };
    world.desk(user).send_message(thread, message).await.unwrap()
}

fn content(text: &str) -> MessageEdit {
    MessageEdit { content: Some(text.to_owned().into()), metadata: None }
}

fn is_forbidden<T>(outcome: &Result<T, ChatError>) -> bool {
    matches!(outcome, Err(ChatError::Forbidden))
}

#[tokio::test]
async fn two_edits_of_one_message_both_hold() {
    let (spy, world) = watched(1, 1).await;
    let thread = thread_of(&world, 0..0).await;
    let id = send(&world, 0, thread).await;
    let meanwhile = spy.seen.between("chat_message", async {
        let edit = MessageEdit { content: None, metadata: Some(Vec::new()) };
        world.desk(0).edit_message(thread, id, edit).await.unwrap();
    });
    let desk = world.desk(0);
    let ((), edited) = tokio::join!(meanwhile, desk.edit_message(thread, id, content("second")));
    edited.unwrap();
    let found = world.desk(0).message(thread, id).await.unwrap();
    assert_eq!(found.content, ContentView::Text("second".to_owned().into()));
    assert!(found.metadata.is_empty(), "what the other edit took away stays away");
}

#[tokio::test]
async fn an_edit_does_not_bring_back_what_was_deleted() {
    let (spy, world) = watched(2, 1).await;
    let thread = thread_of(&world, 0..0).await;
    let id = send(&world, 0, thread).await;
    let meanwhile = spy.seen.between("chat_message", async {
        world.desk(0).delete_message(thread, id).await.unwrap();
    });
    let desk = world.desk(0);
    let ((), edited) = tokio::join!(meanwhile, desk.edit_message(thread, id, content("second")));
    assert!(matches!(edited, Err(ChatError::MessageUnknown)));
    let found = world.desk(0).message(thread, id).await.unwrap();
    assert_eq!(found.content, ContentView::Text(Personal::default()));
    assert!(found.deleted_on.is_some() && found.metadata.is_empty());
}

#[tokio::test]
async fn who_is_removed_between_reading_and_writing_writes_nothing() {
    let (spy, world) = watched(3, 2).await;
    let thread = thread_of(&world, 1..2).await;
    let id = send(&world, 1, thread).await;
    let remove = || async { world.desk(0).remove_participant(thread, world.claims[1].user).await.unwrap() };
    let desk = world.desk(1);
    let meanwhile = spy.seen.between("chat_message", remove());
    let ((), edited) = tokio::join!(meanwhile, desk.edit_message(thread, id, content("second")));
    assert!(is_forbidden(&edited), "{edited:?}");
    let back = vec![NewParticipant::named(world.claims[1].user)];
    world.desk(0).add_participants(thread, back).await.unwrap();
    let meanwhile = spy.seen.between("chat_participant", remove());
    let desk = world.desk(1);
    let ((), read) = tokio::join!(meanwhile, desk.send_receipt(thread, id));
    assert!(is_forbidden(&read), "{read:?}");
    assert!(spy.keys("chat_receipt", world.resource, &[]).await.is_empty());
}

#[tokio::test]
async fn who_is_removed_sees_no_edit_that_was_under_way() {
    let (spy, world) = watched(4, 2).await;
    let thread = thread_of(&world, 1..2).await;
    let id = send(&world, 0, thread).await;
    let meanwhile = spy.seen.between("chat_message", async {
        world.desk(1).remove_participant(thread, world.claims[1].user).await.unwrap();
    });
    let desk = world.desk(0);
    let ((), edited) = tokio::join!(meanwhile, desk.edit_message(thread, id, content("without bob")));
    edited.unwrap();
    assert!(matches!(world.desk(1).message(thread, id).await, Err(ChatError::MessageUnknown)));
}

#[tokio::test]
async fn who_joins_while_the_thread_is_deleted_leaves_no_key() {
    let (spy, world) = watched(5, 3).await;
    let thread = thread_of(&world, 1..2).await;
    let meanwhile = spy.seen.between("chat_participant", async {
        let carol = NewParticipant::named(world.claims[2].user);
        world.desk(1).add_participants(thread, vec![carol]).await.unwrap();
    });
    let desk = world.desk(0);
    let ((), deleted) = tokio::join!(meanwhile, desk.delete_thread(thread));
    deleted.unwrap();
    assert!(spy.keys("scope_key", world.resource, &[]).await.is_empty());
}

#[tokio::test]
async fn who_is_deleted_while_being_added_is_not_added() {
    let (spy, world) = watched(6, 2).await;
    let thread = thread_of(&world, 0..0).await;
    let bob = world.claims[1].user;
    let meanwhile = spy.seen.between("chat_participant", world.delete_identity(bob));
    let desk = world.desk(0);
    let ((), added) =
        tokio::join!(meanwhile, desk.add_participants(thread, vec![NewParticipant::named(bob)]));
    assert_eq!(added.unwrap(), [bob], "unknown by now");
    assert_eq!(spy.keys("chat_participant", world.resource, &[]).await.len(), 1);
    erasure::sweep(&world.cell, world.resource).await.unwrap();
    assert!(spy.keys("chat_membership", world.resource, bob.as_bytes()).await.is_empty());
}

#[tokio::test]
async fn one_repeatability_id_makes_one_thread() {
    let (spy, world) = watched(7, 1).await;
    let repeatability = Some(Repeatability { id: [1; 16], request: [2; 16] });
    let new = NewThread { repeatability, ..about(&world, 0..0) };
    let desk = world.desk(0);
    let meanwhile = spy.seen.between("chat_repeat", async {
        world.desk(0).create_thread(new.clone()).await.unwrap();
    });
    let ((), made) = tokio::join!(meanwhile, desk.create_thread(new.clone()));
    let made = made.unwrap().thread.id;
    let found = spy.keys("chat_thread", world.resource, &[]).await;
    assert_eq!(found, [made.as_bytes().to_vec()]);
}

/// Another node appends between what this one remembers and what it writes.
#[tokio::test]
async fn two_nodes_number_one_thread_without_a_gap() {
    let (_, world) = watched(8, 1).await;
    let thread = thread_of(&world, 0..0).await;
    let (there, identities) = Default::default();
    for _ in 0..5 {
        send(&world, 0, thread).await;
        let other = Desk { state: &there, identities: &identities, ..world.desk(0) };
        let message = NewMessage {
            content: "there".to_owned().into(),
            is_html: false,
            sender_display_name: None,
            metadata: Vec::new(),
        };
        other.send_message(thread, message).await.unwrap();
    }
    let query = MessageQuery { page_size: 200, start: None, cursor: None };
    let listed = world.desk(0).list_messages(thread, query).await.unwrap().messages;
    let numbers: Vec<u32> = listed.iter().rev().map(|m| m.sequence).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    assert!(listed.windows(2).all(|pair| pair[0].id > pair[1].id));
}

#[tokio::test]
async fn deletion_and_removal_are_audited_in_their_own_commit() {
    let (spy, world) = watched(9, 2).await;
    let thread = thread_of(&world, 1..2).await;
    let act = |name| Act { name: Some(name), by: Actor::User(world.claims[0].user) };
    let desk = |name| Desk { act: act(name), ..world.desk(0) };
    let entries = async || spy.keys("audit", world.resource, &[]).await.len();
    let before = entries().await;
    desk("chat.remove_participant").remove_participant(thread, world.claims[1].user).await.unwrap();
    assert_eq!(entries().await, before + 1);
    desk("chat.remove_participant").remove_participant(thread, world.claims[1].user).await.unwrap();
    assert_eq!(entries().await, before + 1, "nothing was done the second time");
    desk("chat.delete_thread").delete_thread(thread).await.unwrap();
    assert_eq!(entries().await, before + 2);
}
