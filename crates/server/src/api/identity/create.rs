//! `POST /identities`: a new user, with a token when scopes are asked for.

use ::http::StatusCode;
use wire::identity::{CreateIdentity, CreatedIdentity};
use wire::{ApiError, Identifier};

use super::{access_token, desk, grant, refused};
use crate::http::{Context, Reply};

pub(super) async fn handle(context: &Context) -> Result<Reply, ApiError> {
    let request = CreateIdentity::parse(&context.body)?;
    let grant = request.token.as_ref().map(grant);
    let (user, token) = desk(context).create(grant).await.map_err(|error| refused(&error))?;
    let resource = context.resource_id();
    let created = CreatedIdentity {
        identity: Identifier::CommunicationUser { resource, user },
        token: token.map(access_token),
    };
    Ok(Reply::body(StatusCode::CREATED, created.render()))
}
