//! What the server shows after its restart, in the terms of the model.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Who;

/// Everything that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Each user's list of threads, by user.
    pub(crate) lists: BTreeMap<Who, BTreeMap<String, Listed>>,
    /// Each thread that was asked for; `None` when the server has none of that id.
    pub(crate) threads: BTreeMap<String, Option<SeenThread>>,
}

/// A thread in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its topic.
    pub(crate) topic: String,
    /// Whether it is shown as deleted.
    pub(crate) deleted: bool,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenThread {
    /// Its topic.
    pub(crate) topic: String,
    /// Who is in it.
    pub(crate) participants: BTreeSet<Who>,
    /// How many are in it whom nobody invited.
    pub(crate) strangers: usize,
    /// All its messages, as listed: newest first.
    pub(crate) messages: Vec<SeenMessage>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenMessage {
    /// Its id.
    pub(crate) id: u64,
    /// Its place in the thread, from 1.
    pub(crate) sequence: u64,
    /// What it is.
    pub(crate) body: SeenBody,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeenBody {
    /// A user's.
    Text {
        /// Who sent it, if that is somebody of the cast.
        author: Option<Who>,
        /// Its text; none once deleted.
        content: Option<String>,
        /// Whether it is shown as edited.
        edited: bool,
        /// Whether it is shown as deleted.
        deleted: bool,
    },
    /// The topic was set.
    Topic(String),
    /// These were added.
    Added(Vec<Who>),
    /// These were removed.
    Removed(Vec<Who>),
    /// Of a type that nothing here causes.
    Other(String),
}

impl SeenThread {
    /// The topics that were set, newest first.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().filter_map(|m| match &m.body {
            SeenBody::Topic(topic) => Some(topic.as_str()),
            _ => None,
        })
    }

    /// How often `who` was added.
    pub(crate) fn added(&self, who: Who) -> u32 {
        count(&self.messages, |body| matches!(body, SeenBody::Added(all) if all.contains(&who)))
    }

    /// How often `who` was removed.
    pub(crate) fn removed(&self, who: Who) -> u32 {
        count(&self.messages, |body| matches!(body, SeenBody::Removed(all) if all.contains(&who)))
    }
}

fn count(messages: &[SeenMessage], is: impl Fn(&SeenBody) -> bool) -> u32 {
    u32::try_from(messages.iter().filter(|m| is(&m.body)).count()).unwrap_or(u32::MAX)
}
