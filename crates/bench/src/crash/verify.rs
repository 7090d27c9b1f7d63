//! The judgement: what was promised against what is shown. Every acknowledged write is there, exactly; a write in flight
//! at the kill is wholly there or wholly absent, and which of the two it is, the model learns. It does no input or output.

use std::collections::BTreeSet;
use std::fmt;

use super::model::{Guest, Made, Model, Op, Text, Thread, Who};
use super::seen::{Seen, SeenBody, SeenMessage, SeenThread};

/// What kind of promise was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An acknowledged message is not there.
    LostMessage,
    /// A message is not as it was left.
    AlteredMessage,
    /// A message that nobody sent, or one that is there twice.
    UnknownMessage,
    /// Sequence ids have a gap or a double, or ids are out of order.
    Sequence,
    /// A thread is not there.
    LostThread,
    /// A thread that nobody made, or that was deleted.
    UnknownThread,
    /// The topic, or the messages about it, are not as they were left.
    Topic,
    /// Participants, or the messages about them, are not as they were left.
    Participants,
    /// A participant's list of threads does not agree with the thread.
    List,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Of which kind.
    pub(crate) kind: Kind,
    /// In which thread.
    pub(crate) thread: String,
    /// What exactly.
    pub(crate) detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}: {}", self.kind, self.thread, self.detail)
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What is broken; empty when all is well.
    pub(crate) violations: Vec<Violation>,
    /// Writes in flight that turned out to be there.
    pub(crate) kept: usize,
}

/// Judges, and brings `model` up to what is shown. `pending` are the writes whose fate nobody knows.
pub(crate) fn reconcile(model: &mut Model, pending: Vec<Op>, seen: &Seen) -> Outcome {
    let mut judge = Judge { pending, outcome: Outcome::default(), thread: String::new() };
    judge.unknown_threads(model, seen);
    let known: Vec<String> = model.threads.keys().cloned().collect();
    for id in known {
        judge.thread.clone_from(&id);
        match seen.threads.get(&id) {
            Some(Some(shown)) => {
                if let Some(thread) = model.threads.get_mut(&id) {
                    judge.thread(thread, shown);
                    judge.lists(thread, shown, seen);
                }
            }
            _ => judge.gone(model, &id),
        }
    }
    judge.dropped(model, seen);
    judge.outcome
}

struct Judge {
    pending: Vec<Op>,
    outcome: Outcome,
    thread: String,
}

impl Judge {
    fn say(&mut self, kind: Kind, detail: impl Into<String>) {
        let violation = Violation { kind, thread: self.thread.clone(), detail: detail.into() };
        self.outcome.violations.push(violation);
    }

    /// Takes a pending write that turned out to be there.
    fn keep(&mut self, is: impl Fn(&Op) -> bool) -> Option<Op> {
        let at = self.pending.iter().position(is)?;
        self.outcome.kept += 1;
        Some(self.pending.swap_remove(at))
    }

    /// The pending write about this thread for which `is` holds.
    fn pending(&self, is: impl Fn(&Op) -> bool) -> Option<&Op> {
        self.pending.iter().find(|op| op.thread() == Some(&self.thread) && is(op))
    }

    /// Threads in somebody's list that the model does not know: made by a write in flight, or by nobody.
    fn unknown_threads(&mut self, model: &mut Model, seen: &Seen) {
        let dropped: BTreeSet<&String> = model.dropped.iter().collect();
        let unknown: BTreeSet<(&String, &String)> = (seen.lists.values().flatten())
            .filter(|(id, listed)| {
                !listed.deleted && !model.threads.contains_key(*id) && !dropped.contains(id)
            })
            .map(|(id, listed)| (id, &listed.topic))
            .collect();
        let mut adopt = Vec::new();
        for (id, topic) in unknown {
            self.thread.clone_from(id);
            match self.keep(|op| matches!(op, Op::Create { topic: made, .. } if made == topic)) {
                Some(create) => adopt.push((create, Made::Thread(id.clone()))),
                None => self.say(Kind::UnknownThread, format!("nobody made a thread `{topic}`")),
            }
        }
        for (create, made) in adopt {
            model.apply(&create, &made);
        }
    }

    fn gone(&mut self, model: &mut Model, id: &str) {
        match self.keep(|op| matches!(op, Op::Drop { thread } if thread == id)) {
            Some(drop) => model.apply(&drop, &Made::Nothing),
            None => self.say(Kind::LostThread, "the server has no such thread"),
        }
    }

    fn dropped(&mut self, model: &Model, seen: &Seen) {
        for id in &model.dropped {
            self.thread.clone_from(id);
            if seen.threads.get(id).is_some_and(Option::is_some) {
                self.say(Kind::UnknownThread, "it was deleted and is there");
            }
            if seen.lists.values().any(|list| list.get(id).is_some_and(|listed| !listed.deleted)) {
                self.say(Kind::UnknownThread, "it was deleted and is listed");
            }
        }
    }

    fn thread(&mut self, thread: &mut Thread, shown: &SeenThread) {
        self.sequence(&shown.messages);
        self.messages(thread, &shown.messages);
        self.topic(thread, shown);
        self.participants(thread, shown);
    }

    fn sequence(&mut self, messages: &[SeenMessage]) {
        let count = messages.len() as u64;
        let wrong = messages.iter().zip((1..=count).rev()).find(|(m, expected)| m.sequence != *expected);
        if let Some((message, expected)) = wrong {
            let detail =
                format!("message {} has sequence {} and not {expected}", message.id, message.sequence);
            self.say(Kind::Sequence, detail);
        }
        if let Some([newer, older]) = messages.array_windows().find(|[newer, older]| newer.id <= older.id) {
            self.say(Kind::Sequence, format!("message {} is listed before {}", newer.id, older.id));
        }
        for message in messages {
            if let SeenBody::Other(kind) = &message.body {
                self.say(Kind::UnknownMessage, format!("message {} is of type `{kind}`", message.id));
            }
        }
    }

    fn messages(&mut self, thread: &mut Thread, messages: &[SeenMessage]) {
        let mut missing: BTreeSet<u64> = thread.texts.keys().copied().collect();
        for message in messages.iter().filter(|m| matches!(m.body, SeenBody::Text { .. })) {
            match thread.texts.get(&message.id) {
                None => self.adopt_message(thread, message),
                Some(text) => {
                    if !missing.remove(&message.id) {
                        self.say(Kind::UnknownMessage, format!("message {} is there twice", message.id));
                    } else if !is_shown(text, &message.body) {
                        self.changed_message(thread, message);
                    }
                }
            }
        }
        for id in missing {
            self.say(Kind::LostMessage, format!("message {id} is not there"));
        }
    }

    fn adopt_message(&mut self, thread: &mut Thread, message: &SeenMessage) {
        let name = self.thread.clone();
        let sent = self.keep(|op| match op {
            Op::Send { thread, author, content } => {
                let text = Text { author: *author, content: content.clone(), edited: false, deleted: false };
                *thread == name && is_shown(&text, &message.body)
            }
            _ => false,
        });
        match sent {
            Some(send) => thread.apply(&send, &Made::Message(message.id)),
            None => self.say(Kind::UnknownMessage, format!("nobody sent {message:?}")),
        }
    }

    /// A message that is not as it was left: a write in flight explains it wholly, or it is broken.
    fn changed_message(&mut self, thread: &mut Thread, message: &SeenMessage) {
        let about = |op: &Op| matches!(op, Op::Edit { id, .. } | Op::Delete { id, .. } if *id == message.id);
        if let Some(op) = self.pending(about).cloned() {
            let mut after = thread.clone();
            after.apply(&op, &Made::Nothing);
            if after.texts.get(&message.id).is_some_and(|text| is_shown(text, &message.body)) {
                self.keep(|pending| *pending == op);
                *thread = after;
                return;
            }
        }
        let left = &thread.texts[&message.id];
        let detail = format!("message {} was left as {left:?} and is {:?}", message.id, message.body);
        self.say(Kind::AlteredMessage, detail);
    }

    fn topic(&mut self, thread: &mut Thread, shown: &SeenThread) {
        if is_titled(thread, shown) {
            return;
        }
        if let Some(op) = self.pending(|op| matches!(op, Op::Retitle { .. })).cloned() {
            let mut after = thread.clone();
            after.apply(&op, &Made::Nothing);
            if is_titled(&after, shown) {
                self.keep(|pending| *pending == op);
                *thread = after;
                return;
            }
        }
        let (topics, newest) = (shown.topics().count(), shown.topics().next().unwrap_or("none").to_owned());
        let detail = format!(
            "left as `{}` set {} times; it is `{}`, messages tell of {topics}, the last one `{newest}`",
            thread.topic, thread.topics, shown.topic
        );
        self.say(Kind::Topic, detail);
    }

    fn participants(&mut self, thread: &mut Thread, shown: &SeenThread) {
        let known = |who: &Who| thread.fixed.contains(who) || thread.guests.contains_key(who);
        let strangers = shown.strangers + shown.participants.iter().filter(|who| !known(who)).count();
        if strangers > 0 {
            self.say(Kind::Participants, format!("{strangers} whom nobody added"));
        }
        if let Some(who) = thread.fixed.iter().find(|who| !shown.participants.contains(who)) {
            self.say(Kind::Participants, format!("user {who} was never removed and is not there"));
        }
        let guests: Vec<(Who, Guest)> = thread.guests.iter().map(|(who, guest)| (*who, *guest)).collect();
        for (who, guest) in guests {
            let found = Guest {
                present: shown.participants.contains(&who),
                added: shown.added(who),
                removed: shown.removed(who),
            };
            if found != guest {
                self.changed_guest(thread, who, found);
            }
        }
    }

    fn changed_guest(&mut self, thread: &mut Thread, who: Who, found: Guest) {
        let about = |op: &Op| matches!(op, Op::Remove { who: w, .. } | Op::Add { who: w, .. } if *w == who);
        if let Some(op) = self.pending(about).cloned() {
            let mut after = thread.clone();
            after.apply(&op, &Made::Nothing);
            if after.guests.get(&who) == Some(&found) {
                self.keep(|pending| *pending == op);
                *thread = after;
                return;
            }
        }
        let left = thread.guests.get(&who);
        self.say(Kind::Participants, format!("user {who} was left as {left:?} and is {found:?}"));
    }

    /// Whoever is in a thread has it in the list.
    fn lists(&mut self, thread: &Thread, shown: &SeenThread, seen: &Seen) {
        let present = thread.guests.iter().filter(|(_, guest)| guest.present).map(|(who, _)| who);
        for who in thread.fixed.iter().chain(present) {
            let Some(list) = seen.lists.get(who) else { continue };
            let right = list.get(&self.thread).is_some_and(|l| !l.deleted && l.topic == shown.topic);
            if !right {
                let found = list.get(&self.thread);
                self.say(Kind::List, format!("user {who} sees {found:?}, the topic is `{}`", shown.topic));
            }
        }
    }
}

/// Whether a message is shown exactly as it was left. Of a deleted one only that it is deleted, and whose it was.
fn is_shown(text: &Text, body: &SeenBody) -> bool {
    match body {
        SeenBody::Text { author, content, deleted: true, .. } => {
            text.deleted && content.is_none() && *author == Some(text.author)
        }
        SeenBody::Text { author, content, edited, deleted: false } => {
            !text.deleted
                && *author == Some(text.author)
                && content.as_ref() == Some(&text.content)
                && *edited == text.edited
        }
        _ => false,
    }
}

fn is_titled(thread: &Thread, shown: &SeenThread) -> bool {
    shown.topic == thread.topic
        && shown.topics().count() == usize::try_from(thread.topics).unwrap_or(usize::MAX)
        && shown.topics().next() == Some(&thread.topic)
}
