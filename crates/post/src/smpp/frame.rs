//! PDUs in a stream of octets: cut by their length here, read by `rusmpp`. A PDU that cannot be read costs its answer, not
//! the connection; only a length that cannot be true does that, for then nothing behind it can be found.

use base::limits::MAX_SMPP_PDU;
use bytes::{Buf, BufMut, BytesMut};
use rusmpp::decode::DecodeWithLength;
use rusmpp::encode::Length;
use rusmpp::encode::owned::Encode;
use rusmpp::{Command, Pdu};
use thiserror::Error;

/// The octets of a header (SMPP 3.4, section 3.2).
const HEADER: usize = 16;

/// A length that no PDU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the peer sent a PDU of {0} octets")]
pub struct BadLength(pub u32);

/// What stood in the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A PDU.
    Whole(Box<Command>),
    /// One whose body cannot be read.
    Broken {
        /// Its command id.
        id: u32,
        /// Its status.
        status: u32,
        /// Its sequence number.
        sequence: u32,
    },
}

/// Takes the next PDU off the front of `octets`; `None` when it is not whole yet.
///
/// # Errors
/// [`BadLength`]: the stream cannot be read on.
pub fn next(octets: &mut BytesMut) -> Result<Option<Frame>, BadLength> {
    let Some((head, _)) = octets.split_first_chunk::<HEADER>() else { return Ok(None) };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (length, id, status, sequence) = (word(0), word(4), word(8), word(12));
    let len = usize::try_from(length).unwrap_or(usize::MAX);
    if !(HEADER..=MAX_SMPP_PDU).contains(&len) {
        return Err(BadLength(length));
    }
    if octets.len() < len {
        octets.reserve(len - octets.len());
        return Ok(None);
    }
    let mut frame = octets.split_to(len);
    frame.advance(4);
    Ok(Some(match Command::decode(&mut frame, len - 4) {
        Ok((command, read)) if read == len - 4 => Frame::Whole(Box::new(command)),
        _ => Frame::Broken { id, status, sequence },
    }))
}

/// Writes a PDU at the end of `octets`.
pub fn write(octets: &mut BytesMut, status: u32, sequence: u32, pdu: impl Into<Pdu>) {
    let command = Command::new(status.into(), sequence, pdu);
    let len = command.length() + 4;
    octets.reserve(len);
    octets.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
    command.encode(octets);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusmpp::CommandId;

    use super::*;

    fn whole(frame: Option<Frame>) -> Command {
        match frame {
            Some(Frame::Whole(command)) => *command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pdus_come_apart_again_wherever_the_stream_is_cut() {
        let mut all = BytesMut::new();
        write(&mut all, 0, 1, Pdu::EnquireLink);
        write(&mut all, 0x58, 2, Pdu::GenericNack);
        for cut in 0..=all.len() {
            let mut octets = BytesMut::new();
            let mut seen = Vec::new();
            for part in [&all[..cut], &all[cut..]] {
                octets.extend_from_slice(part);
                while let Some(frame) = next(&mut octets).unwrap() {
                    let command = whole(Some(frame));
                    seen.push((command.id(), u32::from(command.status()), command.sequence_number()));
                }
            }
            assert_eq!(seen, [(CommandId::EnquireLink, 0, 1), (CommandId::GenericNack, 0x58, 2)], "{cut}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_true_ends_it() {
        for length in [0_u32, 15, u32::try_from(MAX_SMPP_PDU).unwrap() + 1, u32::MAX] {
            let mut octets = BytesMut::from(&length.to_be_bytes()[..]);
            octets.extend_from_slice(&[0; 12]);
            assert_eq!(next(&mut octets), Err(BadLength(length)));
        }
        let longest = u32::try_from(MAX_SMPP_PDU).unwrap();
        let mut octets = BytesMut::from(&longest.to_be_bytes()[..]);
        octets.extend_from_slice(&[0; 12]);
        assert_eq!(next(&mut octets), Ok(None), "the longest one may still come");
    }

    #[test]
    fn a_body_that_cannot_be_read_leaves_the_next_pdu() {
        let mut octets = BytesMut::from(&[0, 0, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff][..]);
        write(&mut octets, 0, 10, Pdu::EnquireLink);
        assert_eq!(next(&mut octets), Ok(Some(Frame::Broken { id: 5, status: 0, sequence: 9 })));
        assert_eq!(whole(next(&mut octets).unwrap()).sequence_number(), 10);
        assert_eq!(next(&mut octets), Ok(None));
    }

    proptest! {
        #[test]
        fn no_octets_break_it(octets in prop::collection::vec(any::<u8>(), 0..300), id in 0_u8..0x22, high: bool) {
            let mut framed = BytesMut::new();
            framed.extend_from_slice(&u32::try_from(octets.len() + 16).unwrap().to_be_bytes());
            framed.extend_from_slice(&[u8::from(high) << 7, 0, 0, id, 0, 0, 0, 0, 0, 0, 0, 7]);
            framed.extend_from_slice(&octets);
            prop_assert!(next(&mut framed).unwrap().is_some());
            prop_assert!(framed.is_empty());
        }
    }
}
