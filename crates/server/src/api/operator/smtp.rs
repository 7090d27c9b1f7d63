//! The operator's plane: who may submit mail by SMTP.

use ::http::{StatusCode, header};
use base::{Personal, Secret};
use serde::{Deserialize, Serialize};
use wire::{ApiError, json};

use super::email::resource;
use crate::api::Handler;
use crate::api::email::{answer, desk};
use crate::http::{Context, Reply};
use crate::service::email::{NewSmtpUser, SmtpUser, SmtpUserId};

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "operator.email.list_smtp_users" => |cx| Box::pin(list(cx)),
        "operator.email.put_smtp_user" => |cx| Box::pin(put(cx)),
        "operator.email.delete_smtp_user" => |cx| Box::pin(delete(cx)),
        _ => return None,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserJson {
    id: String,
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entra_application_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    password_set_on: String,
    /// Told once, when it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

#[derive(Serialize)]
struct Page {
    value: Vec<UserJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutUser {
    username: Option<String>,
    entra_application_id: Option<String>,
    tenant_id: Option<String>,
    password: Option<String>,
}

fn shown(user: SmtpUser, password: Option<&Secret<String>>) -> UserJson {
    UserJson {
        id: user.id.to_hex(),
        username: user.name.into_inner(),
        entra_application_id: user.application,
        tenant_id: user.tenant,
        password_set_on: user.since.to_iso(),
        password: password.map(|password| password.expose().clone()),
    }
}

async fn list(cx: &Context) -> Result<Reply, ApiError> {
    let users = desk(cx, resource(cx)?).smtp_users().await.map_err(answer)?;
    let value = users.into_iter().map(|user| shown(user, None)).collect();
    Reply::json(StatusCode::OK, &Page { value })
}

async fn put(cx: &Context) -> Result<Reply, ApiError> {
    let asked: PutUser = json::parse(&cx.body)?;
    let new = NewSmtpUser {
        name: asked.username.map(Personal::new),
        application: asked.entra_application_id,
        tenant: asked.tenant_id,
        password: asked.password.map(Secret::new),
    };
    let (user, password) = desk(cx, resource(cx)?).put_smtp_user(new).await.map_err(answer)?;
    let reply = Reply::json(StatusCode::OK, &shown(user, Some(&password)))?;
    Ok(reply.header(header::CACHE_CONTROL, "no-store"))
}

async fn delete(cx: &Context) -> Result<Reply, ApiError> {
    let id = cx.params.get("smtpUser").and_then(SmtpUserId::from_hex);
    let id = id.ok_or_else(|| ApiError::not_found("The SMTP user was not found."))?;
    desk(cx, resource(cx)?).delete_smtp_user(id).await.map_err(answer)?;
    Ok(Reply::empty(StatusCode::OK))
}
