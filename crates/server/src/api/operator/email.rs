//! The operator's plane: email. Domains, senders, suppression lists, and what became of a mail.

use std::sync::Arc;

use ::http::StatusCode;
use base::{MailId, Personal, Timestamp};
use serde::{Deserialize, Serialize};
use wire::{ApiError, json};

use crate::api::Handler;
use crate::api::email::{answer, desk};
use crate::directory::ResourceEntry;
use crate::http::{Context, Reply};
use crate::service::email::domain::{DomainView, Record};
use crate::service::email::{Fate, Progress, Reason, State, Suppression, SuppressionId};

/// The handler of the operation called `name`.
pub(super) fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "operator.email.list_domains" => |cx| Box::pin(list_domains(cx)),
        "operator.email.get_domain" => |cx| Box::pin(get_domain(cx)),
        "operator.email.put_domain" => |cx| Box::pin(put_domain(cx)),
        "operator.email.delete_domain" => |cx| Box::pin(delete_domain(cx)),
        "operator.email.verify_domain" => |cx| Box::pin(verify_domain(cx)),
        "operator.email.rotate_domain" => |cx| Box::pin(rotate_domain(cx)),
        "operator.email.put_sender" => |cx| Box::pin(put_sender(cx)),
        "operator.email.delete_sender" => |cx| Box::pin(delete_sender(cx)),
        "operator.email.list_suppressions" => |cx| Box::pin(list_suppressions(cx)),
        "operator.email.suppress" => |cx| Box::pin(suppress(cx)),
        "operator.email.explain_suppression" => |cx| Box::pin(explain(cx)),
        "operator.email.delete_suppression" => |cx| Box::pin(unsuppress(cx)),
        "operator.email.get_mail" => |cx| Box::pin(get_mail(cx)),
        _ => return None,
    })
}

/// The resource that the path names.
pub(super) fn resource(cx: &Context) -> Result<&Arc<ResourceEntry>, ApiError> {
    let name = cx.params.get("resource").unwrap_or_default();
    let mut all = cx.state.directory.resources().iter();
    all.find(|one| one.name().eq_ignore_ascii_case(name))
        .ok_or_else(|| ApiError::not_found("The resource was not found."))
}

fn domain_name(cx: &Context) -> &str {
    cx.params.get("domain").unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    value: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_link: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DomainJson {
    name: String,
    domain_management: &'static str,
    verified: bool,
    created_on: String,
    user_engagement_tracking: bool,
    signing_selector: u8,
    sender_usernames: Vec<SenderJson>,
    records: Vec<RecordJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SenderJson {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordJson {
    record: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    value: String,
    ttl: u32,
    status: &'static str,
}

fn shown(view: DomainView) -> DomainJson {
    let sender = |(username, name): (Personal<String>, Option<Personal<String>>)| SenderJson {
        username: username.into_inner(),
        display_name: name.map(Personal::into_inner),
    };
    let record = |(record, dns, state): (Record, crate::service::email::domain::DnsRecord, _)| RecordJson {
        record: record.name(),
        kind: dns.kind,
        name: dns.name,
        value: dns.value,
        ttl: dns.ttl,
        status: crate::service::email::domain::RecordState::name(state),
    };
    DomainJson {
        name: view.name.into_inner(),
        domain_management: if view.managed { "AzureManaged" } else { "CustomerManaged" },
        verified: view.verified,
        created_on: view.created.to_iso(),
        user_engagement_tracking: view.tracking,
        signing_selector: view.selector,
        sender_usernames: view.senders.into_iter().map(sender).collect(),
        records: view.records.into_iter().map(record).collect(),
    }
}

async fn list_domains(cx: &Context) -> Result<Reply, ApiError> {
    let all = desk(cx, resource(cx)?).domains().await.map_err(answer)?;
    Reply::json(StatusCode::OK, &Page { value: all.into_iter().map(shown).collect(), next_link: None })
}

async fn get_domain(cx: &Context) -> Result<Reply, ApiError> {
    let view = desk(cx, resource(cx)?).domain(domain_name(cx)).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &shown(view))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PutDomain {
    user_engagement_tracking: Option<bool>,
}

async fn put_domain(cx: &Context) -> Result<Reply, ApiError> {
    let asked: PutDomain = json::parse_optional(&cx.body)?;
    let desk = desk(cx, resource(cx)?);
    let view = desk.put_domain(domain_name(cx), asked.user_engagement_tracking).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &shown(view))
}

async fn delete_domain(cx: &Context) -> Result<Reply, ApiError> {
    desk(cx, resource(cx)?).delete_domain(domain_name(cx)).await.map_err(answer)?;
    Ok(Reply::empty(StatusCode::OK))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Verify {
    verification_type: Option<String>,
}

async fn verify_domain(cx: &Context) -> Result<Reply, ApiError> {
    let asked: Verify = json::parse_optional(&cx.body)?;
    let unknown = || ApiError::validation("verificationType", "There is no such verification type.");
    let which = asked.verification_type.map(|name| Record::named(&name).ok_or_else(unknown)).transpose()?;
    let view = desk(cx, resource(cx)?).verify_domain(domain_name(cx), which).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &shown(view))
}

async fn rotate_domain(cx: &Context) -> Result<Reply, ApiError> {
    let view = desk(cx, resource(cx)?).rotate_domain(domain_name(cx)).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &shown(view))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PutSender {
    display_name: Option<String>,
}

async fn put_sender(cx: &Context) -> Result<Reply, ApiError> {
    let asked: PutSender = json::parse_optional(&cx.body)?;
    let username = cx.params.get("sender").unwrap_or_default().to_owned().into();
    let display_name = asked.display_name.filter(|name| !name.is_empty()).map(Personal::new);
    let desk = desk(cx, resource(cx)?);
    let view = desk.put_sender(domain_name(cx), &username, display_name).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &shown(view))
}

async fn delete_sender(cx: &Context) -> Result<Reply, ApiError> {
    let username = cx.params.get("sender").unwrap_or_default();
    let view = desk(cx, resource(cx)?).delete_sender(domain_name(cx), username).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &shown(view))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SuppressionJson {
    id: String,
    address: String,
    reason: &'static str,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
}

fn entry(one: Suppression) -> SuppressionJson {
    SuppressionJson {
        id: one.id.to_hex(),
        address: one.address.into_inner(),
        reason: match one.reason {
            Reason::HardBounce => "HardBounce",
            Reason::Complaint => "Complaint",
            Reason::Unsubscribed => "Unsubscribed",
            Reason::Manual => "Manual",
        },
        since: one.since.to_iso(),
        until: one.until.map(Timestamp::to_iso),
        sender: one.sender.map(Personal::into_inner),
        detail: one.detail.map(Personal::into_inner),
        message_id: one.mail.map(|id| id.to_string()),
    }
}

async fn list_suppressions(cx: &Context) -> Result<Reply, ApiError> {
    let query = cx.query()?;
    let wrong = || ApiError::validation("after", "The query parameter after is none that was given out.");
    let after =
        query.single("after")?.map(|text| SuppressionId::from_hex(text).ok_or_else(wrong)).transpose()?;
    let size = query.page_size(cx.limits())?;
    let (page, next) = desk(cx, resource(cx)?).suppressions(after, size).await.map_err(answer)?;
    let next_link = next.map(|next| {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        if let Some(size) = query.get("maxPageSize") {
            pairs.push(("maxPageSize", size));
        }
        let next = next.to_hex();
        pairs.push(("after", &next));
        wire::page::next_link(&cx.base_url(), cx.uri.path(), &pairs)
    });
    Reply::json(StatusCode::OK, &Page { value: page.into_iter().map(entry).collect(), next_link })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suppress {
    address: String,
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    until: Option<String>,
}

#[derive(Serialize)]
struct Named {
    id: String,
}

async fn suppress(cx: &Context) -> Result<Reply, ApiError> {
    let asked: Suppress = json::parse(&cx.body)?;
    let wrong = || ApiError::validation("until", "until must be a date and time as in 2026-11-23T08:00:00Z.");
    let until = asked.until.map(|text| wire::time::parse(&text).ok_or_else(wrong)).transpose()?;
    let (address, sender) = (asked.address.into(), asked.sender.map(Personal::new));
    let desk = desk(cx, resource(cx)?);
    let id = desk.suppress(&address, sender.as_ref(), until).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &Named { id: id.to_hex() })
}

#[derive(Deserialize)]
struct Explain {
    address: String,
}

async fn explain(cx: &Context) -> Result<Reply, ApiError> {
    let asked: Explain = json::parse(&cx.body)?;
    let found = desk(cx, resource(cx)?).explain(&asked.address.into()).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &Page { value: found.into_iter().map(entry).collect(), next_link: None })
}

async fn unsuppress(cx: &Context) -> Result<Reply, ApiError> {
    let gone = || ApiError::not_found("The suppression was not found.");
    let id = cx.params.get("suppression").and_then(SuppressionId::from_hex).ok_or_else(gone)?;
    desk(cx, resource(cx)?).unsuppress(id).await.map_err(answer)?;
    Ok(Reply::empty(StatusCode::OK))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MailJson {
    id: String,
    status: &'static str,
    accepted_on: String,
    open_destinations: u16,
    recipients: Vec<RecipientJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecipientJson {
    address: String,
    status: &'static str,
    status_message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_mail_server_host_name: Option<String>,
    at: String,
}

fn mail(id: MailId, progress: Progress, fates: Vec<Fate>) -> MailJson {
    let recipient = |one: Fate| RecipientJson {
        address: one.address.into_inner(),
        status: one.status.name(),
        status_message: one.detail.into_inner(),
        recipient_mail_server_host_name: one.host,
        at: one.at.to_iso(),
    };
    MailJson {
        id: id.to_string(),
        status: match progress.state {
            State::Running => "Running",
            State::Succeeded => "Succeeded",
            State::Suppressed | State::Dropped => "Failed",
        },
        accepted_on: progress.accepted.to_iso(),
        open_destinations: progress.open,
        recipients: fates.into_iter().map(recipient).collect(),
    }
}

async fn get_mail(cx: &Context) -> Result<Reply, ApiError> {
    let gone = || ApiError::not_found("The mail was not found.");
    let id: MailId = cx.params.get("mail").and_then(|text| text.parse().ok()).ok_or_else(gone)?;
    let (progress, fates) = desk(cx, resource(cx)?).fates(id).await.map_err(answer)?;
    Reply::json(StatusCode::OK, &mail(id, progress, fates))
}
