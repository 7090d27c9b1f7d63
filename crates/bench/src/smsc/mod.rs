//! An SMS centre that takes texts as fast as they come, in a thread of its own: answers each submission, brings its receipt,
//! and counts what it got. It can be told to throttle and to hang up, as centres do.

mod session;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusmpp::pdus::DeliverSm;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::error::{Error, Result};

/// What the centre does beside taking texts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// Receipts are brought for texts that want one.
    pub(crate) receipts: bool,
    /// Every so many submissions one is answered with ESME_RTHROTTLED; 0 for never.
    pub(crate) throttle_every: u64,
    /// After every so many submissions the connection is dropped without answering the last; 0 for never.
    pub(crate) drop_every: u64,
    /// What each text said is remembered, and how often it came; so are receipts, until they are acknowledged: they are
    /// brought again to the next who binds.
    pub(crate) remember: bool,
}

/// What a centre counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Submissions that were taken.
    pub(crate) taken: u64,
    /// Submissions that were told to come more slowly.
    pub(crate) throttled: u64,
    /// Connections that were dropped on purpose.
    pub(crate) dropped: u64,
    /// Receipts that were brought.
    pub(crate) brought: u64,
    /// Receipts that were acknowledged.
    pub(crate) acknowledged: u64,
}

#[derive(Debug, Default)]
struct Shared {
    behaviour: Behaviour,
    submissions: AtomicU64,
    taken: AtomicU64,
    throttled: AtomicU64,
    dropped: AtomicU64,
    brought: AtomicU64,
    acknowledged: AtomicU64,
    texts: Mutex<HashMap<Vec<u8>, u32>>,
    owed: Mutex<HashMap<String, DeliverSm>>,
}

/// A centre that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Centre {
    port: u16,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Centre {
    /// Listens at a free port of 127.0.0.1. Any system id and password will do.
    pub(crate) fn start(behaviour: Behaviour) -> Result<Self> {
        let failed = |e| Error::io("start an SMS centre", e);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let shared = Arc::new(Shared { behaviour, ..Shared::default() });
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let serves = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("smsc".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, serves) => {}
                    _ = ended => {}
                }
            });
        });
        Ok(Self { port, shared, end: Some(end), thread: Some(thread.map_err(failed)?) })
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// What it counted so far.
    pub(crate) fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            taken: of(&self.shared.taken),
            throttled: of(&self.shared.throttled),
            dropped: of(&self.shared.dropped),
            brought: of(&self.shared.brought),
            acknowledged: of(&self.shared.acknowledged),
        }
    }

    /// How many different texts were taken; 0 unless remembered.
    pub(crate) fn different_texts(&self) -> usize {
        self.shared.texts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What the texts said (the octets of their first segments) and how often each was taken; empty unless remembered.
    pub(crate) fn texts(&self) -> HashMap<Vec<u8>, u32> {
        self.shared.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let mut open = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        open.spawn(async move {
            // A client that is killed in the middle is a part of the runs.
            let _ = session::run(stream, &shared).await;
        });
        while open.try_join_next().is_some() {}
    }
}

/// What is written when a centre of its own serves.
#[derive(Serialize)]
struct Ready {
    port: u16,
}

/// What it says at its end.
#[derive(Serialize)]
struct Report {
    counts: Counts,
    texts: usize,
    most: u32,
}

/// A centre in a process of its own, until standard input ends; then its counts go to standard output.
pub(crate) fn main(ready_file: &Path, behaviour: Behaviour) -> Result<()> {
    let centre = Centre::start(behaviour)?;
    let json = |e| Error::io("write the ready file", std::io::Error::other(e));
    let ready = serde_json::to_vec(&Ready { port: centre.port() }).map_err(json)?;
    let whole = ready_file.with_extension("new");
    let written = std::fs::write(&whole, ready).and_then(|()| std::fs::rename(&whole, ready_file));
    written.map_err(|e| Error::io("write the ready file", e))?;
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let texts = centre.texts();
    let most = texts.values().copied().max().unwrap_or(0);
    let report = Report { counts: centre.counts(), texts: texts.len(), most };
    crate::report::print_json(&report)
}

#[cfg(test)]
mod tests;
