//! One client of the centre: PDUs in, answers and receipts out, everything that one read brought answered in one write.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use post::smpp::frame::{self, Frame};
use post::smpp::pdu::{self, status};
use rusmpp::pdus::{
    BindReceiverResp, BindTransceiverResp, BindTransmitterResp, DeliverSm, SubmitSm, SubmitSmResp,
};
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{EsmClass, InterfaceVersion};
use rusmpp::{Command, CommandId, Pdu};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Shared;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What one client has to be told, and whether it goes on.
struct Client<'s> {
    shared: &'s Shared,
    out: BytesMut,
    /// The number of the next request of the centre.
    sequence: u32,
    /// Bound both ways, so that receipts can be brought.
    receives: bool,
    /// Which text's receipt each unanswered request of the centre is; only where it remembers.
    brought: HashMap<u32, String>,
}

pub(super) async fn run(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut octets = BytesMut::with_capacity(CHUNK);
    let mut client =
        Client { shared, out: BytesMut::new(), sequence: 0, receives: false, brought: HashMap::new() };
    loop {
        octets.reserve(CHUNK);
        if stream.read_buf(&mut octets).await? == 0 {
            return Ok(());
        }
        let mut on = true;
        while on && let Some(frame) = frame::next(&mut octets).map_err(std::io::Error::other)? {
            on = match frame {
                Frame::Whole(command) => client.take(&command),
                Frame::Broken { sequence, .. } => {
                    frame::write(&mut client.out, status::BAD_LENGTH, sequence, Pdu::GenericNack);
                    true
                }
            };
        }
        stream.write_all(&client.out).await?;
        client.out.clear();
        if !on {
            return Ok(());
        }
    }
}

impl Client<'_> {
    fn say(&mut self, status: u32, to: &Command, pdu: impl Into<Pdu>) {
        frame::write(&mut self.out, status, to.sequence_number(), pdu);
    }

    /// `false` ends the connection.
    fn take(&mut self, command: &Command) -> bool {
        let (name, version) = (c_octets("bench"), Some(InterfaceVersion::Smpp3_4));
        match (command.id(), command.pdu()) {
            (CommandId::BindTransceiver, _) => {
                self.receives = true;
                self.say(status::OK, command, BindTransceiverResp::new(name, version));
                let owed = self.shared.owed.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for (id, receipt) in owed {
                    self.give(id, receipt);
                }
            }
            (CommandId::BindTransmitter, _) => {
                self.say(status::OK, command, BindTransmitterResp::new(name, version));
            }
            (CommandId::BindReceiver, _) => {
                self.say(status::OK, command, BindReceiverResp::new(name, version));
            }
            (CommandId::EnquireLink, _) => self.say(status::OK, command, Pdu::EnquireLinkResp),
            (CommandId::Unbind, _) => {
                self.say(status::OK, command, Pdu::UnbindResp);
                return false;
            }
            (_, Some(Pdu::SubmitSm(submit))) => return self.submitted(command, submit),
            (CommandId::DeliverSmResp, _) => {
                self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                if let Some(id) = self.brought.remove(&command.sequence_number())
                    && u32::from(command.status()) == status::OK
                {
                    self.shared.owed.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                }
            }
            (id, _) if id.is_response() => {}
            _ => self.say(status::BAD_COMMAND, command, Pdu::GenericNack),
        }
        true
    }

    fn submitted(&mut self, command: &Command, submit: &SubmitSm) -> bool {
        let shared = self.shared;
        let number = shared.submissions.fetch_add(1, Ordering::Relaxed) + 1;
        let due = |every: u64| every != 0 && number.is_multiple_of(every);
        if due(shared.behaviour.throttle_every) {
            shared.throttled.fetch_add(1, Ordering::Relaxed);
            self.say(status::THROTTLED, command, SubmitSmResp::new(COctetString::empty(), Vec::new()));
            return true;
        }
        shared.taken.fetch_add(1, Ordering::Relaxed);
        if shared.behaviour.remember {
            let said = submit.short_message().clone().into_bytes().to_vec();
            *shared.texts.lock().unwrap_or_else(PoisonError::into_inner).entry(said).or_default() += 1;
        }
        if due(shared.behaviour.drop_every) {
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let id = number.to_string();
        self.say(status::OK, command, SubmitSmResp::new(c_octets(&id), Vec::new()));
        if shared.behaviour.receipts && self.receives && u8::from(submit.registered_delivery) & 1 == 1 {
            self.bring(&id, submit);
        }
        true
    }

    fn bring(&mut self, id: &str, submit: &SubmitSm) {
        let words = format!(
            "id:{id} sub:001 dlvrd:001 submit date:2601021504 done date:2601021504 stat:DELIVRD err:000 text:"
        );
        let Ok(words) = OctetString::from_string(words) else { return };
        let receipt = DeliverSm::builder()
            .source_addr_ton(submit.dest_addr_ton)
            .source_addr_npi(submit.dest_addr_npi)
            .source_addr(submit.destination_addr.clone())
            .dest_addr_ton(submit.source_addr_ton)
            .dest_addr_npi(submit.source_addr_npi)
            .destination_addr(submit.source_addr.clone())
            .esm_class(EsmClass::from(0x04))
            .short_message(words)
            .build();
        if self.shared.behaviour.remember {
            let mut owed = self.shared.owed.lock().unwrap_or_else(PoisonError::into_inner);
            owed.insert(id.to_owned(), receipt.clone());
        }
        self.give(id.to_owned(), receipt);
    }

    fn give(&mut self, id: String, receipt: DeliverSm) {
        self.sequence = self.sequence % 0x7fff_ffff + 1;
        frame::write(&mut self.out, status::OK, self.sequence, receipt);
        self.shared.brought.fetch_add(1, Ordering::Relaxed);
        if self.shared.behaviour.remember {
            self.brought.insert(self.sequence, id);
        }
    }
}

/// A text of a PDU; the numbers and names here always fit.
fn c_octets<const MAX: usize>(text: &str) -> COctetString<1, MAX> {
    pdu::c_octets(text).unwrap_or_else(COctetString::empty)
}
