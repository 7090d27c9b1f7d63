//! What callers ask of texts.

use std::time::Duration;

use base::{Personal, Timestamp};
use serde::Deserialize;

use super::{
    KNOWS_TIMEOUT, MAX_MESSAGE, MAX_PARTY, MAX_RECIPIENTS, MAX_REPEAT_ID, MAX_REPORT_SECS, MAX_TAG,
    MIN_REPORT_SECS,
};
use crate::json::Object;
use crate::{ApiError, ApiVersion, json};

/// `POST /sms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendText {
    /// Who sends it, as it was written.
    pub from: Personal<String>,
    /// To whom: 1 to [`MAX_RECIPIENTS`].
    pub recipients: Vec<Recipient>,
    /// What it says; may be empty.
    pub message: Personal<String>,
    /// Whether a delivery report is wanted.
    pub report: bool,
    /// What comes back in the report.
    pub tag: Option<Personal<String>>,
    /// How long to wait for a report.
    pub report_timeout: Option<Duration>,
    /// Whether a partner of Messaging Connect is named. Its key is read and forgotten.
    pub partner: bool,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As it was written.
    pub to: Personal<String>,
    /// Whether this may be asked again.
    pub repeat: Repeat,
}

/// Whether a text may be asked for again without being sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing was said.
    Never,
    /// Under this id, in lower case: ids differ in more than case.
    Under(String),
    /// An id without a date of its first sending, or with one that is none.
    BadDate,
}

/// `POST /sms/optouts:add`, `:remove` and `:check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutRequest {
    /// Who sends, as it was written.
    pub from: Personal<String>,
    /// Who does not want to hear from it, as they were written: 1 to [`MAX_RECIPIENTS`].
    pub recipients: Vec<Personal<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSend {
    from: Option<String>,
    sms_recipients: Option<Vec<Object<RawRecipient>>>,
    message: Option<String>,
    sms_send_options: Option<Object<RawOptions>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecipient {
    to: Option<String>,
    repeatability_request_id: Option<String>,
    repeatability_first_sent: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOptions {
    enable_delivery_report: Option<bool>,
    tag: Option<String>,
    delivery_report_timeout_in_seconds: Option<serde_json::Number>,
    messaging_connect: Option<Object<RawPartner>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPartner {
    api_key: Option<String>,
    partner: Option<String>,
}

#[derive(Deserialize)]
struct RawOptOut {
    from: Option<String>,
    recipients: Option<Vec<Object<RawOptOutRecipient>>>,
}

#[derive(Deserialize)]
struct RawOptOutRecipient {
    to: Option<String>,
}

impl SendText {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape or a value breaks a rule or limit.
    pub fn parse(body: &[u8], version: ApiVersion) -> Result<Self, ApiError> {
        let raw: RawSend = json::parse(body)?;
        let from = party("from", raw.from)?;
        let recipients = raw.sms_recipients.unwrap_or_default();
        within("smsRecipients", recipients.len())?;
        let recipients = recipients.into_iter().map(|one| recipient(one.0)).collect::<Result<_, _>>()?;
        let message = raw.message.ok_or_else(|| required("message"))?;
        fits("message", &message, MAX_MESSAGE)?;
        let mut sent = Self {
            from,
            recipients,
            message: message.into(),
            report: false,
            tag: None,
            report_timeout: None,
            partner: false,
        };
        if let Some(Object(options)) = raw.sms_send_options {
            sent.take_options(options, version)?;
        }
        Ok(sent)
    }

    fn take_options(&mut self, raw: RawOptions, version: ApiVersion) -> Result<(), ApiError> {
        self.report =
            raw.enable_delivery_report.ok_or_else(|| required("smsSendOptions.enableDeliveryReport"))?;
        if let Some(tag) = raw.tag {
            fits("smsSendOptions.tag", &tag, MAX_TAG)?;
            self.tag = Some(tag.into());
        }
        if version < KNOWS_TIMEOUT {
            return Ok(());
        }
        self.report_timeout =
            raw.delivery_report_timeout_in_seconds.map(|asked| seconds(&asked)).transpose()?;
        if let Some(Object(partner)) = raw.messaging_connect {
            let given = |text: Option<String>| text.is_some_and(|text| !text.is_empty());
            if !given(partner.api_key) {
                return Err(required("smsSendOptions.messagingConnect.apiKey"));
            }
            if !given(partner.partner) {
                return Err(required("smsSendOptions.messagingConnect.partner"));
            }
            self.partner = true;
        }
        Ok(())
    }
}

impl OptOutRequest {
    /// Reads the body.
    ///
    /// # Errors
    /// 400 when it is not JSON of the right shape or a value breaks a rule or limit.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let raw: RawOptOut = json::parse(body)?;
        let from = party("from", raw.from)?;
        let recipients = raw.recipients.unwrap_or_default();
        within("recipients", recipients.len())?;
        let recipients = recipients.into_iter().map(|one| party("recipients.to", one.0.to));
        Ok(Self { from, recipients: recipients.collect::<Result<_, _>>()? })
    }
}

fn recipient(raw: RawRecipient) -> Result<Recipient, ApiError> {
    let to = raw.to.ok_or_else(|| required("smsRecipients.to"))?;
    // Longer than any number, it is as wrong as a number of two digits, and is told so in the same way.
    let to = if to.len() > MAX_PARTY { String::new() } else { to };
    let repeat = match raw.repeatability_request_id {
        None => Repeat::Never,
        Some(id) if id.is_empty() || id.len() > MAX_REPEAT_ID => {
            let rule = format!("A repeatabilityRequestId has 1 to {MAX_REPEAT_ID} characters.");
            return Err(ApiError::validation("smsRecipients.repeatabilityRequestId", rule));
        }
        Some(id) => {
            let dated = raw.repeatability_first_sent.as_deref().and_then(Timestamp::parse_http_date);
            dated.map_or(Repeat::BadDate, |_| Repeat::Under(id.to_ascii_lowercase()))
        }
    };
    Ok(Recipient { to: to.into(), repeat })
}

fn required(name: &'static str) -> ApiError {
    ApiError::validation(name, format!("The {name} field is required."))
}

fn party(name: &'static str, text: Option<String>) -> Result<Personal<String>, ApiError> {
    match text {
        None => Err(required(name)),
        Some(text) if text.is_empty() => Err(required(name)),
        Some(text) if text.len() > MAX_PARTY => {
            Err(ApiError::validation(name, format!("{name} may have {MAX_PARTY} characters.")))
        }
        Some(text) => Ok(text.into()),
    }
}

fn within(name: &'static str, count: usize) -> Result<(), ApiError> {
    if (1..=MAX_RECIPIENTS).contains(&count) {
        return Ok(());
    }
    Err(ApiError::validation(name, format!("{name} must have 1 to {MAX_RECIPIENTS} entries.")))
}

fn fits(name: &'static str, text: &str, max: usize) -> Result<(), ApiError> {
    // No text has more UTF-16 units than bytes.
    if text.len() <= max || text.encode_utf16().count() <= max {
        return Ok(());
    }
    Err(ApiError::validation(name, format!("{name} may have {max} characters.")))
}

/// JSON has one kind of number: `60` and `60.0` are the same.
fn seconds(asked: &serde_json::Number) -> Result<Duration, ApiError> {
    let whole = asked.as_f64().filter(|asked| {
        asked.fract() == 0.0 && (f64::from(MIN_REPORT_SECS)..=f64::from(MAX_REPORT_SECS)).contains(asked)
    });
    whole.map(Duration::from_secs_f64).ok_or_else(|| {
        let name = "smsSendOptions.deliveryReportTimeoutInSeconds";
        let rule = format!("{name} must be a whole number from {MIN_REPORT_SECS} to {MAX_REPORT_SECS}.");
        ApiError::validation(name, rule)
    })
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
