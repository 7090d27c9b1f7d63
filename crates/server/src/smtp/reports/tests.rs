//! What comes back, from an envelope to what is kept of a recipient.

use base::Personal;
use serde_json::{Value, json};

use super::*;
use crate::channel::{MailOutcome, SmtpReply};
use crate::service::delivery::{Errand, Intake};
use crate::service::email::Reason;
use crate::testing::TestApp;

const HOST: &str = "mail.chancery.test";

/// A resource that has sent mail, and the door that reports come by.
struct World {
    test: TestApp,
    intake: Intake,
    reports: Reports,
}

impl World {
    async fn new() -> Self {
        let test = TestApp::new().await;
        let intake = test.take_intake().unwrap();
        let reports = Reports::new(Arc::clone(test.app.state()), HOST.to_owned());
        Self { test, intake, reports }
    }

    fn state(&self) -> &State {
        self.test.app.state()
    }

    /// Sends a mail and hands it over, to one destination after another. The mail, and the envelope senders.
    async fn sent(&mut self, to: &[&str]) -> (MailId, Vec<String>) {
        let to: Vec<Value> = to.iter().map(|address| json!({ "address": address })).collect();
        let body = json!({
            "senderAddress": "DoNotReply@contoso.chancery.test",
            "content": { "subject": self.test.canary(), "plainText": self.test.canary() },
            "recipients": { "to": to },
        });
        let answer =
            self.test.call("POST", "/emails:send").signed().json(&body).send().await.expect(202).json();
        let id: MailId = answer["id"].as_str().unwrap().parse().unwrap();
        let mut paths = Vec::new();
        while let Ok(handed) = self.intake.try_recv() {
            let errand = Errand { resource: handed.resource, key: handed.key, row: handed.row };
            let desk = desk(self.test.app.state(), &errand.resource);
            let loaded = desk.load(&errand).await.unwrap().expect("there is something to carry");
            let accepted = MailOutcome::Accepted(SmtpReply { code: 250, ..SmtpReply::default() });
            let outcomes = vec![accepted; loaded.parcel.recipients.len()];
            desk.record(&errand, &loaded, &outcomes).await.unwrap();
            paths.push(loaded.parcel.return_path.expose().clone());
        }
        (id, paths)
    }

    async fn ask(&self, question: Question) -> u16 {
        self.reports.answer(&mut (), question).await.reply.code()
    }

    async fn rcpt(&self, address: &str) -> u16 {
        self.ask(Question::Recipient(address.to_owned().into())).await
    }

    /// A letter to `to`, which was accepted as a recipient if it may.
    async fn letter(&self, to: &str, text: &str) -> u16 {
        let to = vec![to.to_owned().into()];
        let message = text.replace('\n', "\r\n").into_bytes().into();
        self.ask(Question::Letter(Letter { from: Personal::default(), to, message })).await
    }

    async fn status(&self, mail: MailId) -> Vec<Status> {
        let desk = desk(self.state(), self.test.resource());
        desk.fates(mail).await.unwrap().1.iter().map(|fate| fate.status).collect()
    }

    async fn reasons(&self, address: &str) -> Vec<Reason> {
        let desk = desk(self.state(), self.test.resource());
        let found = desk.explain(&address.to_owned().into()).await.unwrap();
        found.iter().map(|one| one.reason).collect()
    }
}

fn bounce(recipient: &str, action: &str, status: &str, said: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nIt came back.\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n\
         Diagnostic-Code: smtp; {said}\n\n--b--\n"
    )
}

fn complaint(from: &str, recipient: &str) -> String {
    format!(
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\
         Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: X/1\nOriginal-Mail-From: <{from}>\n\
         Original-Rcpt-To: <{recipient}>\n\n--b--\n"
    )
}

#[tokio::test]
async fn only_addresses_of_our_own_mail_are_taken() {
    let mut world = World::new().await;
    let (_, paths) = world.sent(&["ada@example.com"]).await;
    let good = &paths[0];
    assert_eq!(world.rcpt(good).await, 250);
    assert_eq!(world.rcpt(&good.to_ascii_uppercase()).await, 250, "in whatever case it comes back");
    assert_eq!(world.rcpt("Complaints@mail.chancery.test").await, 250);
    let (local, _) = good.split_once('@').unwrap();
    let forged = format!("{}{}@{HOST}", &local[..62], if local.ends_with('a') { "i" } else { "a" });
    let other_code = format!("b-{}@{HOST}", "a".repeat(61));
    let elsewhere = format!("{local}@example.org");
    for bad in [&forged, &other_code, &elsewhere, "postmaster@mail.chancery.test", "ada@example.com", "x", ""]
    {
        assert_eq!(world.rcpt(bad).await, 550, "{bad}");
    }
}

#[tokio::test]
async fn a_bounce_becomes_bounced_and_suppresses() {
    let mut world = World::new().await;
    let (mail, paths) = world.sent(&["Ada@example.com"]).await;
    assert_eq!(world.status(mail).await, [Status::Delivered]);
    let said = "550 5.1.1 <ada@example.com>: user unknown";
    let report = bounce("ada@elsewhere.example", "failed", "5.0.0", said);
    assert_eq!(world.letter(&paths[0], &report).await, 250);
    assert_eq!(
        world.status(mail).await,
        [Status::Bounced],
        "whom the address means, whatever the report calls them"
    );
    assert_eq!(world.reasons("ada@example.com").await, [Reason::HardBounce]);
    assert_eq!(world.letter(&paths[0], &report).await, 250, "twice is as good as once");
    assert_eq!(world.reasons("ada@example.com").await.len(), 1);
    let (again, _) = world.sent(&["ada@example.com"]).await;
    assert_eq!(world.status(again).await, [Status::Suppressed]);
}

#[tokio::test]
async fn a_soft_failure_suppresses_nobody_and_a_delay_is_none() {
    let mut world = World::new().await;
    let (mail, paths) = world.sent(&["ada@example.com"]).await;
    for (action, status) in [("delayed", "4.4.1"), ("delivered", "2.0.0"), ("relayed", "2.0.0")] {
        let report = bounce("ada@example.com", action, status, "451 4.4.1 later");
        assert_eq!(world.letter(&paths[0], &report).await, 250);
        assert_eq!(world.status(mail).await, [Status::Delivered], "{action}");
    }
    let full = bounce("ada@example.com", "failed", "4.2.2", "452 4.2.2 mailbox full");
    assert_eq!(world.letter(&paths[0], &full).await, 250);
    assert_eq!(world.status(mail).await, [Status::Failed]);
    assert!(world.reasons("ada@example.com").await.is_empty());
    let spam = bounce("ada@example.com", "failed", "5.7.1", "550 5.7.1 rejected as spam");
    assert_eq!(world.letter(&paths[0], &spam).await, 250);
    assert_eq!(world.status(mail).await, [Status::FilteredSpam]);
    assert!(world.reasons("ada@example.com").await.is_empty());
}

#[tokio::test]
async fn an_answering_machine_is_no_bounce() {
    let mut world = World::new().await;
    let (mail, paths) = world.sent(&["ada@example.com"]).await;
    let absent = "From: ada@example.com\nSubject: Undelivered Mail Returned to Sender\n\nI am on holiday.\n";
    assert_eq!(world.letter(&paths[0], absent).await, 250);
    assert_eq!(world.status(mail).await, [Status::Delivered]);
    assert_eq!(world.letter("complaints@mail.chancery.test", absent).await, 550, "no mailbox is here");
}

#[tokio::test]
async fn of_several_at_one_place_the_report_says_who() {
    let mut world = World::new().await;
    let (mail, paths) = world.sent(&["ada@example.com", "bob@example.com"]).await;
    assert_eq!(paths.len(), 1, "one destination, one parcel");
    let report = bounce("BOB@example.com", "failed", "5.1.1", "550 5.1.1 no such user");
    assert_eq!(world.letter(&paths[0], &report).await, 250);
    assert_eq!(world.status(mail).await, [Status::Delivered, Status::Bounced]);
    let stranger = bounce("eve@example.com", "failed", "5.1.1", "550 5.1.1 no such user");
    assert_eq!(world.letter(&paths[0], &stranger).await, 250);
    assert!(world.reasons("eve@example.com").await.is_empty(), "nobody can have a stranger suppressed");
}

#[tokio::test]
async fn a_complaint_suppresses_until_somebody_lifts_it() {
    let mut world = World::new().await;
    let (_, paths) = world.sent(&["ada@example.com"]).await;
    assert_eq!(world.letter(&paths[0], &complaint("x@example.org", "ada@example.com")).await, 250);
    assert_eq!(world.reasons("ada@example.com").await, [Reason::Complaint]);
    let (_, paths) = world.sent(&["bob@example.com"]).await;
    assert_eq!(
        world.letter("complaints@mail.chancery.test", &complaint(&paths[0], "bob@example.com")).await,
        250
    );
    assert_eq!(world.reasons("bob@example.com").await, [Reason::Complaint]);
    let made_up = format!("b-{}@mail.chancery.test", "a".repeat(61));
    assert_eq!(
        world.letter("complaints@mail.chancery.test", &complaint(&made_up, "eve@example.com")).await,
        250
    );
    assert!(world.reasons("eve@example.com").await.is_empty());
    let (_, paths) = world.sent(&["dan@example.com"]).await;
    let praise = complaint(&paths[0], "dan@example.com").replace("abuse", "not-spam");
    assert_eq!(world.letter("complaints@mail.chancery.test", &praise).await, 250);
    assert!(world.reasons("dan@example.com").await.is_empty());
}

#[tokio::test]
async fn a_report_that_cannot_be_kept_must_come_again() {
    let mut world = World::new().await;
    let (mail, paths) = world.sent(&["ada@example.com"]).await;
    let plan = store::engine::memory::FaultPlan {
        before: 1000,
        ..store::engine::memory::FaultPlan::none(world.test.rng.clone())
    };
    world.test.engine.set_faults(Some(plan));
    let report = bounce("ada@example.com", "failed", "5.1.1", "550 5.1.1 no such user");
    assert_eq!(world.letter(&paths[0], &report).await, 451);
    world.test.engine.set_faults(None);
    assert_eq!(world.status(mail).await, [Status::Delivered]);
    assert_eq!(world.letter(&paths[0], &report).await, 250);
    assert_eq!(world.status(mail).await, [Status::Bounced]);
}

#[tokio::test]
async fn nothing_of_a_report_is_logged() {
    let mut world = World::new().await;
    let canary = world.test.canary();
    let address = format!("{canary}@example.com");
    let (_, paths) = world.sent(&[&address]).await;
    let report = bounce(&address, "failed", "5.1.1", &format!("550 5.1.1 {canary}: no such user"));
    assert_eq!(world.letter(&paths[0], &report).await, 250);
    assert_eq!(world.rcpt(&address).await, 550);
    assert_eq!(world.reasons(&address).await, [Reason::HardBounce]);
}
