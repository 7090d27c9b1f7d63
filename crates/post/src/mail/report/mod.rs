//! Reports about mail that was sent: delivery status notifications (RFC 3464, and RFC 6533 for addresses beyond ASCII)
//! and abuse reports (RFC 5965). What is neither is nothing: an answer of an absent reader comes to the same address
//! with the same empty sender, and must not be taken for a bounce.

mod arf;
mod dsn;
mod fields;

pub use arf::{Complaint, ComplaintKind};
pub use dsn::{Action, DeliveryStatus, RecipientStatus, Status};

use base::limits::MAX_REPORT;
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// What a mail reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// What became of a mail.
    Delivery(DeliveryStatus),
    /// A recipient, or who runs its mailbox, complains about a mail.
    Complaint(Complaint),
}

/// Reads a mail as a report; `None` when it is none. Longer ones than [`MAX_REPORT`] are not read.
///
/// ```
/// use post::mail::report::{Action, Report};
/// let mail = b"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
///     --b\r\n\r\nIt bounced.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
///     Final-Recipient: rfc822; ada@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n";
/// let Some(Report::Delivery(status)) = post::mail::report::read(mail) else { panic!() };
/// assert_eq!(status.recipients[0].action, Action::Failed);
/// ```
#[must_use]
pub fn read(mail: &[u8]) -> Option<Report> {
    if mail.len() > MAX_REPORT {
        return None;
    }
    let message = MessageParser::default().parse(mail)?;
    let root = message.root_part();
    if !is(root, "multipart", &["report"]) {
        return None;
    }
    // What is inside a returned mail is that mail's: only the report's own parts count.
    let own = root.sub_parts().unwrap_or_default();
    let parts = || own.iter().filter_map(|id| message.part(*id));
    if let Some(part) =
        parts().find(|part| is(part, "message", &["delivery-status", "global-delivery-status"]))
    {
        return dsn::read(&bytes(part)?).map(Report::Delivery);
    }
    let part = parts().find(|part| is(part, "message", &["feedback-report"]))?;
    let mut complaint = arf::read(&bytes(part)?)?;
    let returned =
        parts().filter(|part| is(part, "message", &["rfc822", "global"])).find_map(MessagePart::message);
    complaint.note(returned.and_then(Message::message_id));
    Some(Report::Complaint(complaint))
}

fn is(part: &MessagePart<'_>, kind: &str, subkinds: &[&str]) -> bool {
    part.content_type().is_some_and(|found| {
        let same = |wanted: &&str| found.subtype().is_some_and(|sub| sub.eq_ignore_ascii_case(wanted));
        found.ctype().eq_ignore_ascii_case(kind) && subkinds.iter().any(same)
    })
}

/// The bytes of a part that is fields and nothing else.
fn bytes<'a>(part: &'a MessagePart<'_>) -> Option<std::borrow::Cow<'a, [u8]>> {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => Some(text.as_bytes().into()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => Some((&**bytes).into()),
        PartType::Message(_) | PartType::Multipart(_) => None,
    }
}

#[cfg(test)]
mod tests;
