//! Identity responses. All versions from 2021-03-07 to 2023-10-01 have these shapes.

use base::{Secret, Timestamp};
use wire::Identifier;
use wire::identity::{AccessToken, CreatedIdentity};

use crate::golden;

const FOLDER: &str = "identity/2023-10-01.js-1.3.1";

fn token() -> AccessToken {
    AccessToken {
        token: Secret::new("header.payload.signature".into()),
        expires_on: Timestamp::from_millis(1_795_420_800_123),
    }
}

fn identity() -> Identifier {
    Identifier::CommunicationUser {
        resource: "11111111-2222-4333-8444-555555555555".parse().unwrap(),
        user: "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee".parse().unwrap(),
    }
}

#[test]
fn an_identity_without_a_token() {
    let body = CreatedIdentity { identity: identity(), token: None }.render();
    golden::json(&format!("{FOLDER}/created.json"), &body);
}

#[test]
fn an_identity_with_a_token() {
    let body = CreatedIdentity { identity: identity(), token: Some(token()) }.render();
    golden::json(&format!("{FOLDER}/created-with-token.json"), &body);
}

#[test]
fn a_token() {
    golden::json(&format!("{FOLDER}/token.json"), &token().render());
}

#[test]
fn an_error() {
    let body = wire::ApiError::identity_not_owned().to_body();
    golden::json(&format!("{FOLDER}/error.json"), &body);
}
