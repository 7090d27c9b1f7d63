//! The words of ACS for what became of a text: codes and their texts (behaviour section 4), ids, and reports.

use base::Timestamp;
use wire::sms::{DeliveryAttempt, DeliveryReport, DeliveryStatus};

use super::rows::{End, Head, Progress, TextId, TextRow, Verdict};
use crate::channel::TextState;

/// What a report says with each code.
const DETAILS: [(u16, &str); 17] = [
    (2000, "2000: No Error"),
    (4000, "4000: Message is blocked due to fraud detection."),
    (4001, "4001: Message is blocked due to a wrong format of the From number."),
    (4002, "4002: Message is blocked due to a wrong format of the To number."),
    (4003, "4003: Message failed to deliver due to an unsupported destination."),
    (4004, "4004: Message failed to deliver since the To number does not exist."),
    (4005, "4005: Message is blocked by the destination carrier."),
    (4006, "4006: The To number is not reachable."),
    (4007, "4007: Sender blocked for given recipient."),
    (4008, "4008: Too many messages were sent from this profile."),
    (4009, "4009: Message is rejected by the entitlement system."),
    (4010, "4010: The toll-free number is not verified."),
    (4020, "4020: Message is blocked by the volume limit of a carrier."),
    (5000, "5000: Message failed to deliver."),
    (5001, "5001: Message failed to deliver due to temporary unavailability."),
    (5002, "5002: No delivery report came from the carrier in time."),
    (9999, "9999: Unknown error."),
];

/// Delivered.
pub(super) const DELIVERED: u16 = 2000;
/// The recipient does not want to hear from the sender.
pub(super) const OPTED_OUT: u16 = 4007;
/// The carrier could not be reached in time.
pub(super) const UNAVAILABLE: u16 = 5001;
/// No receipt came in time.
pub(super) const NO_RECEIPT: u16 = 5002;

/// What a report says with `code`.
pub(super) fn details(code: u16) -> &'static str {
    DETAILS.iter().find(|(known, _)| *known == code).map_or(DETAILS[16].1, |(_, text)| text)
}

/// What a receipt means, when it is the last word. `ACCEPTED` is used by carriers for "on its way" and not, as SMPP has
/// it, for "read by somebody else".
pub(super) const fn verdict(state: TextState) -> Option<Verdict> {
    match state {
        TextState::Enroute | TextState::Accepted => None,
        TextState::Delivered => Some(Verdict::Delivered),
        TextState::Expired | TextState::Undeliverable => Some(Verdict::Failed(4006)),
        TextState::Rejected => Some(Verdict::Failed(4005)),
        TextState::Deleted => Some(Verdict::Failed(5000)),
        TextState::Unknown => Some(Verdict::Failed(9999)),
    }
}

/// The code of a text that its carrier refused with this SMPP status (SMPP 3.4, section 5.1.3).
pub(super) const fn refusal(status: u32) -> u16 {
    match status {
        0x0A => 4001,
        0x0B => 4002,
        0x64 => 5001,
        0xFF => 9999,
        _ => 5000,
    }
}

/// Sixteen bytes as those of a random UUID (version 4, RFC 9562).
pub(super) const fn uuid(mut bytes: [u8; 16]) -> TextId {
    bytes[6] = (bytes[6] & 0x0F) | 0x40;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    bytes
}

/// `Outgoing_<yyyyMMddHHmmss><uuid>`.
pub(super) fn outgoing(accepted: Timestamp, id: &TextId) -> String {
    named("Outgoing_", accepted, id)
}

/// `Incoming_<yyyyMMddHHmmss><uuid>`.
pub(super) fn incoming(received: Timestamp, id: &TextId) -> String {
    named("Incoming_", received, id)
}

fn named(kind: &str, at: Timestamp, id: &TextId) -> String {
    let iso = at.to_iso();
    let digits = iso.bytes().take(19).filter(u8::is_ascii_digit).map(char::from);
    // Any sixteen bytes can be written as an id.
    let uuid = base::ThreadId::from_bytes(*id).to_string();
    kind.chars().chain(digits).chain(uuid.chars()).collect()
}

/// Reads [`outgoing`]'s form: the id, when it is of that form.
pub(super) fn parse(message_id: &str) -> Option<TextId> {
    let (date, uuid) = message_id.strip_prefix("Outgoing_")?.split_at_checked(14)?;
    let id: base::ThreadId = uuid.parse().ok()?;
    date.bytes().all(|byte| byte.is_ascii_digit()).then_some(*id.as_bytes())
}

/// The report on a text.
pub(super) fn report(id: &TextId, row: &TextRow) -> DeliveryReport {
    let Head { accepted, from, to, tag, .. } = &row.head;
    let mut report = DeliveryReport {
        message_id: outgoing(*accepted, id),
        from: from.clone(),
        to: to.clone(),
        status: DeliveryStatus::Pending,
        details: None,
        attempts: Vec::new(),
        received: None,
        tag: tag.clone(),
    };
    if let Progress::Done(done) = &row.progress {
        (report.status, report.details) = match done.end {
            End::Delivered => (DeliveryStatus::Delivered, Some(details(DELIVERED))),
            End::Failed(code) => (DeliveryStatus::Failed, Some(details(code))),
            End::HandedOver => (DeliveryStatus::Unknown, None),
        };
        report.received = Some(done.at);
        if done.end != End::HandedOver {
            let (succeeded, failed) = (done.succeeded.into(), done.failed.into());
            report.attempts.push(DeliveryAttempt { at: done.at, succeeded, failed });
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::super::rows::Done;
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_795_420_800_123);

    fn row(progress: Progress) -> TextRow {
        let head = Head {
            accepted: NOON,
            deadline: NOON,
            from: "+18335550100".to_owned().into(),
            to: "+14255550100".to_owned().into(),
            report: true,
            tag: None,
        };
        TextRow { head, progress }
    }

    #[test]
    fn ids_have_the_form_of_acs() {
        let id = uuid([0xFF; 16]);
        let text = outgoing(NOON, &id);
        assert_eq!(text, "Outgoing_20261123080000ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(parse(&text), Some(id));
        assert!(incoming(NOON, &id).starts_with("Incoming_20261123080000ffffffff-"));
        for bad in [
            "",
            "Outgoing_",
            "Outgoing_2026",
            &text[1..],
            &format!("{text}_noam"),
            &text.replace("2026", "x026"),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_code_says_what_it_means() {
        for (code, text) in DETAILS {
            assert!(text.starts_with(&format!("{code}: ")), "{text}");
            assert_eq!(details(code), text);
        }
        assert_eq!(details(1), details(9999));
    }

    #[test]
    fn what_is_under_way_has_no_verdict() {
        assert_eq!((verdict(TextState::Enroute), verdict(TextState::Accepted)), (None, None));
        assert_eq!(verdict(TextState::Delivered), Some(Verdict::Delivered));
        for state in [
            TextState::Expired,
            TextState::Deleted,
            TextState::Undeliverable,
            TextState::Unknown,
            TextState::Rejected,
        ] {
            let Some(Verdict::Failed(code)) = verdict(state) else { unreachable!("{state:?}") };
            assert!(details(code).starts_with(&code.to_string()));
        }
        for status in [0x0A, 0x0B, 0x45, 0x64, 0xFF] {
            assert!(details(refusal(status)).starts_with(&refusal(status).to_string()));
        }
    }

    #[test]
    fn reports_follow_the_text() {
        let id = uuid([1; 16]);
        let pending = report(&id, &row(Progress::Waiting { text: "hi".to_owned().into(), delivered: 1 }));
        assert_eq!(
            (pending.status, pending.details, pending.received),
            (DeliveryStatus::Pending, None, None)
        );
        let done = |end| report(&id, &row(Progress::Done(Done { at: NOON, end, succeeded: 1, failed: 2 })));
        let failed = done(End::Failed(4007));
        assert_eq!(failed.details, Some("4007: Sender blocked for given recipient."));
        assert_eq!((failed.attempts[0].succeeded, failed.attempts[0].failed), (1, 2));
        let over = done(End::HandedOver);
        assert_eq!((over.status, over.attempts.len()), (DeliveryStatus::Unknown, 0));
        let text = String::from_utf8(done(End::Delivered).render()).unwrap();
        assert!(text.contains(r#""deliveryStatusDetails":"2000: No Error""#), "{text}");
        assert!(text.contains(r#""receivedTimestamp":"2026-11-23T08:00:00.1230000Z""#), "{text}");
    }
}
