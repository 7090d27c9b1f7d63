//! The judgement on histories whose truth is known: a small server in memory takes the writes, some of those in flight
//! happen and some do not, and then it lies in every way a server can.

use std::collections::BTreeMap;

use base::{Rng, SeededRng};

use super::load::{GROUPS, State, WORKERS, create};
use super::model::{Made, Model, Op, Who};
use super::seen::{Listed, Seen, SeenBody, SeenMessage, SeenThread};
use super::verify::{Kind, Outcome, reconcile};

/// A server that keeps everything. Messages oldest first.
#[derive(Clone, Default)]
struct Fake {
    threads: BTreeMap<String, SeenThread>,
    members: BTreeMap<String, Vec<Who>>,
    dropped: Vec<String>,
    ids: u64,
}

impl Fake {
    fn say(&mut self, thread: &str, body: SeenBody) -> u64 {
        self.ids += 1;
        let id = self.ids;
        if let Some(thread) = self.threads.get_mut(thread) {
            let sequence = thread.messages.len() as u64 + 1;
            thread.messages.push(SeenMessage { id, sequence, body });
        }
        id
    }

    fn text(&mut self, thread: &str, id: u64) -> &mut SeenBody {
        let messages = &mut self.threads.get_mut(thread).unwrap().messages;
        &mut messages.iter_mut().find(|m| m.id == id).unwrap().body
    }

    fn apply(&mut self, op: &Op) -> Made {
        match op {
            Op::Create { topic, fixed, guests, .. } => {
                self.ids += 1;
                let id = format!("thread-{}", self.ids);
                let all: Vec<Who> = fixed.iter().chain(guests).copied().collect();
                let participants = all.iter().copied().collect();
                let made =
                    SeenThread { topic: topic.clone(), participants, strangers: 0, messages: Vec::new() };
                self.threads.insert(id.clone(), made);
                self.members.insert(id.clone(), all.clone());
                self.say(&id, SeenBody::Added(all));
                self.say(&id, SeenBody::Topic(topic.clone()));
                return Made::Thread(id);
            }
            Op::Send { thread, author, content } => {
                let (author, content) = (Some(*author), Some(content.clone()));
                let body = SeenBody::Text { author, content, edited: false, deleted: false };
                return Made::Message(self.say(thread, body));
            }
            Op::Edit { thread, id, content: new } => {
                if let SeenBody::Text { content, edited, .. } = self.text(thread, *id) {
                    (*content, *edited) = (Some(new.clone()), true);
                }
            }
            Op::Delete { thread, id } => {
                if let SeenBody::Text { content, deleted, .. } = self.text(thread, *id) {
                    (*content, *deleted) = (None, true);
                }
            }
            Op::Remove { thread, who } => {
                self.threads.get_mut(thread).unwrap().participants.remove(who);
                self.say(thread, SeenBody::Removed(vec![*who]));
            }
            Op::Add { thread, who } => {
                self.threads.get_mut(thread).unwrap().participants.insert(*who);
                self.say(thread, SeenBody::Added(vec![*who]));
            }
            Op::Retitle { thread, topic } => {
                self.threads.get_mut(thread).unwrap().topic.clone_from(topic);
                self.say(thread, SeenBody::Topic(topic.clone()));
            }
            Op::Drop { thread } => {
                self.threads.remove(thread);
                self.dropped.push(thread.clone());
            }
        }
        Made::Nothing
    }

    fn show(&self) -> Seen {
        let mut lists: BTreeMap<Who, BTreeMap<String, Listed>> =
            (0..2 * WORKERS).map(|who| (who, BTreeMap::new())).collect();
        let mut threads: BTreeMap<String, Option<SeenThread>> =
            self.dropped.iter().map(|id| (id.clone(), None)).collect();
        for (id, thread) in &self.threads {
            for who in &self.members[id] {
                let listed = Listed { topic: thread.topic.clone(), deleted: false };
                lists.get_mut(who).unwrap().insert(id.clone(), listed);
            }
            let mut shown = thread.clone();
            shown.messages.reverse();
            threads.insert(id.clone(), Some(shown));
        }
        Seen { lists, threads }
    }
}

/// A board and a fake that agree, with one thread for each group.
fn begin() -> (State, Fake) {
    let (mut state, mut fake) = (State::default(), Fake::default());
    for group in 0..GROUPS {
        let op = create(group * WORKERS / GROUPS, &format!("of group {group}"));
        let made = fake.apply(&op);
        state.acknowledge(&op, &made);
    }
    (state, fake)
}

fn judge(model: &Model, pending: Vec<Op>, seen: &Seen) -> (Model, Outcome) {
    let mut model = model.clone();
    let outcome = reconcile(&mut model, pending, seen);
    (model, outcome)
}

#[test]
fn random_histories_with_writes_in_flight_are_told_apart() {
    let (mut in_flight, mut kept) = (0, 0);
    for seed in 0..12 {
        let (rng, (mut state, mut fake)) = (SeededRng::new(seed), begin());
        for round in 0..12 {
            state.sort_threads();
            for turn in 0..200 {
                let who = usize::try_from(rng.below(WORKERS as u64)).unwrap();
                let op = state.next(who, &rng, &format!("{round}-{who}-{turn}"));
                let made = fake.apply(&op);
                state.acknowledge(&op, &made);
            }
            let (mut pending, mut happened) = (Vec::new(), 0);
            for who in 0..WORKERS {
                let op = state.next(who, &rng, &format!("{round}-{who}-last"));
                if rng.below(2) == 0 {
                    fake.apply(&op);
                    happened += 1;
                }
                pending.push(op);
            }
            in_flight += pending.len();
            let outcome = reconcile(&mut state.model, pending, &fake.show());
            assert_eq!(outcome.violations, [], "seed {seed}, round {round}");
            assert_eq!(outcome.kept, happened, "seed {seed}, round {round}");
            kept += happened;
            let again = judge(&state.model, Vec::new(), &fake.show());
            assert_eq!(
                again,
                (state.model.clone(), Outcome::default()),
                "the model has learnt what happened"
            );
        }
    }
    assert!(kept > 0 && kept < in_flight, "both fates came up: {kept} of {in_flight}");
}

/// One thread with two messages, an edit, a deletion, a guest who went; and one thread deleted.
fn history() -> (Model, Fake, String, u64) {
    let (mut state, mut fake) = begin();
    let thread = state.current[&0].clone();
    let send =
        |author: Who, content: &str| Op::Send { thread: thread.clone(), author, content: content.into() };
    let mut act = |op: Op| {
        let made = fake.apply(&op);
        state.acknowledge(&op, &made);
        made
    };
    let Made::Message(first) = act(send(1, "first")) else { panic!("a message") };
    let Made::Message(second) = act(send(2, "second")) else { panic!("a message") };
    act(Op::Edit { thread: thread.clone(), id: first, content: "first, changed".into() });
    act(Op::Delete { thread: thread.clone(), id: second });
    act(Op::Remove { thread: thread.clone(), who: WORKERS + 1 });
    let Made::Thread(old) = act(create(0, "old")) else { panic!("a thread") };
    act(Op::Drop { thread: old });
    (state.model, fake, thread, first)
}

/// The kinds of violation when `lie` changes what is shown of the first group's thread.
fn lies(lie: impl FnOnce(&mut SeenThread)) -> Vec<Kind> {
    let (model, fake, thread, _) = history();
    let mut seen = fake.show();
    lie(seen.threads.get_mut(&thread).unwrap().as_mut().unwrap());
    let mut kinds: Vec<Kind> = judge(&model, Vec::new(), &seen).1.violations.iter().map(|v| v.kind).collect();
    kinds.dedup();
    kinds
}

fn texts(thread: &mut SeenThread) -> impl Iterator<Item = &mut SeenBody> {
    thread.messages.iter_mut().map(|m| &mut m.body).filter(|b| matches!(b, SeenBody::Text { .. }))
}

#[test]
fn the_truth_is_believed() {
    assert_eq!(lies(|_| {}), []);
}

#[test]
fn a_lost_message_is_found_even_when_the_sequence_is_closed() {
    let forget = |thread: &mut SeenThread| {
        let at = thread
            .messages
            .iter()
            .position(|m| matches!(m.body, SeenBody::Text { deleted: false, .. }))
            .unwrap();
        thread.messages.remove(at);
    };
    assert_eq!(lies(forget), [Kind::Sequence, Kind::LostMessage]);
    let hide = |thread: &mut SeenThread| {
        forget(thread);
        let count = thread.messages.len() as u64;
        thread.messages.iter_mut().zip((1..=count).rev()).for_each(|(m, n)| m.sequence = n);
    };
    assert_eq!(lies(hide), [Kind::LostMessage]);
}

#[test]
fn half_an_edit_is_found() {
    let old_text = |thread: &mut SeenThread| {
        if let Some(SeenBody::Text { content: Some(content), .. }) = texts(thread).last() {
            *content = "first".into();
        }
    };
    assert_eq!(lies(old_text), [Kind::AlteredMessage]);
    let no_mark = |thread: &mut SeenThread| {
        if let Some(SeenBody::Text { edited, .. }) = texts(thread).last() {
            *edited = false;
        }
    };
    assert_eq!(lies(no_mark), [Kind::AlteredMessage]);
}

#[test]
fn a_deletion_undone_or_half_done_is_found() {
    for (shown, mark) in [(Some("second"), false), (Some("second"), true), (None, false)] {
        let undo = |thread: &mut SeenThread| {
            if let Some(SeenBody::Text { content, deleted, .. }) = texts(thread).next() {
                (*content, *deleted) = (shown.map(str::to_owned), mark);
            }
        };
        assert_eq!(lies(undo), [Kind::AlteredMessage], "{shown:?} {mark}");
    }
}

#[test]
fn another_author_is_found() {
    for someone in [None, Some(0)] {
        let kinds = lies(|thread| {
            if let Some(SeenBody::Text { author, .. }) = texts(thread).last() {
                *author = someone;
            }
        });
        assert_eq!(kinds, [Kind::AlteredMessage]);
    }
}

#[test]
fn doubles_strangers_and_disorder_are_found() {
    let twice = |thread: &mut SeenThread| {
        let again = thread.messages[1].clone();
        thread.messages.insert(1, again);
    };
    assert!(lies(twice).contains(&Kind::Sequence));
    let invented = |thread: &mut SeenThread| {
        let sequence = thread.messages.len() as u64 + 1;
        let content = Some("never sent".into());
        let body = SeenBody::Text { author: Some(1), content, edited: false, deleted: false };
        thread.messages.insert(0, SeenMessage { id: u64::MAX, sequence, body });
    };
    assert_eq!(lies(invented), [Kind::UnknownMessage]);
    let odd = |thread: &mut SeenThread| {
        let sequence = thread.messages.len() as u64 + 1;
        thread
            .messages
            .insert(0, SeenMessage { id: u64::MAX, sequence, body: SeenBody::Other("party".into()) });
    };
    assert_eq!(lies(odd), [Kind::UnknownMessage]);
    assert_eq!(lies(|thread| thread.messages[0].sequence += 1), [Kind::Sequence]);
    assert_eq!(lies(|thread| thread.messages[0].id = 0).first(), Some(&Kind::Sequence));
}

#[test]
fn a_removal_that_came_undone_or_half_done_is_found() {
    assert_eq!(lies(|t| assert!(t.participants.insert(WORKERS + 1))), [Kind::Participants]);
    let unsaid = |thread: &mut SeenThread| {
        thread.messages.retain(|m| !matches!(m.body, SeenBody::Removed(_)));
        let count = thread.messages.len() as u64;
        thread.messages.iter_mut().zip((1..=count).rev()).for_each(|(m, n)| m.sequence = n);
    };
    assert_eq!(lies(unsaid), [Kind::Participants]);
    assert_eq!(lies(|t| assert!(t.participants.remove(&2))), [Kind::Participants], "never removed");
    assert_eq!(lies(|t| t.strangers = 1), [Kind::Participants]);
    assert_eq!(lies(|t| assert!(t.participants.insert(9))), [Kind::Participants], "of another group");
}

#[test]
fn a_topic_must_agree_with_its_message_and_with_the_lists() {
    assert_eq!(lies(|t| t.topic = "another".into()), [Kind::Topic, Kind::List]);
    let unsaid = |thread: &mut SeenThread| {
        for message in &mut thread.messages {
            if let SeenBody::Topic(topic) = &mut message.body {
                *topic = "another".into();
            }
        }
    };
    assert_eq!(lies(unsaid), [Kind::Topic]);
}

#[test]
fn lost_and_undead_threads_are_found() {
    let (model, fake, thread, _) = history();
    let kinds =
        |seen: &Seen| judge(&model, Vec::new(), seen).1.violations.iter().map(|v| v.kind).collect::<Vec<_>>();
    let mut gone = fake.show();
    gone.threads.insert(thread.clone(), None);
    assert_eq!(kinds(&gone), [Kind::LostThread]);
    let dropped = model.dropped[0].clone();
    let mut undead = fake.show();
    undead.threads.insert(dropped.clone(), undead.threads[&thread].clone());
    assert_eq!(kinds(&undead), [Kind::UnknownThread]);
    let mut listed = fake.show();
    listed.lists.get_mut(&3).unwrap().insert(dropped.clone(), Listed { topic: "old".into(), deleted: false });
    assert_eq!(kinds(&listed), [Kind::UnknownThread]);
    listed.lists.get_mut(&3).unwrap().insert(dropped, Listed { topic: "old".into(), deleted: true });
    assert_eq!(kinds(&listed), [], "a deleted thread may be listed as deleted");
    let mut unlisted = fake.show();
    unlisted.lists.get_mut(&2).unwrap().remove(&thread);
    assert_eq!(kinds(&unlisted), [Kind::List]);
    let mut invented = fake.show();
    invented.lists.get_mut(&2).unwrap().insert("x".into(), Listed { topic: "x".into(), deleted: false });
    assert_eq!(kinds(&invented), [Kind::UnknownThread]);
}

#[test]
fn a_thread_in_flight_must_be_whole() {
    let (model, mut fake, _, _) = history();
    let op = create(4, "in flight");
    let Made::Thread(id) = fake.apply(&op) else { panic!("a thread") };
    let (after, outcome) = judge(&model, vec![op.clone()], &fake.show());
    assert_eq!((outcome.violations.len(), outcome.kept), (0, 1));
    assert!(after.threads.contains_key(&id));
    let mut half = fake.show();
    half.lists.get_mut(&(WORKERS + 5)).unwrap().remove(&id);
    let kinds: Vec<Kind> =
        judge(&model, vec![op.clone()], &half).1.violations.iter().map(|v| v.kind).collect();
    assert_eq!(kinds, [Kind::List], "one of its members does not have it");
    let mut silent = fake.show();
    silent.threads.get_mut(&id).unwrap().as_mut().unwrap().messages.clear();
    assert!(!judge(&model, vec![op], &silent).1.violations.is_empty(), "its first messages are part of it");
}

#[test]
fn an_acknowledged_write_is_not_excused_by_one_in_flight() {
    let (model, mut fake, thread, first) = history();
    let edit = Op::Edit { thread: thread.clone(), id: first, content: "in flight".into() };
    assert_eq!(judge(&model, vec![edit.clone()], &fake.show()).1, Outcome::default(), "wholly absent");
    let before = fake.clone();
    fake.apply(&edit);
    let (after, outcome) = judge(&model, vec![edit.clone()], &fake.show());
    assert_eq!((outcome.violations.len(), outcome.kept), (0, 1), "wholly there");
    assert_eq!(after.threads[&thread].texts[&first].content, "in flight");
    let mut torn = before;
    if let SeenBody::Text { content, .. } = torn.text(&thread, first) {
        *content = Some("in fl".into());
    }
    let kinds: Vec<Kind> =
        judge(&model, vec![edit], &torn.show()).1.violations.iter().map(|v| v.kind).collect();
    assert_eq!(kinds, [Kind::AlteredMessage], "half there");
}
