//! Counting what is stored and comparing it with what was acknowledged: every message with 201 is there once, in its
//! thread, with its content, and there is no other.

use std::collections::HashMap;

use serde::Serialize;
use tokio::task::JoinSet;

use super::load::{Acknowledged, Thread, content};
use crate::error::{Error, Result};
use crate::net::api::{MessageItem, Session};
use crate::net::client::Endpoint;

/// Sessions that read at once.
const READERS: usize = 8;

/// A stored message: its id, and the text it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its id, as listed.
    pub(crate) id: String,
    /// Its content.
    pub(crate) text: Option<String>,
}

/// The outcome of the comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    /// Messages acknowledged.
    pub(crate) acknowledged: usize,
    /// Text messages stored.
    pub(crate) stored: usize,
    /// Acknowledged and not there.
    pub(crate) lost: usize,
    /// There with another content.
    pub(crate) altered: usize,
    /// There and never acknowledged, or there twice.
    pub(crate) surplus: usize,
}

impl Count {
    /// Whether what is stored is exactly what was acknowledged.
    pub(crate) const fn exact(&self) -> bool {
        self.lost == 0 && self.altered == 0 && self.surplus == 0 && self.stored == self.acknowledged
    }
}

/// Compares; `stored` lists the text messages of each thread by the thread's number.
pub(crate) fn compare(acknowledged: &[Acknowledged], stored: &[(u32, Vec<Stored>)], filler: &str) -> Count {
    let mut expected: HashMap<(u32, u64), u64> = HashMap::with_capacity(acknowledged.len());
    let mut count = Count { acknowledged: acknowledged.len(), ..Count::default() };
    for message in acknowledged {
        // An id given twice in one thread: one of the two messages cannot be told from the other.
        if expected.insert((message.thread, message.id), message.number).is_some() {
            count.lost += 1;
        }
    }
    for (thread, messages) in stored {
        for message in messages {
            count.stored += 1;
            let number = message.id.parse().ok().and_then(|id| expected.remove(&(*thread, id)));
            match number {
                None => count.surplus += 1,
                Some(number) if message.text.as_deref() == Some(&content(number, filler)) => {}
                Some(_) => count.altered += 1,
            }
        }
    }
    count.lost += expected.len();
    count
}

/// Lists the text messages of every thread, page by page.
pub(crate) async fn list(endpoint: &Endpoint, threads: &[Thread]) -> Result<Vec<(u32, Vec<Stored>)>> {
    let mut readers = JoinSet::new();
    for reader in 0..READERS.min(threads.len()) {
        let endpoint = endpoint.clone();
        let share: Vec<(usize, Thread)> =
            threads.iter().cloned().enumerate().skip(reader).step_by(READERS).collect();
        readers.spawn(async move {
            let (mut session, mut found) = (Session::open(&endpoint).await?, Vec::new());
            for (number, thread) in share {
                let items = session.messages(&thread.users[0], &thread.id).await?;
                found.push((u32::try_from(number).unwrap_or(u32::MAX), texts(items)));
            }
            Ok::<_, Error>(found)
        });
    }
    let mut all = Vec::with_capacity(threads.len());
    while let Some(found) = readers.join_next().await {
        all.extend(found.map_err(|e| Error::Server(e.to_string()))??);
    }
    Ok(all)
}

fn texts(items: Vec<MessageItem>) -> Vec<Stored> {
    let text = |item: MessageItem| Stored { id: item.id, text: item.content.and_then(|c| c.message) };
    items.into_iter().filter(|item| item.kind == "text").map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILLER: &str = "-rest";

    fn sent(thread: u32, id: u64, number: u64) -> Acknowledged {
        Acknowledged { thread, id, number }
    }

    fn kept(id: u64, number: u64) -> Stored {
        Stored { id: id.to_string(), text: Some(content(number, FILLER)) }
    }

    #[test]
    fn exactly_what_was_acknowledged() {
        let acknowledged = [sent(0, 10, 1), sent(0, 11, 2), sent(1, 10, 3)];
        let stored = [(0, vec![kept(11, 2), kept(10, 1)]), (1, vec![kept(10, 3)])];
        let count = compare(&acknowledged, &stored, FILLER);
        assert!(count.exact(), "{count:?}");
        assert_eq!((count.stored, count.acknowledged), (3, 3));
        assert!(compare(&[], &[], FILLER).exact());
    }

    #[test]
    fn a_lost_message_is_seen() {
        let count = compare(&[sent(0, 10, 1), sent(0, 11, 2)], &[(0, vec![kept(10, 1)])], FILLER);
        assert_eq!((count.lost, count.surplus, count.exact()), (1, 0, false));
    }

    #[test]
    fn a_message_in_another_thread_is_lost_and_surplus() {
        let count = compare(&[sent(0, 10, 1)], &[(1, vec![kept(10, 1)])], FILLER);
        assert_eq!((count.lost, count.surplus), (1, 1));
    }

    #[test]
    fn doubles_strangers_and_changes_are_seen() {
        let twice = compare(&[sent(0, 10, 1)], &[(0, vec![kept(10, 1), kept(10, 1)])], FILLER);
        assert_eq!((twice.surplus, twice.exact()), (1, false));
        let changed = compare(&[sent(0, 10, 1)], &[(0, vec![kept(10, 2)])], FILLER);
        assert_eq!((changed.altered, changed.lost, changed.exact()), (1, 0, false));
        let empty = Stored { id: "10".into(), text: None };
        assert_eq!(compare(&[sent(0, 10, 1)], &[(0, vec![empty])], FILLER).altered, 1);
        let odd = Stored { id: "x".into(), text: None };
        assert_eq!(compare(&[], &[(0, vec![odd])], FILLER).surplus, 1);
        let same_id = compare(&[sent(0, 10, 1), sent(0, 10, 2)], &[(0, vec![kept(10, 2)])], FILLER);
        assert_eq!((same_id.lost, same_id.exact()), (1, false), "one id for two messages");
    }
}
