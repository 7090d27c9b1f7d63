//! Random chats by many users, step by step beside a plain model of them: who sees what, who may change what, paging,
//! removal, shared history, erasure. The same histories run on every engine. A failure names its seed.

mod model;

use std::time::Duration;

use base::{Clock, Limits, MessageId, Personal, Rng, SeededRng, ThreadId, Timestamp, UserId};
use model::{Message, Model, No, Says};
use server::service::chat::view::{ContentView, MessageView};
use server::service::chat::{
    ChatError, MessageEdit, MessageQuery, NewMessage, NewParticipant, NewThread, ThreadChange, ThreadQuery,
    erasure,
};

use crate::chat_world::{START, World};
use crate::engines;

const STEPS: u64 = 400;

fn no(error: ChatError) -> No {
    match error {
        ChatError::Refused(_) => No::Caller,
        ChatError::Forbidden => No::Forbidden,
        ChatError::ThreadDeleted => No::ThreadDeleted,
        ChatError::MessageUnknown => No::MessageUnknown,
        ChatError::ParticipantUnknown => No::ParticipantUnknown,
        ChatError::TooManyParticipants { .. } => No::TooMany,
        other => panic!("the store or the model is wrong: {other}"),
    }
}

fn text(value: &Personal<String>) -> String {
    value.expose().clone()
}

/// A view as the model writes it.
fn plain(view: MessageView) -> Message {
    let says = match view.content {
        ContentView::Text(said) | ContentView::Html(said) => Says::Text(text(&said)),
        ContentView::TopicUpdated(topic, by) => Says::Topic(text(&topic), by),
        ContentView::ParticipantsAdded(who, by) => Says::Added(
            who.into_iter().map(|p| (p.user, p.share_history_from.map_or(0, Timestamp::as_millis))).collect(),
            by,
        ),
        ContentView::ParticipantRemoved(who, by) => Says::Removed(who.user, by),
    };
    let message = Message {
        id: view.id.0,
        sequence: view.sequence,
        author: view.author,
        says,
        edited: view.edited_on.map(Timestamp::as_millis),
        deleted: view.deleted_on.map(Timestamp::as_millis),
    };
    assert_eq!(view.version, message.deleted.or(message.edited).unwrap_or(message.id));
    message
}

/// One history: the world, its model, and the dice that choose what happens.
struct History {
    world: World,
    model: Model,
    dice: SeededRng,
    users: Vec<UserId>,
    threads: Vec<ThreadId>,
}

impl History {
    fn pick(&self, below: usize) -> usize {
        usize::try_from(self.dice.below(below as u64)).unwrap()
    }

    fn thread(&self) -> ThreadId {
        let known = self.threads.len();
        if known == 0 || self.pick(40) == 0 {
            ThreadId::mint(&self.dice)
        } else {
            self.threads[self.pick(known)]
        }
    }

    fn share(&self) -> Option<u64> {
        match self.pick(4) {
            0 => None,
            1 => Some(0),
            2 => Some(self.model.now),
            _ => Some(START + self.dice.below(self.model.now - START + 5)),
        }
    }

    async fn step(&mut self) {
        let user = self.pick(self.users.len());
        let thread = self.thread();
        match self.pick(24) {
            0 if self.threads.len() < 12 => self.create(user).await,
            0..=2 => self.add(user, thread).await,
            3 | 4 => self.remove(user, thread).await,
            5..=9 => self.send(user, thread).await,
            10 | 11 => self.edit(user, thread).await,
            12 | 13 => self.delete(user, thread).await,
            14..=16 => self.list(user, thread).await,
            17 => self.get(user, thread).await,
            18 => self.retitle(user, thread).await,
            19 => self.receipts(user, thread).await,
            20 => self.list_participants(user, thread).await,
            21 => self.list_threads(user).await,
            22 if self.pick(8) == 0 => self.end_something(user, thread).await,
            _ => {
                self.world.clock.advance(Duration::from_millis(self.dice.below(4)));
                self.model.now = self.world.clock.now().as_millis();
            }
        }
    }

    /// Mostly one of the user's own, which few of all messages are and only they can be changed.
    fn own_message(&self, user: usize, thread: ThreadId) -> MessageId {
        let pick = self.dice.below(1000);
        let own = self.model.own_message(self.users[user], thread, pick).filter(|_| self.pick(4) > 0);
        own.unwrap_or_else(|| self.model.some_message(thread, pick))
    }

    async fn create(&mut self, user: usize) {
        let others: Vec<(UserId, Option<u64>)> = (0..self.pick(4))
            .map(|n| (self.users[(user + 1 + n) % self.users.len()], self.share()))
            .collect();
        let new = NewThread {
            topic: "about".to_owned().into(),
            participants: others
                .iter()
                .map(|(user, share)| NewParticipant {
                    share_history_from: share.map(Timestamp::from_millis),
                    ..NewParticipant::named(*user)
                })
                .collect(),
            metadata: Vec::new(),
            retention: None,
            repeatability: None,
        };
        match self.world.desk(user).create_thread(new).await {
            Ok(made) => {
                self.threads.push(made.thread.id);
                assert_eq!(self.model.create(self.users[user], made.thread.id, "about", &others), Ok(()));
                let unknown = others.iter().filter(|(other, _)| !self.model.users.contains(other)).count();
                assert_eq!(made.unknown.len(), unknown);
            }
            Err(error) => {
                let thread = ThreadId::mint(&self.dice);
                let expected = if self.model.users.contains(&self.users[user]) {
                    self.model.create(self.users[user], thread, "about", &others).unwrap_err()
                } else {
                    No::Caller
                };
                self.model.threads.remove(&thread);
                assert_eq!(no(error), expected);
            }
        }
    }

    async fn add(&mut self, user: usize, thread: ThreadId) {
        let (who, share) = (self.users[self.pick(self.users.len())], self.share());
        let name = (self.pick(2) == 0).then_some("called");
        let new = NewParticipant {
            user: who,
            display_name: name.map(|n| n.to_owned().into()),
            share_history_from: share.map(Timestamp::from_millis),
            metadata: Vec::new(),
        };
        let did = self.world.desk(user).add_participants(thread, vec![new]).await.map_err(no);
        let expected = self.model.add(self.users[user], thread, who, share, name);
        assert_eq!(did.map(|unknown| unknown.is_empty()), expected);
    }

    async fn remove(&mut self, user: usize, thread: ThreadId) {
        let who = self.users[self.pick(self.users.len())];
        let did = self.world.desk(user).remove_participant(thread, who).await.map_err(no);
        assert_eq!(did, self.model.remove(self.users[user], thread, who));
    }

    async fn send(&mut self, user: usize, thread: ThreadId) {
        let said = format!("said {}", self.dice.below(1000));
        let message = NewMessage {
            content: said.clone().into(),
            is_html: false,
            sender_display_name: None,
            metadata: Vec::new(),
        };
        let did = self.world.desk(user).send_message(thread, message).await.map(|id| id.0).map_err(no);
        assert_eq!(did, self.model.send(self.users[user], thread, &said));
    }

    async fn edit(&mut self, user: usize, thread: ThreadId) {
        let id = self.own_message(user, thread);
        let edit = MessageEdit { content: Some("edited".to_owned().into()), metadata: None };
        let did = self.world.desk(user).edit_message(thread, id, edit).await.map_err(no);
        assert_eq!(did, self.model.edit(self.users[user], thread, id.0, "edited"));
    }

    async fn delete(&mut self, user: usize, thread: ThreadId) {
        let id = self.own_message(user, thread);
        let did = self.world.desk(user).delete_message(thread, id).await.map_err(no);
        assert_eq!(did, self.model.delete(self.users[user], thread, id.0));
    }

    async fn list(&mut self, user: usize, thread: ThreadId) {
        let start = (self.pick(2) == 0).then(|| START + self.dice.below(self.model.now - START + 2));
        let size = 1 + self.pick(7);
        let mut listed = Vec::new();
        let mut cursor = None;
        let did = loop {
            let query = MessageQuery { page_size: size, start: start.map(Timestamp::from_millis), cursor };
            match self.world.desk(user).list_messages(thread, query).await {
                Err(error) => break Err(no(error)),
                Ok(page) => {
                    assert!(page.messages.len() <= size);
                    listed.extend(page.messages.into_iter().map(plain));
                    cursor = page.next;
                }
            }
            if cursor.is_none() {
                break Ok(std::mem::take(&mut listed));
            }
        };
        assert_eq!(did, self.model.list(self.users[user], thread, start));
    }

    async fn get(&mut self, user: usize, thread: ThreadId) {
        let id = self.model.some_message(thread, self.dice.below(1000));
        let did = self.world.desk(user).message(thread, id).await.map(plain).map_err(no);
        assert_eq!(did, self.model.get(self.users[user], thread, id.0));
    }

    async fn retitle(&mut self, user: usize, thread: ThreadId) {
        let topic = format!("about {}", self.dice.below(100));
        let change = ThreadChange { topic: Some(topic.clone().into()), ..ThreadChange::default() };
        let did = self.world.desk(user).update_thread(thread, change).await.map_err(no);
        assert_eq!(did, self.model.retitle(self.users[user], thread, &topic));
        let shown = self.world.desk(user).thread(thread).await.map(|t| text(&t.topic)).map_err(no);
        assert_eq!(shown, self.model.topic(self.users[user], thread));
    }

    async fn receipts(&mut self, user: usize, thread: ThreadId) {
        let id = self.model.some_message(thread, self.dice.below(1000));
        let did = self.world.desk(user).send_receipt(thread, id).await.map_err(no);
        assert_eq!(did, self.model.read(self.users[user], thread, id.0));
        let listed = self.world.desk(user).list_receipts(thread, 0, 100).await.map_err(no);
        let listed =
            listed.map(|(page, _)| page.into_iter().map(|r| (r.reader, r.message.0)).collect::<Vec<_>>());
        assert_eq!(listed, self.model.receipts(self.users[user], thread));
    }

    async fn list_participants(&mut self, user: usize, thread: ThreadId) {
        let mut listed = Vec::new();
        let did = loop {
            match self.world.desk(user).list_participants(thread, listed.len(), 2).await {
                Err(error) => break Err(no(error)),
                Ok((page, more)) => {
                    listed.extend(page.into_iter().map(|p| (p.user, p.display_name.as_ref().map(text))));
                    if !more {
                        break Ok(std::mem::take(&mut listed));
                    }
                }
            }
        };
        assert_eq!(did, self.model.participants(self.users[user], thread));
    }

    async fn list_threads(&mut self, user: usize) {
        let mut listed = Vec::new();
        let mut cursor = None;
        let did = loop {
            let query = ThreadQuery { page_size: 2, start: None, cursor };
            match self.world.desk(user).list_threads(query).await {
                Err(error) => break Err(no(error)),
                Ok(page) => {
                    let seen = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
                    listed.extend(
                        page.threads.iter().map(|t| (t.id, text(&t.topic), seen(t.last_message_received_on))),
                    );
                    cursor = page.next;
                }
            }
            if cursor.is_none() {
                break Ok(std::mem::take(&mut listed));
            }
        };
        assert_eq!(did, self.model.list_threads(self.users[user]));
    }

    /// A thread is deleted, or an identity; sometimes the sweeper runs, which must change nothing anyone sees.
    async fn end_something(&mut self, user: usize, thread: ThreadId) {
        if self.pick(2) == 0 {
            let did = self.world.desk(user).delete_thread(thread).await.map_err(no);
            assert_eq!(did, self.model.delete_thread(self.users[user], thread));
        } else if self.model.users.len() > 3 {
            let gone = self.users[user];
            if self.model.users.contains(&gone) {
                self.world.delete_identity(gone).await;
                self.model.forget(gone);
            }
        }
        if self.pick(2) == 0 {
            erasure::sweep(&self.world.cell, self.world.resource).await.unwrap();
        }
    }

    /// At the end everyone looks at everything.
    async fn look_at_everything(&mut self) {
        for user in 0..self.users.len() {
            self.list_threads(user).await;
            for thread in self.threads.clone() {
                let all = self.model.list(self.users[user], thread, None);
                let query = MessageQuery { page_size: 200, start: None, cursor: None };
                let did = self.world.desk(user).list_messages(thread, query).await;
                let did =
                    did.map(|page| page.messages.into_iter().map(plain).collect::<Vec<_>>()).map_err(no);
                assert_eq!(did.map(|l| l.len().min(200)), all.map(|l| l.len().min(200)));
                let Some(found) = self.model.threads.get(&thread) else { continue };
                for id in found.log.iter().map(|m| m.id).collect::<Vec<_>>() {
                    let did =
                        self.world.desk(user).message(thread, MessageId(id)).await.map(plain).map_err(no);
                    assert_eq!(did, self.model.get(self.users[user], thread, id));
                }
            }
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "a failing history is replayed from the seed that stands above the failure"
)]
async fn run(engine: engines::Opened, seed: u64) {
    println!("seed {seed}");
    let mut world = World::new(engine, seed, 8).await;
    world.limits = Limits { participants_per_thread: 6, receipts_participants: 4, ..Limits::default() };
    let users: Vec<UserId> = world.claims.iter().map(|c| c.user).collect();
    let model = Model { now: START, users: users.clone(), max_participants: 6, small: 4, ..Model::default() };
    let mut history =
        History { world, model, dice: SeededRng::new(seed ^ 0xD1CE), users, threads: Vec::new() };
    for _ in 0..STEPS {
        history.step().await;
    }
    history.look_at_everything().await;
    history.world.cell.close().await.unwrap();
}

#[tokio::test]
async fn random_chats_agree_with_the_model_in_memory() {
    for seed in 0..40 {
        run(engines::memory(), seed).await;
    }
}

#[tokio::test]
async fn random_chats_agree_with_the_model_on_sqlite() {
    for seed in 100..108 {
        run(engines::sqlite(), seed).await;
    }
}

#[tokio::test]
async fn random_chats_agree_with_the_model_on_postgres() {
    for seed in 200..204 {
        run(engines::postgres(&format!("model_{seed}")).await, seed).await;
    }
}
