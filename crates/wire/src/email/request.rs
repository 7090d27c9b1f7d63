//! `POST /emails:send`, read. Faults are told as ACS tells them, by the path of the property; a value is never repeated.

use std::collections::BTreeMap;

use base::limits::{MAX_MAIL_ATTACHMENTS, MAX_MAIL_HEADERS};
use base::{Limits, Personal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::KNOWS_CONTENT_ID;
use crate::{ApiError, ApiVersion, json};

/// A mail to send, of the right shape. Its addresses are texts as yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendEmail {
    /// Who it is from: one address.
    pub sender: Personal<String>,
    /// What it says.
    pub content: Content,
    /// To whom, at least one.
    pub to: Vec<Mailbox>,
    /// Copies.
    pub cc: Vec<Mailbox>,
    /// Copies that the others do not see.
    pub bcc: Vec<Mailbox>,
    /// Where answers go.
    pub reply_to: Vec<Mailbox>,
    /// Headers of its own, by name.
    pub headers: Vec<(Personal<String>, Personal<String>)>,
    /// What is attached or shown inline.
    pub attachments: Vec<Attachment>,
    /// Whether opens and clicks shall not be told.
    pub tracking_disabled: bool,
}

/// What a mail says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Not empty.
    pub subject: Personal<String>,
    /// The text; there is at least one of text and HTML.
    pub plain: Option<Personal<String>>,
    /// The HTML.
    pub html: Option<Personal<String>>,
}

/// An address with the name that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The address, as it was written.
    pub address: Personal<String>,
    /// The name, when one was given and is not empty.
    pub name: Option<Personal<String>>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name, not empty.
    pub name: Personal<String>,
    /// Its MIME type, not empty, not looked at further.
    pub content_type: String,
    /// Its bytes.
    pub content: Personal<Vec<u8>>,
    /// How HTML names it, when it is shown inline.
    pub content_id: Option<Personal<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMail {
    sender_address: Option<String>,
    content: Option<RawContent>,
    recipients: Option<RawRecipients>,
    #[serde(default)]
    reply_to: Option<Vec<RawMailbox>>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    attachments: Option<Vec<RawAttachment>>,
    #[serde(default)]
    user_engagement_tracking_disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContent {
    subject: Option<String>,
    plain_text: Option<String>,
    html: Option<String>,
}

#[derive(Deserialize)]
struct RawRecipients {
    to: Option<Vec<RawMailbox>>,
    cc: Option<Vec<RawMailbox>>,
    bcc: Option<Vec<RawMailbox>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMailbox {
    address: Option<String>,
    /// Absent is well; `null` is refused, as ACS does.
    #[serde(default, deserialize_with = "json::present")]
    display_name: Option<Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAttachment {
    name: Option<String>,
    content_type: Option<String>,
    content_in_base64: Option<String>,
    content_id: Option<String>,
}

impl SendEmail {
    /// Reads the body of a request of `version`.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape, a property that must be there is missing or empty, an attachment is
    /// not base64, or there are more recipients than `limits` allows.
    pub fn parse(body: &[u8], version: ApiVersion, limits: &Limits) -> Result<Self, ApiError> {
        let raw: RawMail = json::parse(body)?;
        let sender = filled(raw.sender_address, "senderAddress")?.into();
        let content = content(raw.content)?;
        let recipients = raw.recipients.ok_or_else(|| ApiError::mail_property("recipients"))?;
        let to = mailboxes(recipients.to, "recipients.to")?;
        let cc = mailboxes(recipients.cc, "recipients.cc")?;
        let bcc = mailboxes(recipients.bcc, "recipients.bcc")?;
        if to.is_empty() {
            return Err(ApiError::mail_property("recipients.to"));
        }
        if to.len() + cc.len() + bcc.len() > limits.mail_recipients {
            return Err(ApiError::mail_property("recipients"));
        }
        let reply_to = mailboxes(raw.reply_to, "replyTo")?;
        if reply_to.len() > limits.mail_recipients {
            return Err(ApiError::mail_property("replyTo"));
        }
        Ok(Self {
            sender,
            content,
            to,
            cc,
            bcc,
            reply_to,
            headers: headers(raw.headers.unwrap_or_default())?,
            attachments: attachments(raw.attachments.unwrap_or_default(), version)?,
            tracking_disabled: raw.user_engagement_tracking_disabled.unwrap_or(false),
        })
    }
}

fn filled(text: Option<String>, path: &str) -> Result<String, ApiError> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| ApiError::mail_property(path))
}

fn content(raw: Option<RawContent>) -> Result<Content, ApiError> {
    let raw = raw.ok_or_else(|| ApiError::mail_property("content"))?;
    let subject = filled(raw.subject, "content.subject")?.into();
    let said = |text: Option<String>| text.filter(|text| !text.is_empty()).map(Personal::new);
    let (plain, html) = (said(raw.plain_text), said(raw.html));
    if plain.is_none() && html.is_none() {
        return Err(ApiError::mail_property("content"));
    }
    Ok(Content { subject, plain, html })
}

fn mailboxes(raw: Option<Vec<RawMailbox>>, path: &str) -> Result<Vec<Mailbox>, ApiError> {
    let read = |(at, one): (usize, RawMailbox)| {
        let address = filled(one.address, &format!("{path}[{at}].address"))?;
        let name = match one.display_name {
            None => None,
            Some(None) => return Err(ApiError::mail_property(&format!("{path}[{at}].displayName"))),
            Some(Some(name)) => Some(name).filter(|name| !name.is_empty()).map(Personal::new),
        };
        Ok(Mailbox { address: address.into(), name })
    };
    raw.unwrap_or_default().into_iter().enumerate().map(read).collect()
}

/// Name and value.
type Pair = (Personal<String>, Personal<String>);

fn headers(raw: BTreeMap<String, Option<String>>) -> Result<Vec<Pair>, ApiError> {
    if raw.len() > MAX_MAIL_HEADERS {
        return Err(ApiError::mail_property("headers"));
    }
    let read = |(name, value): (String, Option<String>)| {
        let value = value.ok_or_else(|| ApiError::mail_property("headers"))?;
        Ok((name.into(), value.into()))
    };
    raw.into_iter().map(read).collect()
}

fn attachments(raw: Vec<RawAttachment>, version: ApiVersion) -> Result<Vec<Attachment>, ApiError> {
    if raw.len() > MAX_MAIL_ATTACHMENTS {
        return Err(ApiError::mail_property("attachments"));
    }
    let read = |(at, one): (usize, RawAttachment)| {
        let path = |name: &str| format!("attachments[{at}].{name}");
        let name = filled(one.name, &path("name"))?;
        let content_type = filled(one.content_type, &path("contentType"))?;
        let content = filled(one.content_in_base64, &path("contentInBase64"))?;
        let content = STANDARD.decode(content).map_err(|_| ApiError::mail_base64())?;
        let content_id = one.content_id.filter(|id| version >= KNOWS_CONTENT_ID && !id.is_empty());
        let content_id = content_id.map(Personal::new);
        Ok(Attachment { name: name.into(), content_type, content: content.into(), content_id })
    };
    raw.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
