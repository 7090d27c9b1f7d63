//! What became of a text, as a report that is asked for and as the data of an event; and a text that came in. Both are
//! written alike (2025-08-01-preview, Event Grid 2018-01-01).

use base::{Personal, Timestamp};
use serde::Serialize;

use crate::json;

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryReport {
    /// `Outgoing_<date><uuid>`.
    pub message_id: String,
    /// Who sent it.
    pub from: Personal<String>,
    /// To whom.
    pub to: Personal<String>,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// `<code>: <text>`; `None` while nothing is known.
    pub details: Option<&'static str>,
    /// Each attempt that ended.
    pub attempts: Vec<DeliveryAttempt>,
    /// When the last word came.
    pub received: Option<Timestamp>,
    /// What the sender attached.
    pub tag: Option<Personal<String>>,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// On its way.
    Pending,
    /// At the handset.
    Delivered,
    /// It will not get there.
    Failed,
    /// Handed over, and no report was asked for.
    Unknown,
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When it ended.
    pub at: Timestamp,
    /// Segments delivered.
    pub succeeded: u32,
    /// Segments that were not.
    pub failed: u32,
}

/// A text that came in: the data of `SMSReceived`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `Incoming_<date><uuid>`.
    pub message_id: String,
    /// Who sent it.
    pub from: Personal<String>,
    /// The number it came to.
    pub to: Personal<String>,
    /// What it says.
    pub message: Personal<String>,
    /// When it came.
    pub received: Timestamp,
    /// In how many segments.
    pub segments: u32,
}

impl DeliveryStatus {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Delivered => "Delivered",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportBody<'a> {
    message_id: &'a str,
    from: &'a str,
    to: &'a str,
    delivery_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_status_details: Option<&'static str>,
    delivery_attempts: Vec<AttemptBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptBody {
    timestamp: String,
    segments_succeeded: u32,
    segments_failed: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReceivedBody<'a> {
    message_id: &'a str,
    from: &'a str,
    to: &'a str,
    message: &'a str,
    received_timestamp: String,
    segment_count: u32,
}

impl DeliveryReport {
    /// The body `DeliveryReport`, and the data of `SMSDeliveryReportReceived`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let attempts = self.attempts.iter().map(|one| AttemptBody {
            timestamp: one.at.to_iso(),
            segments_succeeded: one.succeeded,
            segments_failed: one.failed,
        });
        json::write(&ReportBody {
            message_id: &self.message_id,
            from: self.from.expose(),
            to: self.to.expose(),
            delivery_status: self.status.name(),
            delivery_status_details: self.details,
            delivery_attempts: attempts.collect(),
            received_timestamp: self.received.map(Timestamp::to_iso),
            tag: self.tag.as_ref().map(|tag| tag.expose().as_str()),
        })
    }
}

impl Received {
    /// The data of `SMSReceived`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(&ReceivedBody {
            message_id: &self.message_id,
            from: self.from.expose(),
            to: self.to.expose(),
            message: self.message.expose(),
            received_timestamp: self.received.to_iso(),
            segment_count: self.segments,
        })
    }
}

/// The body of 404 for a report that is not there: a problem (RFC 9457), as ACS answers here and nowhere else.
#[must_use]
pub fn not_found(trace: &str) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Problem<'a> {
        r#type: &'static str,
        title: &'static str,
        status: u16,
        trace_id: &'a str,
    }
    json::write(&Problem {
        r#type: "https://tools.ietf.org/html/rfc9110#section-15.5.5",
        title: "Not Found",
        status: 404,
        trace_id: trace,
    })
}
