//! Peers that refuse, throttle, hang, go away, or speak nonsense.

use std::time::Duration;

use rusmpp::pdus::BindTransceiverResp;
use rusmpp::types::COctetString;
use rusmpp::{CommandId, Pdu};

use super::{Place, answer, text};
use crate::channel::{TextChannel, TextOutcome};

fn why(outcome: TextOutcome) -> String {
    match outcome {
        TextOutcome::Later { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

fn refused(status: u32) -> TextOutcome {
    TextOutcome::Refused { carrier: "a".into(), status }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_also_by_generic_nack_and_without_a_body() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text("x"));
    let (sequence, _) = peer.submission().await;
    peer.say(0x0b, sequence, answer("")).await;
    assert_eq!(place.outcome().await, refused(0x0b));
    place.send(text("x"));
    let (sequence, _) = peer.submission().await;
    peer.say(0x03, sequence, Pdu::GenericNack).await;
    assert_eq!(place.outcome().await, refused(0x03));
    place.send(text("x"));
    let (sequence, _) = peer.submission().await;
    let mut bare = vec![0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x45];
    bare.extend(sequence.to_be_bytes());
    peer.raw(&bare).await;
    assert_eq!(place.outcome().await, refused(0x45));
    place.send(text("x"));
    let (sequence, _) = peer.submission().await;
    peer.say(0x08, sequence, answer("")).await;
    assert_eq!(why(place.outcome().await), "the carrier has a fault");
}

#[tokio::test(start_paused = true)]
async fn a_carrier_that_is_too_busy_is_left_alone_for_a_while() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    for _ in 0..3 {
        place.send(text("x"));
    }
    for status in [0x58, 0x14, 0x58] {
        let (sequence, _) = peer.submission().await;
        peer.say(status, sequence, answer("")).await;
    }
    for _ in 0..3 {
        let TextOutcome::Later { after, .. } = place.outcome().await else { panic!("taken") };
        assert_eq!(after, Some(Duration::from_secs(1)), "a whole window counts once");
    }
    let waits = place.smpp.submit(&text("y")).await;
    assert!(
        matches!(waits, TextOutcome::Later { after: Some(_), .. }),
        "nothing is sent meanwhile: {waits:?}"
    );
    place.clock.advance(Duration::from_secs(1));
    place.send(text("z"));
    let (sequence, _) = peer.submission().await;
    peer.say(0x58, sequence, answer("")).await;
    let TextOutcome::Later { after, .. } = place.outcome().await else { panic!("taken") };
    assert_eq!(after, Some(Duration::from_secs(2)), "longer the second time");
}

#[tokio::test(start_paused = true)]
async fn only_the_rest_of_a_text_is_sent_again_when_a_part_of_it_is_taken() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text(&"a".repeat(300)));
    let (first, _) = peer.submission().await;
    let (second, _) = peer.submission().await;
    peer.say(0, first, answer("s1")).await;
    peer.say(0x58, second, answer("")).await;
    let again = peer.take("s2").await;
    assert_eq!(again.short_message().clone().into_bytes()[4..6], [2, 2]);
    let message_ids = vec!["s1".into(), "s2".into()];
    assert_eq!(place.outcome().await, TextOutcome::Accepted { carrier: "a".into(), message_ids });
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_later_and_a_late_one_harms_nobody() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text("x"));
    let (late, _) = peer.submission().await;
    assert_eq!(why(place.outcome().await), "the carrier did not answer in time");
    peer.say(0, late, answer("late")).await;
    place.send(text("y"));
    let (sequence, _) = peer.submission().await;
    peer.say(0, sequence, answer("right")).await;
    peer.say(0, sequence, answer("twice")).await;
    let outcome = place.outcome().await;
    assert!(
        matches!(&outcome, TextOutcome::Accepted { message_ids, .. } if message_ids == &["right"]),
        "{outcome:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_lost_in_mid_window_makes_the_unanswered_later_and_is_made_again() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    for _ in 0..4 {
        place.send(text("x"));
    }
    peer.take("1").await;
    for _ in 0..3 {
        peer.submission().await;
    }
    drop(peer);
    let mut lost = 0;
    for _ in 0..4 {
        match place.outcome().await {
            TextOutcome::Accepted { message_ids, .. } => assert_eq!(message_ids, ["1"]),
            other => {
                assert_eq!(why(other), "the connection ended before the answer");
                lost += 1;
            }
        }
    }
    assert_eq!(lost, 3);
    assert_eq!(why(place.smpp.submit(&text("x")).await), "not connected");
    let mut peer = place.bound().await;
    place.send(text("x"));
    peer.take("2").await;
    assert!(matches!(place.outcome().await, TextOutcome::Accepted { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_unbind_is_answered_and_the_connection_made_again() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text("x"));
    peer.submission().await;
    peer.say(0, 77, Pdu::Unbind).await;
    let answer = peer.expect().await;
    assert_eq!((answer.id(), answer.sequence_number()), (CommandId::UnbindResp, 77));
    assert!(peer.next().await.is_none(), "closed");
    assert_eq!(why(place.outcome().await), "the connection ended before the answer");
    place.bound().await;
}

#[tokio::test(start_paused = true)]
async fn nonsense_ends_the_connection_and_nothing_else() {
    let mut place = Place::new(|_| {});
    for garbage in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0; 64], &[0xff; 64]] {
        let mut peer = place.bound().await;
        peer.raw(garbage).await;
        let nack = peer.expect().await;
        assert_eq!((nack.id(), u32::from(nack.status())), (CommandId::GenericNack, 2));
        assert!(peer.next().await.is_none());
    }
    let mut peer = place.bound().await;
    // A body that cannot be read, a command nobody knows: answered, and on it goes.
    peer.raw(&[0, 0, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff]).await;
    let nack = peer.expect().await;
    assert_eq!((nack.id(), nack.sequence_number()), (CommandId::GenericNack, 9));
    peer.raw(&[0, 0, 0, 16, 0, 0, 7, 7, 0, 0, 0, 0, 0, 0, 0, 10]).await;
    let nack = peer.expect().await;
    assert_eq!((nack.sequence_number(), u32::from(nack.status())), (10, 3));
    place.send(text("x"));
    peer.take("1").await;
    assert!(matches!(place.outcome().await, TextOutcome::Accepted { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_refused_bind_is_tried_again_ever_more_slowly() {
    let mut place = Place::new(|_| {});
    let mut waits = Vec::new();
    for _ in 0..9 {
        let before = tokio::time::Instant::now();
        let (_, mut peer) = place.connected().await;
        waits.push(before.elapsed());
        let bind = peer.expect().await;
        let answer = BindTransceiverResp::new(COctetString::empty(), None);
        peer.say(0x0e, bind.sequence_number(), answer).await;
        assert!(peer.next().await.is_none());
    }
    assert!(waits[1] <= Duration::from_secs(1), "{waits:?}");
    assert!(waits[8] >= Duration::from_secs(30) && waits[8] <= Duration::from_secs(60), "{waits:?}");
    assert_eq!(why(place.smpp.submit(&text("x")).await), "not connected");
    place.bound().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_asked_and_silent_is_left() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    let before = tokio::time::Instant::now();
    let asked = peer.next().await.unwrap();
    assert_eq!(asked.id(), CommandId::EnquireLink);
    assert_eq!(before.elapsed().as_secs(), 30);
    peer.say(0, asked.sequence_number(), Pdu::EnquireLinkResp).await;
    assert_eq!(peer.next().await.unwrap().id(), CommandId::EnquireLink, "asked again");
    assert!(peer.next().await.is_none(), "and left, for it did not answer");
    let mut peer = place.bound().await;
    peer.say(0, 5, Pdu::EnquireLink).await;
    let answer = peer.next().await.unwrap();
    assert_eq!((answer.id(), answer.sequence_number()), (CommandId::EnquireLinkResp, 5));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_before_it_is_bound_is_left() {
    let mut place = Place::new(|_| {});
    let (_, mut peer) = place.connected().await;
    peer.expect().await;
    assert!(peer.next().await.is_none(), "twice the time of an answer is enough");
    let (_, mut peer) = place.connected().await;
    let bind = peer.expect().await;
    peer.say(0, 3, Pdu::EnquireLink).await;
    assert_eq!(peer.expect().await.id(), CommandId::EnquireLinkResp);
    peer.say(0, bind.sequence_number(), BindTransceiverResp::new(COctetString::empty(), None)).await;
    place.settle().await;
    place.send(text("x"));
    peer.take("1").await;
    assert!(matches!(place.outcome().await, TextOutcome::Accepted { .. }));
    assert_eq!(place.under_way(), 0);
}
