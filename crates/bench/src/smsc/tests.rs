//! The centre, spoken to octet by octet.

use bytes::BytesMut;
use post::smpp::frame::{self, Frame};
use post::smpp::pdu::{Addressed, Credentials, Role, bind};
use post::text::segment::{Reference, split};
use rusmpp::pdus::DeliverSmResp;
use rusmpp::types::COctetString;
use rusmpp::{Command, CommandId, Pdu};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Behaviour, Centre, Counts};

struct Client(TcpStream, BytesMut);

impl Client {
    async fn bound(centre: &Centre) -> Self {
        let mut client =
            Self(TcpStream::connect(("127.0.0.1", centre.port())).await.unwrap(), BytesMut::new());
        let who = Credentials { system_id: "x", password: "y", system_type: "" };
        client.say(1, bind(who, Role::Both).unwrap()).await;
        assert_eq!(client.hear().await.unwrap().id(), CommandId::BindTransceiverResp);
        client
    }

    async fn say(&mut self, sequence: u32, pdu: impl Into<Pdu>) {
        let mut octets = BytesMut::new();
        frame::write(&mut octets, 0, sequence, pdu);
        self.0.write_all(&octets).await.unwrap();
    }

    async fn text(&mut self, sequence: u32, said: &str) {
        let to = Addressed::new("+14255550100", "+14255550199", true, std::time::Duration::ZERO).unwrap();
        let cut = split(said, &[], Reference::Short(1)).unwrap();
        self.say(sequence, to.submit(cut.coding, cut.segments[0].clone())).await;
    }

    async fn hear(&mut self) -> Option<Command> {
        loop {
            match frame::next(&mut self.1).unwrap() {
                Some(Frame::Whole(command)) => return Some(*command),
                Some(other) => panic!("{other:?}"),
                None if self.0.read_buf(&mut self.1).await.unwrap_or(0) == 0 => return None,
                None => {}
            }
        }
    }
}

#[tokio::test]
async fn texts_are_taken_answered_and_receipts_brought() {
    let centre = Centre::start(Behaviour { receipts: true, remember: true, ..Behaviour::default() }).unwrap();
    let mut client = Client::bound(&centre).await;
    for sequence in [2, 3] {
        client.text(sequence, "Hello").await;
        let answer = client.hear().await.unwrap();
        assert_eq!((answer.id(), answer.sequence_number()), (CommandId::SubmitSmResp, sequence));
        let receipt = client.hear().await.unwrap();
        let Some(Pdu::DeliverSm(pdu)) = receipt.pdu() else { panic!("{receipt:?}") };
        let (Some(Pdu::SubmitSmResp(answer)), words) =
            (answer.pdu(), pdu.short_message().clone().into_bytes())
        else {
            panic!("{answer:?}");
        };
        assert!(words.starts_with(format!("id:{} ", answer.message_id().as_str()).as_bytes()));
        client.say(receipt.sequence_number(), DeliverSmResp::new(COctetString::empty(), vec![])).await;
    }
    client.say(9, Pdu::Unbind).await;
    assert_eq!(client.hear().await.unwrap().id(), CommandId::UnbindResp);
    assert!(client.hear().await.is_none());
    assert_eq!(centre.counts(), Counts { taken: 2, brought: 2, acknowledged: 2, ..Counts::default() });
    assert_eq!(centre.texts(), [(b"Hello".to_vec(), 2)].into());
}

#[tokio::test]
async fn a_receipt_that_was_not_acknowledged_is_brought_again() {
    let centre = Centre::start(Behaviour { receipts: true, remember: true, ..Behaviour::default() }).unwrap();
    let mut first = Client::bound(&centre).await;
    first.text(2, "Hello").await;
    let (_, receipt) = (first.hear().await.unwrap(), first.hear().await.unwrap());
    drop(first);
    let mut second = Client::bound(&centre).await;
    let again = second.hear().await.unwrap();
    assert_eq!(again.pdu(), receipt.pdu());
    second.say(again.sequence_number(), DeliverSmResp::new(COctetString::empty(), vec![])).await;
    second.say(9, Pdu::Unbind).await;
    assert_eq!(second.hear().await.unwrap().id(), CommandId::UnbindResp);
    let mut third = Client::bound(&centre).await;
    third.say(3, Pdu::Unbind).await;
    assert_eq!(third.hear().await.unwrap().id(), CommandId::UnbindResp, "nothing is owed any more");
}

#[tokio::test]
async fn it_throttles_and_hangs_up_as_told() {
    let centre =
        Centre::start(Behaviour { throttle_every: 2, drop_every: 3, ..Behaviour::default() }).unwrap();
    let mut client = Client::bound(&centre).await;
    let mut statuses = Vec::new();
    for sequence in 2..4 {
        client.text(sequence, "x").await;
        statuses.push(u32::from(client.hear().await.unwrap().status()));
    }
    assert_eq!(statuses, [0, 0x58]);
    client.text(5, "x").await;
    assert!(client.hear().await.is_none());
    assert_eq!(centre.counts(), Counts { taken: 2, throttled: 1, dropped: 1, ..Counts::default() });
}
