//! The rules and limits that several chat requests share.

use std::collections::{BTreeMap, BTreeSet};

use base::{Limits, Personal};
use serde::Deserialize;

use super::{
    MAX_RETENTION_DAYS, MIN_RETENTION_DAYS, Metadata, NewParticipant, Patch, RetentionPolicy, TextKind,
};
use crate::identifier::IdentifierModel;
use crate::json::Object;
use crate::{ApiError, Identifier, time};

pub(super) type RawMetadata = BTreeMap<String, Option<String>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawParticipant {
    communication_identifier: Option<Object<IdentifierModel>>,
    display_name: Option<String>,
    share_history_time: Option<String>,
    metadata: Option<RawMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawRetention {
    kind: Option<String>,
    delete_thread_after_days: Option<serde_json::Number>,
}

/// Whether content and metadata together are within the limit of one message.
///
/// # Errors
/// 400 when they are not.
pub fn fits_message(content: &str, metadata: &Metadata, limits: &Limits) -> Result<(), ApiError> {
    if content.len() + metadata.bytes() > limits.message_bytes {
        let message =
            format!("Content and metadata of a message may hold {} bytes in all.", limits.message_bytes);
        return Err(ApiError::validation("content", message));
    }
    Ok(())
}

pub(super) fn required(name: &'static str) -> ApiError {
    ApiError::validation(name, format!("The required property '{name}' is missing."))
}

pub(super) fn topic(asked: Option<String>, limits: &Limits) -> Result<Personal<String>, ApiError> {
    let topic = asked.ok_or_else(|| required("topic"))?;
    if topic.trim().is_empty() {
        return Err(ApiError::validation("topic", "The topic must not be empty."));
    }
    if topic.chars().count() > limits.topic_chars {
        let message = format!("The topic may have {} characters.", limits.topic_chars);
        return Err(ApiError::validation("topic", message));
    }
    Ok(topic.into())
}

/// An empty name is no name.
pub(super) fn display_name(
    target: &'static str,
    asked: Option<String>,
    limits: &Limits,
) -> Result<Option<Personal<String>>, ApiError> {
    let Some(name) = asked.filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.chars().count() > limits.display_name_chars {
        let message = format!("A display name may have {} characters.", limits.display_name_chars);
        return Err(ApiError::validation(target, message));
    }
    Ok(Some(name.into()))
}

pub(super) fn participants(
    raw: Vec<Object<RawParticipant>>,
    knows_metadata: bool,
    limits: &Limits,
) -> Result<Vec<NewParticipant>, ApiError> {
    if raw.len() > limits.participants_per_request {
        let message = format!("One request may name {} participants.", limits.participants_per_request);
        return Err(ApiError::validation("participants", message));
    }
    let mut seen = BTreeSet::new();
    let mut list = Vec::with_capacity(raw.len());
    for Object(one) in raw {
        let Object(model) =
            one.communication_identifier.ok_or_else(|| required("communicationIdentifier"))?;
        let identifier =
            Identifier::from_model(&model).map_err(|e| e.into_error("communicationIdentifier"))?;
        let share_history_time = match one.share_history_time.as_deref().filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(time::parse(text).ok_or_else(|| {
                let rule = "shareHistoryTime must be a date and time as in 2026-11-23T08:00:00Z.";
                ApiError::validation("shareHistoryTime", rule)
            })?),
        };
        let participant = NewParticipant {
            display_name: display_name("displayName", one.display_name, limits)?,
            share_history_time,
            metadata: Metadata::from_request(one.metadata.filter(|_| knows_metadata)).within(limits)?,
            identifier,
        };
        if seen.insert(participant.identifier.clone()) {
            list.push(participant);
        }
    }
    Ok(list)
}

pub(super) fn retention(Object(raw): Object<RawRetention>) -> Result<RetentionPolicy, ApiError> {
    match raw.kind.as_deref() {
        Some("none") => Ok(RetentionPolicy::None),
        Some("threadCreationDate") => {
            let days = raw.delete_thread_after_days.as_ref().and_then(serde_json::Number::as_f64);
            (MIN_RETENTION_DAYS..=MAX_RETENTION_DAYS)
                .find(|allowed| days == Some(f64::from(*allowed)))
                .map(|days| RetentionPolicy::ThreadCreationDate { days })
                .ok_or_else(|| {
                    let rule = format!(
                        "deleteThreadAfterDays must be a whole number from {MIN_RETENTION_DAYS} to {MAX_RETENTION_DAYS}."
                    );
                    ApiError::validation("deleteThreadAfterDays", rule)
                })
        }
        _ => {
            let rule = "The kind of a retention policy must be none or threadCreationDate.";
            Err(ApiError::validation("retentionPolicy", rule))
        }
    }
}

pub(super) fn text_kind(asked: Option<&str>) -> Result<TextKind, ApiError> {
    match asked {
        None | Some("text") => Ok(TextKind::Text),
        Some("html") => Ok(TextKind::Html),
        Some(_) => Err(ApiError::validation("type", "The type of a message must be text or html.")),
    }
}

pub(super) fn metadata_patch(raw: Option<Option<RawMetadata>>) -> Patch<Metadata> {
    match raw {
        None => Patch::Keep,
        Some(None) => Patch::Clear,
        Some(pairs) => Patch::Set(Metadata::from_request(pairs)),
    }
}
