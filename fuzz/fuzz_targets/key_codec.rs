//! Row keys: no bytes panic, each key has one form, keys sort as their bytes do, and one key's bytes are no prefix of a
//! longer key's where texts are concerned.

#![no_main]

use std::fmt::Debug;

use base::{MessageId, ResourceId, ThreadId, Timestamp, UserId};
use libfuzzer_sys::fuzz_target;
use store::{KeyCodec, key_bytes};

fn agrees<K: KeyCodec + PartialEq + Debug>(data: &[u8]) {
    if let Ok(key) = K::decode(data) {
        assert_eq!(key_bytes(&key), data, "each key has one form");
    }
}

fn sorted<K: KeyCodec + Ord + Debug>(a: &K, b: &K) {
    let (x, y) = (key_bytes(a), key_bytes(b));
    assert_eq!(a.cmp(b), x.cmp(&y), "{a:?} {b:?}");
    assert!(a == b || !y.starts_with(&x) && !x.starts_with(&y), "{a:?} {b:?}");
    assert_eq!(K::decode(&x).ok().as_ref(), Some(a));
}

fuzz_target!(|data: &[u8]| {
    agrees::<ThreadId>(data);
    agrees::<Timestamp>(data);
    agrees::<u32>(data);
    agrees::<[u8; 16]>(data);
    agrees::<String>(data);
    agrees::<(ThreadId, MessageId)>(data);
    agrees::<(UserId, String, u8)>(data);
    agrees::<(Timestamp, ResourceId, String, u64)>(data);
    agrees::<(String, String)>(data);

    let half = data.len() / 2;
    let (a, b) = (String::from_utf8_lossy(&data[..half]), String::from_utf8_lossy(&data[half..]));
    let number = data.len() as u64;
    sorted(&a.clone().into_owned(), &b.clone().into_owned());
    sorted(&(a.clone().into_owned(), MessageId(number)), &(b.into_owned(), MessageId(number / 2)));
});
