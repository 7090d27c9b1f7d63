//! What the chat and the identities say of what was committed: to those who listen here, and to the other nodes.

use base::{MessageId, ResourceId, Timestamp, UserId};
use store::{Cell, StoreError};

use super::mailbox::{End, Letter};
use super::nodes::Nodes;
use super::notice::{MAX_USERS, Notice};
use super::watch::{Follower, Key, Live};
use super::{Joined, Passing};
use crate::service::chat::follow::{Entry, Happening, Position};
use crate::service::chat::view::{ParticipantView, ReceiptView};

/// What is told in passing waits its turn; more than this of one thread is forgotten.
pub const MAX_PASSING: usize = 64;

impl Live {
    /// Tells the other nodes of the cell soon.
    fn post(&self, cell: &Cell, resource: ResourceId, notice: impl FnOnce() -> Notice) {
        if let Some(nodes) = self.nodes_of(cell)
            && nodes.others_listen()
        {
            nodes.post(resource, notice());
        }
    }

    /// Returns once the other nodes of the cell have acted on it, or deliver nothing any more.
    async fn ask(&self, cell: &Cell, resource: ResourceId, notice: Notice) -> Result<(), StoreError> {
        match self.nodes_of(cell) {
            Some(nodes) => nodes.ask(resource, notice).await,
            None => Ok(()),
        }
    }

    /// A thread changed, and the change is durable.
    pub fn changed(&self, cell: &Cell, key: Key) {
        self.has_changed(key);
        self.post(cell, key.0, || Notice::Changed(key.1));
    }

    fn has_changed(&self, key: Key) {
        if self.listening() > 0 {
            self.look_at(key);
        }
    }

    /// Something of a thread is to be told in passing.
    pub fn pass(&self, cell: &Cell, key: Key, what: Passing) {
        self.post(cell, key.0, || match &what {
            Passing::Typing(user, _, at) => Notice::Typing(key.1, *user, *at),
            Passing::Read(receipt) => Notice::Read(key.1, receipt.reader, receipt.message, receipt.read_on),
            Passing::Updated(user, at) => Notice::Updated(key.1, *user, *at),
        });
        self.passes(key, what);
    }

    fn passes(&self, key: Key, what: Passing) {
        if self.listening() == 0 {
            return;
        }
        if let Some(watch) = self.watch(key) {
            let mut state = watch.state();
            if state.passing.len() < MAX_PASSING {
                state.passing.push(what);
            }
            drop(state);
            self.look_at(key);
        }
    }

    /// Some came into a thread: whoever of them listens hears of it, beginning with the message they came with.
    pub fn joined(&self, cell: &Cell, key: Key, joined: &Joined) {
        for users in joined.users.chunks(MAX_USERS) {
            self.post(cell, key.0, || Notice::Joined(key.1, joined.with, users.to_vec()));
        }
        self.have_joined(cell, key, joined.with, &joined.users);
    }

    fn have_joined(&self, cell: &Cell, key: Key, with: MessageId, users: &[UserId]) {
        if self.listening() == 0 {
            return;
        }
        let before = Position {
            message: MessageId(with.0.saturating_sub(1)),
            change: (Timestamp::from_millis(with.0), MessageId(0)),
        };
        for user in users {
            for listener in self.connections((key.0, *user)) {
                self.follow(cell, key, &listener, with, Some(before));
            }
        }
        self.look_at(key);
    }

    /// Somebody was removed from a thread by message `with`. Once this returns that one hears no more of it than that, at
    /// no node.
    ///
    /// # Errors
    /// When it is not known whether all nodes have acted on it.
    pub async fn left(&self, cell: &Cell, key: Key, user: UserId, with: MessageId) -> Result<(), StoreError> {
        self.has_left(key, user, with);
        self.ask(cell, key.0, Notice::Left(key.1, user, with)).await
    }

    fn has_left(&self, key: Key, user: UserId, with: MessageId) {
        // Who was added again meanwhile stays. The removal itself is told of when the log is looked at.
        self.let_go(key, with, |one| one.listener.user() == user && one.since < with);
        self.has_changed(key);
    }

    /// A thread was deleted. Once this returns whoever listened hears no more of it than that, at no node.
    ///
    /// # Errors
    /// When it is not known whether all nodes have acted on it.
    pub async fn ended(
        &self,
        cell: &Cell,
        key: Key,
        by: ParticipantView,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let user = by.user;
        self.has_ended(key, by, at);
        self.ask(cell, key.0, Notice::Ended(key.1, user, at)).await
    }

    fn has_ended(&self, key: Key, by: ParticipantView, at: Timestamp) {
        let Some(watch) = self.watch(key) else { return };
        let letter = Letter::of(key.1, Entry::new(MessageId(at.as_millis()), Happening::Ended(Some(by), at)));
        let mut state = watch.state();
        for Follower { listener, .. } in state.take(|_| true) {
            listener.take_back(key.1);
            listener.put(letter.clone());
            listener.follows().remove(&key);
        }
        drop(state);
        self.forget(key);
    }

    /// A user's tokens were revoked, or the user is deleted. Once this returns that user hears nothing more with them, at no
    /// node.
    ///
    /// # Errors
    /// When it is not known whether all nodes have acted on it.
    pub async fn revoked(&self, cell: &Cell, resource: ResourceId, user: UserId) -> Result<(), StoreError> {
        self.is_revoked(resource, user);
        self.ask(cell, resource, Notice::Revoked(user)).await
    }

    fn is_revoked(&self, resource: ResourceId, user: UserId) {
        self.connections((resource, user)).iter().for_each(|listener| listener.end(End::Revoked));
    }

    /// Tokens of a resource that were issued up to then are refused: who listens with one hears nothing more.
    pub fn disown(&self, resource: ResourceId, issued_until: Timestamp) {
        if issued_until > Timestamp::EPOCH && self.listening() > 0 {
            let concerned = self.listeners_of(resource);
            let concerned = concerned.iter().filter(|one| one.claims.issued_at <= issued_until);
            concerned.for_each(|listener| listener.end(End::Revoked));
        }
    }

    /// Whether somebody listens to a thread at this node, or may at another.
    #[must_use]
    pub fn is_followed(&self, cell: &Cell, key: Key) -> bool {
        (self.listening() > 0 && self.watch(key).is_some())
            || self.nodes_of(cell).is_some_and(|nodes| nodes.others_listen())
    }

    /// Acts on what another node says.
    pub(super) fn heard(&self, nodes: &Nodes, resource: ResourceId, notice: Notice) {
        let nameless = |user| ParticipantView {
            user,
            display_name: None,
            share_history_from: None,
            metadata: Vec::new(),
        };
        match notice {
            Notice::Changed(thread) => self.has_changed((resource, thread)),
            Notice::Joined(thread, with, users) => {
                self.have_joined(&nodes.cell, (resource, thread), with, &users);
            }
            Notice::Typing(thread, user, at) => {
                self.passes((resource, thread), Passing::Typing(user, None, at));
            }
            Notice::Read(thread, reader, message, read_on) => {
                let receipt = ReceiptView { reader, message, read_on };
                self.passes((resource, thread), Passing::Read(receipt));
            }
            Notice::Updated(thread, user, at) => {
                self.passes((resource, thread), Passing::Updated(user, at));
            }
            Notice::Left(thread, user, with) => self.has_left((resource, thread), user, with),
            Notice::Ended(thread, user, at) => self.has_ended((resource, thread), nameless(user), at),
            Notice::Revoked(user) => self.is_revoked(resource, user),
        }
    }
}
