//! Texts that go out as they should: bound, within the window, in segments, by the right carrier, at the right pace.

use std::time::Duration;

use base::Secret;
use post::smpp::pdu::Binding;
use post::text::receipt::IdForm;
use rusmpp::{CommandId, Pdu};

use super::super::CarrierSettings;
use super::{Peer, Place, answer, text};
use crate::channel::{TextChannel, TextOutcome};

fn taken(ids: &[&str]) -> TextOutcome {
    TextOutcome::Accepted {
        carrier: "a".into(),
        message_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_is_taken_and_its_id_is_told() {
    let mut place = Place::new(|_| {});
    let (_, mut peer) = place.connected().await;
    let bind = peer.accept_bind().await;
    let Some(Pdu::BindTransceiver(bind)) = bind.pdu() else { panic!("{bind:?}") };
    assert_eq!((bind.system_id.as_str(), bind.password.as_str()), ("me", "secret"));
    assert_eq!(u8::from(bind.interface_version), 0x34);
    place.settle().await;
    place.send(text("Hello"));
    let submit = peer.take("id-1").await;
    assert_eq!(submit.short_message().clone().into_bytes(), &b"Hello"[..]);
    assert_eq!(place.outcome().await, taken(&["id-1"]));
    assert_eq!(place.smpp.bound().collect::<Vec<_>>(), [("a", 1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_filled_and_never_overrun() {
    let mut place = Place::new(|carrier| carrier.window = 3);
    let mut peer = place.bound().await;
    for _ in 0..5 {
        place.send(text("x"));
    }
    let mut sequences = Vec::new();
    for _ in 0..3 {
        sequences.push(peer.submission().await.0);
    }
    let more = tokio::time::timeout(Duration::from_secs(5), peer.submission()).await;
    assert!(more.is_err(), "a fourth before an answer");
    // The last first: answers are matched by their numbers.
    for (number, sequence) in sequences.iter().rev().enumerate() {
        peer.say(0, *sequence, answer(&number.to_string())).await;
    }
    for id in ["3", "4"] {
        peer.take(id).await;
    }
    let mut ids = Vec::new();
    for _ in 0..5 {
        match place.outcome().await {
            TextOutcome::Accepted { message_ids, .. } => ids.extend(message_ids),
            other => panic!("{other:?}"),
        }
    }
    ids.sort();
    assert_eq!(ids, ["0", "1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn segments_go_together_and_every_id_is_told_in_order() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text(&"a".repeat(400)));
    let (mut sequences, mut headers) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (sequence, submit) = peer.submission().await;
        assert_eq!(u8::from(submit.esm_class), 0x40);
        headers.push(submit.short_message().clone().into_bytes()[..6].to_vec());
        sequences.push(sequence);
    }
    assert!(headers.iter().enumerate().all(|(at, header)| header[4..] == [3, at as u8 + 1]));
    assert!(headers.iter().all(|header| header[3] == headers[0][3]));
    for (at, sequence) in sequences.iter().enumerate().rev() {
        peer.say(0, *sequence, answer(&format!("s{at}"))).await;
    }
    assert_eq!(place.outcome().await, taken(&["s0", "s1", "s2"]));
}

#[tokio::test(start_paused = true)]
async fn what_smpp_cannot_carry_is_refused_without_a_word() {
    let mut place = Place::new(|_| {});
    let _peer = place.bound().await;
    for (status, change) in [(0x0b, "to"), (0x0a, "from"), (0x01, "text")] {
        let mut parcel = text("x");
        match change {
            "to" => parcel.to = "CONTOSO".to_owned().into(),
            "from" => parcel.from = "nothing like a sender".to_owned().into(),
            _ => parcel.text = "x".repeat(153 * 255 + 1).into(),
        }
        let outcome = place.smpp.submit(&parcel).await;
        // A carrier for any number carries what is no number too: it is the one that says no.
        assert_eq!(outcome, TextOutcome::Refused { carrier: "a".into(), status }, "{change}");
    }
}

fn carrier(name: &str, prefixes: &[&str]) -> CarrierSettings {
    let mut carrier = CarrierSettings::new(name, name, 2775, "me", Secret::new("x".into()));
    carrier.prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    carrier
}

#[tokio::test(start_paused = true)]
async fn the_longest_prefix_carries_and_another_takes_over_when_it_is_down() {
    let mut place = Place::with(vec![carrier("any", &[""]), carrier("us", &["1"]), carrier("uk", &["44"])]);
    let mut peers = std::collections::BTreeMap::new();
    for _ in 0..3 {
        let (host, mut peer) = place.connected().await;
        peer.accept_bind().await;
        peers.insert(host, peer);
    }
    place.settle().await;
    let carrier_of = |outcome| match outcome {
        TextOutcome::Accepted { carrier, .. } => carrier,
        other => panic!("{other:?}"),
    };
    let take = async |place: &mut Place, peer: &mut Peer| {
        place.send(text("x"));
        peer.take("1").await;
        carrier_of(place.outcome().await)
    };
    assert_eq!(take(&mut place, peers.get_mut("us").unwrap()).await, "us");
    drop(peers.remove("us"));
    place.settle().await;
    assert_eq!(take(&mut place, peers.get_mut("any").unwrap()).await, "any");
    drop(peers.remove("any"));
    place.settle().await;
    let outcome = place.smpp.submit(&text("x")).await;
    assert_eq!(outcome, TextOutcome::Later { reason: "not connected".into(), after: None });
    let nowhere = Place::with(vec![carrier("uk", &["44"])]);
    let outcome = nowhere.smpp.submit(&text("x")).await;
    let reason = "no carrier is configured for this number".into();
    assert_eq!(outcome, TextOutcome::Later { reason, after: None });
}

#[tokio::test(start_paused = true)]
async fn separate_bindings_send_over_one_and_receive_over_the_other() {
    let mut place = Place::new(|carrier| {
        carrier.binding = Binding::Separate;
        carrier.ids = IdForm::HexThenDecimal;
    });
    let mut sends = None;
    for _ in 0..2 {
        let (_, mut peer) = place.connected().await;
        match peer.accept_bind().await.id() {
            CommandId::BindTransmitter => sends = Some(peer),
            CommandId::BindReceiver => {
                let receipt = super::scripted::receipt("31", "DELIVRD");
                assert_eq!(peer.bring(1, receipt).await, 0);
            }
            other => panic!("{other:?}"),
        }
    }
    place.settle().await;
    place.send(text("x"));
    sends.unwrap().take("1F").await;
    assert_eq!(place.outcome().await, taken(&["31"]), "one form of ids");
    assert_eq!(place.inbox.receipts.lock().unwrap()[0].message_id, "31");
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_and_who_would_wait_long_is_sent_away() {
    let mut place = Place::new(|carrier| carrier.rate = Some(2));
    let mut peer = place.bound().await;
    for _ in 0..7 {
        place.send(text("x"));
    }
    for number in 0..5 {
        peer.take(&number.to_string()).await;
    }
    let mut away = 0;
    for _ in 0..7 {
        if let TextOutcome::Later { after: Some(after), .. } = place.outcome().await {
            assert!(after > Duration::from_secs(2));
            away += 1;
        }
    }
    assert_eq!(away, 2);
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_answers_and_unbinds() {
    let mut place = Place::new(|_| {});
    let mut peer = place.bound().await;
    place.send(text("x"));
    let (sequence, _) = peer.submission().await;
    place.stop();
    place.settle().await;
    assert!(matches!(place.smpp.submit(&text("y")).await, TextOutcome::Later { .. }), "nothing new");
    peer.say(0, sequence, answer("last")).await;
    assert_eq!(place.outcome().await, taken(&["last"]));
    let unbind = peer.expect().await;
    assert_eq!(unbind.id(), CommandId::Unbind);
    peer.say(0, unbind.sequence_number(), Pdu::UnbindResp).await;
    place.stopped().await;
    assert!(peer.next().await.is_none());
}
