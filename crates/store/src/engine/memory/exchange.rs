//! Nodes that share a memory engine hear each other within the process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::engine::exchange::{Attendance, Exchange, MAX_TEXT, NodeName};
use crate::engine::{BoxFuture, EngineError};

#[derive(Default)]
struct Hall {
    present: Vec<UnboundedSender<String>>,
    pledges: HashMap<NodeName, Instant>,
    is_deaf: bool,
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct MemoryExchange(Arc<Mutex<Hall>>);

impl MemoryExchange {
    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As a database that went away: nobody attends any more.
    pub(super) fn part(&self) {
        self.hall().present.clear();
    }

    /// As a network that swallows what is said: nobody hears, and nobody notices.
    pub(super) fn deafen(&self, is_deaf: bool) {
        self.hall().is_deaf = is_deaf;
    }
}

struct Present {
    name: NodeName,
    exchange: MemoryExchange,
    heard: UnboundedReceiver<String>,
}

impl Exchange for MemoryExchange {
    fn attend(&self, name: NodeName) -> BoxFuture<'_, Result<Box<dyn Attendance>, EngineError>> {
        let (sender, heard) = unbounded_channel();
        self.hall().present.push(sender);
        let present = Present { name, exchange: self.clone(), heard };
        Box::pin(std::future::ready(Ok(Box::new(present) as Box<dyn Attendance>)))
    }

    fn say(&self, texts: Vec<String>) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async move {
            if texts.iter().any(|text| text.len() > MAX_TEXT) {
                return Err(EngineError::Unavailable("the text is too long".to_owned()));
            }
            let mut hall = self.hall();
            if !hall.is_deaf {
                for text in texts {
                    hall.present.retain(|one| one.send(text.clone()).is_ok());
                }
            }
            Ok(())
        })
    }

    fn pledged(&self) -> BoxFuture<'_, Result<Vec<(NodeName, Duration)>, EngineError>> {
        let now = Instant::now();
        let hall = self.hall();
        let pledges = hall.pledges.iter().filter(|(_, until)| **until > now);
        let pledged = pledges.map(|(name, until)| (*name, *until - now)).collect();
        Box::pin(std::future::ready(Ok(pledged)))
    }
}

impl Attendance for Present {
    fn next(&mut self) -> BoxFuture<'_, Result<String, EngineError>> {
        Box::pin(async { self.heard.recv().await.ok_or(EngineError::Closed) })
    }

    fn pledge(&mut self, term: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        self.exchange.hall().pledges.insert(self.name, Instant::now() + term);
        Box::pin(std::future::ready(Ok(())))
    }

    fn retract(&mut self) -> BoxFuture<'_, Result<(), EngineError>> {
        let name = self.name;
        self.exchange.hall().pledges.retain(|other, _| !other.is_same_node(&name));
        Box::pin(std::future::ready(Ok(())))
    }
}
