//! Tests of identifiers.

use proptest::prelude::*;

use super::*;
use crate::json;

const RESOURCE: &str = "11111111-2222-4333-8444-555555555555";
const USER: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

fn ours() -> String {
    format!("8:acs:{RESOURCE}_{USER}")
}

fn read(body: &str) -> Result<Identifier, InvalidIdentifier> {
    Identifier::from_model(&json::parse::<IdentifierModel>(body.as_bytes()).unwrap())
}

#[test]
fn raw_ids_by_kind() {
    let (long_user, visitor) = (format!("8:orgid:{USER}"), format!("8:teamsvisitor:{USER}"));
    for (raw, kind) in [
        (ours().as_str(), "communicationUser"),
        ("8:acs:abc_def", "communicationUser"),
        ("8:acs:abc", "communicationUser"),
        ("8:acs:a_b_", "communicationUser"),
        ("8:acs:a_b_c_d", "communicationUser"),
        ("8:dod-acs:a_b", "communicationUser"),
        ("8:gcch-acs:a_b", "communicationUser"),
        ("8:spool:a", "communicationUser"),
        ("8:acs:a_b_c", "teamsExtensionUser"),
        ("8:dod-acs:a_b_c", "teamsExtensionUser"),
        ("8:gcch-acs:a_b_c", "teamsExtensionUser"),
        ("4:+14255550123", "phoneNumber"),
        ("4:anonymous", "phoneNumber"),
        ("4:+14255550123_123", "phoneNumber"),
        ("4:+1_", "phoneNumber"),
        (long_user.as_str(), "microsoftTeamsUser"),
        ("8:dod:x", "microsoftTeamsUser"),
        ("8:gcch:x", "microsoftTeamsUser"),
        (visitor.as_str(), "microsoftTeamsUser"),
        ("28:orgid:x", "microsoftTeamsApp"),
        ("28:dod:x", "microsoftTeamsApp"),
        ("28:gcch:x", "microsoftTeamsApp"),
        ("28:ag08-global:01234567", "unknown"),
        ("8:acs:", "unknown"),
        ("8:acs", "unknown"),
        ("4:", "unknown"),
        ("alice", "unknown"),
        ("::", "unknown"),
    ] {
        let identifier = parse_raw(raw).unwrap();
        assert_eq!(identifier.kind(), kind, "{raw}");
        assert_eq!(identifier.raw_id(), raw, "the raw id comes back");
        assert_eq!(Identifier::from_model(&identifier.to_model()), Ok(identifier), "{raw}");
    }
}

#[test]
fn our_own_users_are_taken_apart_and_written_in_one_way() {
    let want =
        Identifier::CommunicationUser { resource: RESOURCE.parse().unwrap(), user: USER.parse().unwrap() };
    assert_eq!(parse_raw(&ours()), Ok(want.clone()));
    let shouted = format!("8:acs:{}_{}", RESOURCE.to_uppercase(), USER.to_uppercase());
    assert_eq!(parse_raw(&shouted), Ok(want.clone()));
    assert_eq!(want.raw_id(), ours());
    assert_eq!(format!("{want:?}"), ours(), "an opaque id may be logged");
}

#[test]
fn lengths_and_control_characters() {
    assert_eq!(parse_raw(""), Err(InvalidIdentifier::Empty));
    assert!(parse_raw(&"x".repeat(MAX_RAW_ID)).is_ok());
    assert_eq!(parse_raw(&"x".repeat(MAX_RAW_ID + 1)), Err(InvalidIdentifier::TooLong));
    assert_eq!(parse_raw("8:acs:a\0b"), Err(InvalidIdentifier::Control));
    let long = "9".repeat(MAX_RAW_ID);
    assert_eq!(read(&format!(r#"{{"phoneNumber":{{"value":"{long}"}}}}"#)), Err(InvalidIdentifier::TooLong));
}

#[test]
fn models_as_the_sdks_send_them() {
    let user = parse_raw(&ours()).unwrap();
    for body in [
        format!(r#"{{"communicationUser":{{"id":"{0}"}}}}"#, ours()),
        format!(r#"{{"rawId":"{0}","communicationUser":{{"id":"{0}"}}}}"#, ours()),
        format!(r#"{{"kind":"communicationUser","rawId":"{0}","communicationUser":{{"id":"{0}"}}}}"#, ours()),
        format!(r#"{{"rawId":"{0}"}}"#, ours()),
        format!(r#"{{"rawId":"{0}","kind":"communicationUser"}}"#, ours()),
        format!(
            r#"{{"rawId":"","communicationUser":{{"id":"{0}"}},"phoneNumber":null,"kind":null}}"#,
            ours()
        ),
        format!(r#"{{"rawId":"{0}","kind":"somethingNewer","somethingNewer":{{"id":5}}}}"#, ours()),
    ] {
        assert_eq!(read(&body), Ok(user.clone()), "{body}");
    }
    assert_eq!(
        read(r#"{"rawId":"4:14255550123","phoneNumber":{"value":"+14255550123"}}"#).unwrap().raw_id(),
        "4:+14255550123",
        "the raw id of older SDKs lacks the plus sign"
    );
    assert_eq!(
        read(r#"{"rawId":"4:+1_7","phoneNumber":{"value":"+1"}}"#).unwrap().raw_id(),
        "4:+1_7",
        "older SDKs do not know asserted ids"
    );
    assert_eq!(read(r#"{"microsoftTeamsUser":{"userId":"u"}}"#).unwrap().raw_id(), "8:orgid:u");
    assert_eq!(
        read(r#"{"rawId":"8:gcch:u","microsoftTeamsUser":{"userId":"u"}}"#).unwrap().raw_id(),
        "8:gcch:u"
    );
    assert_eq!(
        read(r#"{"microsoftTeamsUser":{"userId":"u","isAnonymous":true,"cloud":"public"}}"#)
            .unwrap()
            .raw_id(),
        "8:teamsvisitor:u"
    );
    assert_eq!(read(r#"{"microsoftTeamsApp":{"appId":"u","cloud":"dod"}}"#).unwrap().raw_id(), "28:dod:u");
    assert_eq!(
        read(r#"{"teamsExtensionUser":{"userId":"u","tenantId":"t","resourceId":"r"}}"#).unwrap().raw_id(),
        "8:acs:r_t_u"
    );
    assert_eq!(
        read(r#"{"communicationUser":{"id":"8:acs:r_t_u"}}"#).unwrap().kind(),
        "teamsExtensionUser",
        "older SDKs take it for a communication user"
    );
    assert_eq!(read(r#"{"communicationUser":{"id":"alice"}}"#).unwrap().kind(), "communicationUser");
    assert_eq!(
        read(r#"{"rawId":"alice","communicationUser":{"id":"alice"}}"#).unwrap().kind(),
        "communicationUser"
    );
}

#[test]
fn a_list_is_no_model() {
    for bad in ["[]", r#"["communicationUser","8:acs:a_b"]"#, r#"{"communicationUser":["8:acs:a_b"]}"#] {
        assert!(json::parse::<IdentifierModel>(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn models_that_say_two_things_are_refused() {
    for (body, why) in [
        ("{}", InvalidIdentifier::Empty),
        (r#"{"rawId":""}"#, InvalidIdentifier::Empty),
        (r#"{"kind":"communicationUser"}"#, InvalidIdentifier::Empty),
        (r#"{"communicationUser":{"id":""}}"#, InvalidIdentifier::Empty),
        (
            r#"{"communicationUser":{"id":"8:acs:a_b"},"phoneNumber":{"value":"+1"}}"#,
            InvalidIdentifier::Ambiguous,
        ),
        (r#"{"rawId":"8:acs:a_c","communicationUser":{"id":"8:acs:a_b"}}"#, InvalidIdentifier::RawIdMismatch),
        (r#"{"rawId":"4:+1","communicationUser":{"id":"8:acs:a_b"}}"#, InvalidIdentifier::RawIdMismatch),
        (r#"{"rawId":"4:+1","phoneNumber":{"value":"+2"}}"#, InvalidIdentifier::RawIdMismatch),
        (
            r#"{"rawId":"4:+1_7","phoneNumber":{"value":"+1","assertedId":"8"}}"#,
            InvalidIdentifier::RawIdMismatch,
        ),
        (
            r#"{"rawId":"8:gcch:u","microsoftTeamsUser":{"userId":"u","cloud":"dod"}}"#,
            InvalidIdentifier::RawIdMismatch,
        ),
        (
            r#"{"rawId":"8:orgid:u","microsoftTeamsUser":{"userId":"u","isAnonymous":true}}"#,
            InvalidIdentifier::RawIdMismatch,
        ),
        (
            r#"{"rawId":"28:dod:u","microsoftTeamsApp":{"appId":"u","cloud":"public"}}"#,
            InvalidIdentifier::RawIdMismatch,
        ),
        (r#"{"kind":"phoneNumber","communicationUser":{"id":"8:acs:a_b"}}"#, InvalidIdentifier::KindMismatch),
        (r#"{"communicationUser":{"id":"4:+1"}}"#, InvalidIdentifier::KindMismatch),
        (r#"{"microsoftTeamsApp":{"appId":"u","cloud":"moon"}}"#, InvalidIdentifier::Cloud),
    ] {
        assert_eq!(read(body), Err(why), "{body}");
    }
    let error = InvalidIdentifier::Ambiguous.into_error("participants");
    assert_eq!((error.status(), error.target()), (400, Some("participants")));
}

#[test]
fn responses_have_one_nested_model_and_no_null() {
    for (raw, want) in [
        (
            "8:acs:a_b",
            r#"{"kind":"communicationUser","rawId":"8:acs:a_b","communicationUser":{"id":"8:acs:a_b"}}"#,
        ),
        ("4:+1", r#"{"kind":"phoneNumber","rawId":"4:+1","phoneNumber":{"value":"+1"}}"#),
        (
            "4:anonymous",
            r#"{"kind":"phoneNumber","rawId":"4:anonymous","phoneNumber":{"value":"anonymous","isAnonymous":true}}"#,
        ),
        (
            "8:orgid:u",
            r#"{"kind":"microsoftTeamsUser","rawId":"8:orgid:u","microsoftTeamsUser":{"userId":"u","isAnonymous":false,"cloud":"public"}}"#,
        ),
        (
            "28:dod:u",
            r#"{"kind":"microsoftTeamsApp","rawId":"28:dod:u","microsoftTeamsApp":{"appId":"u","cloud":"dod"}}"#,
        ),
        (
            "8:acs:r_t_u",
            r#"{"kind":"teamsExtensionUser","rawId":"8:acs:r_t_u","teamsExtensionUser":{"userId":"u","tenantId":"t","resourceId":"r","cloud":"public"}}"#,
        ),
        ("alice", r#"{"rawId":"alice"}"#),
    ] {
        let model = parse_raw(raw).unwrap().to_model();
        assert_eq!(String::from_utf8(json::write(&model)).unwrap(), want);
        assert!(!json::write(&model.without_kind()).windows(6).any(|w| w == b"\"kind\""));
    }
}

#[test]
fn debug_shows_nobody() {
    for raw in ["4:+14255550123", "8:orgid:ada", "28:orgid:ada", "ada", "8:acs:ada_b", "8:acs:ada_b_c"] {
        let shown = format!("{:?}", parse_raw(raw).unwrap());
        assert!(!shown.contains("ada") && !shown.contains("5550"), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_text_is_refused_or_comes_back(raw in any::<String>()) {
        if let Ok(identifier) = parse_raw(&raw) {
            prop_assert_eq!(parse_raw(&identifier.raw_id()), Ok(identifier.clone()));
            prop_assert_eq!(Identifier::from_model(&identifier.to_model()), Ok(identifier));
        }
    }

    #[test]
    fn texts_that_look_like_raw_ids_come_back(raw in "(4|8|28):(acs|dod-acs|gcch|orgid|teamsvisitor|spool|\\+1)(:|_)[a-z0-9_:+]{0,12}") {
        let identifier = parse_raw(&raw).unwrap();
        prop_assert_eq!(identifier.raw_id(), raw);
        prop_assert_eq!(Identifier::from_model(&identifier.to_model()), Ok(identifier));
    }
}
