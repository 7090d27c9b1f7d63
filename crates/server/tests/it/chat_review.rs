//! Defects once found by reading the chat with hostile eyes, each held here by the test that showed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{Limits, Rng, ThreadId, Timestamp, UserId};
use server::service::chat::view::ContentView;
use server::service::chat::{
    ChatError, ChatState, Desk, MessageEdit, MessageQuery, NewMessage, NewParticipant, NewThread,
    Repeatability, ThreadChange, erasure,
};
use server::service::identity::IdentityCache;
use store::{Commit, Engine, RowKey, Scope, Write};
use wire::error::ApiError;

use crate::chat_spy::{SpyEngine, keyspace};
use crate::chat_world::{START, World};
use crate::engines;

async fn watched(seed: u64, users: usize) -> (Arc<SpyEngine>, World) {
    let spy = Arc::new(SpyEngine::new());
    let world = World::new(engines::of(spy.clone()), seed, users).await;
    (spy, world)
}

fn about(topic: &str) -> NewThread {
    NewThread {
        topic: topic.to_owned().into(),
        participants: Vec::new(),
        metadata: Vec::new(),
        retention: None,
        repeatability: None,
    }
}

fn says(text: &str) -> NewMessage {
    NewMessage {
        content: text.to_owned().into(),
        is_html: false,
        sender_display_name: None,
        metadata: Vec::new(),
    }
}

fn named(world: &World, user: usize, name: &str) -> NewParticipant {
    NewParticipant {
        display_name: Some(name.to_owned().into()),
        share_history_from: Some(Timestamp::EPOCH),
        ..NewParticipant::named(world.claims[user].user)
    }
}

/// A thread by user 0 with all the others in it.
async fn thread_of_all(world: &World) -> ThreadId {
    let participants = world.claims[1..].iter().map(|c| NewParticipant::named(c.user)).collect();
    world.desk(0).create_thread(NewThread { participants, ..about("all") }).await.unwrap().thread.id
}

const ALL: MessageQuery = MessageQuery { page_size: 200, start: None, cursor: None };

/// All texts and names that a user sees in a thread, newest first.
async fn heard(desk: Desk<'_>, thread: ThreadId) -> Vec<String> {
    let page = desk.list_messages(thread, ALL).await.unwrap();
    let spoken = page.messages.into_iter().flat_map(|message| match message.content {
        ContentView::Text(text) => vec![text.into_inner()],
        ContentView::ParticipantsAdded(who, _) => {
            who.into_iter().filter_map(|p| p.display_name).map(base::Personal::into_inner).collect()
        }
        _ => Vec::new(),
    });
    spoken.collect()
}

fn author_scope(thread: ThreadId, user: &[u8; 16]) -> Scope {
    Scope::new(0x11, &[thread.as_bytes(), user])
}

/// Puts copies of one row under other keys, as many as it would take too long to make in the proper way.
async fn forge(spy: &SpyEngine, world: &World, name: &str, keys: Vec<Vec<u8>>) {
    let like = spy.rows(name, world.resource, &[]).await.pop().unwrap().value;
    let row = |key| RowKey { keyspace: keyspace(name), resource: world.resource, key };
    let writes = keys.into_iter().map(|key| Write::Put(row(key), like.clone())).collect();
    spy.apply(vec![Commit { preconditions: Vec::new(), writes }]).await.unwrap().pop().unwrap().unwrap();
}

#[tokio::test]
async fn what_is_erased_here_is_unreadable_on_every_node() {
    let engine: Arc<dyn Engine> = Arc::new(store::engine::memory::MemoryEngine::new());
    let here = World::new(engines::of(engine.clone()), 1, 2).await;
    let new = NewThread { participants: vec![named(&here, 1, "Bob")], ..about("x") };
    let thread = here.desk(0).create_thread(new).await.unwrap().thread.id;
    here.desk(1).send_message(thread, says("by bob")).await.unwrap();
    // The same seed makes the same root key, as two nodes of one cell have.
    let rng = Arc::new(base::SeededRng::new(1));
    let there = engines::of(engine).cell(here.clock.clone(), rng, &server::service::keyspaces()).await;
    let (state, identities) = (ChatState::new(), IdentityCache::new());
    let reader = || Desk { cell: &there, state: &state, identities: &identities, ..here.desk(0) };
    assert_eq!(heard(reader(), thread).await, ["by bob", "Bob"], "its keys are in memory there now");
    here.delete_identity(here.claims[1].user).await;
    assert_eq!(heard(reader(), thread).await, Vec::<String>::new());
}

#[tokio::test]
async fn who_is_added_while_being_deleted_is_forgotten_there_too() {
    let (spy, world) = watched(2, 3).await;
    let thread = world.desk(0).create_thread(about("x")).await.unwrap().thread.id;
    let meanwhile = spy.seen.between("chat_membership", async {
        let bob = NewParticipant { share_history_from: None, ..named(&world, 1, "Bob") };
        world.desk(0).add_participants(thread, vec![bob]).await.unwrap();
        world.desk(1).send_message(thread, says("by bob")).await.unwrap();
    });
    tokio::join!(meanwhile, world.delete_identity(world.claims[1].user));
    assert_eq!(heard(world.desk(0), thread).await, Vec::<String>::new(), "before any sweep");
    let key = author_scope(thread, world.claims[1].user.as_bytes());
    assert!(spy.keys("scope_key", world.resource, key.as_bytes()).await.is_empty());
}

#[tokio::test]
async fn an_identity_in_very_many_threads_is_forgotten_in_all_of_them() {
    let (spy, world) = watched(3, 2).await;
    thread_of_all(&world).await;
    let user = *world.claims[1].user.as_bytes();
    let threads: Vec<ThreadId> = (0..4_500).map(|_| ThreadId::mint(&*world.rng)).collect();
    let memberships = threads.iter().map(|t| [user, *t.as_bytes()].concat()).collect();
    forge(&spy, &world, "chat_membership", memberships).await;
    let keys = threads.iter().map(|t| author_scope(*t, &user).as_bytes().to_vec()).collect();
    forge(&spy, &world, "scope_key", keys).await;
    world.delete_identity(world.claims[1].user).await;
    let left = spy.keys("scope_key", world.resource, &[0x11]).await;
    assert_eq!(left.len(), 1, "that of the other member");
}

#[tokio::test]
async fn a_thread_that_very_many_were_in_can_be_deleted() {
    let (spy, world) = watched(4, 2).await;
    let thread = thread_of_all(&world).await;
    world.desk(1).send_message(thread, says("x")).await.unwrap();
    let former: Vec<[u8; 16]> = (0..8_190).map(|_| world.rng.id()).collect();
    let keys = former.iter().map(|user| [*thread.as_bytes(), *user].concat()).collect();
    forge(&spy, &world, "chat_participant", keys).await;
    let keys = former.iter().map(|user| author_scope(thread, user).as_bytes().to_vec()).collect();
    forge(&spy, &world, "scope_key", keys).await;
    world.desk(0).delete_thread(thread).await.unwrap();
    assert!(spy.keys("scope_key", world.resource, &[]).await.is_empty(), "every key is gone when it returns");
    assert_eq!(erasure::sweep(&world.cell, world.resource).await.unwrap(), 1);
    for name in ["chat_participant", "chat_message", "chat_change", "chat_receipt", "chat_erasure"] {
        assert!(spy.keys(name, world.resource, &[]).await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_deletion_that_ended_half_way_is_completed_by_the_sweep() {
    let (spy, world) = watched(5, 2).await;
    let thread = thread_of_all(&world).await;
    world.desk(0).delete_thread(thread).await.unwrap();
    // As if the node had stopped before it came to the key of this one, who was in the thread once.
    let late = world.rng.id();
    forge(&spy, &world, "chat_participant", vec![[*thread.as_bytes(), late].concat()]).await;
    let other = world.desk(0).create_thread(about("kept")).await.unwrap().thread.id;
    forge(&spy, &world, "scope_key", vec![author_scope(thread, &late).as_bytes().to_vec()]).await;
    erasure::sweep(&world.cell, world.resource).await.unwrap();
    let left = spy.keys("scope_key", world.resource, &[]).await;
    assert_eq!(left.len(), 2, "those of the thread that was kept");
    assert!(left.iter().all(|key| key.windows(16).any(|part| part == other.as_bytes())));
}

#[tokio::test]
async fn a_damaged_row_does_not_keep_other_deletions_from_the_sweep() {
    let (spy, world) = watched(6, 1).await;
    let first = world.desk(0).create_thread(about("damaged")).await.unwrap().thread.id;
    world.clock.advance(Duration::from_millis(10));
    let second = world.desk(0).create_thread(about("sound")).await.unwrap().thread.id;
    forge(&spy, &world, "chat_message", vec![[first.as_bytes(), &b"no id"[..]].concat()]).await;
    for thread in [first, second] {
        world.desk(0).delete_thread(thread).await.unwrap();
        world.clock.advance(Duration::from_millis(10));
    }
    assert!(
        erasure::sweep(&world.cell, world.resource).await.is_err(),
        "the damage is not passed over in silence"
    );
    assert!(spy.keys("chat_message", world.resource, second.as_bytes()).await.is_empty());
    assert_eq!(spy.keys("chat_erasure", world.resource, &[]).await.len(), 1);
}

#[tokio::test]
async fn who_was_removed_cannot_use_up_what_the_thread_may_take() {
    let world = World::new(engines::memory(), 7, 2).await;
    let thread = thread_of_all(&world).await;
    world.desk(1).send_message(thread, says("remembered now")).await.unwrap();
    world.desk(0).remove_participant(thread, world.claims[1].user).await.unwrap();
    let counted = AtomicUsize::new(0);
    let full = |_: ThreadId| {
        counted.fetch_add(1, Ordering::SeqCst);
        Err(ApiError::too_many_requests(10))
    };
    let eve = || Desk { allowance: &full, ..world.desk(1) };
    for n in 0..10 {
        let refused = eve().send_message(thread, says("x")).await;
        assert!(matches!(refused, Err(ChatError::Forbidden)), "{n}: {refused:?}");
    }
    assert!(counted.load(Ordering::SeqCst) <= 1, "only until it was found out");
    counted.store(0, Ordering::SeqCst);
    let edit = MessageEdit { content: Some("x".to_owned().into()), metadata: None };
    assert!(matches!(
        eve().edit_message(thread, base::MessageId(START), edit).await,
        Err(ChatError::Forbidden)
    ));
    assert!(matches!(eve().send_typing(thread, None).await, Err(ChatError::Forbidden)));
    assert!(matches!(eve().delete_thread(thread).await, Err(ChatError::Forbidden)));
    assert_eq!(counted.load(Ordering::SeqCst), 0);
    let member = Desk { allowance: &full, ..world.desk(0) };
    assert!(matches!(member.send_message(thread, says("x")).await, Err(ChatError::Refused(_))));
    assert_eq!(counted.load(Ordering::SeqCst), 1, "a member is counted, once, and refused");
}

#[tokio::test]
async fn who_repeats_a_creation_learns_nothing_newer() {
    let world = World::new(engines::memory(), 8, 2).await;
    let new = NewThread {
        participants: vec![NewParticipant::named(world.claims[1].user)],
        repeatability: Some(Repeatability { id: [1; 16], request: [2; 16] }),
        ..about("as it was")
    };
    let made = world.desk(0).create_thread(new.clone()).await.unwrap().thread;
    world.desk(1).remove_participant(made.id, world.claims[0].user).await.unwrap();
    let secret = ThreadChange { topic: Some("without you".to_owned().into()), ..ThreadChange::default() };
    world.desk(1).update_thread(made.id, secret).await.unwrap();
    assert_eq!(world.desk(0).create_thread(new).await.unwrap().thread, made);
}

#[tokio::test]
async fn who_was_removed_learns_no_later_name() {
    let world = World::new(engines::memory(), 9, 3).await;
    let thread = thread_of_all(&world).await;
    world.desk(0).remove_participant(thread, world.claims[2].user).await.unwrap();
    world.desk(0).add_participants(thread, vec![named(&world, 2, "Carol")]).await.unwrap();
    assert_eq!(heard(world.desk(1), thread).await, ["Carol", "Carol"], "also in the message of the creation");
    world.desk(0).remove_participant(thread, world.claims[1].user).await.unwrap();
    assert_eq!(heard(world.desk(1), thread).await, ["Carol", "Carol"], "what was so until then");
    world.desk(0).remove_participant(thread, world.claims[2].user).await.unwrap();
    world.desk(0).add_participants(thread, vec![named(&world, 2, "Chief Carol")]).await.unwrap();
    assert_eq!(heard(world.desk(1), thread).await, Vec::<String>::new());
}

#[tokio::test]
async fn repeatability_ids_do_not_pile_up_and_go_with_their_user() {
    let (spy, world) = watched(10, 1).await;
    for _ in 0..600 {
        world.clock.advance(Duration::from_secs(1_440));
        let repeatability = Some(Repeatability { id: world.rng.id(), request: [0; 16] });
        world.desk(0).create_thread(NewThread { repeatability, ..about("x") }).await.unwrap();
    }
    let kept = spy.keys("chat_repeat", world.resource, &[]).await.len();
    assert!((60..100).contains(&kept), "60 a day, good for a day: {kept} kept after ten");
    world.delete_identity(world.claims[0].user).await;
    erasure::sweep(&world.cell, world.resource).await.unwrap();
    assert!(spy.keys("chat_repeat", world.resource, &[]).await.is_empty());
}

#[tokio::test]
async fn a_creator_who_is_listed_too_counts_once() {
    let mut world = World::new(engines::memory(), 11, 4).await;
    world.limits = Limits { participants_per_thread: 4, ..Limits::default() };
    let participants = world.claims.iter().map(|c| NewParticipant::named(c.user)).collect();
    assert!(world.desk(0).create_thread(NewThread { participants, ..about("four") }).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_is_ahead_hides_nothing_from_who_is_invited() {
    let world = World::new(engines::memory(), 12, 2).await;
    let ahead = Some(Timestamp::from_millis(START + 120_000));
    let bob = NewParticipant { share_history_from: ahead, ..named(&world, 1, "Bob") };
    let new = NewThread { participants: vec![bob], ..about("x") };
    let thread = world.desk(0).create_thread(new).await.unwrap().thread.id;
    world.desk(0).send_message(thread, says("welcome")).await.unwrap();
    assert_eq!(heard(world.desk(1), thread).await, ["welcome", "Bob"]);
}

/// A view holds back the engine's clean-up and one of a bounded number of connections: whoever holds one while waiting
/// for a commit, or for a second one, can end up waiting for others that do the same.
#[tokio::test]
async fn no_operation_waits_while_it_holds_a_view() {
    let (spy, world) = watched(13, 3).await;
    *spy.seen.hurried.lock().unwrap() = Some(world.clock.clone());
    let thread = thread_of_all(&world).await;
    let sent = world.desk(0).send_message(thread, says("x")).await.unwrap();
    let edit = MessageEdit { content: Some("y".to_owned().into()), metadata: None };
    world.desk(0).edit_message(thread, sent, edit).await.unwrap();
    world.desk(1).send_receipt(thread, sent).await.unwrap();
    world.desk(0).delete_message(thread, sent).await.unwrap();
    world.desk(0).remove_participant(thread, world.claims[2].user).await.unwrap();
    world.desk(0).add_participants(thread, vec![named(&world, 2, "Carol")]).await.unwrap();
    let topic = ThreadChange { topic: Some("z".to_owned().into()), ..ThreadChange::default() };
    world.desk(0).update_thread(thread, topic).await.unwrap();
    let metadata = ThreadChange { metadata: Some(Vec::new()), ..ThreadChange::default() };
    world.desk(0).update_thread(thread, metadata).await.unwrap();
    world.delete_identity(world.claims[2].user).await;
    world.delete_identity(UserId::from_bytes([7; 16])).await;
    world.desk(0).delete_thread(thread).await.unwrap();
    erasure::sweep(&world.cell, world.resource).await.unwrap();
    assert_eq!(spy.seen.most_open.load(Ordering::SeqCst), 1);
    assert_eq!(spy.seen.open_at_commit.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_short_page_is_found_behind_a_long_stretch_of_erased_messages() {
    let (spy, world) = watched(14, 2).await;
    let thread = thread_of_all(&world).await;
    world.desk(0).send_message(thread, says("before")).await.unwrap();
    for _ in 0..600 {
        world.desk(1).send_message(thread, says("x")).await.unwrap();
    }
    world.delete_identity(world.claims[1].user).await;
    erasure::sweep(&world.cell, world.resource).await.unwrap();
    spy.seen.scans.store(0, Ordering::SeqCst);
    let query = MessageQuery { page_size: 1, ..ALL };
    let page = world.desk(0).list_messages(thread, query).await.unwrap();
    assert_eq!(page.messages.len(), 1);
    let scans = spy.seen.scans.load(Ordering::SeqCst);
    assert!(scans < 20, "{scans} ranges read for one message");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_large_deletion() {
    let app = server::testing::TestApp::new().await;
    let ada = app.user(&["chat"]).await;
    let thread = crate::chat_calls::create(&app, &ada, &[]).await;
    app.call("DELETE", &crate::chat_calls::thread_path(&thread)).by(&ada).send().await.expect(204);
    server::job::run(Arc::clone(app.app.state()), std::future::ready(())).await;
    assert_eq!(server::job::run_once(app.app.state()).await, 1, "it is done at the next start");
}

#[tokio::test]
async fn who_joins_without_the_history_learns_nothing_of_who_read_it() {
    let world = World::new(engines::memory(), 15, 3).await;
    let with = vec![NewParticipant::named(world.claims[1].user)];
    let thread =
        world.desk(0).create_thread(NewThread { participants: with, ..about("x") }).await.unwrap().thread.id;
    let early = world.desk(0).send_message(thread, says("early")).await.unwrap();
    world.desk(1).send_receipt(thread, early).await.unwrap();
    let carol = NewParticipant::named(world.claims[2].user);
    world.desk(0).add_participants(thread, vec![carol]).await.unwrap();
    assert_eq!(world.desk(2).list_receipts(thread, 0, 10).await.unwrap(), (Vec::new(), false));
    let late = world.desk(0).send_message(thread, says("late")).await.unwrap();
    world.desk(1).send_receipt(thread, late).await.unwrap();
    let read = world.desk(2).list_receipts(thread, 0, 10).await.unwrap().0;
    assert_eq!(read.into_iter().map(|r| r.message).collect::<Vec<_>>(), [late]);
}

#[tokio::test]
async fn the_numbering_goes_on_from_an_erased_message_on_a_node_that_remembers_nothing() {
    let world = World::new(engines::memory(), 16, 2).await;
    let thread = thread_of_all(&world).await;
    world.desk(1).send_message(thread, says("the third and last")).await.unwrap();
    world.delete_identity(world.claims[1].user).await;
    erasure::sweep(&world.cell, world.resource).await.unwrap();
    let state = ChatState::new();
    let desk = Desk { state: &state, ..world.desk(0) };
    let sent = desk.send_message(thread, says("the fourth")).await.unwrap();
    assert_eq!(world.desk(0).message(thread, sent).await.unwrap().sequence, 4);
}

#[tokio::test]
async fn pages_of_what_was_changed_since_leave_nothing_out() {
    let world = World::new(engines::memory(), 17, 1).await;
    let thread = thread_of_all(&world).await;
    let mut changed = Vec::new();
    for _ in 0..7 {
        changed.push(world.desk(0).send_message(thread, says("x")).await.unwrap());
    }
    world.clock.advance(Duration::from_secs(60));
    let start = Some(Timestamp::from_millis(START + 30_000));
    let new = world.desk(0).send_message(thread, says("new")).await.unwrap();
    for id in &changed {
        world.clock.advance(Duration::from_millis(5));
        let edit = MessageEdit { content: Some("y".to_owned().into()), metadata: None };
        world.desk(0).edit_message(thread, *id, edit).await.unwrap();
    }
    let want: Vec<_> = std::iter::once(new).chain(changed.into_iter().rev()).collect();
    for page_size in 1..10 {
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let query = MessageQuery { page_size, start, cursor };
            let page = world.desk(0).list_messages(thread, query).await.unwrap();
            listed.extend(page.messages.into_iter().map(|m| m.id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, want, "{page_size} at a time: once each, the latest change first");
    }
}
