//! Sending texts: what is accepted, what is sent, and that asking twice sends once.

use base::Clock as _;
use serde_json::{Value, json};
use server::service::delivery::HOLD;
use std::time::Duration;

use crate::sms_world::{SHORT_CODE, Step, TO, Texts, one, texts};

#[tokio::test]
async fn a_request_is_answered_for_each_recipient() {
    let it = Texts::new().await;
    let mut body =
        texts("CONTOSO", &[(TO, "a"), ("+112345678901", "b"), ("+43660123456", "c"), ("hello", "d")]);
    body["smsRecipients"][2]["repeatabilityFirstSent"] = json!("tomorrow");
    let answer = it.ask(&body).send().await.expect(202).json();
    let items = answer["value"].as_array().unwrap();
    let codes: Vec<u64> = items.iter().map(|item| item["httpStatusCode"].as_u64().unwrap()).collect();
    assert_eq!(codes, [202, 400, 400, 400]);
    let first = &items[0];
    assert!(first["messageId"].as_str().unwrap().starts_with("Outgoing_20261123080000"), "{first}");
    assert_eq!((&first["repeatabilityResult"], &first["successful"]), (&json!("accepted"), &json!(true)));
    assert_eq!(items[1]["errorMessage"], "Invalid To phone number format.");
    assert!(items[1].get("messageId").is_none() && items[1].get("repeatabilityResult").is_none());
    assert_eq!(items[2]["repeatabilityResult"], "rejected");
    assert_eq!(it.carry().await, 1, "only the good one leaves");
    let sent = &it.sent()[0];
    assert_eq!((sent.from.expose().as_str(), sent.to.expose().as_str()), ("CONTOSO", TO));
    assert!(sent.receipt && sent.text.expose() == "hello");
    assert_eq!(sent.validity, Duration::from_secs(12 * 3600));
}

#[tokio::test]
async fn whole_requests_are_refused() {
    let it = Texts::new().await;
    for from in ["+18335550100", "66666", "ABCDEFGHIJKL", "+1", "--"] {
        let answer = it.ask(&texts(from, &[(TO, "a")])).send().await.expect(401);
        assert_eq!(answer.code(), "SenderNotOwned", "{from}");
    }
    let foreign = it.test.call("POST", "/sms").host("fabrikam.localhost:8443");
    let foreign = foreign.signed_by(it.test.neighbour(), 0).json(&one("a")).send().await;
    assert_eq!(foreign.expect(401).code(), "SenderNotOwned", "another resource's short code");
    let alone = it.ask(&texts("CONTOSO", &[("Ad155500000000000", "a")])).send().await.expect(400);
    assert_eq!(alone.code(), "ValidationError");
    let mut partner = one("a");
    partner["smsSendOptions"]["messagingConnect"] = json!({ "apiKey": "k", "partner": "p" });
    let answer = it.ask(&partner).send().await.expect(400).json();
    assert!(
        answer["error"]["message"].as_str().unwrap().starts_with("MessagingConnect option is not matching")
    );
    assert_eq!(it.waiting().await, 0);
}

#[tokio::test]
async fn asking_twice_sends_once_also_after_a_crash_and_on_another_node() {
    let it = Texts::new().await;
    let first = it.ask(&one("same")).send().await.expect(202).json();
    assert_eq!(it.ask(&one("SAME")).send().await.expect(202).json(), first, "ids differ in more than case");
    let other = it.another_node().await;
    assert_eq!(other.ask(&one("same")).send().await.expect(202).json(), first);
    assert_eq!(it.carry().await, 1);
    assert_eq!(it.ask(&one("same")).send().await.expect(202).json(), first, "also once it is sent");
    it.receive("m1", server::channel::TextState::Delivered).await;
    assert_eq!(other.ask(&one("same")).send().await.expect(202).json(), first, "also once it is final");
    assert_eq!((it.carry().await, other.carry().await, it.sent().len()), (0, 0, 1));
    let anew = it.ask(&one("other")).send().await.expect(202).json();
    assert_ne!(anew, first);
}

#[tokio::test]
async fn a_request_that_was_lost_before_its_answer_is_sent_once() {
    let it = Texts::new().await;
    let all: Vec<String> = (0..100).map(|n| format!("id-{n}")).collect();
    let to: Vec<(&str, &str)> = all.iter().map(|id| (TO, id.as_str())).collect();
    let first = it.ask(&texts("CONTOSO", &to)).send().await.expect(202).json();
    assert_eq!(first["value"].as_array().unwrap().len(), 100);
    // Half of it again, with some that are new: a client that was restarted.
    let mut again = to[..50].to_vec();
    again.extend([(TO, "new-1"), (TO, "new-2")]);
    let second = it.ask(&texts("CONTOSO", &again)).send().await.expect(202).json();
    assert_eq!(second["value"].as_array().unwrap()[..50], first["value"].as_array().unwrap()[..50]);
    assert_eq!(it.carry().await, 102);
}

#[tokio::test]
async fn a_repeatability_id_stands_for_one_text() {
    let it = Texts::new().await;
    let both = it.ask(&texts("CONTOSO", &[(TO, "a"), (TO, "a"), ("+14255550101", "a")])).send().await;
    let both = both.expect(202).json();
    assert_eq!(both["value"][0], both["value"][1]);
    assert_eq!(both["value"][2]["repeatabilityResult"], "rejected");
    let other = it.ask(&texts("FABRIKAM", &[(TO, "a")])).send().await.expect(202).json();
    assert_eq!((&other["value"][0]["httpStatusCode"], it.carry().await), (&json!(400), 1));
}

#[tokio::test]
async fn a_repeatability_id_is_remembered_for_its_time_and_not_longer() {
    let it = Texts::new().await;
    let first = it.ask(&one("a")).send().await.expect(202).json();
    it.carry().await;
    it.receive("m1", server::channel::TextState::Delivered).await;
    it.test.clock.advance(base::Limits::default().repeatability() - Duration::from_millis(1));
    assert_eq!(it.ask(&one("a")).send().await.expect(202).json(), first);
    it.test.clock.advance(Duration::from_millis(1));
    let anew = it.ask(&one("a")).send().await.expect(202).json();
    assert_ne!(anew, first, "the time has ended, also where no sweep came by");
    assert_eq!(it.carry().await, 1);
    it.receive("m2", server::channel::TextState::Delivered).await;
    let id = anew["value"][0]["messageId"].as_str().unwrap();
    assert_eq!(it.state_of(id).await.0, "Delivered");
}

#[tokio::test]
async fn what_became_of_a_text_is_kept_for_its_time() {
    let it = Texts::new().await;
    let id = it.send().await;
    assert_eq!(it.state_of(&id).await.0, "Pending");
    it.carry().await;
    it.receive("m1", server::channel::TextState::Delivered).await;
    let report = it.report_of(&id).await.expect(200).json();
    assert_eq!(
        (&report["from"], &report["to"], &report["tag"]),
        (&json!(SHORT_CODE), &json!(TO), &json!("blue"))
    );
    assert_eq!(report["deliveryStatusDetails"], "2000: No Error");
    assert_eq!(report["deliveryAttempts"][0]["segmentsSucceeded"], 1);
    it.sweep().await;
    it.test.clock.advance(Duration::from_secs(24 * 3600) - Duration::from_millis(1));
    it.sweep().await;
    let _ = it.report_of(&id).await.expect(200);
    it.test.clock.advance(Duration::from_millis(1));
    let gone = it.report_of(&id).await.expect(404);
    assert_eq!(gone.json()["title"], "Not Found");
    assert!(gone.header("content-type").starts_with("application/problem+json"));
    for bad in ["x", "Outgoing_", &id[..id.len() - 1], &id.replace("Outgoing_2026", "Outgoing_2025")] {
        let _ = it.report_of(bad).await.expect(404);
    }
}

#[tokio::test]
async fn a_carrier_that_is_busy_is_asked_again_until_the_deadline() {
    let it = Texts::new().await;
    it.script([Step::Later, Step::Later]);
    let id = it.send().await;
    assert_eq!((it.carry().await, it.carry().await), (1, 0), "not before its time");
    it.test.clock.advance(Duration::from_secs(60));
    assert_eq!(it.carry().await, 1);
    it.test.clock.advance(Duration::from_secs(60));
    assert_eq!(it.carry().await, 1);
    assert_eq!((it.sent().len(), it.waiting().await, it.state_of(&id).await.0), (3, 0, "Pending".to_owned()));

    it.script((0..100).map(|_| Step::Later));
    let slow = it.ask(&one("slow")).send().await.expect(202).json();
    for _ in 0..20 {
        it.carry().await;
        it.test.clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(it.code_of(slow["value"][0]["messageId"].as_str().unwrap()).await, 5001);
    assert_eq!(it.waiting().await, 0);
    assert!(it.sent().iter().all(|parcel| parcel.validity > Duration::ZERO), "never after its deadline");
}

#[tokio::test]
async fn a_refusal_is_final_and_says_why() {
    let it = Texts::new().await;
    for (status, code) in [(0x0B, 4002), (0x0A, 4001), (0x45, 5000)] {
        it.script([Step::Refuse(status)]);
        let answer = it.ask(&one(&format!("refused-{status}"))).send().await.expect(202).json();
        it.carry().await;
        let id = answer["value"][0]["messageId"].as_str().unwrap().to_owned();
        assert_eq!((it.state_of(&id).await.0.as_str(), it.code_of(&id).await), ("Failed", code));
    }
    assert_eq!((it.waiting().await, it.sent().len()), (0, 3));
}

#[tokio::test]
async fn without_a_report_a_text_ends_with_the_carrier() {
    let it = Texts::new().await;
    let mut body = one("a");
    body["smsSendOptions"] = Value::Null;
    let answer = it.ask(&body).send().await.expect(202).json();
    it.carry().await;
    assert!(!it.sent()[0].receipt);
    assert_eq!(it.state_of(answer["value"][0]["messageId"].as_str().unwrap()).await.0, "Unknown");
}

/// A node that dies leaves what it held to another one, which carries it once.
#[tokio::test]
async fn what_a_dead_node_held_is_carried_by_another() {
    let it = Texts::new().await;
    let id = it.send().await;
    let dead = it.held();
    assert_eq!(dead.len(), 1);
    let other = it.another_node().await;
    assert_eq!(other.carry().await, 0, "it may still be alive");
    it.test.clock.advance(HOLD);
    assert_eq!(other.carry().await, 1);
    other.receive("m1", server::channel::TextState::Delivered).await;
    assert_eq!(other.state_of(&id).await.0, "Delivered");
    // The dead one was only slow, and comes back: it may send again, but it records nothing over what is final.
    let _ = it.carry_one(&dead[0]).await;
    assert_eq!((it.state_of(&id).await.0, other.waiting().await), ("Delivered".to_owned(), 0));
    assert!(it.test.clock.now() > base::Timestamp::EPOCH);
}
