//! Tokens as the SDKs read them, and tokens that nobody issued.

use std::sync::Arc;
use std::time::Duration;

use base::{Rng as _, SeededRng};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_123);
const HOUR: Duration = Duration::from_secs(3600);

fn claims() -> Claims {
    let rng = SeededRng::new(1);
    Claims {
        resource: ResourceId::mint(&rng),
        geography: "unitedstates".parse().unwrap(),
        user: UserId::mint(&rng),
        scopes: Scopes::CHAT.union(Scopes::VOIP),
        issued_at: Timestamp::from_millis(1_795_420_800_000),
        expires_at: Timestamp::from_millis(1_795_420_800_000).plus(HOUR),
        epoch: 3,
    }
}

fn signer() -> TokenSigner {
    TokenSigner::generate().unwrap()
}

fn segment(token: &str, at: usize) -> Value {
    let segment = token.split('.').nth(at).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).unwrap()).unwrap()
}

/// A token with this header and payload, truly signed.
fn signed(signer: &TokenSigner, head: &str, payload: &str) -> String {
    // The signer takes claims only, so its key is taken up anew here.
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, signer.to_pkcs8().expose()).unwrap();
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(payload));
    let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn says_what_it_was_given() {
    let signer = signer();
    let token = signer.sign(&claims());
    let verifier = TokenVerifier::from_signers(&[&signer]);
    let first = verifier.verify(&token, NOW).unwrap();
    assert_eq!(*first, claims());
    let second = verifier.verify(&token, NOW).unwrap();
    assert!(Arc::ptr_eq(&first, &second), "remembered");
    assert_eq!(parse_unverified(&token), Ok(claims()));
}

#[test]
fn has_the_claims_of_acs() {
    let (signer, claims) = (signer(), claims());
    let token = signer.sign(&claims);
    assert_eq!(segment(&token, 0), json!({"alg": "ES256", "kid": signer.kid(), "typ": "JWT"}));
    let expected = json!({
        "skypeid": format!("acs:{}_{}", claims.resource, claims.user),
        "scp": 1792,
        "csi": "1795420800",
        "exp": 1_795_424_400u64,
        "rgn": "amer",
        "acsScope": "chat,voip",
        "resourceId": claims.resource.to_string(),
        "resourceLocation": "unitedstates",
        "iat": 1_795_420_800u64,
        "epoch": 3,
    });
    assert_eq!(segment(&token, 1), expected);
}

#[test]
fn every_geography_of_acs_has_a_region() {
    let signer = signer();
    for name in base::geography::ACS_GEOGRAPHIES {
        let token = signer.sign(&Claims { geography: name.parse().unwrap(), ..claims() });
        let region = segment(&token, 1)["rgn"].as_str().unwrap().to_owned();
        assert!(["amer", "apac", "emea"].contains(&region.as_str()), "{name}: {region}");
    }
    let own = signer.sign(&Claims { geography: "canton-zurich".parse().unwrap(), ..claims() });
    assert_eq!(segment(&own, 1)["rgn"], "canton-zurich");
}

#[test]
fn expires_to_the_second() {
    let (signer, claims) = (signer(), claims());
    let token = signer.sign(&claims);
    let verifier = TokenVerifier::from_signers(&[&signer]);
    let last = claims.expires_at.minus(Duration::from_millis(1));
    for _ in ["fresh", "remembered"] {
        assert!(verifier.verify(&token, last).is_ok());
        assert_eq!(verifier.verify(&token, claims.expires_at), Err(TokenError::Expired));
    }
    assert!(verifier.verify(&token, last).is_ok(), "a clock that was put right");
}

#[test]
fn only_its_own_keys() {
    let (old, new, stranger) = (signer(), signer(), signer());
    let both = TokenVerifier::new(vec![old.public().clone(), new.public().clone()]);
    for signer in [&old, &new] {
        assert!(both.verify(&signer.sign(&claims()), NOW).is_ok());
    }
    let foreign = stranger.sign(&claims());
    assert_eq!(both.verify(&foreign, NOW), Err(TokenError::UnknownKey));
    assert_eq!(TokenVerifier::new(vec![]).verify(&foreign, NOW), Err(TokenError::UnknownKey));
    let head = json!({"alg": "ES256", "kid": new.kid(), "typ": "JWT"}).to_string();
    let payload = segment(&foreign, 1).to_string();
    let forged = signed(&stranger, &head, &payload);
    assert_eq!(both.verify(&forged, NOW), Err(TokenError::BadSignature));
    assert!(both.verify(&signed(&new, &head, &payload), NOW).is_ok());
}

#[test]
fn no_other_algorithm_and_no_unknown_header() {
    let signer = signer();
    let (kid, verifier) = (signer.kid(), TokenVerifier::from_signers(&[&signer]));
    let payload = segment(&signer.sign(&claims()), 1).to_string();
    let heads = [
        json!({"alg": "none", "kid": kid, "typ": "JWT"}),
        json!({"alg": "None", "kid": kid}),
        json!({"alg": "HS256", "kid": kid}),
        json!({"alg": "RS256", "kid": kid}),
        json!({"alg": "es256", "kid": kid}),
        json!({"alg": ["ES256"], "kid": kid}),
        json!({"kid": kid}),
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "kid": 1}),
        json!({"alg": "ES256", "kid": "k".repeat(65)}),
        json!({"alg": "ES256", "kid": kid, "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": kid, "crit": ["exp"], "exp": 1}),
        json!({"alg": "ES256", "kid": kid, "crit": []}),
        json!({"alg": "ES256", "kid": kid, "jwk": signer.jwk()}),
        json!({"alg": "ES256", "kid": kid, "b64": false}),
    ];
    for head in heads {
        let token = signed(&signer, &head.to_string(), &payload);
        assert_eq!(verifier.verify(&token, NOW), Err(TokenError::Malformed), "{head}");
    }
    let twice = format!(r#"{{"alg":"none","alg":"ES256","kid":"{kid}"}}"#);
    assert_eq!(verifier.verify(&signed(&signer, &twice, &payload), NOW), Err(TokenError::Malformed));
    let plain = json!({"alg": "ES256", "kid": kid}).to_string();
    assert!(verifier.verify(&signed(&signer, &plain, &payload), NOW).is_ok(), "typ may be absent");
    let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(&plain), URL_SAFE_NO_PAD.encode(&payload));
    assert_eq!(verifier.verify(&unsigned, NOW), Err(TokenError::Malformed));
}

#[test]
fn claims_that_make_no_sense() {
    let signer = signer();
    let verifier = TokenVerifier::from_signers(&[&signer]);
    let head = json!({"alg": "ES256", "kid": signer.kid()}).to_string();
    let right = segment(&signer.sign(&claims()), 1);
    let bad = [
        ("skypeid", json!("acs:00000000-0000-0000-0000-000000000000_00000000-0000-0000-0000-000000000000")),
        ("skypeid", json!("8:acs:x")),
        ("skypeid", json!(format!("acs:{}", claims().resource))),
        ("resourceId", json!("x")),
        ("resourceLocation", json!("../etc")),
        ("acsScope", json!("")),
        ("acsScope", json!("chat,admin")),
        ("acsScope", json!(["chat"])),
        ("exp", json!("1795424400")),
        ("exp", json!(-1)),
        ("exp", json!(1.5)),
        ("exp", json!(u64::MAX)),
        ("exp", json!(253_402_300_800u64)),
        ("iat", json!(null)),
        ("epoch", json!(4_294_967_296u64)),
    ];
    for (name, value) in bad {
        let mut payload = right.clone();
        payload[name] = value.clone();
        let token = signed(&signer, &head, &payload.to_string());
        assert_eq!(verifier.verify(&token, NOW), Err(TokenError::Malformed), "{name}: {value}");
        payload.as_object_mut().unwrap().remove(name);
        let token = signed(&signer, &head, &payload.to_string());
        assert_eq!(verifier.verify(&token, NOW), Err(TokenError::Malformed), "{name} missing");
    }
    let mut more = right;
    more["later"] = json!({"claim": 1});
    assert!(verifier.verify(&signed(&signer, &head, &more.to_string()), NOW).is_ok());
}

#[test]
fn texts_that_are_no_token() {
    let signer = signer();
    let verifier = TokenVerifier::from_signers(&[&signer]);
    let token = signer.sign(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let bad = [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        "a.b.c".into(),
        parts[..2].join("."),
        format!("{token}.x"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        token.replace('.', ".."),
        "x".repeat(MAX_TOKEN + 1),
        format!("{token}{}", "A".repeat(MAX_TOKEN)),
        "é.é.é".into(),
    ];
    for text in bad {
        assert_eq!(verifier.verify(&text, NOW), Err(TokenError::Malformed), "{text:.80}");
        assert_eq!(parse_unverified(&text), Err(TokenError::Malformed));
    }
}

#[test]
fn any_changed_character_is_refused() {
    let signer = signer();
    let verifier = TokenVerifier::from_signers(&[&signer]);
    let token = signer.sign(&claims());
    assert!(verifier.verify(&token, NOW).is_ok());
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(verifier.verify(&changed, NOW).is_err(), "character {at}");
    }
}

#[test]
fn keys_are_kept_and_shown() {
    let signer = signer();
    let again = TokenSigner::from_pkcs8(signer.to_pkcs8().expose()).unwrap();
    assert_eq!(again.kid(), signer.kid());
    let verifier = TokenVerifier::from_signers(&[&signer]);
    assert!(verifier.verify(&again.sign(&claims()), NOW).is_ok());
    let jwk = signer.jwk();
    assert_eq!((&jwk["kty"], &jwk["crv"], &jwk["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
    assert!(jwk.get("d").is_none());
    let public = PublicKey::from_jwk(&jwk).unwrap();
    assert_eq!(public.kid(), signer.kid());
    assert!(TokenVerifier::new(vec![public]).verify(&signer.sign(&claims()), NOW).is_ok());
    assert_eq!(format!("{signer:?}"), format!("TokenSigner({})", signer.kid()));
    assert!(TokenSigner::from_pkcs8(b"").is_err() && TokenSigner::from_pkcs8(&[0x30; 100]).is_err());
}

#[test]
fn key_ids_are_thumbprints() {
    // The key of RFC 7515, appendix A.3; its thumbprint worked out with another implementation of RFC 7638.
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "not believed",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    });
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap().kid(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    for (name, value) in [
        ("kty", "RSA"),
        ("crv", "P-384"),
        ("x", "AAAA"),
        ("y", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
    ] {
        let mut bad = jwk.clone();
        bad[name] = json!(value);
        assert_eq!(PublicKey::from_jwk(&bad).err(), Some(InvalidTokenKey), "{name}");
    }
}

#[test]
fn verifies_the_example_of_the_standard() {
    // RFC 7515, appendix A.3: its payload is not one of ours, so only the key and signature are checked here.
    let key = PublicKey::from_jwk(&json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }))
    .unwrap();
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.signed(text.as_bytes(), &signature));
    signature[63] ^= 1;
    assert!(!key.signed(text.as_bytes(), &signature));
}

proptest! {
    #[test]
    fn python_can_read_every_payload(
        seed in any::<u64>(),
        (issued, life) in (0u64..253_402_000_000, 0u64..200_000),
        (scopes, epoch) in (1u8..32, any::<u32>()),
        geography in "[a-z]([a-z0-9-]{0,38}[a-z0-9])?",
    ) {
        let rng = SeededRng::new(seed);
        let names = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"];
        let scopes = names.iter().enumerate().filter(|(at, _)| scopes & (1 << at) != 0);
        let claims = Claims {
            resource: ResourceId::from_bytes(rng.id()),
            geography: geography.parse().unwrap(),
            user: UserId::from_bytes(rng.id()),
            scopes: scopes.fold(Scopes::EMPTY, |all, (_, name)| all.union(Scopes::parse(name).unwrap())),
            issued_at: Timestamp::from_millis(issued * 1000),
            expires_at: Timestamp::from_millis((issued + life) * 1000),
            epoch,
        };
        let text = format::encode("kid", &claims);
        let payload = text.split('.').nth(1).unwrap();
        prop_assert!(!payload.contains(['-', '_', '=']), "{}", payload);
        let padded = format!("{payload}{}", "=".repeat((4 - payload.len() % 4) % 4));
        let read: Value = serde_json::from_slice(&STANDARD.decode(padded).unwrap()).unwrap();
        prop_assert_eq!(&read["exp"], &json!(issued + life));
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode([0; 64]));
        prop_assert_eq!(parse_unverified(&token), Ok(claims));
    }

    #[test]
    fn never_panics(text in ".{0,200}", head in ".{0,60}", payload in ".{0,120}") {
        let token = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(payload), "A".repeat(86));
        let verifier = TokenVerifier::new(vec![]);
        prop_assert!(verifier.verify(&text, NOW).is_err() && verifier.verify(&token, NOW).is_err());
    }
}
