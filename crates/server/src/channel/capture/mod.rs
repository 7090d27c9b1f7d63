//! The development outbox's way out: nothing leaves. What would have left is handed to who keeps it, rules say what
//! becomes of it, and word of it comes back as from a real peer.

mod verdict;
mod words;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{BoundedCache, ResourceId};
use guard::BoxFuture;
use wire::outbox::{Action, Rule};

use super::{MailChannel, MailOutcome, MailParcel, TextChannel, TextOutcome, TextParcel, TextReceipt};
pub use words::{Bounces, Inboxes, Word, Words};

/// The name under which texts are captured, where a carrier's would stand.
pub const CARRIER: &str = "outbox";

/// How many things that were put off are remembered; one forgotten is put off again.
const REMEMBERED: usize = 10_000;
/// When the word of a text comes that no rule is for: soon, but behind the answer.
const SOON: Duration = Duration::from_millis(100);

/// What was decided of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the courier is told.
    pub outcome: Fate,
    /// The rule's action, when one decided it.
    pub rule: Option<Action>,
}

/// What became of one recipient, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Taken.
    Accepted,
    /// Refused for good.
    Refused,
    /// Put off.
    Later,
}

/// Keeps what is captured, and knows the rules.
pub trait Outbox: Send + Sync + 'static {
    /// The rules of `resource`, the first that fits holding. None when they cannot be had.
    fn rules(&self, resource: ResourceId) -> BoxFuture<'_, Option<Arc<[Rule]>>>;

    /// Keeps a mail; one verdict for each of its recipients. `false`: it could not be kept.
    fn mail<'a>(&'a self, parcel: &'a MailParcel, verdicts: &'a [Verdict]) -> BoxFuture<'a, bool>;

    /// Keeps a text. `false`: it could not be kept.
    fn text<'a>(&'a self, parcel: &'a TextParcel, verdict: &'a Verdict) -> BoxFuture<'a, bool>;
}

/// Captures mail and texts.
pub struct Capture {
    outbox: Arc<dyn Outbox>,
    words: tokio::sync::mpsc::Sender<Word>,
    /// How often what a rule puts off was put off already.
    put_off: Mutex<BoundedCache<([u8; 16], String), u16>>,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").finish_non_exhaustive()
    }
}

impl Capture {
    /// A channel into `outbox`, and what brings the word of it back: run that too.
    #[must_use]
    pub fn new(outbox: Arc<dyn Outbox>) -> (Self, Words) {
        let (sender, words) = Words::new();
        (Self { outbox, words: sender, put_off: Mutex::new(BoundedCache::new(REMEMBERED)) }, words)
    }

    /// Whether `rule` puts `id` to `address` off this time.
    fn puts_off(&self, rule: &Rule, id: [u8; 16], address: &str) -> bool {
        if rule.action != Action::Throttle {
            return false;
        }
        let mut put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id, address.to_owned());
        let count = put_off.get_mut(&key).map_or(0, |count| *count);
        if count >= rule.times {
            put_off.remove(&key);
            return false;
        }
        put_off.insert(key, count + 1);
        true
    }

    /// Brings word later. What does not fit the queue is lost, as words of carriers are.
    fn tell(&self, word: Word) {
        if self.words.try_send(word).is_err() {
            tracing::warn!("too many receipts wait in the development outbox; one is lost");
        }
    }

    async fn mail(&self, parcel: &MailParcel) -> Vec<MailOutcome> {
        let Some(rules) = self.outbox.rules(parcel.resource).await else {
            return vec![not_kept(); parcel.recipients.len()];
        };
        let mut slow = 0;
        let (mut outcomes, mut verdicts) = (Vec::new(), Vec::new());
        for recipient in &parcel.recipients {
            let address = recipient.expose();
            let rule = Rule::find(&*rules, address);
            let put_off = rule.is_some_and(|rule| self.puts_off(rule, parcel.id, address));
            let (outcome, fate) = verdict::mail(rule, put_off);
            slow = slow.max(rule.filter(|rule| rule.action == Action::Slow).map_or(0, |rule| rule.seconds));
            outcomes.push(outcome);
            verdicts.push(Verdict { outcome: fate, rule: rule.map(|rule| rule.action) });
        }
        tokio::time::sleep(Duration::from_secs(slow.into())).await;
        if !self.outbox.mail(parcel, &verdicts).await {
            return vec![not_kept(); parcel.recipients.len()];
        }
        for (recipient, verdict) in parcel.recipients.iter().zip(&verdicts) {
            if verdict.rule == Some(Action::FailReceipt) {
                let (resource, id) = (parcel.resource, parcel.id);
                let (recipient, return_path) = (recipient.clone(), parcel.return_path.clone());
                self.tell(Word::bounce(resource, id, recipient, return_path, SOON));
            }
        }
        outcomes
    }

    async fn text(&self, parcel: &TextParcel) -> TextOutcome {
        let unkept = || TextOutcome::Later {
            reason: "the development outbox cannot keep it now".to_owned(),
            after: None,
        };
        let Some(rules) = self.outbox.rules(parcel.resource).await else { return unkept() };
        let address = parcel.to.expose();
        let rule = Rule::find(&*rules, address);
        let put_off = rule.is_some_and(|rule| self.puts_off(rule, parcel.id, address));
        let (outcome, fate) = verdict::text(rule, put_off, parcel);
        let verdict = Verdict { outcome: fate, rule: rule.map(|rule| rule.action) };
        if !self.outbox.text(parcel, &verdict).await {
            return unkept();
        }
        if let (TextOutcome::Accepted { message_ids, .. }, true) = (&outcome, parcel.receipt)
            && let Some((state, error)) = verdict::receipt(rule)
        {
            let wait = match rule {
                Some(rule) if rule.action == Action::Slow => Duration::from_secs(rule.seconds.into()),
                _ => SOON,
            };
            for message_id in message_ids {
                let receipt = TextReceipt {
                    carrier: CARRIER.to_owned(),
                    message_id: message_id.clone(),
                    state,
                    error: error.map(str::to_owned),
                };
                self.tell(Word::receipt(parcel.resource, receipt, wait));
            }
        }
        outcome
    }
}

fn not_kept() -> MailOutcome {
    MailOutcome::Later { reply: None, reason: "the development outbox cannot keep it now".to_owned() }
}

impl MailChannel for Capture {
    fn deliver<'a>(&'a self, parcel: &'a MailParcel) -> BoxFuture<'a, Vec<MailOutcome>> {
        Box::pin(self.mail(parcel))
    }
}

impl TextChannel for Capture {
    fn submit<'a>(&'a self, parcel: &'a TextParcel) -> BoxFuture<'a, TextOutcome> {
        Box::pin(self.text(parcel))
    }
}

#[cfg(test)]
mod tests;
