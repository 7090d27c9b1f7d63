//! Accepting texts: all recipients of a request in one commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::Personal;
use store::{Draft, Opened, StoreError};

use super::book::Accepted;
use super::report::{self, OPTED_OUT, uuid};
use super::rows::{
    Done, Due, DueRow, End, Head, OptOutKey, OptOuts, Progress, TextId, TextRow, Texts, text_scope,
};
use super::{DEFAULT_WAIT, Origin, SmsError, TextDesk, segments};
use crate::service::delivery::{DeliveryRow, Kind as DeliveryKind, Queued};

/// One request.
#[derive(Clone, Debug)]
pub struct NewTexts {
    /// Who sends.
    pub from: Origin,
    /// What it says.
    pub text: Personal<String>,
    /// To whom.
    pub recipients: Vec<NewText>,
    /// Whether delivery reports are wanted.
    pub report: bool,
    /// What comes back in them.
    pub tag: Option<Personal<String>>,
    /// How long to wait for them.
    pub wait: Option<Duration>,
}

/// One recipient.
#[derive(Clone, Debug)]
pub struct NewText {
    /// An international number with `+`.
    pub to: Personal<String>,
    /// The id under which the same may be asked again.
    pub repeat: Option<String>,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It will be sent, or is known to be unwanted; or it was asked for before.
    Accepted {
        /// `Outgoing_<date><uuid>`.
        message_id: String,
    },
    /// The repeatability id was used for another text.
    RepeatDiffers,
}

/// A recipient by its ids.
struct Named {
    id: TextId,
    /// The key of its wish not to hear from the sender, where senders of this kind have such.
    opt_out: Option<OptOutKey>,
    /// An earlier recipient of the request with the same id.
    same_as: Option<usize>,
}

/// What is to be done about a recipient, as far as is known. At first all are taken to be new and willing: the commit
/// says so when one is not, and only then is anything read.
#[derive(Clone)]
enum Fate {
    /// A new text; with the version of a row that is to be remembered no longer.
    New(Option<u64>),
    /// A new text to somebody who does not want it.
    Unwanted(Option<u64>),
    /// It was asked for before.
    Before(Outcome),
}

/// What a commit leaves to do once it is durable.
#[derive(Default)]
struct After {
    queued: Vec<Queued>,
    accepted: Vec<(TextId, Accepted)>,
}

impl TextDesk<'_> {
    /// Accepts texts; one outcome for each recipient, in order.
    ///
    /// # Errors
    /// [`SmsError::SenderNotOwned`] when it does not any more; [`SmsError::Busy`]; or when the store fails. Then nothing
    /// is sent.
    pub async fn send(&self, mut new: NewTexts) -> Result<Vec<Outcome>, SmsError> {
        let named = self.name(&new).await?;
        let mut fates = vec![Fate::New(None); named.len()];
        for _ in 0..self.with.limits.commit_attempts.max(1) {
            match self.accept(&new, &named, &fates).await {
                Err(StoreError::Conflict) => {
                    new.from = self.sender_now(new.from.text()).await?;
                    fates = self.look(&new, &named).await?;
                }
                Err(fault) => return Err(fault.into()),
                Ok(outcomes) => return Ok(outcomes),
            }
        }
        Err(SmsError::Busy)
    }

    async fn name(&self, new: &NewTexts) -> Result<Vec<Named>, StoreError> {
        let (cell, resource) = (self.cell(), self.id());
        let mut named: Vec<Named> = Vec::with_capacity(new.recipients.len());
        let mut seen = HashMap::new();
        for one in &new.recipients {
            let id = match &one.repeat {
                Some(repeat) => cell.blind_index(resource, "sms repeat", repeat.as_bytes()).await?,
                None => self.with.rng.id(),
            };
            let id = uuid(id);
            let opt_out = self.opt_out_key(&new.from, &one.to).await?;
            let same_as = seen.get(&id).copied();
            seen.entry(id).or_insert(named.len());
            named.push(Named { id, opt_out, same_as });
        }
        Ok(named)
    }

    /// Commits what `fates` say.
    async fn accept(
        &self,
        new: &NewTexts,
        named: &[Named],
        fates: &[Fate],
    ) -> Result<Vec<Outcome>, StoreError> {
        let now = self.now();
        let deadline = now.plus(new.wait.unwrap_or(DEFAULT_WAIT));
        let mut draft = self.draft().await?;
        new.from.expect(&mut draft);
        let (mut after, mut due) = (After::default(), Vec::new());
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(named.len());
        for ((one, named), fate) in new.recipients.iter().zip(named).zip(fates) {
            if let Some(first) = named.same_as {
                let same = new.recipients[first].to == one.to;
                let outcome = outcomes[first].clone();
                outcomes.push(if same { outcome } else { Outcome::RepeatDiffers });
                continue;
            }
            let (replaced, unwanted) = match fate {
                Fate::Before(outcome) => {
                    outcomes.push(outcome.clone());
                    continue;
                }
                Fate::New(replaced) => (*replaced, false),
                Fate::Unwanted(replaced) => (*replaced, true),
            };
            let head = Head {
                accepted: now,
                deadline,
                from: new.from.text().clone(),
                to: one.to.clone(),
                report: new.report,
                tag: new.tag.clone(),
            };
            match replaced {
                Some(version) => draft.expect_version::<Texts>(&named.id, version),
                None => draft.expect_absent::<Texts>(&named.id),
            }
            match named.opt_out {
                Some(key) if unwanted => draft.expect_exists::<OptOuts>(&key),
                Some(key) => draft.expect_absent::<OptOuts>(&key),
                None => {}
            }
            due.push(named.id);
            outcomes.push(Outcome::Accepted { message_id: report::outgoing(now, &named.id) });
            if unwanted {
                let failed = segments(&new.text);
                let done = Done { at: now, end: End::Failed(OPTED_OUT), succeeded: 0, failed };
                self.with.write_end(&mut draft, self.cell(), &named.id, &head, done)?;
            } else {
                self.write_new(&mut draft, named.id, head, &new.text, replaced, &mut after)?;
            }
        }
        if due.is_empty() {
            return Ok(outcomes);
        }
        draft.put_in_resource::<Due>(&(deadline, self.with.rng.id()), &DueRow::Sent(due), &[])?;
        draft.commit().await?;
        self.follow(after);
        Ok(outcomes)
    }

    /// Puts a text and its delivery into the commit.
    fn write_new(
        &self,
        draft: &mut Draft,
        id: TextId,
        head: Head,
        text: &Personal<String>,
        replaced: Option<u64>,
        after: &mut After,
    ) -> Result<(), StoreError> {
        let scope = draft.new_scope_key(text_scope(&id))?;
        let row =
            TextRow { head: head.clone(), progress: Progress::Waiting { text: text.clone(), delivered: 0 } };
        draft.put::<Texts>(&id, &row, &[], &scope)?;
        let delivery = DeliveryRow {
            kind: DeliveryKind::Text,
            id,
            part: 0,
            destination: destination(&head.to),
            attempts: 0,
            accepted: head.accepted,
            deadline: head.deadline,
            held: false,
        };
        let with = &self.with;
        after.queued.push(with.delivery.enqueue(draft, self.resource, delivery, with.clock, with.rng)?);
        let version = replaced.map_or(1, |version| version + 1);
        after.accepted.push((id, Accepted { head: Arc::new(head), text: text.clone(), version }));
        Ok(())
    }

    /// What follows a durable commit.
    fn follow(&self, after: After) {
        for (id, accepted) in after.accepted {
            self.with.state.book.accept(id, accepted);
        }
        after.queued.into_iter().for_each(Queued::committed);
        self.with.events.wake();
    }

    /// Puts a text of the server's own, an answer to a keyword, into a commit. Nobody is told what becomes of it.
    pub(super) fn answer(
        &self,
        draft: &mut Draft,
        from: &Personal<String>,
        to: &Personal<String>,
        text: &str,
    ) -> Result<Answer, StoreError> {
        let (now, id) = (self.now(), uuid(self.with.rng.id()));
        let deadline = now.plus(DEFAULT_WAIT);
        let head =
            Head { accepted: now, deadline, from: from.clone(), to: to.clone(), report: false, tag: None };
        let mut after = After::default();
        draft.expect_absent::<Texts>(&id);
        self.write_new(draft, id, head, &text.to_owned().into(), None, &mut after)?;
        draft.put_in_resource::<Due>(&(deadline, self.with.rng.id()), &DueRow::Sent(vec![id]), &[])?;
        Ok(Answer(after))
    }

    /// The commit of an answer is durable.
    pub(super) fn answered(&self, answer: Answer) {
        self.follow(answer.0);
    }

    /// Reads what is known of each recipient.
    async fn look(&self, new: &NewTexts, named: &[Named]) -> Result<Vec<Fate>, StoreError> {
        let mut reader = self.cell().read(self.id()).await?;
        let ids: Vec<TextId> = named.iter().map(|one| one.id).collect();
        let texts = reader.multi_get::<Texts>(&ids).await?;
        let keys: Vec<OptOutKey> = named.iter().filter_map(|one| one.opt_out).collect();
        let mut opt_outs = reader.multi_get::<OptOuts>(&keys).await?.into_iter();
        let now = self.now();
        let mut fates = Vec::with_capacity(named.len());
        for ((one, named), found) in new.recipients.iter().zip(named).zip(texts) {
            let unwanted = named.opt_out.and_then(|_| opt_outs.next()).flatten();
            let unwanted = matches!(unwanted, Some(Opened::Value(_)));
            let fate = |replaced| if unwanted { Fate::Unwanted(replaced) } else { Fate::New(replaced) };
            fates.push(match found {
                None => fate(None),
                Some(Opened::Shredded { .. }) => Fate::Before(Outcome::RepeatDiffers),
                Some(Opened::Value(found)) => {
                    let TextRow { head, progress } = &found.value;
                    let done = matches!(progress, Progress::Done(_));
                    if done && self.with.kept_until(head) <= now {
                        fate(Some(found.version))
                    } else if head.to == one.to && head.from == *new.from.text() {
                        let message_id = report::outgoing(head.accepted, &named.id);
                        Fate::Before(Outcome::Accepted { message_id })
                    } else {
                        Fate::Before(Outcome::RepeatDiffers)
                    }
                }
            });
        }
        Ok(fates)
    }

    /// The report on a text of this id; `None` when there is no such text (any more).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn report(&self, message_id: &str) -> Result<Option<wire::sms::DeliveryReport>, SmsError> {
        let Some(id) = report::parse(message_id) else { return Ok(None) };
        let mut reader = self.cell().read(self.id()).await?;
        let found = reader.try_get::<Texts>(&id).await?.and_then(Opened::value);
        let kept = |row: &TextRow| {
            let done = matches!(row.progress, Progress::Done(_));
            !done || self.with.kept_until(&row.head) > self.now()
        };
        let report = found.filter(|found| kept(&found.value)).map(|found| report::report(&id, &found.value));
        Ok(report.filter(|report| report.message_id == message_id))
    }
}

/// An answer in a commit that is not durable yet.
pub(super) struct Answer(After);

/// Where texts to this number go, for concurrency and rates: the world zone (ITU-T E.164, annex A), of which each
/// carrier has its own.
fn destination(to: &Personal<String>) -> Personal<String> {
    to.expose().chars().take(2).collect::<String>().into()
}
