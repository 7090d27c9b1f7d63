//! What became of a recipient, written down and told: one row, and an event where somebody listens.

use base::{MailId, Personal};
use serde::Serialize;
use store::{Draft, StoreError};

use super::MailDesk;
use super::rows::{MailRow, RecipientRow, Recipients, Status, day, day_scope};
use crate::service::events::{Event, EventRouter};

/// The event of a delivery report.
pub(super) const DELIVERY_REPORT: &str = "EmailDeliveryReportReceived";

/// The end of one recipient's part.
pub(super) struct Ending {
    /// The place in [`MailRow::recipients`].
    pub(super) place: u16,
    pub(super) status: Status,
    /// What the other side said, or why nobody was asked.
    pub(super) detail: Personal<String>,
    /// The server that said it.
    pub(super) host: Option<String>,
}

/// Whether a commit holds events, so that those who deliver them are woken when it is durable.
#[must_use = "call `done` once the commit is durable"]
#[derive(Default)]
pub(super) struct Told(bool);

impl Told {
    pub(super) fn done(self, events: &EventRouter) {
        if self.0 {
            events.wake();
        }
    }
}

impl Status {
    /// The name ACS gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "Delivered",
            Self::Bounced => "Bounced",
            Self::Failed => "Failed",
            Self::FilteredSpam => "FilteredSpam",
            Self::Quarantined => "Quarantined",
            Self::Suppressed => "Suppressed",
            Self::Expanded => "Expanded",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    sender: &'a str,
    recipient: &'a str,
    internet_message_id: String,
    message_id: String,
    status: &'a str,
    delivery_status_details: Details<'a>,
    delivery_attempt_timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    status_message: &'a str,
    recipient_mail_server_host_name: &'a str,
}

impl MailDesk<'_> {
    /// Adds `endings` to the commit of `draft`.
    pub(super) async fn end(
        &self,
        draft: &mut Draft,
        id: MailId,
        mail: &MailRow,
        endings: &[Ending],
    ) -> Result<Told, StoreError> {
        let rows = endings.iter().filter_map(|ending| {
            let row = RecipientRow {
                address: mail.recipients.get(usize::from(ending.place))?.clone(),
                sender: mail.sender.clone(),
                message_id: mail.message_id.clone(),
                status: ending.status,
                detail: ending.detail.clone(),
                host: ending.host.clone(),
                at: self.clock.now(),
            };
            Some((ending.place, row))
        });
        let rows: Vec<_> = rows.collect();
        self.put_recipients(draft, id, day(mail.accepted), &rows).await
    }

    /// Writes what became of recipients and tells who listens, under the key of the day the mail was accepted on.
    pub(super) async fn put_recipients(
        &self,
        draft: &mut Draft,
        id: MailId,
        day: u32,
        rows: &[(u16, RecipientRow)],
    ) -> Result<Told, StoreError> {
        if rows.is_empty() {
            return Ok(Told::default());
        }
        let scope = self.scope(draft, day_scope(day)).await?;
        let listened = self.events.wants(self.id(), DELIVERY_REPORT);
        for (place, row) in rows {
            draft.put::<Recipients>(&(id, *place), row, &day.to_be_bytes(), &scope)?;
            if listened {
                self.events.publish(draft, self.cell().geography(), &event(id, row), &scope)?;
            }
        }
        Ok(Told(listened))
    }
}

/// The event that tells of `row` (ACS behaviour, section 6).
fn event(id: MailId, row: &RecipientRow) -> Event {
    let report = Report {
        sender: row.sender.expose(),
        recipient: row.address.expose(),
        internet_message_id: format!("<{}>", row.message_id.expose()),
        message_id: id.to_string(),
        status: row.status.name(),
        delivery_status_details: Details {
            status_message: row.detail.expose(),
            recipient_mail_server_host_name: row.host.as_deref().unwrap_or_default(),
        },
        delivery_attempt_timestamp: row.at.to_iso(),
    };
    Event {
        kind: DELIVERY_REPORT,
        subject: format!("sender/{}/message/{id}", row.sender.expose()).into(),
        data: wire::json::write(&report).into(),
        at: row.at,
        id: None,
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_event_is_that_of_event_grid() {
        let id = MailId::from_bytes([0x22; 16]);
        let row = RecipientRow {
            address: "ada@example.com".to_owned().into(),
            sender: "donotreply@contoso.example".to_owned().into(),
            message_id: "x@contoso.example".to_owned().into(),
            status: Status::Bounced,
            detail: "550 5.1.1 no such user".to_owned().into(),
            host: Some("mx.example.com".to_owned()),
            at: Timestamp::from_millis(1_795_420_800_123),
        };
        let event = event(id, &row);
        assert_eq!(event.kind, "EmailDeliveryReportReceived");
        assert_eq!(
            event.subject.expose(),
            "sender/donotreply@contoso.example/message/22222222-2222-2222-2222-222222222222"
        );
        let data: Value = serde_json::from_slice(event.data.expose()).unwrap();
        let want = json!({
            "sender": "donotreply@contoso.example",
            "recipient": "ada@example.com",
            "internetMessageId": "<x@contoso.example>",
            "messageId": "22222222-2222-2222-2222-222222222222",
            "status": "Bounced",
            "deliveryStatusDetails": {
                "statusMessage": "550 5.1.1 no such user",
                "recipientMailServerHostName": "mx.example.com"
            },
            "deliveryAttemptTimestamp": "2026-11-23T08:00:00.1230000Z"
        });
        assert_eq!(data, want);
    }
}
