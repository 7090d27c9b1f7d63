//! What a client is told of a mail that is being sent: the operation.

use base::MailId;
use serde::Serialize;

use crate::{ApiVersion, json};

/// Where the sending of a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationStatus {
    /// It waits, or is being handed over.
    Running,
    /// It is out for delivery: at least one mail server was asked and said what becomes of it.
    Succeeded,
    /// It was not sent.
    Failed,
}

impl OperationStatus {
    /// As it is written on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// The operation that sends a mail: the answer to both operations of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendResult {
    /// The mail, and the operation that sends it.
    pub id: MailId,
    /// Where it stands.
    pub status: OperationStatus,
    /// Why it failed: code and message.
    pub error: Option<(&'static str, &'static str)>,
}

#[derive(Serialize)]
struct Raw<'a> {
    id: String,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RawError<'a>>,
}

#[derive(Serialize)]
struct RawError<'a> {
    code: &'a str,
    message: &'a str,
}

impl SendResult {
    /// The JSON body; the same in every version.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        json::write(&Raw {
            id: self.id.to_string(),
            status: self.status.name(),
            error: self.error.map(|(code, message)| RawError { code, message }),
        })
    }
}

/// Where the operation is asked after: the value of `Operation-Location`. `base_url` is scheme and host.
#[must_use]
pub fn operation_location(base_url: &str, id: MailId, version: ApiVersion) -> String {
    format!("{base_url}/emails/operations/{id}?api-version={version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MailId = MailId::from_bytes([0x11; 16]);

    #[test]
    fn bodies_are_those_of_the_specification() {
        let running = SendResult { id: ID, status: OperationStatus::Running, error: None };
        assert_eq!(
            String::from_utf8(running.render()).unwrap(),
            r#"{"id":"11111111-1111-1111-1111-111111111111","status":"Running"}"#
        );
        let error = Some(("EmailDropped", "Email was dropped after several attempts to deliver."));
        let failed = SendResult { id: ID, status: OperationStatus::Failed, error };
        assert_eq!(
            String::from_utf8(failed.render()).unwrap(),
            "{\"id\":\"11111111-1111-1111-1111-111111111111\",\"status\":\"Failed\",\"error\":{\"code\":\"EmailDropped\",\
             \"message\":\"Email was dropped after several attempts to deliver.\"}}"
        );
        assert_eq!(OperationStatus::Succeeded.name(), "Succeeded");
    }

    #[test]
    fn the_location_is_absolute_and_of_the_version_asked() {
        let location = operation_location("https://localhost:8443", ID, ApiVersion::known("2023-03-31"));
        assert_eq!(
            location,
            "https://localhost:8443/emails/operations/11111111-1111-1111-1111-111111111111?api-version=2023-03-31"
        );
    }
}
