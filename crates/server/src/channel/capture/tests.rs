//! The rules, seen from the courier's side: what it is told at once, and what comes back later.

use std::collections::HashMap;
use std::time::Duration;

use base::Personal;
use tokio::sync::{Mutex as Lock, mpsc};
use wire::outbox::Pattern;

use super::*;
use crate::channel::{TextIn, TextInbox};

const RESOURCE: ResourceId = ResourceId::CELL;

/// Keeps nothing but what it was told, and refuses when told to.
#[derive(Default)]
struct Notes {
    rules: Vec<Rule>,
    refuses: bool,
    mail: Lock<Vec<Vec<Verdict>>>,
    texts: Lock<Vec<Verdict>>,
}

impl Outbox for Notes {
    fn rules(&self, _resource: ResourceId) -> BoxFuture<'_, Option<Arc<[Rule]>>> {
        Box::pin(async { Some(self.rules.iter().cloned().chain(Rule::built_in()).collect()) })
    }

    fn mail<'a>(&'a self, _parcel: &'a MailParcel, verdicts: &'a [Verdict]) -> BoxFuture<'a, bool> {
        Box::pin(async {
            self.mail.lock().await.push(verdicts.to_vec());
            !self.refuses
        })
    }

    fn text<'a>(&'a self, _parcel: &'a TextParcel, verdict: &'a Verdict) -> BoxFuture<'a, bool> {
        Box::pin(async {
            self.texts.lock().await.push(verdict.clone());
            !self.refuses
        })
    }
}

/// Passes on what comes back, the first `deaf` words only after being told again.
struct Ears {
    heard: mpsc::UnboundedSender<String>,
    deaf: Lock<usize>,
}

impl TextInbox for Ears {
    fn receipt(&self, receipt: TextReceipt) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let mut deaf = self.deaf.lock().await;
            if *deaf > 0 {
                *deaf -= 1;
                return false;
            }
            self.heard.send(format!("{} {:?} {:?}", receipt.message_id, receipt.state, receipt.error)).is_ok()
        })
    }

    fn text(&self, _text: TextIn) -> BoxFuture<'_, bool> {
        Box::pin(async { true })
    }
}

impl Bounces for Ears {
    fn bounced<'a>(
        &'a self,
        _resource: ResourceId,
        id: [u8; 16],
        recipient: &'a Personal<String>,
        return_path: &'a Personal<String>,
    ) -> BoxFuture<'a, bool> {
        let line = format!("{} {} {}", id[0], recipient.expose(), return_path.expose());
        Box::pin(async move { self.heard.send(line).is_ok() })
    }
}

fn mail(id: u8, to: &[&str]) -> MailParcel {
    MailParcel {
        id: [id; 16],
        resource: RESOURCE,
        return_path: "bounce-1@dev.example".to_owned().into(),
        recipients: to.iter().map(|to| (*to).to_owned().into()).collect(),
        destination: "example.org".to_owned().into(),
        message: b"Subject: x\r\n\r\nhello\r\n".to_vec().into(),
    }
}

fn text(id: u8, to: &str, text: &str) -> TextParcel {
    TextParcel {
        id: [id; 16],
        resource: RESOURCE,
        from: "+15555550100".to_owned().into(),
        to: to.to_owned().into(),
        text: text.to_owned().into(),
        receipt: true,
        validity: Duration::from_secs(60),
    }
}

fn rule(pattern: &str, action: Action) -> Rule {
    Rule::plain(Pattern::parse(pattern).unwrap(), action)
}

#[tokio::test(start_paused = true)]
async fn plain_addresses_meet_their_fate_and_the_others_arrive() {
    let notes = Arc::new(Notes::default());
    let (capture, _words) = Capture::new(notes.clone());
    let parcel =
        mail(1, &["ada@example.org", "bounce@example.org", "refuse+x@example.org", "throttle@example.org"]);
    let codes = |outcomes: Vec<MailOutcome>| -> Vec<String> {
        let code = |one| match one {
            MailOutcome::Accepted(reply) => format!("accepted {}", reply.code),
            MailOutcome::Refused(reply) => format!("refused {} {}", reply.code, reply.enhanced.unwrap()),
            MailOutcome::Later { reply, .. } => format!("later {}", reply.unwrap().code),
        };
        outcomes.into_iter().map(code).collect()
    };
    assert_eq!(
        codes(capture.deliver(&parcel).await),
        ["accepted 250", "refused 550 5.1.1", "refused 550 5.7.1", "later 451"]
    );
    let again = mail(1, &["throttle@example.org"]);
    assert_eq!(codes(capture.deliver(&again).await), ["accepted 250"], "put off once, then taken");
    let kept = notes.mail.lock().await;
    let rules: Vec<_> = kept[0].iter().map(|verdict| verdict.rule).collect();
    assert_eq!(rules, [None, Some(Action::Bounce), Some(Action::Refuse), Some(Action::Throttle)]);
    assert_eq!(kept[0][3].outcome, Fate::Later);
}

#[tokio::test(start_paused = true)]
async fn rules_have_codes_waits_and_counts_of_their_own() {
    let full = Rule { code: 552, ..rule("full@*", Action::Bounce) };
    let slow = Rule { seconds: 7, ..rule("*@tortoise.example", Action::Slow) };
    let often = Rule { times: 2, ..rule("*@busy.example", Action::Throttle) };
    let notes = Arc::new(Notes { rules: vec![full, slow, often], ..Notes::default() });
    let (capture, _words) = Capture::new(notes);
    let outcomes = capture.deliver(&mail(1, &["full@example.org"])).await;
    assert!(matches!(&outcomes[0], MailOutcome::Refused(reply) if reply.code == 552));
    let before = tokio::time::Instant::now();
    let outcomes = capture.deliver(&mail(2, &["a@tortoise.example", "b@tortoise.example"])).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, MailOutcome::Accepted(_))));
    assert_eq!(before.elapsed().as_secs(), 7, "one wait for the whole parcel");
    let parcel = mail(3, &["a@busy.example"]);
    for put_off in [true, true, false, true] {
        let outcome = capture.deliver(&parcel).await.remove(0);
        assert_eq!(matches!(outcome, MailOutcome::Later { .. }), put_off);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_tried_again() {
    let (capture, _words) = Capture::new(Arc::new(Notes { refuses: true, ..Notes::default() }));
    let outcomes = capture.deliver(&mail(1, &["ada@example.org", "bounce@example.org"])).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, MailOutcome::Later { .. })));
    assert!(matches!(capture.submit(&text(1, "+14255550100", "x")).await, TextOutcome::Later { .. }));
}

#[tokio::test(start_paused = true)]
async fn receipts_come_back_as_the_rules_say() {
    let (capture, words) = Capture::new(Arc::new(Notes::default()));
    let (heard, mut hears) = mpsc::unbounded_channel();
    let ears = Arc::new(Ears { heard, deaf: Lock::new(1) });
    let mut tasks = JoinSetOf::new();
    tasks.spawn(words.run(
        Arc::new(HashMap::from([(RESOURCE, ears.clone() as _)])),
        Some(ears),
        std::future::pending(),
    ));
    let accepted = |outcome| match outcome {
        TextOutcome::Accepted { message_ids, carrier } => {
            assert_eq!(carrier, CARRIER);
            message_ids
        }
        other => panic!("{other:?}"),
    };
    // Of two segments, each with its own receipt.
    let ids = accepted(capture.submit(&text(1, "+14255550100", &"x".repeat(161))).await);
    assert_eq!(ids.len(), 2);
    let mut both = [hears.recv().await.unwrap(), hears.recv().await.unwrap()];
    both.sort();
    assert_eq!(both, [format!("{} Delivered None", ids[0]), format!("{} Delivered None", ids[1])]);
    let again = accepted(capture.submit(&text(1, "+14255550100", &"x".repeat(161))).await);
    assert_eq!(again, ids, "the same text has the same ids");
    for _ in 0..2 {
        hears.recv().await.unwrap();
    }
    for (number, says) in [
        (Action::Bounce, r#"Undeliverable Some("001")"#),
        (Action::FailReceipt, r#"Rejected Some("002")"#),
        (Action::Slow, "Delivered None"),
    ] {
        let before = tokio::time::Instant::now();
        let ids = accepted(capture.submit(&text(2, &format!("+1425{}", number.digits()), "x")).await);
        assert_eq!(hears.recv().await.unwrap(), format!("{} {says}", ids[0]));
        assert_eq!(before.elapsed().as_secs(), if number == Action::Slow { 5 } else { 0 });
    }
    accepted(capture.submit(&text(3, "+14255550195", "x")).await);
    let mut unasked = text(4, "+14255550100", "x");
    unasked.receipt = false;
    accepted(capture.submit(&unasked).await);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(hears.try_recv().is_err(), "lost, and never asked for");
    let refused = capture.submit(&text(5, "+14255550192", "x")).await;
    assert_eq!(refused, TextOutcome::Refused { carrier: CARRIER.to_owned(), status: 0x0B });
}

#[tokio::test(start_paused = true)]
async fn mail_that_was_taken_can_come_back() {
    let (capture, words) = Capture::new(Arc::new(Notes::default()));
    let (heard, mut hears) = mpsc::unbounded_channel();
    let ears = Arc::new(Ears { heard, deaf: Lock::new(0) });
    let mut tasks = JoinSetOf::new();
    tasks.spawn(words.run(
        Arc::new(HashMap::from([(RESOURCE, ears.clone() as _)])),
        Some(ears),
        std::future::pending(),
    ));
    let outcomes = capture.deliver(&mail(9, &["ada@example.org", "fail-receipt@example.org"])).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, MailOutcome::Accepted(_))));
    assert_eq!(hears.recv().await.unwrap(), "9 fail-receipt@example.org bounce-1@dev.example");
}

type JoinSetOf = tokio::task::JoinSet<()>;
