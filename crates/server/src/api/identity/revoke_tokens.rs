//! `POST /identities/{id}/:revokeAccessTokens`: ends all tokens of a user made so far.

use ::http::StatusCode;
use wire::ApiError;

use super::{desk, owned_user, refused};
use crate::http::{Context, Reply};

pub(super) async fn handle(context: &Context) -> Result<Reply, ApiError> {
    let user = owned_user(context)?;
    desk(context).revoke(user).await.map_err(|error| refused(&error))?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
