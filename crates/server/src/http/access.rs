//! Who asks, and whether the operation's row lets that kind of caller in. What the caller may do to a particular thing
//! is decided where the thing is looked up, in the service.

use std::sync::Arc;

use ::http::request::Parts;
use ::http::{HeaderValue, header};
use base::Limits;
use base::Timestamp;
use bytes::Bytes;
use guard::hash::sha256;
use guard::signature::{AccessKey, SignedRequest, verify};
use guard::token::{Claims, Scopes, TokenError};
use policy::{Door, Permission, Refusal, Scope, ScopeSet, Who, admit};
use wire::ApiError;
use wire::operation::{Access, Area, Operation};

use super::context::{Caller, State, TokenCaller};
use super::operator::OperatorToken;
use crate::directory::ResourceEntry;
use crate::service::resources::ResourceError;

/// Where the push protocol has its token.
const PUSH_TOKEN: &str = "x-skypetoken";

/// How an operation says what credential it wants (RFC 9110, section 11.6.1).
const WANTS_KEY: HeaderValue = HeaderValue::from_static("HMAC-SHA256");
const WANTS_TOKEN: HeaderValue = HeaderValue::from_static("Bearer");

/// The value of `WWW-Authenticate` in a 401 of `operation`.
pub(crate) fn challenge(operation: &Operation) -> Option<HeaderValue> {
    match operation.access {
        Access::Public => None,
        Access::AccessKey => Some(WANTS_KEY),
        Access::UserToken(_) | Access::Directory | Access::Operator => Some(WANTS_TOKEN),
    }
}

/// Finds out who asks and lets in whom the operation's permission lets in. Without a permission that is nobody.
///
/// # Errors
/// 401 when there is no credential, it does not hold, it is of another resource, or of a kind this operation does not
/// take; 403 when a token lacks the scope.
pub(crate) async fn enter(
    (permission, area): (Option<Permission>, Area),
    state: &State,
    resource: &ResourceEntry,
    head: &Parts,
    body: &Bytes,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let permission = permission.ok_or_else(ApiError::unauthorized)?;
    let caller = match permission.door() {
        Door::Open => return Ok(Caller::Nobody),
        // The kind of credential is looked at before its worth: what can never be let in costs no cryptography.
        Door::Key => Caller::AccessKey { index: access_key(resource, head, body, &state.limits, now).await? },
        Door::Operator => operator(state.operator.as_ref(), head)?,
        Door::Scopes(_) => {
            Caller::User(TokenCaller { claims: token(resource, bearer(head, area)?, now).await? })
        }
    };
    match admit(who(&caller), permission) {
        Ok(()) => Ok(caller),
        Err(Refusal::Unauthenticated) => Err(ApiError::unauthorized()),
        Err(Refusal::Forbidden) => Err(ApiError::forbidden()),
    }
}

/// How often a request is looked at again when its resource's keys changed in that very moment.
const LOOKS: usize = 4;

/// Which of the resource's keys signed the request. The key must be one still, on whichever node it was ended.
async fn access_key(
    resource: &ResourceEntry,
    head: &Parts,
    body: &Bytes,
    limits: &Limits,
    now: Timestamp,
) -> Result<usize, ApiError> {
    let keys = resource.access_keys();
    for _ in 0..LOOKS {
        let known = keys.current();
        let changed = match signed_by(resource, known.keys(), head, body, limits, now) {
            Ok(index) if keys.hold(&known).await.map_err(|fault| unknown(&fault))? => {
                keys.note_use(index, now);
                return Ok(index);
            }
            Ok(_) => true,
            Err(_) => keys.look_again(now).await.map_err(|fault| unknown(&fault))?,
        };
        if !changed {
            break;
        }
    }
    Err(ApiError::denied())
}

/// Whether the keys hold cannot be told, so nobody is let in.
fn unknown(fault: &ResourceError) -> ApiError {
    match fault {
        ResourceError::Store(fault) => crate::service::unavailable(fault),
        fault => {
            tracing::error!(%fault, "the keys of who asks cannot be read");
            ApiError::internal()
        }
    }
}

fn signed_by(
    resource: &ResourceEntry,
    keys: &[AccessKey],
    head: &Parts,
    body: &Bytes,
    limits: &Limits,
    now: Timestamp,
) -> Result<usize, ApiError> {
    let authorization = authorization(head)?;
    if !has_scheme(authorization, "HMAC-SHA256") {
        return Err(ApiError::denied());
    }
    let text = |name: &str| single(head, name);
    let host = super::host::of(head).ok_or_else(ApiError::denied)?;
    let public = resource.public_hosts().iter().map(String::as_str);
    let hosts: Vec<&str> = std::iter::once(host).chain(public).collect();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let request = SignedRequest {
        method: head.method.as_str(),
        path_and_query: target,
        hosts: &hosts,
        x_ms_host: text("x-ms-host")?,
        date: text("x-ms-date")?.or(text("date")?),
        content_sha256: text("x-ms-content-sha256")?,
        authorization,
        body_sha256: &sha256(body),
    };
    verify(&request, keys, now, limits.clock_skew()).map_err(|_| ApiError::denied())
}

/// The request's token. The push protocol has a header of its own for it, with the bare token in it.
fn bearer(head: &Parts, area: Area) -> Result<&str, ApiError> {
    if area == Area::Push && !head.headers.contains_key(header::AUTHORIZATION) {
        let token = single(head, PUSH_TOKEN).map_err(|_| ApiError::unauthorized())?;
        return token.ok_or_else(ApiError::unauthorized);
    }
    let authorization = authorization(head)?;
    if !has_scheme(authorization, "Bearer") {
        return Err(ApiError::unauthorized());
    }
    Ok(authorization["Bearer".len()..].trim())
}

/// What the request's token says, when it is one of this resource.
async fn token(resource: &ResourceEntry, token: &str, now: Timestamp) -> Result<Arc<Claims>, ApiError> {
    let keys = resource.tokens();
    keys.stay_fresh(now).await.map_err(|fault| unknown(&fault))?;
    let mut verified = keys.verify(token, now);
    if verified == Err(TokenError::UnknownKey) && keys.learn(now).await.map_err(|fault| unknown(&fault))? {
        verified = keys.verify(token, now);
    }
    let claims = verified.map_err(|_| ApiError::unauthorized())?;
    // The cell's key signs for every resource of the cell, so whose token it is must be looked at too.
    if claims.resource != resource.id() || claims.geography != *resource.geography() {
        return Err(ApiError::unauthorized());
    }
    Ok(claims)
}

/// The operator, by the token of this node.
fn operator(known: Option<&OperatorToken>, head: &Parts) -> Result<Caller, ApiError> {
    let authorization = authorization(head)?;
    let token = has_scheme(authorization, "Bearer").then(|| authorization["Bearer".len()..].trim());
    match (known, token) {
        (Some(known), Some(token)) if known.is(token) => Ok(Caller::Operator),
        _ => Err(ApiError::unauthorized()),
    }
}

/// A header that is signed, or says how. Twice is refused, even with one value: what was signed must be what is read, by
/// every program on the way.
fn single<'a>(head: &'a Parts, name: &str) -> Result<Option<&'a str>, ApiError> {
    let mut all = head.headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| ApiError::denied()),
        (Some(_), Some(_)) => Err(ApiError::denied()),
    }
}

/// The one `Authorization` header. Several are as good as none: two programs could each believe another one.
fn authorization(head: &Parts) -> Result<&str, ApiError> {
    let mut all = head.headers.get_all(header::AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => one.to_str().map_err(|_| ApiError::unauthorized()),
        _ => Err(ApiError::unauthorized()),
    }
}

/// Whether a credential was offered at all.
pub(crate) fn offers_credential(head: &Parts) -> bool {
    head.headers.contains_key(header::AUTHORIZATION) || head.headers.contains_key(PUSH_TOKEN)
}

fn has_scheme(authorization: &str, scheme: &str) -> bool {
    let (name, rest) = authorization.split_at_checked(scheme.len()).unwrap_or_default();
    name.eq_ignore_ascii_case(scheme) && rest.starts_with(' ')
}

fn who(caller: &Caller) -> Who {
    match caller {
        Caller::Nobody => Who::Nobody,
        Caller::AccessKey { .. } => Who::AccessKey,
        Caller::Operator => Who::Operator,
        Caller::User(user) => Who::User(scope_set(user.claims.scopes)),
    }
}

/// The same scopes in the words of the policy.
fn scope_set(scopes: Scopes) -> ScopeSet {
    const EACH: [(Scopes, Scope); 5] = [
        (Scopes::CHAT, Scope::Chat),
        (Scopes::CHAT_JOIN, Scope::ChatJoin),
        (Scopes::CHAT_JOIN_LIMITED, Scope::ChatJoinLimited),
        (Scopes::VOIP, Scope::Voip),
        (Scopes::VOIP_JOIN, Scope::VoipJoin),
    ];
    EACH.into_iter().filter(|(held, _)| scopes.contains(*held)).map(|(_, scope)| scope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_told_apart_whatever_their_case() {
        assert!(has_scheme("Bearer x", "Bearer") && has_scheme("bearer x", "Bearer"));
        assert!(has_scheme("HMAC-SHA256 SignedHeaders=", "HMAC-SHA256"));
        for bad in ["", "Bear", "Bearer", "Bearerx y", "Basic x", "éBearer x"] {
            assert!(!has_scheme(bad, "Bearer"), "{bad}");
        }
    }

    #[test]
    fn every_scope_of_a_token_is_one_of_the_policy() {
        for scope in Scope::ALL {
            let held = Scopes::parse(scope.name()).unwrap();
            assert_eq!(scope_set(held), ScopeSet::of(&[scope]), "{}", scope.name());
        }
        assert_eq!(scope_set(Scopes::EMPTY), ScopeSet::NONE);
        let all = Scope::ALL.iter().fold(Scopes::EMPTY, |all, s| all.union(Scopes::parse(s.name()).unwrap()));
        assert_eq!(scope_set(all), ScopeSet::of(&Scope::ALL));
    }
}
