//! What callers are told of each recipient. The same in every version.

use base::Personal;
use serde::Serialize;

use crate::json;

/// The answer to `POST /sms`: one item for each recipient, in order.
#[derive(Clone, Debug)]
pub struct SendItems(pub Vec<SendItem>);

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendItem {
    /// The recipient, as it was written.
    pub to: Personal<String>,
    /// What became of it.
    pub outcome: SendOutcome,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It will be sent; a repeated request is told the same again.
    Accepted {
        /// `Outgoing_<date><uuid>`.
        message_id: String,
        /// Whether a repeatability id was given.
        repeatable: bool,
    },
    /// The recipient is no number.
    BadNumber,
    /// The repeatability id came without a date of its first sending.
    BadDate,
    /// The repeatability id was used before, for another text.
    RepeatDiffers,
}

/// The answer to the operations on opt-outs: one item for each recipient, in order.
#[derive(Clone, Debug)]
pub struct OptOutItems(pub Vec<OptOutItem>);

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutItem {
    /// The recipient, as it was written.
    pub to: Personal<String>,
    /// `None` when the recipient is no number; otherwise whether it is opted out, where that was asked.
    pub known: Option<Option<bool>>,
}

#[derive(Serialize)]
struct Items<T> {
    value: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SendBody<'a> {
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    http_status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeatability_result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'static str>,
    successful: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OptOutBody<'a> {
    to: &'a str,
    http_status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_opted_out: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'static str>,
}

impl SendItems {
    /// The body `SmsSendResponse`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(&Items { value: self.0.iter().map(SendItem::body).collect() })
    }
}

impl SendItem {
    fn body(&self) -> SendBody<'_> {
        let (result, message) = match &self.outcome {
            SendOutcome::Accepted { message_id, repeatable } => {
                return SendBody {
                    to: self.to.expose(),
                    message_id: Some(message_id),
                    http_status_code: 202,
                    repeatability_result: repeatable.then_some("accepted"),
                    error_message: None,
                    successful: true,
                };
            }
            SendOutcome::BadNumber => (None, "Invalid To phone number format."),
            SendOutcome::BadDate => (
                Some("rejected"),
                "Request sent with Invalid DateTime value for repeatability-first-sent. Expected is DateTime \
                 ,RFC1123 pattern.",
            ),
            SendOutcome::RepeatDiffers => {
                (Some("rejected"), "The repeatabilityRequestId was used for another message. Use a new one.")
            }
        };
        SendBody {
            to: self.to.expose(),
            message_id: None,
            http_status_code: 400,
            repeatability_result: result,
            error_message: Some(message),
            successful: false,
        }
    }
}

impl OptOutItems {
    /// The body `OptOutResponse`.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let body = |one: &OptOutItem| -> (u16, Option<bool>, Option<&'static str>) {
            match one.known {
                Some(opted_out) => (200, opted_out, None),
                None => (400, None, Some("Invalid recipient phone number format")),
            }
        };
        let items = self.0.iter().map(|one| {
            let (http_status_code, is_opted_out, error_message) = body(one);
            OptOutBody { to: one.to.expose(), http_status_code, is_opted_out, error_message }
        });
        json::write(&Items { value: items.collect() })
    }
}
