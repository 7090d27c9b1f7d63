//! The contract on SoftHSM2, where its module is installed (`tests/peers/kms/run` installs it and runs these), and what needs no
//! token.

use std::path::Path;
use std::process::Command;

use base::SeededRng;

use super::super::contract::{check, context, now};
use super::*;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "4321";

fn options(token: &str, key: &str, pin: &str) -> Pkcs11Options {
    Pkcs11Options {
        module: MODULE.into(),
        token: token.to_owned(),
        key: key.to_owned(),
        pin: Secret::new(pin.to_owned()),
    }
}

/// The tokens of `tests/peers/kms/run`: `chancery-test` with the keys `root-a`, `root-b` and twice `twice`. The module is told
/// by `SOFTHSM2_CONF`, which must be set before the process starts.
fn there() -> bool {
    let set = std::env::var_os("CHANCERY_TEST_SOFTHSM").is_some();
    if set {
        assert!(Path::new(MODULE).exists(), "{MODULE} is not installed");
    }
    set
}

#[test]
fn softhsm_keeps_the_contract() {
    if !there() {
        return;
    }
    let open = |key: &str| Pkcs11Kms::open(options("chancery-test", key, PIN)).unwrap();
    check(&open("root-a"), &open("root-b"));
}

#[test]
fn what_a_token_lacks_is_said() {
    if !there() {
        return;
    }
    let fault = |token: &str, key: &str, pin: &str| Pkcs11Kms::open(options(token, key, pin)).unwrap_err();
    assert_eq!(fault("nobody", "root-a", PIN), Pkcs11Fault::NoToken("nobody".to_owned()));
    assert_eq!(fault("chancery-test", "nothing", PIN), Pkcs11Fault::NoKey("nothing".to_owned()));
    assert_eq!(fault("chancery-test", "twice", PIN), Pkcs11Fault::Ambiguous("twice".to_owned()));
}

/// In a process of its own: a login counts for all sessions of a process.
#[test]
fn a_wrong_pin_is_said() {
    if !there() {
        return;
    }
    let fault = Pkcs11Kms::open(options("chancery-test", "root-a", "0000")).unwrap_err();
    assert!(matches!(fault, Pkcs11Fault::Pin(_)), "{fault}");
    assert!(!fault.to_string().contains("0000"));
}

/// The key stays in the token: it cannot be read, and what was wrapped opens for another program that has the token alone.
#[test]
fn the_root_key_does_not_leave_the_token() {
    if !there() {
        return;
    }
    let kms = Pkcs11Kms::open(options("chancery-test", "root-a", PIN)).unwrap();
    let key = ScopeKey::generate(&SeededRng::new(1), 1);
    let wrapped = now(kms.wrap(&context("europe", 1, 1), &key)).unwrap();
    assert_eq!(wrapped.as_bytes().len(), 1 + NONCE + 37 + TAG);
    let listed = Command::new("pkcs11-tool")
        .args([
            "--module",
            MODULE,
            "--token-label",
            "chancery-test",
            "--login",
            "--pin",
            PIN,
            "--list-objects",
        ])
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout);
    assert!(listed.contains("root-a") && listed.contains("never extractable"), "{listed}");
}

#[test]
fn a_module_that_is_none_is_said() {
    let mut wrong = options("t", "k", "p");
    wrong.module = "/nonexistent/module.so".into();
    let fault = Pkcs11Kms::open(wrong).unwrap_err();
    assert!(fault.to_string().contains("/nonexistent/module.so cannot be loaded"), "{fault}");
}

#[test]
fn only_what_was_wrapped_here_is_given_to_the_token() {
    let whole = [&[FORMAT], [7; NONCE].as_slice(), &[9; TAG + 1]].concat();
    assert_eq!(split(&whole), Some(([7; NONCE].as_slice(), [9; TAG + 1].as_slice())));
    for at in 0..whole.len() {
        assert_eq!(split(&whole[..at]), None, "cut to {at}");
    }
    assert_eq!(split(&[&[1], &whole[1..]].concat()), None, "of another format");
}

#[test]
fn every_part_of_the_context_is_bound() {
    let all =
        [context("europe", 1, 7), context("uk", 1, 7), context("europe", 2, 7), context("europe", 1, 8)]
            .map(|one| bound(&one));
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other != one));
    }
}

#[test]
fn only_so_many_wait_for_the_token() {
    let (jobs, unserved) = sync_channel(MAX_WAITING);
    let kms = Pkcs11Kms { jobs };
    let (context, key) = (context("europe", 1, 1), ScopeKey::generate(&SeededRng::new(1), 1));
    let mut waker = std::task::Context::from_waker(std::task::Waker::noop());
    let mut all: Vec<_> = (0..MAX_WAITING).map(|_| kms.wrap(&context, &key)).collect();
    for one in &mut all {
        assert!(one.as_mut().poll(&mut waker).is_pending());
    }
    assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), KmsError::Throttled { retry_after: None });
    // Those left without an answer are told, and so is whoever comes after.
    drop(unserved);
    for one in all {
        assert_eq!(now(one).unwrap_err(), KmsError::Unavailable);
    }
    assert_eq!(now(kms.wrap(&context, &key)).unwrap_err(), KmsError::Unavailable);
}
