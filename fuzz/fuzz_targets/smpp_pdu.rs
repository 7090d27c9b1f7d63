//! PDUs as a carrier sends them: no octets panic, what is understood is written back as it was, and parts put together are
//! no longer than what came.

#![no_main]

use base::Timestamp;
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use post::smpp::frame::{self, Frame};
use post::smpp::pdu::{Brought, Delivery, read};
use post::text::assemble::{Assembler, Taken, decode};
use rusmpp::Pdu;

fuzz_target!(|data: &[u8]| {
    let mut stream = BytesMut::from(data);
    let mut assembler = Assembler::default();
    let mut octets = 0;
    loop {
        let before = stream.len();
        let Ok(Some(frame)) = frame::next(&mut stream) else { break };
        assert!(stream.len() + 16 <= before, "at least a header is taken");
        let Frame::Whole(command) = frame else { continue };
        let Some(pdu) = command.pdu() else { continue };
        let mut again = BytesMut::new();
        frame::write(&mut again, command.status().into(), command.sequence_number(), pdu.clone());
        assert!(
            matches!(frame::next(&mut again), Ok(Some(_))) && again.is_empty(),
            "what was read can be written"
        );
        let brought = match pdu {
            Pdu::DeliverSm(pdu) => read(&Delivery::from(pdu)),
            Pdu::DataSm(pdu) => read(&Delivery::from(pdu)),
            _ => continue,
        };
        match brought {
            Brought::Text { ends, place: Some(place), part } => {
                octets += part.body.len();
                if let Taken::Whole(whole) = assembler.take(ends, place, part, Timestamp::EPOCH) {
                    assert!(whole.text.expose().chars().count() <= octets);
                    assembler.settle(&whole, true, Timestamp::EPOCH);
                }
            }
            Brought::Text { place: None, part, .. } => {
                assert!(decode([&part]).chars().count() <= part.body.len());
            }
            Brought::Receipt(receipt) => assert!(!receipt.message_id.is_empty()),
            Brought::Other => {}
        }
    }
});
