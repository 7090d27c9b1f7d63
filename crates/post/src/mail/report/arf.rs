//! Abuse reports (RFC 5965, section 3), as mailbox providers send them when a reader presses "junk".

use base::Personal;
use base::limits::MAX_REPORT_RECIPIENTS;

use super::fields;

/// A complaint about a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What kind.
    pub kind: ComplaintKind,
    /// The program that reports, when it says so.
    pub user_agent: Option<String>,
    /// The reverse-path of the mail: where it is ours it says which mail it was.
    pub mail_from: Option<Personal<String>>,
    /// The recipients of the mail that complain; many providers leave them out.
    pub recipients: Vec<Personal<String>>,
    /// The message id of the mail, without its brackets.
    pub message_id: Option<Personal<String>>,
}

/// Kinds of complaints (RFC 5965, section 7.3, and RFC 6650).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComplaintKind {
    /// Unwanted mail.
    Abuse,
    /// Fraud.
    Fraud,
    /// A virus.
    Virus,
    /// It was no abuse after all: the opposite of a complaint.
    NotSpam,
    /// Anything else.
    Other,
}

impl Complaint {
    /// Notes the message id of the mail that came back with the complaint.
    pub(super) fn note(&mut self, message_id: Option<&str>) {
        if let Some(id) = message_id.filter(|id| id.len() <= 998) {
            self.message_id = Some(id.to_owned().into());
        }
    }
}

/// Reads the body of a `message/feedback-report` part; `None` when it names no kind, which it must.
pub(super) fn read(bytes: &[u8]) -> Option<Complaint> {
    let groups = fields::read(bytes);
    let group = groups.first()?;
    let kind = match group.get("feedback-type")?.to_ascii_lowercase().as_str() {
        "abuse" => ComplaintKind::Abuse,
        "fraud" => ComplaintKind::Fraud,
        "virus" => ComplaintKind::Virus,
        "not-spam" => ComplaintKind::NotSpam,
        _ => ComplaintKind::Other,
    };
    let recipients = group.all("original-rcpt-to").filter_map(fields::address);
    Some(Complaint {
        kind,
        user_agent: group.get("user-agent").map(str::to_owned),
        mail_from: group.get("original-mail-from").and_then(fields::address),
        recipients: recipients.take(MAX_REPORT_RECIPIENTS).collect(),
        message_id: None,
    })
}
