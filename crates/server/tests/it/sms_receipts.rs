//! Receipts: late, early, twice, unknown, in parts, and never.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use server::channel::nowhere::Nowhere;
use server::channel::{TextInbox, TextState};
use server::job::text::TextCourier;
use server::service::delivery::{Courier, Errand, Handed, holds};
use server::service::sms::{LATE_RECEIPTS, RECEIPT_PARKED};

use crate::sms_world::{Step, Texts, one, receipt};

#[tokio::test]
async fn a_receipt_ends_its_text_whichever_node_it_comes_to() {
    let it = Texts::new().await;
    let (first, other) = (it.send().await, it.another_node().await);
    it.carry().await;
    it.receive("m1", TextState::Enroute).await;
    assert_eq!(it.state_of(&first).await.0, "Pending");
    other.receive("m1", TextState::Delivered).await;
    assert_eq!(it.state_of(&first).await, ("Delivered".to_owned(), "2000: No Error".to_owned()));
    // This node still remembers the text as waiting: what is final stays.
    it.receive("m1", TextState::Undeliverable).await;
    assert_eq!(it.state_of(&first).await.0, "Delivered");
}

#[tokio::test]
async fn each_final_state_has_its_code() {
    let it = Texts::new().await;
    let states = [
        (TextState::Undeliverable, 4006),
        (TextState::Expired, 4006),
        (TextState::Rejected, 4005),
        (TextState::Deleted, 5000),
        (TextState::Unknown, 9999),
    ];
    for (nth, (state, code)) in states.into_iter().enumerate() {
        let answer = it.ask(&one(&format!("{nth}"))).send().await.expect(202).json();
        it.carry().await;
        it.receive(&format!("m{}", nth + 1), state).await;
        assert_eq!(it.code_of(answer["value"][0]["messageId"].as_str().unwrap()).await, code);
    }
}

#[tokio::test]
async fn a_receipt_that_overtakes_the_answer_is_met() {
    let it = Texts::new().await;
    for (nth, state) in [TextState::Delivered, TextState::Rejected].into_iter().enumerate() {
        it.script([Step::AcceptWithReceipt(state)]);
        let answer = it.ask(&one(&format!("{nth}"))).send().await.expect(202).json();
        it.carry().await;
        let wanted = if state == TextState::Delivered { "Delivered" } else { "Failed" };
        let id = answer["value"][0]["messageId"].as_str().unwrap().to_owned();
        assert_eq!(it.state_of(&id).await.0, wanted);
    }
    assert_eq!((it.waiting().await, it.counts().await["receiptsParked"].clone()), (0, json!(0)));
}

#[tokio::test]
async fn a_receipt_that_comes_long_before_the_answer_is_kept() {
    let it = Texts::new().await;
    let id = it.send().await;
    // To another node, which carries nothing and so has nobody to wait for.
    let other = it.another_node().await;
    other.receive("m1", TextState::Delivered).await;
    other.receive("m1", TextState::Delivered).await;
    assert_eq!(other.counts().await["receiptsParked"], 1, "twice is once");
    it.carry().await;
    assert_eq!((it.state_of(&id).await.0, it.waiting().await), ("Delivered".to_owned(), 0));
    it.test.clock.advance(RECEIPT_PARKED);
    it.sweep().await;
    assert_eq!(it.counts().await["receiptsUnknown"], 0, "it was met");
}

/// A cell without a carrier: what was accepted waits, and ends.
#[tokio::test]
async fn a_text_without_a_way_out_fails_at_its_deadline() {
    let it = Texts::new().await;
    let id = it.send().await;
    let nowhere = TextCourier::new(Arc::clone(it.test.app.state()), Arc::new(Nowhere));
    for errand in it.held() {
        nowhere.carry(&errand).await.unwrap();
    }
    assert_eq!((it.state_of(&id).await.0.as_str(), it.waiting().await), ("Pending", 1), "put off");
    it.test.clock.advance(Duration::from_secs(13 * 3600));
    for handed in holds::take_due(it.test.resource(), it.now(), 10).await.unwrap().taken {
        let Handed { resource, key, row } = handed;
        nowhere.carry(&Errand { resource, key, row }).await.unwrap();
    }
    assert_eq!((it.state_of(&id).await.0.as_str(), it.code_of(&id).await), ("Failed", 5001));
    assert_eq!(it.waiting().await, 0);
}

#[tokio::test]
async fn receipts_of_strangers_are_kept_for_a_while_and_dropped() {
    let it = Texts::new().await;
    it.receive("stranger", TextState::Delivered).await;
    it.receive("wanderer", TextState::Enroute).await;
    it.test.clock.advance(RECEIPT_PARKED - Duration::from_millis(1));
    it.sweep().await;
    assert_eq!(it.counts().await["receiptsUnknown"], 0);
    it.test.clock.advance(Duration::from_millis(1));
    it.sweep().await;
    let counts = it.counts().await;
    assert_eq!((&counts["receiptsParked"], &counts["receiptsUnknown"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn twice_is_once() {
    let it = Texts::new().await;
    let id = it.send().await;
    it.carry().await;
    let (first, second) = tokio::join!(
        it.inbox.receipt(receipt("m1", TextState::Delivered)),
        it.inbox.receipt(receipt("m1", TextState::Rejected))
    );
    assert!(first && second);
    let then = it.state_of(&id).await;
    it.receive("m1", TextState::Delivered).await;
    it.receive("m1", TextState::Expired).await;
    assert_eq!(it.state_of(&id).await, then, "the first word stands");
}

#[tokio::test]
async fn a_long_text_is_delivered_when_all_of_it_is() {
    let it = Texts::new().await;
    it.script([Step::Accept(3), Step::Accept(3)]);
    let id = it.send().await;
    it.carry().await;
    for segment in ["m2", "m2", "m1"] {
        it.receive(segment, TextState::Delivered).await;
        assert_eq!(it.state_of(&id).await.0, "Pending", "{segment}");
    }
    it.another_node().await.receive("m3", TextState::Delivered).await;
    let report = it.report_of(&id).await.expect(200).json();
    assert_eq!(
        (&report["deliveryStatus"], &report["deliveryAttempts"][0]["segmentsSucceeded"]),
        (&json!("Delivered"), &json!(3))
    );

    let second = it.ask(&one("second")).send().await.expect(202).json();
    let second = second["value"][0]["messageId"].as_str().unwrap();
    // One part overtakes the answer, one fails, and the last comes too late to matter.
    let other = it.another_node().await;
    other.receive("m4", TextState::Delivered).await;
    it.carry().await;
    assert_eq!(it.state_of(second).await.0, "Pending");
    it.receive("m5", TextState::Undeliverable).await;
    it.receive("m6", TextState::Delivered).await;
    let report = it.report_of(second).await.expect(200).json();
    assert_eq!(report["deliveryStatus"], "Failed");
    let attempt = &report["deliveryAttempts"][0];
    assert_eq!((&attempt["segmentsSucceeded"], &attempt["segmentsFailed"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn parts_of_one_text_at_the_same_moment_all_count() {
    let it = Texts::new().await;
    it.script([Step::Accept(4)]);
    let id = it.send().await;
    it.carry().await;
    let part = |n: usize| it.inbox.receipt(receipt(&format!("m{n}"), TextState::Delivered));
    let kept = tokio::join!(part(1), part(2), part(3), part(4));
    assert_eq!(kept, (true, true, true, true));
    assert_eq!(it.state_of(&id).await.0, "Delivered");
}

#[tokio::test]
async fn a_text_without_a_receipt_fails_in_time() {
    let it = Texts::new().await;
    let mut body = one("a");
    body["smsSendOptions"]["deliveryReportTimeoutInSeconds"] = json!(60);
    let answer = it.ask(&body).send().await.expect(202).json();
    let id = answer["value"][0]["messageId"].as_str().unwrap().to_owned();
    it.carry().await;
    it.test.clock.advance(Duration::from_millis(59_999));
    it.sweep().await;
    assert_eq!(it.state_of(&id).await.0, "Pending");
    it.test.clock.advance(Duration::from_millis(1));
    it.sweep().await;
    assert_eq!((it.state_of(&id).await.0.as_str(), it.code_of(&id).await), ("Failed", 5002));
    it.receive("m1", TextState::Delivered).await;
    assert_eq!(it.code_of(&id).await, 5002, "what was told stays");
    let counts = it.counts().await;
    assert_eq!((&counts["receiptsLate"], &counts["textsOverdue"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn nothing_stays_when_its_time_has_ended() {
    let it = Texts::new().await;
    for nth in 0..300 {
        let _ = it.ask(&one(&format!("{nth}"))).send().await.expect(202);
    }
    it.carry().await;
    it.receive("m1", TextState::Delivered).await;
    it.sweep().await;
    it.test.clock.advance(Duration::from_secs(12 * 3600) + LATE_RECEIPTS);
    it.sweep().await;
    it.test.clock.advance(Duration::from_secs(12 * 3600));
    it.sweep().await;
    assert_eq!(it.counts().await["textsOverdue"], 299);
    assert_eq!(it.waiting().await, 0);
    for table in ["sms_text", "sms_due", "sms_receipt"] {
        assert_eq!(it.rows(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_store_that_fails_keeps_nothing_and_says_so() {
    let it = Texts::new().await;
    let id = it.send().await;
    it.carry().await;
    let plan = store::engine::memory::FaultPlan {
        before: 1000,
        ..store::engine::memory::FaultPlan::none(it.test.rng.clone())
    };
    it.test.engine.set_faults(Some(plan));
    assert!(!it.inbox.receipt(receipt("m1", TextState::Delivered)).await, "the carrier must bring it again");
    it.test.engine.set_faults(None);
    it.receive("m1", TextState::Delivered).await;
    assert_eq!(it.state_of(&id).await.0, "Delivered");
}
