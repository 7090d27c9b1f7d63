//! Whether the tokens of those who listen hold still, for what was ended by a node that could not say so.

use std::collections::HashMap;
use std::sync::Arc;

use base::{ResourceId, UserId};
use store::{Cell, StoreError};

use super::mailbox::{End, Listener};
use super::watch::{Live, PARTS};
use crate::service::chat::follow;

impl Live {
    /// Ends those of the listeners, all of `cell`, whose tokens hold no more, whoever ended them and did not say so.
    pub(super) async fn judge(&self, cell: &Cell, listeners: Vec<Arc<Listener>>) -> Result<(), StoreError> {
        let mut by_resource: HashMap<ResourceId, Vec<Arc<Listener>>> = HashMap::new();
        for listener in listeners {
            by_resource.entry(listener.resource).or_default().push(listener);
        }
        for (resource, listeners) in by_resource {
            let users: Vec<UserId> = listeners.iter().map(|listener| listener.user()).collect();
            let mut reader = cell.read(resource).await?;
            let epochs = follow::epochs(&mut reader, &users).await?;
            for (listener, epoch) in listeners.iter().zip(epochs) {
                if epoch != Some(listener.claims.epoch) {
                    listener.end(End::Revoked);
                }
            }
        }
        Ok(())
    }

    /// Judges one part of those who listen to a resource that other nodes share, another each `round`: one of them may have
    /// ended before it could say what it has ended.
    pub(super) async fn judge_some(
        &self,
        cell: &Cell,
        resource: ResourceId,
        round: u8,
    ) -> Result<(), StoreError> {
        let mut due = self.listeners_of(resource);
        due.retain(|one| one.user().as_bytes()[0] % PARTS == round % PARTS);
        self.judge(cell, due).await
    }
}
