//! The data of text (SMS) events. Numbers are written as ACS writes them, with the plus.

use base::{Personal, Timestamp};
use serde::Serialize;

use super::mail::{plain, time};
use crate::json;

/// `SMSReceived`. The event's id is the message's.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TextReceived {
    /// The id of the text.
    pub message_id: String,
    /// Who sent it.
    #[serde(serialize_with = "plain")]
    pub from: Personal<String>,
    /// To which number.
    #[serde(serialize_with = "plain")]
    pub to: Personal<String>,
    /// What it says.
    #[serde(serialize_with = "plain")]
    pub message: Personal<String>,
    /// When it came.
    #[serde(serialize_with = "time")]
    pub received_timestamp: Timestamp,
    /// In how many segments.
    pub segment_count: u32,
}

/// `SMSDeliveryReportReceived`. The event's id is the message's.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TextDeliveryReport {
    /// The id of the text.
    pub message_id: String,
    /// From which number.
    #[serde(serialize_with = "plain")]
    pub from: Personal<String>,
    /// To whom.
    #[serde(serialize_with = "plain")]
    pub to: Personal<String>,
    /// `Delivered`, `Failed` or `Expired`.
    pub delivery_status: &'static str,
    /// In words.
    pub delivery_status_details: String,
    /// What was tried.
    pub delivery_attempts: Vec<DeliveryAttempt>,
    /// When it became known.
    #[serde(serialize_with = "time")]
    pub received_timestamp: Timestamp,
    /// What the sender wanted to have back.
    #[serde(serialize_with = "plain")]
    pub tag: Personal<String>,
}

/// One attempt at a text.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryAttempt {
    /// When.
    #[serde(serialize_with = "time")]
    pub timestamp: Timestamp,
    /// Segments that arrived.
    pub segments_succeeded: u32,
    /// Segments that did not.
    pub segments_failed: u32,
}

/// `/phonenumber/{digits}`, without the plus.
fn subject(number: &Personal<String>) -> Personal<String> {
    format!("/phonenumber/{}", number.expose().trim_start_matches('+')).into()
}

impl TextReceived {
    /// The JSON of the event's `data`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The event's subject: the sender's number.
    #[must_use]
    pub fn subject(&self) -> Personal<String> {
        subject(&self.from)
    }
}

impl TextDeliveryReport {
    /// The JSON of the event's `data`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(self)
    }

    /// The event's subject: the recipient's number.
    #[must_use]
    pub fn subject(&self) -> Personal<String> {
        subject(&self.to)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn both_have_the_properties_of_the_schema() {
        let at = Timestamp::from_millis(1_795_420_800_123);
        let (from, to) = (Personal::from("+15550001".to_owned()), Personal::from("+15550002".to_owned()));
        let received = TextReceived {
            message_id: "m".to_owned(),
            from: from.clone(),
            to: to.clone(),
            message: "hi".to_owned().into(),
            received_timestamp: at,
            segment_count: 1,
        };
        let said: Value = serde_json::from_slice(&received.render()).unwrap();
        let want = json!({
            "messageId": "m", "from": "+15550001", "to": "+15550002", "message": "hi",
            "receivedTimestamp": "2026-11-23T08:00:00.1230000Z", "segmentCount": 1,
        });
        assert_eq!(said, want);
        assert_eq!(received.subject().expose(), "/phonenumber/15550001");
        let report = TextDeliveryReport {
            message_id: "m".to_owned(),
            from,
            to,
            delivery_status: "Delivered",
            delivery_status_details: "No error.".to_owned(),
            delivery_attempts: vec![DeliveryAttempt {
                timestamp: at,
                segments_succeeded: 1,
                segments_failed: 0,
            }],
            received_timestamp: at,
            tag: "t".to_owned().into(),
        };
        let said: Value = serde_json::from_slice(&report.render()).unwrap();
        assert_eq!(said["deliveryAttempts"][0]["segmentsSucceeded"], 1);
        assert_eq!((&said["deliveryStatus"], &said["tag"]), (&json!("Delivered"), &json!("t")));
        assert_eq!(report.subject().expose(), "/phonenumber/15550002");
        assert!(!format!("{report:?}").contains("5550002"));
    }
}
