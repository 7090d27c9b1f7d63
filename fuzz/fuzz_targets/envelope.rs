//! Sealed records: no bytes panic, none open that were not sealed here, what was sealed opens as it was, and not in
//! another place.

#![no_main]

use std::sync::LazyLock;

use base::{Geography, ResourceId, SeededRng};
use guard::{Place, ScopeKey, Sealed};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<ScopeKey> = LazyLock::new(|| ScopeKey::generate(&SeededRng::new(3), 1));
static GEOGRAPHY: LazyLock<Geography> = LazyLock::new(|| "europe".parse().expect("a geography"));

fn place<'a>(key: &'a [u8], scope: &'a [u8]) -> Place<'a> {
    Place {
        geography: &GEOGRAPHY,
        resource: ResourceId::from_bytes([5; 16]),
        keyspace: "message",
        key,
        scope,
    }
}

fuzz_target!(|data: &[u8]| {
    let stored = Sealed::from_stored(data.to_vec());
    let _ = stored.header();
    let here = place(b"key", b"scope");
    assert!(KEY.open(&here, &stored).is_err(), "nobody sealed this");
    assert!(ScopeKey::unwrap(&KEY, &here, &stored).is_err(), "no key was wrapped in this");

    // The first byte says how to cut the rest into a hint and a plaintext, and which byte of the sealed record to change.
    let Some((choice, rest)) = data.split_first() else { return };
    let (hint, plain) = rest.split_at(rest.len().min(usize::from(*choice % 65)));
    let sealed = KEY.seal(&SeededRng::new(9), &here, hint, plain).expect("within the bounds");
    assert_eq!(KEY.open(&here, &sealed).as_deref(), Ok(plain));
    assert_eq!(sealed.header().map(|h| h.hint.to_vec()), Ok(hint.to_vec()));
    assert!(KEY.open(&place(b"scope", b"key"), &sealed).is_err(), "not in another place");
    assert!(KEY.open(&place(b"ke", b"yscope"), &sealed).is_err(), "not where parts are cut otherwise");
    let mut changed = sealed.into_bytes();
    let at = usize::from(*choice) * 7 % changed.len();
    changed[at] ^= 1 << (choice % 8);
    assert!(KEY.open(&here, &Sealed::from_stored(changed)).is_err(), "not with a bit changed");
});
