//! A place with an SMS centre at the other end of each connection, which does what the test says.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, ManualClock, Personal, ResourceId, Rng, Secret, SeededRng, Timestamp};
use bytes::BytesMut;
use guard::BoxFuture;
use post::smpp::frame::{self, Frame};
use rusmpp::pdus::{BindTransceiverResp, DeliverSm, SubmitSm, SubmitSmResp};
use rusmpp::types::{COctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, Ton};
use rusmpp::{Command, CommandId, Pdu};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::super::{CarrierSettings, Smpp};
use crate::channel::{Dial, Stream, TextChannel, TextIn, TextInbox, TextOutcome, TextParcel, TextReceipt};

/// Takes what is brought, and can be told to refuse.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) receipts: Mutex<Vec<TextReceipt>>,
    pub(super) texts: Mutex<Vec<TextIn>>,
    pub(super) refuses: AtomicBool,
}

impl Inbox {
    fn keep<T>(&self, list: &Mutex<Vec<T>>, item: T) -> bool {
        let keeps = !self.refuses.load(Ordering::SeqCst);
        if keeps {
            list.lock().unwrap().push(item);
        }
        keeps
    }

    pub(super) fn said(&self) -> Vec<String> {
        self.texts.lock().unwrap().iter().map(|text| text.text.expose().clone()).collect()
    }
}

impl TextInbox for Inbox {
    fn receipt(&self, receipt: TextReceipt) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.keep(&self.receipts, receipt) })
    }

    fn text(&self, text: TextIn) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.keep(&self.texts, text) })
    }
}

struct Wires(mpsc::UnboundedSender<(String, DuplexStream)>);

impl Dial for Wires {
    fn connect<'a>(&'a self, host: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            self.0.send((host.to_owned(), theirs)).map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(ours) as Box<dyn Stream>)
        })
    }
}

/// The channel, and the far ends of its connections.
pub(super) struct Place {
    pub(super) smpp: Arc<Smpp>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) clock: Arc<ManualClock>,
    peers: mpsc::UnboundedReceiver<(String, DuplexStream)>,
    stop: Arc<Notify>,
    running: JoinSet<()>,
    sending: JoinSet<TextOutcome>,
}

impl Place {
    /// With one carrier, `a`, changed by `change`.
    pub(super) fn new(change: impl FnOnce(&mut CarrierSettings)) -> Self {
        let mut carrier = CarrierSettings::new("a", "a", 2775, "me", Secret::new("secret".into()));
        change(&mut carrier);
        Self::with(vec![carrier])
    }

    pub(super) fn with(carriers: Vec<CarrierSettings>) -> Self {
        let inbox = Arc::new(Inbox::default());
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)));
        let (wires, peers) = mpsc::unbounded_channel();
        let for_smpp: (Arc<dyn TextInbox>, Arc<dyn Clock>) = (inbox.clone(), clock.clone());
        let smpp = Arc::new(Smpp::new(carriers, &for_smpp.0, &for_smpp.1));
        let stop = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        let (runs, told) = (Arc::clone(&smpp), Arc::clone(&stop));
        let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(1));
        running.spawn(async move { runs.run(Arc::new(Wires(wires)), rng, told.notified()).await });
        Self { smpp, inbox, clock, peers, stop, running, sending: JoinSet::new() }
    }

    /// The next connection, not bound yet, and the host it is to.
    pub(super) async fn connected(&mut self) -> (String, Peer) {
        let (host, stream) = self.peers.recv().await.expect("a connection");
        (host, Peer { stream, buffer: BytesMut::new() })
    }

    /// The next connection, bound.
    pub(super) async fn bound(&mut self) -> Peer {
        let (_, mut peer) = self.connected().await;
        peer.accept_bind().await;
        self.settle().await;
        peer
    }

    /// Lets everything run that can.
    pub(super) async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    /// Sends in the background.
    pub(super) fn send(&mut self, parcel: TextParcel) {
        let smpp = Arc::clone(&self.smpp);
        self.sending.spawn(async move { smpp.submit(&parcel).await });
    }

    /// What became of the next text that something became of.
    pub(super) async fn outcome(&mut self) -> TextOutcome {
        self.sending.join_next().await.expect("a text under way").unwrap()
    }

    /// How many texts are under way.
    pub(super) fn under_way(&self) -> usize {
        self.sending.len()
    }

    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    pub(super) async fn stopped(&mut self) {
        self.running.join_next().await.expect("it ran").unwrap();
    }
}

/// The SMS centre's end of a connection.
pub(super) struct Peer {
    stream: DuplexStream,
    buffer: BytesMut,
}

impl Peer {
    /// The next PDU, whatever it is; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Command> {
        loop {
            if let Some(frame) = frame::next(&mut self.buffer).unwrap() {
                let Frame::Whole(command) = frame else { panic!("{frame:?}") };
                return Some(*command);
            }
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The next PDU; a question whether it is there is answered on the way.
    pub(super) async fn expect(&mut self) -> Command {
        loop {
            let command = self.next().await.expect("a PDU");
            if command.id() != CommandId::EnquireLink {
                return command;
            }
            self.say(0, command.sequence_number(), Pdu::EnquireLinkResp).await;
        }
    }

    pub(super) async fn say(&mut self, status: u32, sequence: u32, pdu: impl Into<Pdu>) {
        let mut octets = BytesMut::new();
        frame::write(&mut octets, status, sequence, pdu);
        self.raw(&octets).await;
    }

    pub(super) async fn raw(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    pub(super) async fn accept_bind(&mut self) -> Command {
        let command = self.expect().await;
        let answer = BindTransceiverResp::new(COctetString::empty(), None);
        let answer: Pdu = match command.id() {
            CommandId::BindTransceiver => answer.into(),
            CommandId::BindTransmitter => Pdu::Other {
                command_id: CommandId::BindTransmitterResp,
                body: rusmpp::types::AnyOctetString::from_slice(b"\0"),
            },
            CommandId::BindReceiver => Pdu::Other {
                command_id: CommandId::BindReceiverResp,
                body: rusmpp::types::AnyOctetString::from_slice(b"\0"),
            },
            other => panic!("no bind: {other:?}"),
        };
        self.say(0, command.sequence_number(), answer).await;
        command
    }

    /// The next submission.
    pub(super) async fn submission(&mut self) -> (u32, SubmitSm) {
        let command = self.expect().await;
        match command.pdu() {
            Some(Pdu::SubmitSm(submit)) => (command.sequence_number(), submit.clone()),
            other => panic!("no submission: {other:?}"),
        }
    }

    /// Takes the next submission as `id`.
    pub(super) async fn take(&mut self, id: &str) -> SubmitSm {
        let (sequence, submit) = self.submission().await;
        self.say(0, sequence, answer(id)).await;
        submit
    }

    /// Brings something; the status it is answered with.
    pub(super) async fn bring(&mut self, sequence: u32, pdu: impl Into<Pdu>) -> u32 {
        self.say(0, sequence, pdu).await;
        let command = self.expect().await;
        assert_eq!(command.sequence_number(), sequence);
        command.status().into()
    }
}

pub(super) fn answer(id: &str) -> SubmitSmResp {
    SubmitSmResp::new(c_octets(id), Vec::new())
}

fn c_octets<const MAX: usize>(text: &str) -> COctetString<1, MAX> {
    post::smpp::pdu::c_octets(text).unwrap()
}

/// A `deliver_sm`.
pub(super) fn deliver(class: u8, coding: u8, message: &[u8]) -> DeliverSm {
    DeliverSm::builder()
        .source_addr_ton(Ton::International)
        .source_addr(c_octets("14255550199"))
        .dest_addr_ton(Ton::International)
        .destination_addr(c_octets("14255550100"))
        .esm_class(EsmClass::from(class))
        .data_coding(DataCoding::from(coding))
        .short_message(OctetString::from_slice(message).unwrap())
        .build()
}

/// A receipt in words.
pub(super) fn receipt(id: &str, stat: &str) -> DeliverSm {
    let words = format!(
        "id:{id} sub:001 dlvrd:001 submit date:2601021504 done date:2601021505 stat:{stat} err:000 text:"
    );
    deliver(0x04, 0, words.as_bytes())
}

pub(super) fn text(said: &str) -> TextParcel {
    TextParcel {
        id: [7; 16],
        resource: ResourceId::CELL,
        from: Personal::new("+14255550100".into()),
        to: Personal::new("+14255550199".into()),
        text: Personal::new(said.into()),
        receipt: true,
        validity: Duration::from_secs(86_400),
    }
}
