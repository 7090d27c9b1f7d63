//! What is told of texts: one report for each that asked for it, and every text that came in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use server::channel::TextState;
use server::service::audit::{Act, Actor};
use server::service::events::{EventDesk, Origin, Queue, Standing, Subscriptions, record_standing};
use server::service::sms::RECEIVED_KEPT;
use store::{Direction, KeyRange, Opened};
use wire::events::SubscriptionBody;

use crate::sms_world::{SHORT_CODE, Step, TO, Texts, one, texts};

/// One event that waits to be told.
struct Told {
    kind: String,
    id: String,
    subject: String,
    data: Value,
}

impl Texts {
    /// Somebody wants to hear of everything.
    async fn listen(&self) {
        let (state, resource) = (Arc::clone(self.test.app.state()), self.test.resource());
        let (cell, router) = (resource.cell(), &*state.events);
        let desk = EventDesk {
            cell,
            resource: resource.id(),
            router,
            clock: &*state.clock,
            rng: &*state.rng,
            act: Act { name: None, by: Actor::Operator },
        };
        let destination =
            json!({ "endpointType": "WebHook", "properties": { "endpointUrl": "https://hooks.example/" } });
        let body = json!({ "properties": { "destination": destination } }).to_string();
        let body = SubscriptionBody::parse(body.as_bytes()).unwrap();
        let origin = Origin { topic: "topic".to_owned(), base_url: "https://localhost".to_owned() };
        desk.put("all", &body, &origin).await.unwrap();
        let mut reader = cell.read(resource.id()).await.unwrap();
        let mut rows = reader.scan::<Subscriptions>(KeyRange::all(), Direction::Forward, 2).await.unwrap();
        let (key, row) = rows.pop().unwrap();
        let mut row = row.value().unwrap();
        (row.value.standing, row.value.was_validated) = (Standing::Succeeded, true);
        record_standing(cell, resource.id(), router, key, row.version, &row.value).await.unwrap();
    }

    /// What waits to be told, and how much of it cannot be read any more.
    async fn told(&self) -> (Vec<Told>, usize) {
        let resource = self.test.resource();
        let mut reader = resource.cell().read(resource.id()).await.unwrap();
        let rows = reader.scan::<Queue>(KeyRange::all(), Direction::Forward, 1_000).await.unwrap();
        let (mut told, mut shredded) = (Vec::new(), 0);
        for (_, row) in rows {
            match row {
                Opened::Value(row) => told.push(Told {
                    kind: row.value.kind,
                    id: row.value.id,
                    subject: row.value.subject.expose().clone(),
                    data: serde_json::from_slice(row.value.data.expose()).unwrap(),
                }),
                Opened::Shredded { .. } => shredded += 1,
            }
        }
        (told, shredded)
    }

    /// The only event there is.
    async fn only(&self) -> Told {
        let (mut told, shredded) = self.told().await;
        assert_eq!((told.len(), shredded), (1, 0));
        told.pop().unwrap()
    }
}

#[tokio::test]
async fn a_report_is_told_once_and_can_be_read_when_the_text_is_erased() {
    let it = Texts::new().await;
    it.listen().await;
    it.script([Step::Accept(2)]);
    let id = it.send().await;
    it.carry().await;
    it.receive("m1", TextState::Delivered).await;
    assert_eq!(it.told().await.0.len(), 0, "not before the last word");
    it.receive("m2", TextState::Delivered).await;
    it.receive("m2", TextState::Rejected).await;
    it.sweep().await;
    let told = it.only().await;
    assert_eq!((told.kind.as_str(), &told.id), ("SMSDeliveryReportReceived", &id));
    assert_eq!(told.subject, format!("/phonenumber/{SHORT_CODE}"));
    assert_eq!((&told.data["messageId"], &told.data["deliveryStatus"]), (&json!(id), &json!("Delivered")));
    assert_eq!(
        (&told.data["from"], &told.data["to"], &told.data["tag"]),
        (&json!(SHORT_CODE), &json!(TO), &json!("blue"))
    );
    assert_eq!(told.data["deliveryAttempts"][0]["segmentsSucceeded"], 2);
    assert!(told.data["receivedTimestamp"].as_str().unwrap().starts_with("2026-11-23T08:00:00"));
}

#[tokio::test]
async fn every_way_to_fail_is_told() {
    let it = Texts::new().await;
    it.listen().await;
    it.script([Step::Refuse(0x0B), Step::AcceptWithReceipt(TextState::Undeliverable), Step::Accept(1)]);
    for name in ["refused", "early", "overdue"] {
        let _ = it.ask(&one(name)).send().await.expect(202);
        it.carry().await;
    }
    it.incoming(TO, SHORT_CODE, "STOP").await;
    let _ = it.ask(&one("unwanted")).send().await.expect(202);
    it.test.clock.advance(Duration::from_secs(12 * 3600));
    it.sweep().await;
    let (told, _) = it.told().await;
    assert_eq!(told.iter().filter(|one| one.kind == "SMSReceived").count(), 1, "keywords are told too");
    let mut failed: Vec<String> = told
        .iter()
        .filter(|one| one.kind == "SMSDeliveryReportReceived")
        .map(|one| one.data["deliveryStatusDetails"].as_str().unwrap()[..4].to_owned())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["4002", "4006", "4007", "5002"]);
}

#[tokio::test]
async fn who_asked_for_no_report_hears_nothing() {
    let it = Texts::new().await;
    it.listen().await;
    let mut body = texts("CONTOSO", &[(TO, "a"), ("+14255550101", "b")]);
    body["smsSendOptions"]["enableDeliveryReport"] = json!(false);
    it.script([Step::Accept(1), Step::Refuse(0x0B)]);
    let _ = it.ask(&body).send().await.expect(202);
    it.carry().await;
    assert_eq!(it.told().await.0.len(), 0);
}

#[tokio::test]
async fn a_text_that_came_in_is_told_and_its_words_end() {
    let it = Texts::new().await;
    it.listen().await;
    it.incoming(TO, SHORT_CODE, "hello \u{1f600}").await;
    let told = it.only().await;
    assert_eq!((told.kind.as_str(), told.subject.as_str()), ("SMSReceived", "/phonenumber/55555"));
    assert!(told.id.starts_with("Incoming_20261123080000"), "{}", told.id);
    assert_eq!(told.data["messageId"], told.id.as_str());
    let said = (&told.data["from"], &told.data["to"], &told.data["message"], &told.data["segmentCount"]);
    assert_eq!(said, (&json!(TO), &json!(SHORT_CODE), &json!("hello \u{1f600}"), &json!(1)));
    it.test.clock.advance(RECEIVED_KEPT - Duration::from_millis(1));
    it.sweep().await;
    it.only().await;
    it.test.clock.advance(Duration::from_millis(1));
    it.sweep().await;
    assert_eq!((it.told().await.0.len(), it.told().await.1), (0, 1), "its key is gone");
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_kept() {
    let it = Texts::new().await;
    it.incoming(TO, SHORT_CODE, "hello").await;
    it.send().await;
    it.carry().await;
    it.receive("m1", TextState::Delivered).await;
    assert_eq!((it.told().await.0.len(), it.rows("sms_receipt").await), (0, 0));
}
