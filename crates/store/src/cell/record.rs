//! What a typed record is: the declaration of its keyspace, and the framing of its value before it is sealed (one
//! format byte, then postcard).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::KeyCodec;
use crate::error::StoreError;
use crate::keyspace::KeyspaceDef;
use crate::scope::Scope;

/// Declares the records of one keyspace.
pub trait Keyspace: 'static {
    /// Its table.
    const DEF: &'static KeyspaceDef;
    /// The format of values written now. Raise it when [`Keyspace::Value`] changes, and read the former in
    /// [`Keyspace::upgrade`].
    const FORMAT: u8;
    /// The key within a resource.
    type Key: KeyCodec + Send + Sync;
    /// The value.
    type Value: Serialize + DeserializeOwned + Send + Sync;

    /// Whose key seals the record, from its key and its hint. The hint is readable without the scope's key.
    fn scope(key: &Self::Key, hint: &[u8]) -> Scope;

    /// Reads a value of an older format; `None` when it cannot.
    fn upgrade(format: u8, bytes: &[u8]) -> Option<Self::Value> {
        let _ = (format, bytes);
        None
    }
}

/// A record's value with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<V> {
    /// The value.
    pub value: V,
    /// 1 when first put, one more with each overwrite.
    pub version: u64,
    /// The hint it was put with.
    pub hint: Vec<u8>,
}

/// A record as far as it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened<V> {
    /// Whole.
    Value(Versioned<V>),
    /// Its scope's key was destroyed: the value is erased, the row still there.
    Shredded {
        /// As of [`Versioned::version`].
        version: u64,
        /// The hint it was put with. Not authenticated, as there is no key to do so.
        hint: Vec<u8>,
    },
}

impl<V> Opened<V> {
    /// The value, unless it was erased.
    #[must_use]
    pub fn value(self) -> Option<Versioned<V>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Shredded { .. } => None,
        }
    }

    /// The row's version.
    #[must_use]
    pub const fn version(&self) -> u64 {
        match self {
            Self::Value(Versioned { version, .. }) | Self::Shredded { version, .. } => *version,
        }
    }

    /// The row's hint.
    #[must_use]
    pub fn hint(&self) -> &[u8] {
        match self {
            Self::Value(Versioned { hint, .. }) | Self::Shredded { hint, .. } => hint,
        }
    }
}

/// The bytes of a value, ready to be sealed.
pub(super) fn frame<K: Keyspace>(value: &K::Value) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::with_capacity(512);
    out.push(K::FORMAT);
    // The only way a value cannot be written is one whose length is not known beforehand: a defect of its type.
    postcard::to_extend(value, out).map_err(|_| StoreError::Corrupt { keyspace: K::DEF.name })
}

/// The value of bytes that were opened.
pub(super) fn unframe<K: Keyspace>(bytes: &[u8]) -> Result<K::Value, StoreError> {
    let value = match bytes.split_first() {
        Some((format, rest)) if *format == K::FORMAT => match postcard::take_from_bytes(rest) {
            Ok((value, [])) => Some(value),
            _ => None,
        },
        Some((format, rest)) => K::upgrade(*format, rest),
        None => None,
    };
    value.ok_or(StoreError::Corrupt { keyspace: K::DEF.name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Class;

    struct Notes;

    static DEF: KeyspaceDef = KeyspaceDef { name: "notes", class: Class::Content };

    impl Keyspace for Notes {
        const DEF: &'static KeyspaceDef = &DEF;
        const FORMAT: u8 = 2;
        type Key = u32;
        type Value = (String, u32);

        fn scope(_: &u32, _: &[u8]) -> Scope {
            Scope::RESOURCE
        }

        fn upgrade(format: u8, bytes: &[u8]) -> Option<Self::Value> {
            (format == 1).then(|| postcard::from_bytes::<String>(bytes).ok()).flatten().map(|text| (text, 0))
        }
    }

    #[test]
    fn values_round_trip_with_their_format() {
        let bytes = frame::<Notes>(&("hello".into(), 5)).unwrap();
        assert_eq!(bytes, [2, 5, b'h', b'e', b'l', b'l', b'o', 5]);
        assert_eq!(unframe::<Notes>(&bytes), Ok(("hello".into(), 5)));
    }

    #[test]
    fn an_older_format_is_upgraded() {
        assert_eq!(unframe::<Notes>(&[1, 2, b'h', b'i']), Ok(("hi".into(), 0)));
    }

    #[test]
    fn anything_else_is_damage() {
        let whole = frame::<Notes>(&("hello".into(), 5)).unwrap();
        let mut longer = whole.clone();
        longer.push(0);
        for bad in [&[][..], &[2], &[3, 0, 0], &whole[..whole.len() - 1], &longer] {
            assert_eq!(unframe::<Notes>(bad), Err(StoreError::Corrupt { keyspace: "notes" }), "{bad:?}");
        }
    }
}
