//! Word that comes back of what was captured: receipts of texts, bounces of mail. It waits in memory alone: a server that
//! stops loses it, as carriers lose receipts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{Personal, ResourceId};
use guard::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::channel::{TextInbox, TextReceipt};

/// How much word may wait to be taken up.
const WAITING: usize = 4_096;
/// How much may be on its way at once.
const UNDER_WAY: usize = 20_000;
/// How often what could not be taken is brought again, and how long after.
const TRIES: u32 = 5;
const AGAIN: Duration = Duration::from_secs(1);

/// Who takes texts and their receipts, for each resource: that of its cell.
pub type Inboxes = HashMap<ResourceId, Arc<dyn TextInbox>>;

/// Takes the word that a mail which was accepted came back after all.
pub trait Bounces: Send + Sync + 'static {
    /// The mail `id` of `resource` came back from `recipient`. `false`: it could not be kept, and comes again.
    fn bounced<'a>(
        &'a self,
        resource: ResourceId,
        id: [u8; 16],
        recipient: &'a Personal<String>,
        return_path: &'a Personal<String>,
    ) -> BoxFuture<'a, bool>;
}

/// One word.
#[derive(Clone, Debug)]
pub struct Word {
    after: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Receipt { resource: ResourceId, receipt: TextReceipt },
    Bounce { resource: ResourceId, id: [u8; 16], recipient: Personal<String>, return_path: Personal<String> },
}

impl Word {
    /// A receipt that comes `after` so long.
    pub(super) const fn receipt(resource: ResourceId, receipt: TextReceipt, after: Duration) -> Self {
        Self { after, what: What::Receipt { resource, receipt } }
    }

    /// A bounce that comes `after` so long.
    pub(super) const fn bounce(
        resource: ResourceId,
        id: [u8; 16],
        recipient: Personal<String>,
        return_path: Personal<String>,
        after: Duration,
    ) -> Self {
        Self { after, what: What::Bounce { resource, id, recipient, return_path } }
    }
}

/// Brings word to who waits for it.
#[derive(Debug)]
pub struct Words(mpsc::Receiver<Word>);

impl Words {
    pub(super) fn new() -> (mpsc::Sender<Word>, Self) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (sender, Self(receiver))
    }

    /// Brings each word when it is due, until `stop` is done. What nobody takes is dropped.
    pub async fn run(
        mut self,
        texts: Arc<Inboxes>,
        bounces: Option<Arc<dyn Bounces>>,
        stop: impl Future<Output = ()> + Send,
    ) {
        let mut under_way = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                word = self.0.recv(), if under_way.len() < UNDER_WAY => match word {
                    Some(word) => {
                        let (texts, bounces) = (Arc::clone(&texts), bounces.clone());
                        under_way.spawn(bring(word, texts, bounces));
                    }
                    None if under_way.is_empty() => return,
                    None => while under_way.join_next().await.is_some() {},
                },
                Some(_) = under_way.join_next() => {}
            }
        }
    }
}

async fn bring(word: Word, texts: Arc<Inboxes>, bounces: Option<Arc<dyn Bounces>>) {
    tokio::time::sleep(word.after).await;
    for _ in 0..TRIES {
        let taken = match &word.what {
            What::Receipt { resource, receipt } => match texts.get(resource) {
                Some(inbox) => inbox.receipt(receipt.clone()).await,
                None => true,
            },
            What::Bounce { resource, id, recipient, return_path } => match &bounces {
                Some(bounces) => bounces.bounced(*resource, *id, recipient, return_path).await,
                None => true,
            },
        };
        if taken {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
    tracing::warn!("word of the development outbox could not be kept");
}
