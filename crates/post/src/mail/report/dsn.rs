//! Delivery status notifications (RFC 3464, section 2).

use base::Personal;
use base::limits::MAX_REPORT_RECIPIENTS;

use super::fields::{self, Group};

/// What became of a mail, for each recipient that the report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// The server that reports, when it says so.
    pub reporting_mta: Option<String>,
    /// The envelope id of the mail (RFC 3461), when it had one.
    pub envelope_id: Option<String>,
    /// At least one recipient.
    pub recipients: Vec<RecipientStatus>,
}

/// What became of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientStatus {
    /// The address in the end, after forwarding.
    pub recipient: Option<Personal<String>>,
    /// The address the mail was sent to, when the report tells them apart.
    pub original: Option<Personal<String>>,
    /// What was done.
    pub action: Action,
    /// The enhanced status code (RFC 3463).
    pub status: Status,
    /// What the last server said, without the type of the words. It may quote an address.
    pub diagnostic: Option<Personal<String>>,
    /// The server that said it.
    pub remote_mta: Option<String>,
}

/// What a server did with a mail (RFC 3464, section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It gave up.
    Failed,
    /// It still tries.
    Delayed,
    /// It delivered.
    Delivered,
    /// It passed the mail to a server that does not report.
    Relayed,
    /// It delivered to a list of others.
    Expanded,
}

/// An enhanced status code (RFC 3463): class, subject, detail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// 2 success, 4 for now, 5 for ever.
    pub class: u8,
    /// Of what it is.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl Status {
    /// Reads `5.1.1`; what follows after a blank or in brackets is passed over.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code = text.trim().split([' ', '\t', '(']).next()?;
        let mut parts = code.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let number = |text: &str| {
            let fits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            fits.then(|| text.parse::<u16>().ok()).flatten()
        };
        let class = match class {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        match parts.next() {
            None => Some(Self { class, subject: number(subject)?, detail: number(detail)? }),
            Some(_) => None,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl RecipientStatus {
    /// The SMTP reply code at the beginning of the diagnostic, when it is one (RFC 3464, section 2.3.6).
    #[must_use]
    pub fn smtp_code(&self) -> Option<u16> {
        let text = self.diagnostic.as_ref()?.expose();
        let (code, rest) = text.split_at_checked(3)?;
        let fits = code.bytes().all(|b| b.is_ascii_digit())
            && rest.bytes().next().is_none_or(|b| !b.is_ascii_digit());
        code.parse().ok().filter(|code| fits && (200..600).contains(code))
    }

    /// The enhanced code that says the most: the one the last server spoke, or else that of the report.
    #[must_use]
    pub fn precise(&self) -> Status {
        let said = self.diagnostic.as_ref().and_then(|text| {
            let words = text
                .expose()
                .split([' ', '-', '\t', '#', '<', '>', '(', ')'])
                .filter(|word| !word.is_empty());
            words.take(3).find_map(Status::parse)
        });
        match said {
            // A report that only knows "permanent, otherwise undefined" is not to be believed over the server's words.
            Some(said) if said.class == self.status.class => said,
            _ => self.status,
        }
    }
}

/// Reads the body of a `message/delivery-status` part; `None` when it is about no recipient.
pub(super) fn read(bytes: &[u8]) -> Option<DeliveryStatus> {
    let groups = fields::read(bytes);
    // Some servers leave out the group about the whole report.
    let (whole, rest) = match groups.split_first() {
        Some((first, rest)) if !is_recipient(first) => (Some(first), rest),
        _ => (None, groups.as_slice()),
    };
    let recipients: Vec<_> = rest
        .iter()
        .filter(|group| is_recipient(group))
        .take(MAX_REPORT_RECIPIENTS)
        .filter_map(recipient)
        .collect();
    (!recipients.is_empty()).then(|| DeliveryStatus {
        reporting_mta: whole.and_then(|group| group.typed("reporting-mta")).and_then(host),
        envelope_id: whole.and_then(|group| group.get("original-envelope-id")).map(str::to_owned),
        recipients,
    })
}

fn is_recipient(group: &Group) -> bool {
    group.get("final-recipient").is_some() || group.get("original-recipient").is_some()
}

fn recipient(group: &Group) -> Option<RecipientStatus> {
    let action = match group.get("action")?.split([' ', '(']).next()?.to_ascii_lowercase().as_str() {
        "failed" => Action::Failed,
        "delayed" => Action::Delayed,
        "delivered" => Action::Delivered,
        "relayed" => Action::Relayed,
        "expanded" => Action::Expanded,
        _ => return None,
    };
    let class = match action {
        Action::Failed => 5,
        Action::Delayed => 4,
        Action::Delivered | Action::Relayed | Action::Expanded => 2,
    };
    let status = group.get("status").and_then(Status::parse);
    Some(RecipientStatus {
        recipient: group.address("final-recipient"),
        original: group.address("original-recipient"),
        action,
        status: status.unwrap_or(Status { class, subject: 0, detail: 0 }),
        diagnostic: group
            .typed("diagnostic-code")
            .filter(|text| !text.is_empty())
            .map(|text| text.to_owned().into()),
        remote_mta: group.typed("remote-mta").and_then(host),
    })
}

/// A server's name: a host name or an address, and nothing that could be anything else.
fn host(text: &str) -> Option<String> {
    let text = text.split([' ', '(']).next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    ((1..=255).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_ascii_lowercase())
}
