//! The data of mail events.

use base::{Personal, Timestamp};
use serde::{Serialize, Serializer};

use crate::json;

pub(super) fn plain<S: Serializer>(text: &Personal<String>, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(text.expose())
}

pub(super) fn time<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&at.to_iso())
}

/// `EmailDeliveryReportReceived`: what became of a mail, for one recipient.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryReport {
    /// The sender's address.
    #[serde(serialize_with = "plain")]
    pub sender: Personal<String>,
    /// The recipient's address.
    #[serde(serialize_with = "plain")]
    pub recipient: Personal<String>,
    /// The header `Message-ID`, with its angle brackets.
    pub internet_message_id: String,
    /// The operation id of the mail.
    pub message_id: String,
    /// `Delivered`, `Bounced`, `Failed`, `FilteredSpam`, `Quarantined`, `Suppressed` or `Expanded`.
    pub status: &'static str,
    /// More of it.
    pub delivery_status_details: StatusDetails,
    /// When.
    #[serde(serialize_with = "time")]
    pub delivery_attempt_timestamp: Timestamp,
}

/// What the recipient's server said.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusDetails {
    /// In words; they may quote an address.
    #[serde(serialize_with = "plain")]
    pub status_message: Personal<String>,
    /// The name of the server.
    pub recipient_mail_server_host_name: String,
}

/// `EmailEngagementTrackingReportReceived`: a mail was opened or a link in it followed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngagementReport {
    /// The sender's address.
    #[serde(serialize_with = "plain")]
    pub sender: Personal<String>,
    /// The recipient's address.
    #[serde(serialize_with = "plain")]
    pub recipient: Personal<String>,
    /// The operation id of the mail.
    pub message_id: String,
    /// When.
    #[serde(serialize_with = "time")]
    pub user_action_timestamp: Timestamp,
    /// The link that was followed; empty for an opening.
    #[serde(serialize_with = "plain")]
    pub engagement_context: Personal<String>,
    /// The reader's program.
    #[serde(serialize_with = "plain")]
    pub user_agent: Personal<String>,
    /// `view` or `click`.
    pub engagement_type: &'static str,
}

impl DeliveryReport {
    /// The JSON of the event's `data`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The event's subject.
    #[must_use]
    pub fn subject(&self) -> Personal<String> {
        format!("sender/{}/message/{}", self.sender.expose(), self.message_id).into()
    }
}

impl EngagementReport {
    /// The JSON of the event's `data`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The event's subject.
    #[must_use]
    pub fn subject(&self) -> Personal<String> {
        format!("sender/{}/message/{}", self.sender.expose(), self.message_id).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn reports_have_the_properties_of_the_schema() {
        let at = Timestamp::from_millis(1_795_420_800_123);
        let report = DeliveryReport {
            sender: "a@example.com".to_owned().into(),
            recipient: "b@example.net".to_owned().into(),
            internet_message_id: "<x@example.com>".to_owned(),
            message_id: "m".to_owned(),
            status: "Delivered",
            delivery_status_details: StatusDetails {
                status_message: "250 ok".to_owned().into(),
                recipient_mail_server_host_name: "mx.example.net".to_owned(),
            },
            delivery_attempt_timestamp: at,
        };
        let said: Value = serde_json::from_slice(&report.render()).unwrap();
        let want = json!({
            "sender": "a@example.com", "recipient": "b@example.net", "internetMessageId": "<x@example.com>",
            "messageId": "m", "status": "Delivered",
            "deliveryStatusDetails": { "statusMessage": "250 ok", "recipientMailServerHostName": "mx.example.net" },
            "deliveryAttemptTimestamp": "2026-11-23T08:00:00.1230000Z",
        });
        assert_eq!(said, want);
        assert_eq!(report.subject().expose(), "sender/a@example.com/message/m");
        assert!(
            !format!("{report:?}").contains("example.net>") && !format!("{report:?}").contains("b@example")
        );
        let seen = EngagementReport {
            sender: "a@example.com".to_owned().into(),
            recipient: "b@example.net".to_owned().into(),
            message_id: "m".to_owned(),
            user_action_timestamp: at,
            engagement_context: "https://example.com/x".to_owned().into(),
            user_agent: "Reader/1".to_owned().into(),
            engagement_type: "click",
        };
        let said: Value = serde_json::from_slice(&seen.render()).unwrap();
        assert_eq!(said["engagementContext"], "https://example.com/x");
        assert_eq!(said["userActionTimestamp"], "2026-11-23T08:00:00.1230000Z");
        assert_eq!(said.as_object().unwrap().len(), 7);
    }
}
