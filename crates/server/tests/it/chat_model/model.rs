//! The chat as plain lists in memory: what every caller must see and may do, written as directly as possible and
//! sharing nothing with the product but its identifiers.

use std::collections::BTreeMap;

use base::{MessageId, ThreadId, UserId};

/// Why the model says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    Caller,
    Forbidden,
    ThreadDeleted,
    MessageUnknown,
    ParticipantUnknown,
    TooMany,
}

/// One message, whoever may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: u64,
    pub(crate) sequence: u32,
    pub(crate) author: Option<UserId>,
    pub(crate) says: Says,
    pub(crate) edited: Option<u64>,
    pub(crate) deleted: Option<u64>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Text(String),
    Topic(String, UserId),
    Added(Vec<(UserId, u64)>, UserId),
    Removed(UserId, UserId),
}

/// What one participant was called and may see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Participant {
    pub(crate) name: Option<String>,
    /// Every stretch ever given, never joined together.
    stretches: Vec<(u64, Option<u64>)>,
    topic_at_removal: Option<String>,
}

impl Participant {
    fn is_current(&self) -> bool {
        self.stretches.last().is_some_and(|(_, until)| until.is_none())
    }

    fn sees(&self, instant: u64) -> bool {
        self.stretches.iter().any(|(from, until)| *from <= instant && until.is_none_or(|end| instant < end))
    }
}

/// One thread.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) created: u64,
    pub(crate) topic: String,
    pub(crate) log: Vec<Message>,
    /// When something in it was last edited or deleted.
    changed: u64,
    pub(crate) participants: BTreeMap<UserId, Participant>,
    pub(crate) receipts: BTreeMap<UserId, u64>,
    pub(crate) deleted: bool,
    was_in: Vec<UserId>,
}

/// Everything.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) users: Vec<UserId>,
    pub(crate) threads: BTreeMap<ThreadId, Thread>,
    pub(crate) max_participants: usize,
    pub(crate) small: usize,
}

impl Thread {
    fn next_id(&self, now: u64) -> u64 {
        self.log.last().map_or(now, |last| now.max(last.id + 1))
    }

    fn end(&self, now: u64) -> u64 {
        self.log.last().map_or(now, |last| now.max(last.id))
    }

    fn write(&mut self, now: u64, author: Option<UserId>, says: Says) -> u64 {
        let id = self.next_id(now);
        let sequence = u32::try_from(self.log.len()).unwrap() + 1;
        self.log.push(Message { id, sequence, author, says, edited: None, deleted: None });
        id
    }
}

impl Model {
    fn caller(&self, user: UserId) -> Result<(), No> {
        if self.users.contains(&user) { Ok(()) } else { Err(No::Caller) }
    }

    fn standing(&self, user: UserId, thread: ThreadId) -> Result<(&Thread, &Participant), No> {
        self.caller(user)?;
        let found = self.threads.get(&thread).ok_or(No::Forbidden)?;
        if found.deleted {
            return Err(if found.was_in.contains(&user) { No::ThreadDeleted } else { No::Forbidden });
        }
        found.participants.get(&user).map(|p| (found, p)).ok_or(No::Forbidden)
    }

    fn member(&mut self, user: UserId, thread: ThreadId) -> Result<&mut Thread, No> {
        if !self.standing(user, thread)?.1.is_current() {
            return Err(No::Forbidden);
        }
        Ok(self.threads.get_mut(&thread).unwrap())
    }

    /// What `user` may see of a message: it, as it stands now, if both its writing and its last change lie in what was
    /// shared.
    fn visible(who: &Participant, message: &Message) -> bool {
        !Self::is_erased(message)
            && who.sees(message.id)
            && message.deleted.or(message.edited).is_none_or(|at| who.sees(at))
    }

    pub(crate) fn create(
        &mut self,
        user: UserId,
        thread: ThreadId,
        topic: &str,
        with: &[(UserId, Option<u64>)],
    ) -> Result<(), No> {
        let now = self.now;
        let mut everyone: Vec<(UserId, Option<u64>)> = vec![(user, None)];
        everyone.extend(with.iter().filter(|(other, _)| *other != user && self.users.contains(other)));
        if everyone.len() > self.max_participants {
            return Err(No::TooMany);
        }
        let listed =
            everyone.iter().map(|(user, share)| (*user, share.map_or(0, |at| at.min(now)))).collect();
        let mut made = Thread {
            created: now,
            topic: topic.to_owned(),
            log: Vec::new(),
            participants: BTreeMap::new(),
            receipts: BTreeMap::new(),
            deleted: false,
            changed: 0,
            was_in: Vec::new(),
        };
        for (member, _) in everyone {
            let participant = Participant { stretches: vec![(0, None)], ..Participant::default() };
            made.participants.insert(member, participant);
            made.was_in.push(member);
        }
        made.write(now, None, Says::Added(listed, user));
        made.write(now, None, Says::Topic(topic.to_owned(), user));
        self.threads.insert(thread, made);
        Ok(())
    }

    pub(crate) fn add(
        &mut self,
        user: UserId,
        thread: ThreadId,
        who: UserId,
        share: Option<u64>,
        name: Option<&str>,
    ) -> Result<bool, No> {
        let (now, most, known) = (self.now, self.max_participants, self.users.contains(&who));
        let found = self.member(user, thread)?;
        if !known {
            return Ok(false);
        }
        if found.participants.get(&who).is_some_and(Participant::is_current) {
            return Ok(true);
        }
        if found.participants.values().filter(|p| p.is_current()).count() + 1 > most {
            return Err(No::TooMany);
        }
        let id = found.next_id(now);
        let from = share.map_or(id, |at| if at <= found.created { 0 } else { at.min(id) });
        let participant = found.participants.entry(who).or_default();
        let begins = participant.stretches.iter().rev().fold(from, |begins, (earlier, until)| {
            if until.is_none_or(|end| end >= begins) { begins.min(*earlier) } else { begins }
        });
        participant.stretches.push((from, None));
        participant.topic_at_removal = None;
        if let Some(name) = name {
            participant.name = Some(name.to_owned());
        }
        if !found.was_in.contains(&who) {
            found.was_in.push(who);
        }
        found.write(now, None, Says::Added(vec![(who, begins)], user));
        Ok(true)
    }

    pub(crate) fn remove(&mut self, user: UserId, thread: ThreadId, who: UserId) -> Result<(), No> {
        let now = self.now;
        let found = self.member(user, thread)?;
        let id = found.next_id(now);
        let topic = found.topic.clone();
        let participant = found.participants.get_mut(&who).ok_or(No::ParticipantUnknown)?;
        if !participant.is_current() {
            return Ok(());
        }
        let last = participant.stretches.last_mut().unwrap();
        last.1 = Some(id.max(last.0));
        participant.topic_at_removal = Some(topic);
        found.write(now, None, Says::Removed(who, user));
        Ok(())
    }

    pub(crate) fn send(&mut self, user: UserId, thread: ThreadId, text: &str) -> Result<u64, No> {
        let now = self.now;
        Ok(self.member(user, thread)?.write(now, Some(user), Says::Text(text.to_owned())))
    }

    pub(crate) fn retitle(&mut self, user: UserId, thread: ThreadId, topic: &str) -> Result<(), No> {
        let now = self.now;
        let found = self.member(user, thread)?;
        topic.clone_into(&mut found.topic);
        found.write(now, None, Says::Topic(topic.to_owned(), user));
        Ok(())
    }

    /// The caller's own message, as an index into the log.
    fn own(&mut self, user: UserId, thread: ThreadId, id: u64) -> Result<(u64, &mut Message), No> {
        let now = self.now;
        let found = self.member(user, thread)?;
        let at = found.end(now).max(found.changed + 1);
        let who = found.participants.get(&user).unwrap().clone();
        let message = found.log.iter_mut().find(|m| m.id == id).ok_or(No::MessageUnknown)?;
        if !Self::visible(&who, message) {
            return Err(No::MessageUnknown);
        }
        if message.author != Some(user) {
            return Err(No::Forbidden);
        }
        Ok((at, message))
    }

    pub(crate) fn edit(&mut self, user: UserId, thread: ThreadId, id: u64, text: &str) -> Result<(), No> {
        let (at, message) = self.own(user, thread, id)?;
        if message.deleted.is_some() {
            return Err(No::MessageUnknown);
        }
        message.says = Says::Text(text.to_owned());
        message.edited = Some(at);
        self.note_change(thread, at);
        Ok(())
    }

    fn note_change(&mut self, thread: ThreadId, at: u64) {
        if let Some(thread) = self.threads.get_mut(&thread) {
            thread.changed = at;
        }
    }

    pub(crate) fn delete(&mut self, user: UserId, thread: ThreadId, id: u64) -> Result<(), No> {
        let (at, message) = self.own(user, thread, id)?;
        if message.deleted.is_none() {
            message.says = Says::Text(String::new());
            message.deleted = Some(at);
            self.note_change(thread, at);
        }
        Ok(())
    }

    pub(crate) fn get(&self, user: UserId, thread: ThreadId, id: u64) -> Result<Message, No> {
        let (found, who) = self.standing(user, thread)?;
        let message =
            found.log.iter().find(|m| m.id == id && Self::visible(who, m)).ok_or(No::MessageUnknown)?;
        Ok(message.clone())
    }

    /// All that `user` may see, newest first; with a start what was written since, then what was changed since.
    pub(crate) fn list(
        &self,
        user: UserId,
        thread: ThreadId,
        start: Option<u64>,
    ) -> Result<Vec<Message>, No> {
        let (found, who) = self.standing(user, thread)?;
        let seen = || found.log.iter().rev().filter(|m| Self::visible(who, m));
        let since = start.unwrap_or(0);
        let mut listed: Vec<Message> = seen().filter(|m| m.id >= since).cloned().collect();
        if start.is_some() {
            let changed = |m: &Message| m.deleted.or(m.edited);
            let mut older: Vec<Message> = seen()
                .filter(|m| m.id < since && changed(m).is_some_and(|at| at >= since))
                .cloned()
                .collect();
            older.sort_by_key(|m| std::cmp::Reverse((changed(m), m.id)));
            listed.extend(older);
        }
        Ok(listed)
    }

    pub(crate) fn read(&mut self, user: UserId, thread: ThreadId, id: u64) -> Result<(), No> {
        let small = self.small;
        self.member(user, thread)?;
        self.get(user, thread, id)?;
        let found = self.threads.get_mut(&thread).unwrap();
        if found.participants.values().filter(|p| p.is_current()).count() <= small {
            let latest = found.receipts.entry(user).or_insert(id);
            *latest = (*latest).max(id);
        }
        Ok(())
    }

    pub(crate) fn receipts(&mut self, user: UserId, thread: ThreadId) -> Result<Vec<(UserId, u64)>, No> {
        let found = self.member(user, thread)?;
        let who = &found.participants[&user];
        let present = |reader: &UserId| found.participants.get(reader).is_some_and(Participant::is_current);
        Ok(found
            .receipts
            .iter()
            .filter(|(r, id)| present(r) && who.sees(**id))
            .map(|(r, id)| (*r, *id))
            .collect())
    }

    pub(crate) fn participants(
        &mut self,
        user: UserId,
        thread: ThreadId,
    ) -> Result<Vec<(UserId, Option<String>)>, No> {
        let found = self.member(user, thread)?;
        let present = found.participants.iter().filter(|(_, p)| p.is_current());
        Ok(present.map(|(user, p)| (*user, p.name.clone())).collect())
    }

    pub(crate) fn topic(&mut self, user: UserId, thread: ThreadId) -> Result<String, No> {
        Ok(self.member(user, thread)?.topic.clone())
    }

    /// The threads of `user`, latest activity first, with topic and that activity.
    pub(crate) fn list_threads(&self, user: UserId) -> Result<Vec<(ThreadId, String, Option<u64>)>, No> {
        self.caller(user)?;
        let mut listed = Vec::new();
        for (id, thread) in self.threads.iter().filter(|(_, thread)| !thread.deleted) {
            let Some(who) = thread.participants.get(&user) else { continue };
            let topic = who.topic_at_removal.clone().unwrap_or_else(|| thread.topic.clone());
            let last = thread.log.iter().rev().find(|m| m.id <= self.now && who.sees(m.id)).map(|m| m.id);
            listed.push((*id, topic, last));
        }
        listed.sort_by_key(|(id, _, last)| std::cmp::Reverse((last.unwrap_or(0), *id)));
        Ok(listed)
    }

    pub(crate) fn delete_thread(&mut self, user: UserId, thread: ThreadId) -> Result<(), No> {
        self.member(user, thread)?.deleted = true;
        Ok(())
    }

    /// The identity goes, and with it all that person wrote and was called.
    pub(crate) fn forget(&mut self, user: UserId) {
        self.users.retain(|known| *known != user);
        for thread in self.threads.values_mut() {
            thread.participants.remove(&user);
            thread.receipts.remove(&user);
            for message in thread.log.iter_mut().filter(|m| m.author == Some(user)) {
                // Erased: nobody sees it, the numbering keeps it.
                message.author = Some(UserId::from_bytes([0xEE; 16]));
                message.deleted = Some(u64::MAX);
            }
        }
    }

    /// A message that was erased is seen by nobody.
    pub(crate) fn is_erased(message: &Message) -> bool {
        message.deleted == Some(u64::MAX)
    }

    /// Some message of the user's own.
    pub(crate) fn own_message(&self, user: UserId, thread: ThreadId, pick: u64) -> Option<MessageId> {
        let log = &self.threads.get(&thread)?.log;
        let own: Vec<u64> = log.iter().filter(|m| m.author == Some(user)).map(|m| m.id).collect();
        let at = usize::try_from(pick).unwrap_or(0) % own.len().max(1);
        own.get(at).copied().map(MessageId)
    }

    /// Some message id of a thread, or one that never was.
    pub(crate) fn some_message(&self, thread: ThreadId, pick: u64) -> MessageId {
        let Some(found) = self.threads.get(&thread).filter(|t| !t.log.is_empty()) else {
            return MessageId(1);
        };
        let at = usize::try_from(pick).unwrap_or(0) % (found.log.len() + 1);
        MessageId(found.log.get(at).map_or(12_345, |m| m.id))
    }
}
