//! Texts to PDUs and back, by the agreements most carriers share: numbers go as international without `+`, short codes as
//! network specific, names as alphanumeric; septets one to an octet.

use std::time::Duration;

use base::Personal;
use bytes::Bytes;
use rusmpp::Pdu;
use rusmpp::pdus::{BindReceiver, BindTransceiver, BindTransmitter, DataSm, DeliverSm, SubmitSm};
use rusmpp::tlvs::{Tlv, TlvValue};
use rusmpp::types::{COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, InterfaceVersion, Npi, RegisteredDelivery, Ton};

use crate::text::alphabet::Shifts;
use crate::text::assemble::{Ends, Header, Part, Place, Script};
use crate::text::number::Sender;
use crate::text::receipt::{self, Parameters, Receipt};
use crate::text::segment::{Coding, Segment};

/// Command statuses (SMPP 3.4, section 5.1.3) that mean something here.
pub mod status {
    /// No error.
    pub const OK: u32 = 0;
    /// The message is too long.
    pub const TOO_LONG: u32 = 0x01;
    /// The length of the PDU is wrong.
    pub const BAD_LENGTH: u32 = 0x02;
    /// There is no such command.
    pub const BAD_COMMAND: u32 = 0x03;
    /// Not bound for that.
    pub const NOT_BOUND: u32 = 0x04;
    /// The centre itself has a fault.
    pub const SYSTEM: u32 = 0x08;
    /// The sender's address is wrong.
    pub const BAD_SOURCE: u32 = 0x0a;
    /// The recipient's address is wrong.
    pub const BAD_DESTINATION: u32 = 0x0b;
    /// Its queue is full.
    pub const QUEUE_FULL: u32 = 0x14;
    /// Too many a second.
    pub const THROTTLED: u32 = 0x58;
    /// The receiver cannot take it now.
    pub const RECEIVER_LATER: u32 = 0x64;
}

/// Which way a connection is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Both ways.
    Both,
    /// To send.
    Send,
    /// To receive.
    Receive,
}

impl Role {
    /// Whether texts may be sent over it.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Send)
    }
}

/// How a carrier wants to be bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Binding {
    /// Both ways over one connection.
    #[default]
    Transceiver,
    /// One connection to send, another to receive.
    Separate,
    /// To send only; receipts and texts never come.
    Transmitter,
}

impl Binding {
    /// The connections it takes.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Transceiver => &[Role::Both],
            Self::Separate => &[Role::Send, Role::Receive],
            Self::Transmitter => &[Role::Send],
        }
    }
}

/// Who we are to a carrier.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// At most 15 characters.
    pub system_id: &'a str,
    /// At most 8.
    pub password: &'a str,
    /// At most 12.
    pub system_type: &'a str,
}

/// The request to bind, as SMPP 3.4; `None` when something is not ASCII or too long.
#[must_use]
pub fn bind(credentials: Credentials<'_>, role: Role) -> Option<Pdu> {
    macro_rules! request {
        ($kind:ident) => {
            $kind::new(
                c_octets(credentials.system_id)?,
                c_octets(credentials.password)?,
                c_octets(credentials.system_type)?,
                InterfaceVersion::Smpp3_4,
                Ton::Unknown,
                Npi::Unknown,
                COctetString::empty(),
            )
            .into()
        };
    }
    Some(match role {
        Role::Both => request!(BindTransceiver),
        Role::Send => request!(BindTransmitter),
        Role::Receive => request!(BindReceiver),
    })
}

/// A text of a PDU; `None` when it is not ASCII, or has no room beside the zero that ends it.
#[must_use]
pub fn c_octets<const MAX: usize>(text: &str) -> Option<COctetString<1, MAX>> {
    COctetString::from_string(text.to_owned()).ok()
}

/// A text's addresses, as PDUs have them.
#[derive(Clone)]
pub struct Addressed {
    from: (Ton, Npi, COctetString<1, 21>),
    to: COctetString<1, 21>,
    receipt: bool,
    validity: EmptyOrFullCOctetString<17>,
}

impl Addressed {
    /// Of a text from `from` (a number in E.164 with `+`, a short code or a name) to the number `to`; whether a receipt
    /// is wanted, and for how long the carrier may try.
    ///
    /// # Errors
    /// The command status for an address that SMPP cannot carry.
    pub fn new(from: &str, to: &str, receipt: bool, time: Duration) -> Result<Self, u32> {
        let from = match Sender::parse(from).ok_or(status::BAD_SOURCE)? {
            Sender::Number(digits) => (Ton::International, Npi::Isdn, digits),
            Sender::ShortCode(digits) => (Ton::NetworkSpecific, Npi::Unknown, digits),
            Sender::Name(name) => (Ton::Alphanumeric, Npi::Unknown, name),
        };
        let address = c_octets(from.2).ok_or(status::BAD_SOURCE)?;
        let Some(Sender::Number(to)) = Sender::parse(to) else {
            return Err(status::BAD_DESTINATION);
        };
        Ok(Self {
            from: (from.0, from.1, address),
            to: c_octets(to).ok_or(status::BAD_DESTINATION)?,
            receipt,
            validity: validity(time),
        })
    }

    /// The request to send one segment.
    #[must_use]
    pub fn submit(&self, coding: Coding, segment: Segment) -> SubmitSm {
        let Segment { header: mut octets, body } = segment;
        // EsmClass has a default that is not zero, so each is made from its octet.
        let class = if octets.is_empty() { 0 } else { 0x40 };
        octets.extend(body);
        let (ton, npi, from) = self.from.clone();
        let mut submit = SubmitSm::builder()
            .source_addr_ton(ton)
            .source_addr_npi(npi)
            .source_addr(from)
            .dest_addr_ton(Ton::International)
            .dest_addr_npi(Npi::Isdn)
            .destination_addr(self.to.clone())
            .esm_class(EsmClass::from(class))
            .registered_delivery(RegisteredDelivery::from(u8::from(self.receipt)))
            .data_coding(match coding {
                Coding::Gsm(_) => DataCoding::McSpecific,
                Coding::Ucs2 => DataCoding::Ucs2,
            })
            .validity_period(self.validity.clone())
            .build();
        // At most 7 octets of header and 160 septets.
        if let Ok(message) = OctetString::from_vec(octets) {
            submit.set_short_message(message);
        }
        submit
    }
}

/// A validity in relative form (section 7.1.1), `YYMMDDhhmmss000R`; none for the carrier's own. At most 30 days, so that
/// no month's length matters.
fn validity(time: Duration) -> EmptyOrFullCOctetString<17> {
    let seconds = time.as_secs().min(30 * 86_400);
    if seconds == 0 {
        return EmptyOrFullCOctetString::empty();
    }
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
    let text = format!("0000{days:02}{hours:02}{minutes:02}{seconds:02}000R\0");
    EmptyOrFullCOctetString::from_vec(text.into_bytes()).unwrap_or_else(|_| EmptyOrFullCOctetString::empty())
}

/// What a carrier brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Brought {
    /// A receipt.
    Receipt(Receipt),
    /// A text, or a part of one.
    Text {
        /// From whom to whom.
        ends: Ends,
        /// Its place among the parts; `None` for a whole text.
        place: Option<Place>,
        /// The octets.
        part: Part,
    },
    /// Nothing for us: a picture, a setting for the handset, a receipt of a form nobody knows.
    Other,
}

/// What matters of a `deliver_sm` and of a `data_sm`.
pub struct Delivery<'p> {
    from: (Ton, &'p str),
    to: (Ton, &'p str),
    class: u8,
    coding: u8,
    body: Bytes,
    tlvs: &'p [Tlv],
}

impl<'p> From<&'p DeliverSm> for Delivery<'p> {
    fn from(pdu: &'p DeliverSm) -> Self {
        Self {
            from: (pdu.source_addr_ton, pdu.source_addr.as_str()),
            to: (pdu.dest_addr_ton, pdu.destination_addr.as_str()),
            class: pdu.esm_class.into(),
            coding: pdu.data_coding.into(),
            body: pdu.short_message().clone().into_bytes(),
            tlvs: pdu.tlvs(),
        }
    }
}

impl<'p> From<&'p DataSm> for Delivery<'p> {
    fn from(pdu: &'p DataSm) -> Self {
        Self {
            from: (pdu.source_addr_ton, pdu.source_addr.as_str()),
            to: (pdu.dest_addr_ton, pdu.destination_addr.as_str()),
            class: pdu.esm_class.into(),
            coding: pdu.data_coding.into(),
            body: Bytes::new(),
            tlvs: pdu.tlvs(),
        }
    }
}

#[derive(Default)]
struct Extras<'p> {
    payload: Option<Bytes>,
    receipt: Parameters<'p>,
    sar: (Option<u16>, Option<u8>, Option<u8>),
    port: bool,
}

impl<'p> Extras<'p> {
    fn of(tlvs: &'p [Tlv]) -> Self {
        let mut extras = Self::default();
        for value in tlvs.iter().filter_map(Tlv::value) {
            match value {
                TlvValue::MessagePayload(payload) => {
                    extras.payload = Some(payload.value.clone().into_bytes());
                }
                TlvValue::ReceiptedMessageId(id) => extras.receipt.message_id = Some(id.as_str()),
                TlvValue::MessageState(state) => extras.receipt.state = Some((*state).into()),
                TlvValue::NetworkErrorCode(code) => {
                    extras.receipt.error = Some((code.network_type.into(), code.error_code));
                }
                TlvValue::SarMsgRefNum(number) => extras.sar.0 = Some(*number),
                TlvValue::SarTotalSegments(total) => extras.sar.1 = Some(*total),
                TlvValue::SarSegmentSeqnum(index) => extras.sar.2 = Some(*index),
                TlvValue::DestPort(_) => extras.port = true,
                _ => {}
            }
        }
        extras
    }
}

/// Reads what a carrier brought.
#[must_use]
pub fn read(delivery: &Delivery<'_>) -> Brought {
    let extras = Extras::of(delivery.tlvs);
    let body =
        extras.payload.clone().filter(|_| delivery.body.is_empty()).unwrap_or_else(|| delivery.body.clone());
    // Bits 5 to 2: 1 is a receipt, 8 an intermediate one. Some centres set neither but name the message.
    let kind = (delivery.class >> 2) & 0x0f;
    if matches!(kind, 1 | 8) || extras.receipt.message_id.is_some() {
        // Receipts are ASCII whatever the coding says.
        let text = String::from_utf8_lossy(&body);
        return receipt::read(&text, extras.receipt).map_or(Brought::Other, Brought::Receipt);
    }
    if kind != 0 || extras.port {
        return Brought::Other;
    }
    let (header, octets) = if delivery.class & 0x40 == 0 {
        (Header::default(), &body[..])
    } else {
        match Header::read(&body) {
            Some(read) => read,
            None => return Brought::Other,
        }
    };
    let Some(script) = script(delivery.coding, header.shifts) else { return Brought::Other };
    let sar = match extras.sar {
        (Some(number), Some(total), Some(index)) => Place::new(number, total, index),
        _ => None,
    };
    let (from, to) = (number(delivery.from), number(delivery.to));
    Brought::Text {
        ends: Ends { from: Personal::new(from), to: Personal::new(to) },
        place: header.place.or(sar),
        part: Part { script, body: octets.to_vec() },
    }
}

/// How octets of this `data_coding` are read; `None` for what is no text.
fn script(coding: u8, shifts: Shifts) -> Option<Script> {
    match coding {
        0x00 => Some(Script::Gsm(shifts)),
        0x01 | 0x03 => Some(Script::Latin1),
        0x08 => Some(Script::Ucs2),
        // The groups of 3GPP TS 23.038: waiting messages and classes. Bit 2 of the last is eight-bit data.
        0xe0..=0xef => Some(Script::Ucs2),
        0xc0..=0xdf => Some(Script::Gsm(shifts)),
        0xf0..=0xff if coding & 0x04 == 0 => Some(Script::Gsm(shifts)),
        _ => None,
    }
}

/// A number as we write it. Centres leave the type of an international number unknown as often as not.
fn number((ton, text): (Ton, &str)) -> String {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let international = plain
        && match ton {
            Ton::International => true,
            Ton::Unknown => digits.len() > 8 && !digits.starts_with('0'),
            _ => text.starts_with('+'),
        };
    if international { format!("+{digits}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests;
