//! Keys as bytes that sort as their parts do. It knows ids and numbers, never what a row holds.

use base::{EntryId, MailId, MessageId, ResourceId, ThreadId, Timestamp, UserId};
use thiserror::Error;

/// Why bytes are no key of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a key of this keyspace")]
pub struct KeyError;

/// A whole key.
pub trait KeyCodec: Sized {
    /// Appends its bytes to `out`. The bytes of two keys compare as the keys do.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads what [`KeyCodec::encode`] wrote, and nothing more.
    ///
    /// # Errors
    /// When the bytes are too few, too many, or not of this form.
    fn decode(bytes: &[u8]) -> Result<Self, KeyError>;
}

/// A part of a key that says itself where it ends, so that others can follow it. Every part is a whole key too.
pub trait KeyPart: Sized {
    /// Appends its bytes to `out`.
    fn put(&self, out: &mut Vec<u8>);

    /// Takes its bytes from the front of `input`.
    ///
    /// # Errors
    /// When the bytes are too few or not of this form.
    fn take(input: &mut &[u8]) -> Result<Self, KeyError>;
}

/// The bytes of a key, or of the parts a key begins with.
#[must_use]
pub fn key_bytes(key: &impl KeyCodec) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    key.encode(&mut out);
    out
}

impl<T: KeyPart> KeyCodec for T {
    fn encode(&self, out: &mut Vec<u8>) {
        self.put(out);
    }

    fn decode(mut bytes: &[u8]) -> Result<Self, KeyError> {
        let key = T::take(&mut bytes)?;
        if bytes.is_empty() { Ok(key) } else { Err(KeyError) }
    }
}

fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], KeyError> {
    let (front, rest) = input.split_first_chunk::<N>().ok_or(KeyError)?;
    *input = rest;
    Ok(*front)
}

impl<const N: usize> KeyPart for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
        take_array(input)
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl KeyPart for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
                take_array(input).map(Self::from_be_bytes)
            }
        }
    )*};
}
numbers!(u8, u16, u32, u64);

macro_rules! ids {
    ($($id:ty),*) => {$(
        impl KeyPart for $id {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }

            fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
                take_array(input).map(Self::from_bytes)
            }
        }
    )*};
}
ids!(ResourceId, UserId, ThreadId, EntryId, MailId);

impl KeyPart for MessageId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
        u64::take(input).map(Self)
    }
}

impl KeyPart for Timestamp {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_millis().put(out);
    }

    fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
        let millis = u64::take(input)?;
        let read = Self::from_millis(millis);
        if read.as_millis() == millis { Ok(read) } else { Err(KeyError) }
    }
}

/// The empty key: for a keyspace with one row in each resource, and as the prefix of every key.
impl KeyPart for () {
    fn put(&self, _: &mut Vec<u8>) {}

    fn take(_: &mut &[u8]) -> Result<Self, KeyError> {
        Ok(())
    }
}

/// Text ends with `00 01`; a zero byte within it is written `00 FF`, so that a text sorts before its continuations.
impl KeyPart for String {
    fn put(&self, out: &mut Vec<u8>) {
        for byte in self.bytes() {
            out.push(byte);
            if byte == 0 {
                out.push(0xFF);
            }
        }
        out.extend_from_slice(&[0, 1]);
    }

    fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
        let mut text = Vec::new();
        loop {
            match **input {
                [0, 0xFF, ..] => {
                    text.push(0);
                    *input = &input[2..];
                }
                [0, 1, ..] => {
                    *input = &input[2..];
                    return Self::from_utf8(text).map_err(|_| KeyError);
                }
                [byte, ..] if byte != 0 => {
                    text.push(byte);
                    *input = &input[1..];
                }
                _ => return Err(KeyError),
            }
        }
    }
}

macro_rules! tuples {
    ($(($($part:ident),+)),+) => {$(
        impl<$($part: KeyPart),+> KeyPart for ($($part,)+) {
            #[expect(non_snake_case, reason = "the parts are named as their types")]
            fn put(&self, out: &mut Vec<u8>) {
                let ($($part,)+) = self;
                $($part.put(out);)+
            }

            fn take(input: &mut &[u8]) -> Result<Self, KeyError> {
                Ok(($($part::take(input)?,)+))
            }
        }
    )+};
}
tuples!((A), (A, B), (A, B, C), (A, B, C, D));

#[cfg(test)]
mod tests {
    use base::{Rng, SeededRng};

    use super::*;

    fn round_trip<K: KeyCodec + PartialEq + std::fmt::Debug>(key: &K) {
        let bytes = key_bytes(key);
        assert_eq!(K::decode(&bytes).as_ref(), Ok(key));
        let mut longer = bytes.clone();
        longer.push(1);
        assert!(K::decode(&longer).is_err(), "{key:?} with a byte too many");
        if let Some(shorter) = bytes.len().checked_sub(1) {
            assert!(K::decode(&bytes[..shorter]).is_err(), "{key:?} with a byte too few");
        }
    }

    #[test]
    fn every_kind_round_trips_exactly() {
        let rng = SeededRng::new(1);
        round_trip(&ResourceId::mint(&rng));
        round_trip(&(ThreadId::mint(&rng), MessageId(1_795_420_800_123)));
        round_trip(&(ThreadId::mint(&rng), UserId::mint(&rng), 7_u32, [1_u8; 16]));
        round_trip(&(Timestamp::from_millis(5), u64::MAX, 3_u8));
        round_trip(&(9_u16,));
        round_trip(&());
        for text in ["", "a", "a\0b", "\0", "é\u{10FFFF}"] {
            round_trip(&text.to_owned());
            round_trip(&(text.to_owned(), 255_u8));
        }
    }

    #[test]
    fn bytes_sort_as_the_keys_do() {
        let rng = SeededRng::new(2);
        let alphabet = ["", "a", "b", "\0", "\u{1}", "ÿ"];
        let text = || (0..rng.below(4)).map(|_| alphabet[rng.below(6) as usize]).collect::<String>();
        let keys: Vec<_> = (0..300).map(|_| (text(), rng.below(3), text(), rng.below(300) as u32)).collect();
        for a in &keys {
            for b in &keys {
                assert_eq!(a.cmp(b), key_bytes(a).cmp(&key_bytes(b)), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_first_parts_are_a_prefix_of_the_whole() {
        let thread = ThreadId::mint(&SeededRng::new(3));
        assert!(key_bytes(&(thread, MessageId(5))).starts_with(&key_bytes(&thread)));
        assert!(key_bytes(&(thread, MessageId(5))).starts_with(&key_bytes(&())));
    }

    #[test]
    fn malformed_bytes_are_refused() {
        assert_eq!(String::decode(b"a"), Err(KeyError), "no end");
        assert_eq!(String::decode(&[b'a', 0]), Err(KeyError), "half an end");
        assert_eq!(String::decode(&[0, 2]), Err(KeyError), "an unknown mark");
        assert_eq!(String::decode(&[0xC3, 0, 1]), Err(KeyError), "not UTF-8");
        assert_eq!(Timestamp::decode(&u64::MAX.to_be_bytes()), Err(KeyError), "past the year 9999");
        assert_eq!(u32::decode(&[]), Err(KeyError));
    }
}
