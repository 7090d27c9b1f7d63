//! Octet by octet where SMPP 3.4 says so, and what the other side of the same agreement reads.

use proptest::prelude::*;
use rusmpp::tlvs::MessageDeliveryRequestTlvValue as Extra;
use rusmpp::types::AnyOctetString;
use rusmpp::values::{MessagePayload, MessageState, NetworkErrorCode};

use super::*;
use crate::smpp::frame::{self, Frame};
use crate::text::assemble::decode;
use crate::text::receipt::State;
use crate::text::segment::{Reference, split};

const DAY: Duration = Duration::from_secs(86_400);

fn addressed(from: &str, to: &str) -> Result<Addressed, u32> {
    Addressed::new(from, to, true, DAY)
}

fn submit(from: &str, text: &str) -> SubmitSm {
    let cut = split(text, &[], Reference::Short(7)).unwrap();
    addressed(from, "+14255550100").unwrap().submit(cut.coding, cut.segments[0].clone())
}

/// Written, and read again.
fn through(pdu: impl Into<Pdu>) -> Pdu {
    let mut octets = bytes::BytesMut::new();
    frame::write(&mut octets, 0, 1, pdu);
    match frame::next(&mut octets).unwrap() {
        Some(Frame::Whole(command)) => command.pdu().unwrap().clone(),
        other => panic!("{other:?}"),
    }
}

fn deliver(class: u8, coding: u8, from: (Ton, &str), message: &[u8], extras: Vec<Extra>) -> Brought {
    let pdu = DeliverSm::builder()
        .source_addr_ton(from.0)
        .source_addr(c_octets(from.1).unwrap())
        .dest_addr_ton(Ton::International)
        .destination_addr(c_octets("14255550100").unwrap())
        .esm_class(EsmClass::from(class))
        .data_coding(DataCoding::from(coding))
        .short_message(OctetString::from_slice(message).unwrap())
        .tlvs(extras)
        .build();
    match through(pdu) {
        Pdu::DeliverSm(pdu) => read(&Delivery::from(&pdu)),
        other => panic!("{other:?}"),
    }
}

fn text(brought: &Brought) -> (String, String, String) {
    match brought {
        Brought::Text { ends, part, .. } => {
            (ends.from.expose().clone(), ends.to.expose().clone(), decode([part]))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bind_is_the_octets_of_the_book() {
    let who = Credentials { system_id: "SMPP3TEST", password: "secret08", system_type: "SUBMIT1" };
    let mut octets = bytes::BytesMut::new();
    frame::write(&mut octets, 0, 1, bind(who, Role::Send).unwrap());
    let book = b"\0\0\0\x2f\0\0\0\x02\0\0\0\0\0\0\0\x01SMPP3TEST\0secret08\0SUBMIT1\0\x34\0\0\0";
    assert_eq!(&octets[..], book);
    assert!(matches!(bind(who, Role::Both), Some(Pdu::BindTransceiver(_))));
    assert!(matches!(bind(who, Role::Receive), Some(Pdu::BindReceiver(_))));
    assert!(bind(Credentials { password: "123456789", ..who }, Role::Both).is_none(), "one too long");
    assert!(bind(Credentials { system_id: "1234567890123456", ..who }, Role::Both).is_none());
    assert!(bind(Credentials { system_type: "ü", ..who }, Role::Both).is_none());
    assert!(Role::Both.sends() && Role::Send.sends() && !Role::Receive.sends());
}

#[test]
fn a_submission_says_what_it_must() {
    let plain = submit("+14255550123", "Hi @");
    assert_eq!((plain.source_addr_ton, plain.source_addr_npi), (Ton::International, Npi::Isdn));
    assert_eq!((plain.source_addr.as_str(), plain.destination_addr.as_str()), ("14255550123", "14255550100"));
    assert_eq!(u8::from(plain.esm_class), 0);
    assert_eq!(u8::from(plain.registered_delivery), 1);
    assert_eq!(u8::from(plain.data_coding), 0);
    assert_eq!(plain.validity_period.as_str(), "000001000000000R");
    assert_eq!(plain.short_message().clone().into_bytes(), &b"Hi \0"[..]);
    let long = submit("12345", &"\u{4e2d}".repeat(71));
    assert_eq!(long.source_addr_ton, Ton::NetworkSpecific);
    assert_eq!((u8::from(long.esm_class), u8::from(long.data_coding)), (0x40, 8));
    assert_eq!(long.short_message().clone().into_bytes()[..8], [5, 0, 3, 7, 2, 1, 0x4e, 0x2d]);
    assert_eq!(submit("CONTOSO", "x").source_addr_ton, Ton::Alphanumeric);
    assert_eq!(through(long.clone()), Pdu::SubmitSm(long));
}

#[test]
fn addresses_smpp_cannot_carry_are_refused() {
    assert_eq!(addressed("Çontoso", "+14255550100").err(), Some(status::BAD_SOURCE));
    for to in ["14255550100", "+1", "CONTOSO", "12345", ""] {
        assert_eq!(addressed("+14255550123", to).err(), Some(status::BAD_DESTINATION), "{to}");
    }
}

#[test]
fn validities_are_relative_and_at_most_thirty_days() {
    for (time, text) in [
        (Duration::ZERO, ""),
        (Duration::from_millis(999), ""),
        (Duration::from_secs(60), "000000000100000R"),
        (Duration::from_secs(86_400 * 29 + 3_661), "000029010101000R"),
        (Duration::from_secs(86_400 * 365), "000030000000000R"),
    ] {
        assert_eq!(validity(time).as_str(), text, "{time:?}");
    }
}

#[test]
fn texts_that_come_in_are_read_in_their_coding() {
    let from = (Ton::International, "14255550123");
    let read = |coding, message: &[u8]| text(&deliver(0, coding, from, message, vec![])).2;
    assert_eq!(read(0, &[0, 0x1b, 0x65]), "@\u{20ac}");
    assert_eq!(read(1, b"a@"), "a@");
    assert_eq!(read(3, &[0xe9]), "é");
    assert_eq!(read(8, &[0xd8, 0x3d, 0xde, 0]), "\u{1f600}");
    assert_eq!(read(0xf1, b"A"), "A");
    for binary in [2, 4, 0xf4, 0xf5, 5] {
        assert_eq!(deliver(0, binary, from, b"x", vec![]), Brought::Other, "{binary}");
    }
    assert_eq!(deliver(0, 0, from, b"x", vec![Extra::DestPort(2948)]), Brought::Other);
    assert_eq!(deliver(0x40, 0, from, &[9, 0], vec![]), Brought::Other, "a header longer than the message");
    let payload = Extra::MessagePayload(MessagePayload::new(AnyOctetString::from_slice(&[0x61; 300])));
    assert_eq!(text(&deliver(0, 0, from, b"", vec![payload])).2, "a".repeat(300));
}

#[test]
fn numbers_that_come_in_get_their_plus() {
    for (ton, given, read) in [
        (Ton::International, "14255550123", "+14255550123"),
        (Ton::Unknown, "14255550123", "+14255550123"),
        (Ton::Unknown, "+14255550123", "+14255550123"),
        (Ton::Unknown, "04255550123", "04255550123"),
        (Ton::Unknown, "12345", "12345"),
        (Ton::National, "4255550123", "4255550123"),
        (Ton::NetworkSpecific, "12345", "12345"),
        (Ton::Alphanumeric, "CONTOSO", "CONTOSO"),
        (Ton::Unknown, "", ""),
    ] {
        assert_eq!(text(&deliver(0, 0, (ton, given), b"x", vec![])).0, read, "{ton:?} {given}");
    }
}

#[test]
fn parts_say_their_place_in_either_way() {
    let from = (Ton::International, "14255550123");
    let place = |brought| match brought {
        Brought::Text { place, part, .. } => (place, part.body),
        other => panic!("{other:?}"),
    };
    let header = deliver(0x40, 0, from, &[5, 0, 3, 9, 2, 1, 0x61], vec![]);
    assert_eq!(place(header), (Place::new(9, 2, 1), vec![0x61]));
    let sar = vec![Extra::SarMsgRefNum(300), Extra::SarTotalSegments(2), Extra::SarSegmentSeqnum(2)];
    assert_eq!(place(deliver(0, 0, from, b"b", sar.clone())), (Place::new(300, 2, 2), b"b".to_vec()));
    assert_eq!(place(deliver(0, 0, from, b"b", sar[..2].to_vec())), (None, b"b".to_vec()));
}

#[test]
fn receipts_are_told_by_class_or_by_parameter() {
    let from = (Ton::International, "14255550123");
    let words =
        b"id:77 sub:001 dlvrd:000 submit date:2601021504 done date:2601021505 stat:UNDELIV err:005 text:";
    let receipt = |brought| match brought {
        Brought::Receipt(receipt) => (receipt.message_id, receipt.state, receipt.error),
        other => panic!("{other:?}"),
    };
    let plain = receipt(deliver(0x04, 0, from, words, vec![]));
    assert_eq!(plain, ("77".into(), State::Undeliverable, Some("005".into())));
    assert_eq!(receipt(deliver(0x20, 0, from, words, vec![])).0, "77");
    let extras = vec![
        Extra::ReceiptedMessageId(c_octets("abc").unwrap()),
        Extra::MessageState(MessageState::Delivered),
        Extra::NetworkErrorCode(NetworkErrorCode::default()),
    ];
    assert_eq!(receipt(deliver(0, 0, from, b"", extras)), ("abc".into(), State::Delivered, None));
    assert_eq!(deliver(0x04, 0, from, b"Hello", vec![]), Brought::Other);
    assert_eq!(deliver(0x08, 0, from, b"Hello", vec![]), Brought::Other, "an answer of a handset");
    assert_eq!(text(&deliver(0, 0, from, b"id:77 stat:DELIVRD", vec![])).2, "id:77 stat:DELIVRD", "a text");
}

proptest! {
    #[test]
    fn what_one_side_writes_the_other_reads(text in "[a-zA-Z0-9 \\[\\]{}\u{20ac}\u{4e2d}\u{1f600}]{0,300}") {
        let cut = split(&text, &[], Reference::Long(400)).unwrap();
        let addressed = addressed("+14255550123", "+14255550100").unwrap();
        let mut parts = Vec::new();
        for segment in cut.segments {
            let Pdu::SubmitSm(sent) = through(addressed.submit(cut.coding, segment)) else { panic!() };
            let message = sent.short_message().clone().into_bytes();
            let from = (sent.source_addr_ton, sent.source_addr.as_str());
            let brought = deliver(sent.esm_class.into(), sent.data_coding.into(), from, &message, vec![]);
            let Brought::Text { ends, part, .. } = brought else { panic!() };
            prop_assert_eq!(ends.from.expose().as_str(), "+14255550123");
            parts.push(part);
        }
        prop_assert_eq!(decode(&parts), text);
    }
}
