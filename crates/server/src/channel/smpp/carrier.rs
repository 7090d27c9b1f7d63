//! One carrier: its connections, its pace, and what its answers mean for a text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, Rng};
use post::smpp::pdu::{Addressed, status};
use post::text::segment::{Reference, Segments, split};

use super::intake::Intake;
use super::link::Link;
use super::pace::Pace;
use super::session::{Answer, NoAnswer, Session};
use super::settings::CarrierSettings;
use crate::channel::{Dial, TextInbox, TextOutcome, TextParcel};

/// The longest a text waits here for its turn; past it, the one who sent it is told to come later.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often the rest of a text is sent again when the carrier took a part of it and said of the rest that it was too fast.
const RETRIES: usize = 3;

/// What became of a text here.
pub(super) enum Attempt {
    Done(TextOutcome),
    /// Nothing was sent: another carrier may take it.
    Elsewhere(&'static str),
}

/// What became of one segment.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Taken(String),
    Refused(u32),
    TooFast,
    /// It failed now; `unsent` when it certainly was not taken.
    Failed {
        why: &'static str,
        unsent: bool,
    },
}

pub(super) struct Carrier {
    pub(super) settings: CarrierSettings,
    links: Vec<Link>,
    intake: Arc<Intake>,
    pace: Mutex<Pace>,
    clock: Arc<dyn Clock>,
}

impl Carrier {
    pub(super) fn new(settings: CarrierSettings, inbox: Arc<dyn TextInbox>, clock: Arc<dyn Clock>) -> Self {
        let roles = settings.binding.roles();
        let links = (0..settings.bindings.max(1)).flat_map(|_| roles).map(|role| Link::new(*role)).collect();
        let intake = Arc::new(Intake::new(&settings.name, settings.ids, inbox, Arc::clone(&clock)));
        let pace = Mutex::new(Pace::new(settings.rate));
        Self { settings, links, intake, pace, clock }
    }

    /// Holds link number `at` until `stop` is done.
    pub(super) async fn run_link<S: Future<Output = ()>>(
        &self,
        at: usize,
        dial: &dyn Dial,
        rng: &dyn Rng,
        stop: impl Fn() -> S,
    ) {
        if let Some(link) = self.links.get(at) {
            link.run(&self.settings, &self.intake, dial, rng, stop).await;
        }
    }

    pub(super) const fn links(&self) -> usize {
        self.links.len()
    }

    /// How many connections are bound.
    pub(super) fn bound(&self) -> usize {
        self.links.iter().filter(|link| link.is_bound()).count()
    }

    /// See [`Intake::sweep`].
    pub(super) async fn sweep(&self) {
        self.intake.sweep().await;
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection with the most room.
    fn session(&self) -> Option<Arc<Session>> {
        self.links.iter().filter_map(Link::sending).max_by_key(|session| session.room())
    }

    /// Sends a text.
    pub(super) async fn submit(&self, parcel: &TextParcel) -> Attempt {
        let refused =
            |status| Attempt::Done(TextOutcome::Refused { carrier: self.settings.name.clone(), status });
        let addressed =
            Addressed::new(parcel.from.expose(), parcel.to.expose(), parcel.receipt, parcel.validity);
        let addressed = match addressed {
            Ok(addressed) => addressed,
            Err(status) => return refused(status),
        };
        let reference = reference(&parcel.id, self.settings.long_references);
        let Ok(cut) = split(parcel.text.expose(), &self.settings.languages, reference) else {
            return refused(status::TOO_LONG);
        };
        let Some(session) = self.session() else { return Attempt::Elsewhere("not connected") };
        if let Some(after) = self.wait(&cut).await {
            return Attempt::Done(later("the carrier asked for a slower pace", Some(after)));
        }
        self.send(&session, &addressed, &cut).await
    }

    /// Waits for the turn of a text; how long it would be when that is too long to wait here.
    async fn wait(&self, cut: &Segments) -> Option<Duration> {
        let now = self.clock.now();
        if let Some(pause) = self.pace().pause(now) {
            return Some(pause);
        }
        let turn = self.pace().reserve(u64::try_from(cut.segments.len()).unwrap_or(u64::MAX), now);
        if turn > LONGEST_WAIT {
            return Some(turn);
        }
        if !turn.is_zero() {
            tokio::time::sleep(turn).await;
        }
        None
    }

    async fn send(&self, session: &Session, addressed: &Addressed, cut: &Segments) -> Attempt {
        let mut ids = vec![None; cut.segments.len()];
        for round in 0..=RETRIES {
            let open: Vec<_> = (0..ids.len()).filter(|at| ids[*at].is_none()).collect();
            let fates = send_all(session, addressed, cut, &open).await;
            let mut too_fast = None;
            let mut failed = None;
            for (at, fate) in open.into_iter().zip(fates) {
                match fate {
                    Fate::Taken(id) => ids[at] = Some(self.settings.ids.of_answer(&id)),
                    Fate::Refused(status) => {
                        let carrier = self.settings.name.clone();
                        return Attempt::Done(TextOutcome::Refused { carrier, status });
                    }
                    Fate::TooFast => too_fast = Some(self.pace().throttled(self.clock.now())),
                    Fate::Failed { why, unsent } => failed = Some((why, unsent)),
                }
            }
            let none = ids.iter().all(Option::is_none);
            match (failed, too_fast) {
                (Some((why, true)), None) if none => return Attempt::Elsewhere(why),
                (Some((why, _)), _) => return Attempt::Done(later(why, None)),
                (None, Some(after)) if none || round == RETRIES => {
                    return Attempt::Done(later("the carrier asked for a slower pace", Some(after)));
                }
                // A part of it is taken: sending all again would send that part twice.
                (None, Some(after)) => tokio::time::sleep(after).await,
                (None, None) => break,
            }
        }
        self.pace().took();
        let message_ids = ids.into_iter().flatten().collect();
        Attempt::Done(TextOutcome::Accepted { carrier: self.settings.name.clone(), message_ids })
    }
}

/// Sends those segments of `cut` that `open` names, all before the first answer is waited for.
async fn send_all(session: &Session, addressed: &Addressed, cut: &Segments, open: &[usize]) -> Vec<Fate> {
    let mut sent = Vec::with_capacity(open.len());
    for segment in open.iter().filter_map(|at| cut.segments.get(*at)) {
        sent.push(session.send(addressed.submit(cut.coding, segment.clone())).await);
    }
    let mut fates = Vec::with_capacity(open.len());
    for sent in sent {
        fates.push(fate(match sent {
            Ok(sent) => session.answer(sent).await,
            Err(none) => Err(none),
        }));
    }
    fates
}

/// What an answer means. A centre that has a fault or no place will take it later; one that refuses will always refuse.
fn fate(answer: Result<Answer, NoAnswer>) -> Fate {
    match answer {
        Ok(Answer { status: status::OK, message_id }) => Fate::Taken(message_id),
        Ok(Answer { status: status::THROTTLED | status::QUEUE_FULL, .. }) => Fate::TooFast,
        Ok(Answer { status: status::SYSTEM | status::NOT_BOUND | status::RECEIVER_LATER, .. }) => {
            Fate::Failed { why: "the carrier has a fault", unsent: false }
        }
        Ok(Answer { status, .. }) => Fate::Refused(status),
        Err(NoAnswer::NotSent) => Fate::Failed { why: "the connection ended", unsent: true },
        Err(NoAnswer::Lost) => Fate::Failed { why: "the connection ended before the answer", unsent: false },
        Err(NoAnswer::TimedOut) => Fate::Failed { why: "the carrier did not answer in time", unsent: false },
    }
}

pub(super) fn later(reason: &str, after: Option<Duration>) -> TextOutcome {
    TextOutcome::Later { reason: reason.to_owned(), after }
}

/// The reference that the segments of a text have in common. It comes from the id, so that a text sent again has the same,
/// and a handset that got some segments twice still puts one text together.
fn reference(id: &[u8; 16], long: bool) -> Reference {
    let mix = id
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |mix, byte| (mix ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let [.., high, low] = (mix ^ (mix >> 32)).to_be_bytes();
    if long { Reference::Long(u16::from_be_bytes([high, low])) } else { Reference::Short(low) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_mean_what_they_mean() {
        let of = |status| fate(Ok(Answer { status, message_id: "7".into() }));
        assert_eq!(of(0), Fate::Taken("7".into()));
        assert_eq!((of(0x58), of(0x14)), (Fate::TooFast, Fate::TooFast));
        assert!(matches!(of(0x08), Fate::Failed { unsent: false, .. }));
        for status in [0x01, 0x0a, 0x0b, 0x45, 0x66, 0x400] {
            assert_eq!(of(status), Fate::Refused(status));
        }
        assert!(matches!(fate(Err(NoAnswer::NotSent)), Fate::Failed { unsent: true, .. }));
        assert!(matches!(fate(Err(NoAnswer::Lost)), Fate::Failed { unsent: false, .. }));
        assert!(matches!(fate(Err(NoAnswer::TimedOut)), Fate::Failed { unsent: false, .. }));
    }

    #[test]
    fn references_are_of_the_id_and_spread() {
        let short: std::collections::BTreeSet<_> = (0..=255_u8)
            .map(|n| match reference(&[n; 16], false) {
                Reference::Short(number) => number,
                Reference::Long(_) => unreachable!("a short one was asked for"),
            })
            .collect();
        assert!(short.len() > 120, "{}", short.len());
        assert_eq!(reference(&[7; 16], true), reference(&[7; 16], true));
        assert!(matches!(reference(&[7; 16], true), Reference::Long(_)));
    }
}
