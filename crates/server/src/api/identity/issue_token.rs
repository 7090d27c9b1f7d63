//! `POST /identities/{id}/:issueAccessToken`: another token for a user.

use ::http::StatusCode;
use wire::ApiError;
use wire::identity::IssueToken;

use super::{access_token, desk, grant, owned_user, refused};
use crate::http::{Context, Reply};

pub(super) async fn handle(context: &Context) -> Result<Reply, ApiError> {
    let request = IssueToken::parse(&context.body)?;
    let user = owned_user(context)?;
    let issued = desk(context).issue(user, grant(&request)).await.map_err(|error| refused(&error))?;
    Ok(Reply::body(StatusCode::OK, access_token(issued).render()))
}
