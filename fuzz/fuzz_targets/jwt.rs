//! User tokens: no text panics, none is accepted that was not signed, and what is read back of a signed one is what
//! was put in.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base::{ResourceId, Rng, SeededRng, Timestamp, UserId};
use guard::token::{Claims, Scopes, TokenSigner, TokenVerifier, parse_unverified};
use libfuzzer_sys::fuzz_target;

static SIGNER: LazyLock<TokenSigner> = LazyLock::new(|| TokenSigner::generate().expect("a key can be made"));
static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| TokenVerifier::from_signers(&[&SIGNER]));
static GENUINE: LazyLock<String> = LazyLock::new(|| SIGNER.sign(&claims()));
const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);

fn claims() -> Claims {
    let rng = SeededRng::new(7);
    Claims {
        resource: ResourceId::mint(&rng),
        geography: "europe".parse().expect("a geography"),
        user: UserId::mint(&rng),
        scopes: Scopes::CHAT,
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(3600)),
        epoch: u32::try_from(rng.below(1000)).unwrap_or_default(),
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = parse_unverified(text);
    let _ = Scopes::parse_list(text);
    assert!(VERIFIER.verify(text, NOW).is_err(), "nobody signed this");

    // A genuine signature under a head and payload of the fuzzer's choice, and a genuine token with some bytes changed.
    let (signed, signature) = GENUINE.rsplit_once('.').expect("three segments");
    let forged = format!("{text}.{signature}");
    assert!(forged == *GENUINE || VERIFIER.verify(&forged, NOW).is_err(), "a signature serves for one text");
    let spliced = format!("{signed}.{text}");
    assert!(spliced == *GENUINE || VERIFIER.verify(&spliced, NOW).is_err(), "only the key makes signatures");
    assert_eq!(*VERIFIER.verify(&GENUINE, NOW).expect("a genuine token"), claims());
});
