//! Every primitive that is used, against the vectors of Wycheproof (`C2SP/wycheproof`): what must be accepted is, and what
//! must not be is refused. Those of TLS are asked of the library that TLS uses.

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey as Peer, X25519, agree};
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, ML_KEM_768};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use aws_lc_rs::{hkdf, hmac, pbkdf2};
use wycheproof::{TestResult, aead, ecdsa, eddsa, mac, mlkem, rsa_pkcs1_verify, xdh};

/// How many vectors were looked at; a set that is empty shows nothing.
#[derive(Default)]
struct Tally(usize);

impl Tally {
    fn judge(&mut self, name: &str, id: usize, expected: TestResult, accepted: bool) {
        self.0 += 1;
        match expected {
            TestResult::Valid => assert!(accepted, "{name} {id}: refused"),
            TestResult::Invalid => assert!(!accepted, "{name} {id}: accepted"),
            TestResult::Acceptable => {}
        }
    }
}

fn open(algorithm: &'static Algorithm, test: &aead::Test) -> bool {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &test.key).unwrap());
    let Ok(nonce) = Nonce::try_assume_unique_for_key(&test.nonce) else { return false };
    let mut sealed = [&test.ct[..], &test.tag[..]].concat();
    match key.open_in_place(nonce, Aad::from(&test.aad[..]), &mut sealed) {
        Ok(plain) => plain == &test.pt[..],
        Err(_) => false,
    }
}

fn seals_the_same(algorithm: &'static Algorithm, test: &aead::Test) -> bool {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, &test.key).unwrap());
    let Ok(nonce) = Nonce::try_assume_unique_for_key(&test.nonce) else { return false };
    let mut sealed = test.pt.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(&test.aad[..]), &mut sealed).unwrap();
    sealed == [&test.ct[..], &test.tag[..]].concat()
}

#[test]
fn aead() {
    let mut tally = Tally::default();
    for (name, algorithm, bits) in [
        (aead::TestName::AesGcm, &AES_256_GCM, 256),
        (aead::TestName::AesGcm, &AES_128_GCM, 128),
        (aead::TestName::ChaCha20Poly1305, &CHACHA20_POLY1305, 256),
    ] {
        let set = aead::TestSet::load(name).unwrap();
        for group in set.test_groups.iter().filter(|group| group.key_size == bits && group.tag_size == 128) {
            for test in &group.tests {
                // Nonces of 96 bits are the only ones that are used; others are refused by their type.
                let expected = if group.nonce_size == 96 { test.result } else { TestResult::Invalid };
                tally.judge("open", test.tc_id, expected, open(algorithm, test));
                if expected == TestResult::Valid {
                    tally.judge("seal", test.tc_id, expected, seals_the_same(algorithm, test));
                }
            }
        }
    }
    assert!(tally.0 > 500, "{}", tally.0);
}

#[test]
fn hmac_sha256() {
    let mut tally = Tally::default();
    for group in &mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in &group.tests {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &test.key);
            let made = hmac::sign(&key, &test.msg);
            let accepted = made.as_ref().get(..group.tag_size / 8) == Some(&test.tag[..]);
            tally.judge("hmac", test.tc_id, test.result, accepted);
        }
    }
    assert!(tally.0 > 100, "{}", tally.0);
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn hkdf_sha256() {
    use wycheproof::hkdf::{TestName, TestSet};
    let mut tally = Tally::default();
    for group in &TestSet::load(TestName::HkdfSha256).unwrap().test_groups {
        for test in &group.tests {
            let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &test.salt).extract(&test.ikm);
            let info = [&test.info[..]];
            let made = extracted.expand(&info, Length(test.size)).and_then(|okm| {
                let mut out = vec![0; test.size];
                okm.fill(&mut out).map(|()| out)
            });
            tally.judge("hkdf", test.tc_id, test.result, made.is_ok_and(|made| made == test.okm[..]));
        }
    }
    assert!(tally.0 > 50, "{}", tally.0);
}

#[test]
fn pbkdf2_hmac_sha256() {
    use wycheproof::pbkdf2::{TestName, TestSet};
    let mut tally = Tally::default();
    for group in &TestSet::load(TestName::Pbkdf2HmacSha256).unwrap().test_groups {
        // As many rounds as the vectors ask for take minutes without optimisation.
        for test in group.tests.iter().filter(|test| test.iteration_count <= 10_000) {
            let rounds = u32::try_from(test.iteration_count).unwrap().try_into().unwrap();
            let mut made = vec![0; test.dk_len];
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &test.salt, &test.password, &mut made);
            tally.judge("pbkdf2", test.tc_id, test.result, made == test.dk[..]);
        }
    }
    assert!(tally.0 > 20, "{}", tally.0);
}

fn verifies(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
}

#[test]
fn ecdsa_p256() {
    let mut tally = Tally::default();
    let fixed: &'static dyn VerificationAlgorithm = &ECDSA_P256_SHA256_FIXED;
    for (name, algorithm) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, fixed),
        (ecdsa::TestName::EcdsaSecp256r1Sha256, &ECDSA_P256_SHA256_ASN1),
    ] {
        for group in &ecdsa::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let accepted = verifies(algorithm, &group.key.key, &test.msg, &test.sig);
                tally.judge("ecdsa", test.tc_id, test.result, accepted);
            }
        }
    }
    assert!(tally.0 > 500, "{}", tally.0);
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in &eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        for test in &group.tests {
            let accepted = verifies(&ED25519, &group.key.pk, &test.msg, &test.sig);
            tally.judge("ed25519", test.tc_id, test.result, accepted);
        }
    }
    assert!(tally.0 > 100, "{}", tally.0);
}

#[test]
fn rsa_2048_sha256() {
    let mut tally = Tally::default();
    let set = rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let accepted = verifies(&RSA_PKCS1_2048_8192_SHA256, &group.asn_key, &test.msg, &test.sig);
            tally.judge("rsa", test.tc_id, test.result, accepted);
        }
    }
    assert!(tally.0 > 100, "{}", tally.0);
}

#[test]
fn x25519() {
    let mut tally = Tally::default();
    for group in &xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in &group.tests {
            let key = PrivateKey::from_private_key(&X25519, &test.private_key).unwrap();
            let shared =
                agree(&key, Peer::new(&X25519, &test.public_key[..]), (), |shared| Ok(shared.to_vec()));
            tally.judge(
                "x25519",
                test.tc_id,
                test.result,
                shared.is_ok_and(|made| made == test.shared_secret[..]),
            );
        }
    }
    assert!(tally.0 > 100, "{}", tally.0);
    assert!(PrivateKey::generate(&ECDH_P256).is_ok());
}

#[test]
fn ml_kem_768() {
    let mut tally = Tally::default();
    // The other sets give a key by its seed, which the library does not take.
    let set = mlkem::TestSet::load(mlkem::TestName::MlKem768SemiExpandedDecaps).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let (Some(key), Some(sealed)) = (&test.decaps_key, &test.ct) else { continue };
            let opened = DecapsulationKey::new(&ML_KEM_768, key)
                .ok()
                .and_then(|key| key.decapsulate(Ciphertext::from(&sealed[..])).ok());
            let same = opened
                .is_some_and(|made| test.shared_secret.as_ref().is_none_or(|k| made.as_ref() == &k[..]));
            tally.judge("ml-kem", test.tc_id, test.result, same);
        }
    }
    assert!(tally.0 >= 9, "{}", tally.0);
}
