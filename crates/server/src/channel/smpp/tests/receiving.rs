//! Receipts and texts that come in: early, late, twice, in parts, and when they cannot be kept.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusmpp::tlvs::MessageDeliveryRequestTlvValue as Extra;
use rusmpp::types::COctetString;
use rusmpp::values::MessageState;

use super::scripted::{deliver, receipt};
use super::{Place, answer, text};
use crate::channel::{TextOutcome, TextState};

const LATER: u32 = 0x64;

#[tokio::test(start_paused = true)]
async fn receipts_are_kept_early_late_twice_and_of_nobody() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text("x"));
    let (sequence, _) = peer.submission().await;
    assert_eq!(peer.bring(1, receipt("m1", "DELIVRD")).await, 0, "before the answer to the submission");
    peer.say(0, sequence, answer("m1")).await;
    assert!(matches!(place.outcome().await, TextOutcome::Accepted { .. }));
    assert_eq!(peer.bring(2, receipt("m1", "DELIVRD")).await, 0, "twice");
    assert_eq!(peer.bring(3, receipt("nobody", "UNDELIV")).await, 0);
    let mut extra = deliver(0x04, 0, b"");
    extra.push_tlv(Extra::ReceiptedMessageId(COctetString::from_string("m2".into()).unwrap()));
    extra.push_tlv(Extra::MessageState(MessageState::Expired));
    assert_eq!(peer.bring(4, extra).await, 0);
    let kept = place.inbox.receipts.lock().unwrap();
    let kept: Vec<_> =
        kept.iter().map(|one| (one.carrier.as_str(), one.message_id.as_str(), one.state)).collect();
    let expected = [
        ("a", "m1", TextState::Delivered),
        ("a", "m1", TextState::Delivered),
        ("a", "nobody", TextState::Undeliverable),
        ("a", "m2", TextState::Expired),
    ];
    assert_eq!(kept, expected);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_must_be_brought_again() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.inbox.refuses.store(true, Ordering::SeqCst);
    assert_eq!(peer.bring(1, receipt("m1", "DELIVRD")).await, LATER);
    assert_eq!(peer.bring(2, deliver(0, 0, b"Hi")).await, LATER);
    place.inbox.refuses.store(false, Ordering::SeqCst);
    assert_eq!(peer.bring(3, receipt("m1", "DELIVRD")).await, 0);
    assert_eq!(peer.bring(4, deliver(0, 0, b"Hi")).await, 0);
    assert_eq!(place.inbox.said(), ["Hi"]);
    assert_eq!(place.inbox.receipts.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_text_comes_with_its_numbers() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    assert_eq!(peer.bring(1, deliver(0, 8, &[0x4e, 0x2d])).await, 0);
    assert_eq!(peer.bring(2, deliver(0, 4, &[1, 2, 3])).await, 0, "no text: passed over");
    let texts = place.inbox.texts.lock().unwrap();
    assert_eq!(texts.len(), 1);
    let text = &texts[0];
    assert_eq!((text.from.expose().as_str(), text.to.expose().as_str()), ("+14255550199", "+14255550100"));
    assert_eq!((text.text.expose().as_str(), text.segments, text.carrier.as_str()), ("\u{4e2d}", 1, "a"));
}

fn part(index: u8, message: &[u8]) -> rusmpp::pdus::DeliverSm {
    deliver(0x40, 0, &[&[5, 0, 3, 9, 2, index][..], message].concat())
}

#[tokio::test(start_paused = true)]
async fn parts_are_answered_when_their_text_is_kept() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    peer.say(0, 1, part(2, b"B")).await;
    peer.say(0, 2, part(1, b"A")).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let answer = peer.expect().await;
        answers.push((answer.sequence_number(), u32::from(answer.status())));
        assert_eq!(place.inbox.said(), ["AB"], "kept before any answer");
    }
    answers.sort_unstable();
    assert_eq!(answers, [(1, 0), (2, 0)]);
    assert_eq!(place.inbox.texts.lock().unwrap()[0].segments, 2);
    assert_eq!(peer.bring(3, part(2, b"B")).await, 0, "a part that comes again");
    assert_eq!(place.inbox.said(), ["AB"]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_brings_one_thing_at_a_time_gets_on() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    let before = tokio::time::Instant::now();
    assert_eq!(peer.bring(1, part(1, b"A")).await, 0);
    assert_eq!(before.elapsed().as_secs(), 1, "held for a second");
    place.inbox.refuses.store(true, Ordering::SeqCst);
    assert_eq!(peer.bring(2, part(2, b"B")).await, LATER);
    place.inbox.refuses.store(false, Ordering::SeqCst);
    assert_eq!(peer.bring(3, part(2, b"B")).await, 0, "the first part was not forgotten");
    assert_eq!(place.inbox.said(), ["AB"]);
}

#[tokio::test(start_paused = true)]
async fn parts_that_never_come_are_marked() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    assert_eq!(peer.bring(1, part(1, b"A")).await, 0);
    place.clock.advance(Duration::from_secs(16 * 60));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(place.inbox.said(), ["A[\u{2026}]"]);
}
