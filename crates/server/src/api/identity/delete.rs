//! `DELETE /identities/{id}`: ends a user's tokens and what it wrote.

use ::http::StatusCode;
use wire::ApiError;

use super::{desk, owned_user, refused};
use crate::http::{Context, Reply};

pub(super) async fn handle(context: &Context) -> Result<Reply, ApiError> {
    let user = owned_user(context)?;
    desk(context).delete(user).await.map_err(|error| refused(&error))?;
    context.state.jobs.wake();
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
