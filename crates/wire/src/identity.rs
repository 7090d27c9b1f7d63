//! Identities and tokens on the wire: requests read into values that cannot be wrong, responses as the specs have them
//! (identity 2023-10-01; nothing in them differs between versions).

use base::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{ApiError, Identifier, json, time};

/// The shortest life of a token that may be asked for, in minutes.
pub const MIN_TOKEN_MINUTES: u16 = 60;
/// The longest life of a token, in minutes; also the default.
pub const MAX_TOKEN_MINUTES: u16 = 1440;

/// What a user token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenScope {
    /// Everything in chat.
    Chat,
    /// Chat, but not create, change or delete threads.
    ChatJoin,
    /// As `ChatJoin`, but not add or remove participants.
    ChatJoinLimited,
    /// Start and join calls.
    Voip,
    /// Join calls.
    VoipJoin,
}

impl TokenScope {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Chat, Self::ChatJoin, Self::ChatJoinLimited, Self::Voip, Self::VoipJoin];

    /// As it is written on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ChatJoin => "chat.join",
            Self::ChatJoinLimited => "chat.join.limited",
            Self::Voip => "voip",
            Self::VoipJoin => "voip.join",
        }
    }

    fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == text)
    }
}

/// A wish for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// What for: at least one, each once, in the order of [`TokenScope::ALL`].
    pub scopes: Vec<TokenScope>,
    /// How long it lives: [`MIN_TOKEN_MINUTES`] to [`MAX_TOKEN_MINUTES`].
    pub minutes: u16,
}

/// `POST /identities`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateIdentity {
    /// Issue a token in the same call.
    pub token: Option<TokenRequest>,
}

/// `POST /identities/{id}/:issueAccessToken`.
pub type IssueToken = TokenRequest;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawCreate {
    create_token_with_scopes: Option<Vec<String>>,
    expires_in_minutes: Option<serde_json::Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIssue {
    scopes: Option<Vec<String>>,
    expires_in_minutes: Option<serde_json::Number>,
}

impl CreateIdentity {
    /// Reads the body, which may be left out.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, a scope is unknown, or the lifetime is out of range.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawCreate = json::parse_optional(body)?;
        let minutes = minutes(raw.expires_in_minutes.as_ref())?;
        let scopes = scopes("createTokenWithScopes", raw.create_token_with_scopes.unwrap_or_default())?;
        Ok(Self { token: (!scopes.is_empty()).then_some(TokenRequest { scopes, minutes }) })
    }
}

impl TokenRequest {
    /// Reads the body of a request to issue a token.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, names no scope or an unknown one, or the lifetime is out of range.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawIssue = json::parse(body)?;
        let scopes = scopes("scopes", raw.scopes.unwrap_or_default())?;
        if scopes.is_empty() {
            return Err(ApiError::validation("scopes", "At least one scope is required."));
        }
        Ok(Self { scopes, minutes: minutes(raw.expires_in_minutes.as_ref())? })
    }
}

fn scopes(target: &'static str, names: Vec<String>) -> Result<Vec<TokenScope>, ApiError> {
    let mut scopes = Vec::new();
    for name in names {
        scopes.push(TokenScope::from_name(&name).ok_or_else(|| {
            ApiError::validation(
                target,
                "A scope is none of chat, chat.join, chat.join.limited, voip, voip.join.",
            )
        })?);
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// JSON has one kind of number: `60` and `60.0` are the same.
fn minutes(asked: Option<&serde_json::Number>) -> Result<u16, ApiError> {
    let Some(asked) = asked else { return Ok(MAX_TOKEN_MINUTES) };
    let whole = (MIN_TOKEN_MINUTES..=MAX_TOKEN_MINUTES)
        .find(|minutes| asked.as_f64().is_some_and(|asked| asked == f64::from(*minutes)));
    whole.ok_or_else(|| {
        ApiError::validation(
            "expiresInMinutes",
            format!(
                "expiresInMinutes must be a whole number from {MIN_TOKEN_MINUTES} to {MAX_TOKEN_MINUTES}."
            ),
        )
    })
}

/// A token as a response holds it.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret<String>,
    /// When it ends.
    pub expires_on: Timestamp,
}

/// The answer to `POST /identities`.
#[derive(Clone, Debug)]
pub struct CreatedIdentity {
    /// The new identity.
    pub identity: Identifier,
    /// Its token, if one was asked for.
    pub token: Option<AccessToken>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenBody<'a> {
    token: &'a str,
    expires_on: String,
}

impl<'a> TokenBody<'a> {
    fn new(token: &'a AccessToken) -> Self {
        Self { token: token.token.expose(), expires_on: time::with_offset(token.expires_on) }
    }
}

impl AccessToken {
    /// The body `CommunicationIdentityAccessToken`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(&TokenBody::new(self))
    }
}

impl CreatedIdentity {
    /// The body `CommunicationIdentityAccessTokenResult`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            identity: Identity,
            #[serde(skip_serializing_if = "Option::is_none")]
            access_token: Option<TokenBody<'a>>,
        }
        #[derive(Serialize)]
        struct Identity {
            id: String,
        }
        json::write(&Body {
            identity: Identity { id: self.identity.raw_id() },
            access_token: self.token.as_ref().map(TokenBody::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(body: &str) -> Result<CreateIdentity, ApiError> {
        CreateIdentity::parse(body.as_bytes())
    }

    fn issue(body: &str) -> Result<TokenRequest, ApiError> {
        TokenRequest::parse(body.as_bytes())
    }

    #[test]
    fn an_identity_alone() {
        for body in [
            "",
            "{}",
            "null",
            r#"{"createTokenWithScopes":[]}"#,
            r#"{"createTokenWithScopes":null,"expiresInMinutes":null}"#,
            r#"{"createTokenWithScopes":[],"expiresInMinutes":60,"somethingNewer":{}}"#,
        ] {
            assert_eq!(create(body), Ok(CreateIdentity { token: None }), "{body}");
        }
    }

    #[test]
    fn an_identity_with_a_token() {
        let got = create(r#"{"createTokenWithScopes":["voip","chat"],"expiresInMinutes":60}"#).unwrap();
        let want = TokenRequest { scopes: vec![TokenScope::Chat, TokenScope::Voip], minutes: 60 };
        assert_eq!(got.token, Some(want));
        assert_eq!(create(r#"{"createTokenWithScopes":["chat"]}"#).unwrap().token.unwrap().minutes, 1440);
    }

    #[test]
    fn scopes_are_known_and_kept_once() {
        for scope in TokenScope::ALL {
            let got = issue(&format!(r#"{{"scopes":["{0}","{0}"]}}"#, scope.name())).unwrap();
            assert_eq!(got.scopes, [scope]);
        }
        for bad in [
            "{}",
            r#"{"scopes":null}"#,
            r#"{"scopes":[]}"#,
            r#"{"scopes":[""]}"#,
            r#"{"scopes":["Chat"]}"#,
            r#"{"scopes":["chat","hunter2"]}"#,
        ] {
            let error = issue(bad).unwrap_err();
            assert_eq!((error.status(), error.target()), (400, Some("scopes")), "{bad}");
            assert!(!error.message().contains("hunter2"));
        }
        let error = create(r#"{"createTokenWithScopes":["x"]}"#).unwrap_err();
        assert_eq!(error.target(), Some("createTokenWithScopes"));
        for bad in ["", "null", "[]", r#"{"scopes":"chat"}"#, r#"{"scopes":[null]}"#] {
            assert_eq!(issue(bad).unwrap_err().status(), 400, "{bad}");
        }
    }

    #[test]
    fn lifetimes_at_and_past_their_limits() {
        let ask = |minutes: &str| issue(&format!(r#"{{"scopes":["chat"],"expiresInMinutes":{minutes}}}"#));
        for (text, want) in
            [("60", 60), ("61", 61), ("1440", 1440), ("60.0", 60), ("6e1", 60), ("null", 1440)]
        {
            assert_eq!(ask(text).unwrap().minutes, want, "{text}");
        }
        for bad in ["59", "1441", "0", "-60", "60.5", "1e300", "99999999999999999999", "59.999999999"] {
            let error = ask(bad).unwrap_err();
            assert_eq!((error.status(), error.target()), (400, Some("expiresInMinutes")), "{bad}");
            let error = create(&format!(r#"{{"expiresInMinutes":{bad}}}"#)).unwrap_err();
            assert_eq!(error.target(), Some("expiresInMinutes"), "also without a token");
        }
        assert_eq!(ask("\"60\"").unwrap_err().status(), 400);
    }

    #[test]
    fn answers_do_not_print_the_token() {
        let token = AccessToken { token: Secret::new("hunter2".into()), expires_on: Timestamp::EPOCH };
        assert!(!format!("{token:?}").contains("hunter2"));
        assert_eq!(
            String::from_utf8(token.render()).unwrap(),
            r#"{"token":"hunter2","expiresOn":"1970-01-01T00:00:00.0000000+00:00"}"#
        );
    }
}
