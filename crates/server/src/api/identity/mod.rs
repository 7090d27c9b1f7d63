//! Handlers of the identity area.

mod create;
mod delete;
mod issue_token;
mod revoke_tokens;

use std::time::Duration;

use base::UserId;
use guard::token::Scopes;
use wire::identity::{AccessToken, TokenRequest};
use wire::{ApiError, Identifier};

use super::Handler;
use crate::http::Context;
use crate::service;
use crate::service::identity::{Grant, IdentityDesk, IdentityError, IssuedToken};

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    let handler: Handler = match name {
        "identity.create" => |c| Box::pin(create::handle(c)),
        "identity.delete" => |c| Box::pin(delete::handle(c)),
        "identity.issue_token" => |c| Box::pin(issue_token::handle(c)),
        "identity.revoke_tokens" => |c| Box::pin(revoke_tokens::handle(c)),
        _ => return None,
    };
    Some(handler)
}

/// The identities of the resource that was asked, at the service of who asks.
fn desk(context: &Context) -> IdentityDesk<'_> {
    IdentityDesk {
        cell: context.cell(),
        resource: context.resource_id(),
        tokens: context.resource.tokens(),
        live: &context.state.chat.live,
        cache: &context.state.identities,
        clock: context.clock(),
        rng: context.rng(),
        act: context.act(),
        attempts: context.limits().commit_attempts,
    }
}

/// The user that the path names, when it is one of this resource.
///
/// Another resource's user, and a text that names none, get the answer that ACS gives for "not yours".
fn owned_user(context: &Context) -> Result<UserId, ApiError> {
    match context.params.get("id").map(wire::identifier::parse_raw) {
        Some(Ok(Identifier::CommunicationUser { resource, user })) if resource == context.resource_id() => {
            Ok(user)
        }
        _ => Err(ApiError::identity_not_owned()),
    }
}

fn grant(request: &TokenRequest) -> Grant {
    let named = request.scopes.iter().filter_map(|scope| Scopes::parse(scope.name()));
    Grant {
        scopes: named.fold(Scopes::EMPTY, Scopes::union),
        lifetime: Duration::from_secs(u64::from(request.minutes) * 60),
    }
}

fn access_token(issued: IssuedToken) -> AccessToken {
    AccessToken { token: issued.token, expires_on: issued.expires_at }
}

fn refused(error: &IdentityError) -> ApiError {
    match error {
        IdentityError::NotOwned => ApiError::identity_not_owned(),
        IdentityError::Busy => service::busy(),
        IdentityError::Store(error) => service::unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use wire::identity::TokenScope;

    use super::*;

    #[test]
    fn a_token_gets_the_scopes_and_the_life_that_were_asked_for() {
        for scope in TokenScope::ALL {
            let granted = grant(&TokenRequest { scopes: vec![scope], minutes: 60 });
            assert_eq!(granted.scopes.names().collect::<Vec<_>>(), [scope.name()]);
            assert_eq!(granted.lifetime, Duration::from_secs(3600));
        }
        let all = grant(&TokenRequest { scopes: TokenScope::ALL.to_vec(), minutes: 1440 });
        assert_eq!(all.scopes.names().count(), TokenScope::ALL.len());
    }
}
