//! `[limits]`: every limit an operator may set, with the bounds within which the server still works.

use base::Limits;
use base::limits::MAX_RECORD;
use schemars::{Schema, SchemaGenerator, json_schema};

use super::document::Document;

/// The longest time any timeout may have, in seconds.
const LONGEST: u64 = 3600;

/// Notes each limit that is out of its bounds.
pub(super) fn check(limits: &Limits, document: &mut Document<'_>) {
    let seconds = [
        ("head_timeout_secs", limits.head_timeout_secs),
        ("body_timeout_secs", limits.body_timeout_secs),
        ("idle_timeout_secs", limits.idle_timeout_secs),
        ("handshake_timeout_secs", limits.handshake_timeout_secs),
        ("request_timeout_secs", limits.request_timeout_secs),
        ("drain_timeout_secs", limits.drain_timeout_secs),
        ("clock_skew_secs", limits.clock_skew_secs),
    ];
    for (name, value) in seconds {
        within(name, value, 1, LONGEST, document);
    }
    within("repeatability_secs", limits.repeatability_secs, 60, 30 * 24 * 3600, document);
    let counts = [
        ("participants_per_thread", limits.participants_per_thread, 2, 10_000),
        ("participants_per_request", limits.participants_per_request, 1, 10_000),
        ("page_size", limits.page_size, 1, 1_000),
        ("topic_chars", limits.topic_chars, 1, 10_000),
        ("display_name_chars", limits.display_name_chars, 1, 10_000),
        ("metadata_bytes", limits.metadata_bytes, 1, 64 * 1024),
        ("membership_periods", limits.membership_periods, 1, 10_000),
        ("connections", limits.connections, 1, 1_000_000),
        ("commit_queue", limits.commit_queue, 1, 1 << 20),
        ("commit_batch", limits.commit_batch, 1, 1 << 16),
        ("deliveries_at_once", limits.deliveries_at_once, 1, 100_000),
        ("mail_sessions", limits.mail_sessions, 1, 10_000),
        ("texts_at_once", limits.texts_at_once, 1, 10_000),
        ("commit_attempts", limits.commit_attempts, 1, 1_000),
    ];
    for (name, value, least, most) in counts {
        within(name, as_u64(value), least, most, document);
    }
    within("receipts_participants", as_u64(limits.receipts_participants), 0, 10_000, document);
    within("mail_per_second", u64::from(limits.mail_per_second), 0, 1_000_000, document);
    within("texts_per_second", u64::from(limits.texts_per_second), 0, 1_000_000, document);
    within("auth_failures_per_minute", u64::from(limits.auth_failures_per_minute), 1, 1_000_000, document);
    within("mail_recipients", as_u64(limits.mail_recipients), 1, 1_000, document);
    // What a mail is kept as must fit one commit of the store.
    within("mail_request_bytes", as_u64(limits.mail_request_bytes), 1024, 12 * 1024 * 1024, document);
    within("mail_deadline_secs", limits.mail_deadline_secs, 60, 7 * 24 * 3600, document);
    within("mail_retention_secs", limits.mail_retention_secs, 3600, 90 * 24 * 3600, document);
    within("mail_domains", as_u64(limits.mail_domains), 1, 10_000, document);
    within("mail_senders_per_domain", as_u64(limits.mail_senders_per_domain), 1, 1_000, document);
    // A request holds several values; a record holds the largest of them, sealed.
    let most_body = as_u64(MAX_RECORD) - 1;
    within("body_bytes", as_u64(limits.body_bytes), 1024, most_body, document);
    within(
        "message_bytes",
        as_u64(limits.message_bytes),
        1,
        as_u64(limits.body_bytes).saturating_sub(512),
        document,
    );
}

fn within(name: &str, value: u64, least: u64, most: u64, document: &mut Document<'_>) {
    if value < least || value > most {
        let fix = format!("write a number from {least} to {most}");
        document.problem(&format!("limits.{name}"), "this limit is out of bounds", fix);
    }
}

fn as_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// The schema of the section: each limit with its default.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    let defaults = serde_json::to_value(Limits::default()).unwrap_or_default();
    let each = defaults.as_object().into_iter().flatten().map(|(name, default)| {
        (name.clone(), serde_json::json!({ "type": "integer", "minimum": 0, "default": default }))
    });
    let properties: serde_json::Map<String, serde_json::Value> = each.collect();
    json_schema!({
        "type": "object",
        "description": "Limits of requests, connections and content. Times are in seconds. Defaults are those of ACS.",
        "additionalProperties": false,
        "properties": properties,
    })
}
