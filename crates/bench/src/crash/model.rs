//! What the server has promised: the state that follows from every acknowledged write, kept in plain maps. It knows no
//! wire and does no input or output.

use std::collections::{BTreeMap, BTreeSet};

/// A user, by number in the cast.
pub(crate) type Who = usize;

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Makes a thread. Topics are never used twice, so one found later can be told.
    Create {
        /// Its topic.
        topic: String,
        /// Who makes it.
        creator: Who,
        /// Who is in it from the beginning to the end, its creator too.
        fixed: Vec<Who>,
        /// Who may be removed and added again.
        guests: Vec<Who>,
    },
    /// Sends a message. Contents are never used twice.
    Send {
        /// To this thread.
        thread: String,
        /// By whom.
        author: Who,
        /// Its text.
        content: String,
    },
    /// Changes a message.
    Edit {
        /// Its thread.
        thread: String,
        /// Its id.
        id: u64,
        /// The new text.
        content: String,
    },
    /// Deletes a message.
    Delete {
        /// Its thread.
        thread: String,
        /// Its id.
        id: u64,
    },
    /// Removes a guest.
    Remove {
        /// From this thread.
        thread: String,
        /// Who goes.
        who: Who,
    },
    /// Adds a guest again.
    Add {
        /// To this thread.
        thread: String,
        /// Who comes.
        who: Who,
    },
    /// Changes a thread's topic.
    Retitle {
        /// The thread.
        thread: String,
        /// The new topic.
        topic: String,
    },
    /// Deletes a thread.
    Drop {
        /// The thread.
        thread: String,
    },
}

impl Op {
    /// The thread it changes; none for one that is yet to be made.
    pub(crate) fn thread(&self) -> Option<&str> {
        match self {
            Self::Create { .. } => None,
            Self::Send { thread, .. }
            | Self::Edit { thread, .. }
            | Self::Delete { thread, .. }
            | Self::Remove { thread, .. }
            | Self::Add { thread, .. }
            | Self::Retitle { thread, .. }
            | Self::Drop { thread } => Some(thread),
        }
    }
}

/// What the server named when it acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// Nothing new.
    Nothing,
    /// A thread.
    Thread(String),
    /// A message.
    Message(u64),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// Who sent it.
    pub(crate) author: Who,
    /// What it says.
    pub(crate) content: String,
    /// Whether it was changed.
    pub(crate) edited: bool,
    /// Whether it was deleted.
    pub(crate) deleted: bool,
}

/// A guest of a thread: whether they are in it, and how often they came and went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// In it now.
    pub(crate) present: bool,
    /// How often added, at its making included.
    pub(crate) added: u32,
    /// How often removed.
    pub(crate) removed: u32,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    /// Who made it.
    pub(crate) creator: Who,
    /// Who is always in it.
    pub(crate) fixed: BTreeSet<Who>,
    /// Who comes and goes.
    pub(crate) guests: BTreeMap<Who, Guest>,
    /// Its topic.
    pub(crate) topic: String,
    /// How often the topic was set, at its making included.
    pub(crate) topics: u32,
    /// Its messages by id.
    pub(crate) texts: BTreeMap<u64, Text>,
}

impl Thread {
    /// After `op`, which is about this thread and is not its making or deletion. What does not apply changes nothing.
    pub(crate) fn apply(&mut self, op: &Op, made: &Made) {
        match (op, made) {
            (Op::Send { author, content, .. }, Made::Message(id)) => {
                let text = Text { author: *author, content: content.clone(), edited: false, deleted: false };
                self.texts.insert(*id, text);
            }
            (Op::Edit { id, content, .. }, _) => {
                if let Some(text) = self.texts.get_mut(id) {
                    text.content.clone_from(content);
                    text.edited = true;
                }
            }
            (Op::Delete { id, .. }, _) => {
                if let Some(text) = self.texts.get_mut(id) {
                    text.deleted = true;
                }
            }
            (Op::Remove { who, .. }, _) => {
                if let Some(guest) = self.guests.get_mut(who) {
                    guest.present = false;
                    guest.removed += 1;
                }
            }
            (Op::Add { who, .. }, _) => {
                if let Some(guest) = self.guests.get_mut(who) {
                    guest.present = true;
                    guest.added += 1;
                }
            }
            (Op::Retitle { topic, .. }, _) => {
                self.topic.clone_from(topic);
                self.topics += 1;
            }
            _ => {}
        }
    }

    /// The messages that `who` may still change.
    pub(crate) fn own_messages(&self, who: Who) -> Vec<u64> {
        self.texts.iter().filter(|(_, t)| t.author == who && !t.deleted).map(|(id, _)| *id).collect()
    }
}

/// All that was promised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// The threads by id.
    pub(crate) threads: BTreeMap<String, Thread>,
    /// The ids of deleted threads, in the order of their deletion.
    pub(crate) dropped: Vec<String>,
}

impl Model {
    /// After `op`, which the server acknowledged with `made`.
    pub(crate) fn apply(&mut self, op: &Op, made: &Made) {
        match (op, made) {
            (Op::Create { topic, creator, fixed, guests }, Made::Thread(id)) => {
                let guest = Guest { present: true, added: 1, removed: 0 };
                let thread = Thread {
                    creator: *creator,
                    fixed: fixed.iter().copied().collect(),
                    guests: guests.iter().map(|who| (*who, guest)).collect(),
                    topic: topic.clone(),
                    topics: 1,
                    texts: BTreeMap::new(),
                };
                self.threads.insert(id.clone(), thread);
            }
            (Op::Drop { thread }, _) => {
                if self.threads.remove(thread).is_some() {
                    self.dropped.push(thread.clone());
                }
            }
            _ => {
                if let Some(thread) = op.thread().and_then(|id| self.threads.get_mut(id)) {
                    thread.apply(op, made);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Model {
        let mut model = Model::default();
        let create = Op::Create { topic: "t".into(), creator: 0, fixed: vec![0, 1], guests: vec![2] };
        model.apply(&create, &Made::Thread("a".into()));
        model
    }

    fn send(content: &str) -> Op {
        Op::Send { thread: "a".into(), author: 1, content: content.into() }
    }

    #[test]
    fn a_thread_begins_with_everybody() {
        let model = made();
        let thread = &model.threads["a"];
        assert_eq!((thread.topic.as_str(), thread.topics, thread.creator), ("t", 1, 0));
        assert_eq!(thread.fixed, BTreeSet::from([0, 1]));
        assert_eq!(thread.guests[&2], Guest { present: true, added: 1, removed: 0 });
    }

    #[test]
    fn a_message_is_sent_changed_and_deleted() {
        let mut model = made();
        model.apply(&send("x"), &Made::Message(7));
        assert_eq!(model.threads["a"].own_messages(1), [7]);
        assert!(model.threads["a"].own_messages(0).is_empty(), "somebody else's");
        model.apply(&Op::Edit { thread: "a".into(), id: 7, content: "y".into() }, &Made::Nothing);
        let text = model.threads["a"].texts[&7].clone();
        assert_eq!((text.content.as_str(), text.edited, text.deleted), ("y", true, false));
        model.apply(&Op::Delete { thread: "a".into(), id: 7 }, &Made::Nothing);
        assert!(model.threads["a"].texts[&7].deleted);
        assert!(model.threads["a"].own_messages(1).is_empty());
    }

    #[test]
    fn guests_go_and_come() {
        let mut model = made();
        model.apply(&Op::Remove { thread: "a".into(), who: 2 }, &Made::Nothing);
        assert_eq!(model.threads["a"].guests[&2], Guest { present: false, added: 1, removed: 1 });
        model.apply(&Op::Add { thread: "a".into(), who: 2 }, &Made::Nothing);
        assert_eq!(model.threads["a"].guests[&2], Guest { present: true, added: 2, removed: 1 });
    }

    #[test]
    fn topics_and_deletion() {
        let mut model = made();
        model.apply(&Op::Retitle { thread: "a".into(), topic: "u".into() }, &Made::Nothing);
        assert_eq!((model.threads["a"].topic.as_str(), model.threads["a"].topics), ("u", 2));
        model.apply(&Op::Drop { thread: "a".into() }, &Made::Nothing);
        assert!(model.threads.is_empty());
        assert_eq!(model.dropped, ["a"]);
        let before = model.clone();
        model.apply(&send("late"), &Made::Message(9));
        model.apply(&Op::Drop { thread: "a".into() }, &Made::Nothing);
        assert_eq!(model, before, "what is gone is gone");
    }
}
