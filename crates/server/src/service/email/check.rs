//! From what was asked to what is sent: may this sender send, are these addresses, may these files go; then the message
//! itself. A fault is told by the path of the property, as the API names it.

use std::collections::HashSet;
use std::sync::Arc;

use base::{MailId, Personal, Timestamp};
use post::mail::{Address, Attachment, ComposeError, Mailbox, OutgoingMail};
use post::mail::{check_attachment, check_header, check_message_id};

use super::domain::DomainUse;
use super::{MailDesk, MailError, NewAttachment, NewMail, NewMailbox};

/// Headers that are for this service and not for the recipient begin with this (ACS behaviour, section 3).
const OWN: &str = "x-ms-acsemail-";
const IGNORE_DUPLICATE_CONTENT_ID: &str = "x-ms-acsemail-ignore-duplicate-content-id";
const SUPPRESS_INVALID_ATTACHMENT: &str = "x-ms-acsemail-suppress-invalid-attachment";
const VALIDATE_MESSAGE_ID: &str = "x-ms-acsemail-validate-message-id";
/// Of this product: asks for the headers of one-click unsubscribing, which only a mail to one recipient can have.
const ONE_CLICK: &str = "x-chancery-one-click-unsubscribe";
const MESSAGE_ID: &str = "message-id";

/// Endings of files that run when they are opened: programs and scripts. Everything else may go (ACS publishes no list).
const BLOCKED: [&str; 30] = [
    "ade", "adp", "app", "bat", "chm", "cmd", "com", "cpl", "dll", "exe", "hta", "ins", "isp", "jar", "js",
    "jse", "lib", "lnk", "mde", "msc", "msi", "msp", "mst", "pif", "ps1", "scr", "sys", "vb", "vbs", "wsf",
];

/// A mail that may be sent.
pub(super) struct Prepared {
    pub(super) accepted: Timestamp,
    pub(super) sender: Personal<String>,
    pub(super) domain: Arc<DomainUse>,
    pub(super) message_id: String,
    pub(super) message: Vec<u8>,
    pub(super) recipients: Vec<Recipient>,
    pub(super) tracking: bool,
}

/// Somebody who gets it.
pub(super) struct Recipient {
    /// As it was written.
    pub(super) address: Personal<String>,
    /// The one form of all spellings.
    pub(super) folded: String,
    /// The domain, lower case.
    pub(super) domain: String,
}

/// What the headers for this service say.
#[derive(Clone, Copy, Default)]
struct Wishes {
    ignore_duplicate_content_id: bool,
    suppress_invalid_attachment: bool,
    validate_message_id: bool,
    one_click: bool,
}

impl MailDesk<'_> {
    /// Looks at all of a mail, and composes it.
    pub(super) async fn prepare(&self, mail: &NewMail, id: MailId) -> Result<Prepared, MailError> {
        let sender = parse(mail.from.address.expose(), || "senderAddress".to_owned())?;
        let name = sender.destination();
        let domain = self.usable_domain(&name).await?;
        let display = domain.sender(sender.local()).ok_or(MailError::SenderUnknown)?;
        let wishes = wishes(mail);
        let recipients = recipients(mail)?;
        let (mut headers, message_id) = headers(mail, wishes)?;
        let unsubscribe =
            if wishes.one_click { self.one_click(id, &headers, &recipients).await? } else { None };
        headers.extend(unsubscribe.iter().flatten().map(|(name, value)| (*name, value.expose().as_str())));
        let message_id = message_id.unwrap_or_else(|| format!("{id}@{name}"));
        let accepted = self.clock.now();
        let outgoing = OutgoingMail {
            from: Mailbox {
                address: mail.from.address.expose(),
                name: display.or_else(|| named(&mail.from)),
            },
            to: mailboxes(&mail.to),
            cc: mailboxes(&mail.cc),
            reply_to: mailboxes(&mail.reply_to),
            subject: mail.subject.expose(),
            text: mail.plain.as_ref().map(|text| text.expose().as_str()),
            html: mail.html.as_ref().map(|text| text.expose().as_str()),
            attachments: attachments(&mail.attachments, wishes)?,
            headers,
            message_id: &message_id,
            date: accepted,
        };
        let message = outgoing.compose().map_err(|fault| MailError::Property(where_is(fault).to_owned()))?;
        Ok(Prepared {
            accepted,
            sender: mail.from.address.clone(),
            domain,
            message_id,
            message,
            recipients,
            tracking: !mail.tracking_disabled,
        })
    }
}

impl MailDesk<'_> {
    /// The headers of one-click unsubscribing. The link takes one recipient off, so there must be one; and they are not
    /// given twice.
    async fn one_click(
        &self,
        id: MailId,
        headers: &Headers<'_>,
        recipients: &[Recipient],
    ) -> Result<Option<[(&'static str, Personal<String>); 2]>, MailError> {
        let given = |(name, _): &(&str, &str)| name.to_ascii_lowercase().starts_with("list-unsubscribe");
        if recipients.len() != 1 || headers.iter().any(given) {
            return Err(MailError::Property("headers".to_owned()));
        }
        Ok(self.unsubscribe_headers(id).await?)
    }
}

fn parse(text: &str, path: impl FnOnce() -> String) -> Result<Address<'_>, MailError> {
    Address::parse(text).map_err(|_| MailError::Address(path()))
}

/// Everybody who gets it, each address once, whatever its case.
fn recipients(mail: &NewMail) -> Result<Vec<Recipient>, MailError> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (list, path) in [(&mail.to, "to"), (&mail.cc, "cc"), (&mail.bcc, "bcc")] {
        for (at, one) in list.iter().enumerate() {
            let address = parse(one.address.expose(), || format!("recipients.{path}[{at}].address"))?;
            let (folded, domain) = (address.folded(), address.destination());
            if seen.insert(folded.clone()) {
                all.push(Recipient { address: one.address.clone(), folded, domain });
            }
        }
    }
    for (at, one) in mail.reply_to.iter().enumerate() {
        parse(one.address.expose(), || format!("replyTo[{at}].address"))?;
    }
    if all.is_empty() {
        return Err(MailError::Property("recipients.to".to_owned()));
    }
    Ok(all)
}

fn wishes(mail: &NewMail) -> Wishes {
    let wants = |name: &str| {
        let mut all = mail.headers.iter();
        all.any(|(known, value)| {
            known.expose().eq_ignore_ascii_case(name) && value.expose().trim().eq_ignore_ascii_case("true")
        })
    };
    Wishes {
        ignore_duplicate_content_id: wants(IGNORE_DUPLICATE_CONTENT_ID),
        suppress_invalid_attachment: wants(SUPPRESS_INVALID_ATTACHMENT),
        validate_message_id: wants(VALIDATE_MESSAGE_ID),
        one_click: wants(ONE_CLICK),
    }
}

type Headers<'a> = Vec<(&'a str, &'a str)>;

/// The headers that go out, and the Message-ID when a good one is among them.
fn headers(mail: &NewMail, wishes: Wishes) -> Result<(Headers<'_>, Option<String>), MailError> {
    let wrong = || MailError::Property("headers".to_owned());
    let (mut kept, mut message_id) = (Vec::new(), None);
    let mut seen = HashSet::new();
    for (name, value) in &mail.headers {
        let folded = name.expose().to_ascii_lowercase();
        if folded.starts_with(OWN) || folded == ONE_CLICK {
            continue;
        }
        if folded == MESSAGE_ID {
            let text = value.expose().trim();
            let bare = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
            let good = bare.filter(|id| check_message_id(id).is_ok() && message_id.is_none());
            match good {
                Some(id) => message_id = Some(id.to_owned()),
                None if wishes.validate_message_id => return Err(wrong()),
                None => {}
            }
            continue;
        }
        check_header(name.expose(), value.expose()).map_err(|_| wrong())?;
        if !seen.insert(folded) {
            return Err(wrong());
        }
        kept.push((name.expose().as_str(), value.expose().as_str()));
    }
    Ok((kept, message_id))
}

fn attachments(all: &[NewAttachment], wishes: Wishes) -> Result<Vec<Attachment<'_>>, MailError> {
    let (mut kept, mut ids) = (Vec::with_capacity(all.len()), HashSet::new());
    for (at, one) in all.iter().enumerate() {
        let file = Attachment {
            name: one.name.expose(),
            content_type: &one.content_type,
            content_id: one.content_id.as_ref().map(|id| id.expose().as_str()),
            content: one.content.expose(),
        };
        match faulty(&file) {
            Some(_) if wishes.suppress_invalid_attachment => continue,
            Some(property) => return Err(MailError::Property(format!("attachments[{at}].{property}"))),
            None => {}
        }
        let doubled = file.content_id.is_some_and(|id| !ids.insert(id));
        if doubled && !wishes.ignore_duplicate_content_id {
            return Err(MailError::Property(format!("attachments[{at}].contentId")));
        }
        kept.push(file);
    }
    Ok(kept)
}

/// Which property of an attachment keeps it from being sent.
fn faulty(file: &Attachment<'_>) -> Option<&'static str> {
    if is_blocked(file.name) {
        return Some("name");
    }
    match check_attachment(file) {
        Ok(()) => None,
        Err(ComposeError::ContentType) => Some("contentType"),
        Err(ComposeError::ContentId) => Some("contentId"),
        Err(_) => Some("name"),
    }
}

/// Windows leaves out dots and blanks at the end of a name, so they do not hide an ending.
fn is_blocked(name: &str) -> bool {
    let name = name.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    name.rsplit_once('.').is_some_and(|(_, ending)| BLOCKED.contains(&ending))
}

fn named(mailbox: &NewMailbox) -> Option<&str> {
    mailbox.name.as_ref().map(|name| name.expose().as_str())
}

fn mailboxes(all: &[NewMailbox]) -> Vec<Mailbox<'_>> {
    all.iter().map(|one| Mailbox { address: one.address.expose(), name: named(one) }).collect()
}

/// The property to look at when the composer refuses. All but the body was looked at before.
const fn where_is(fault: ComposeError) -> &'static str {
    match fault {
        ComposeError::Address(_) => "recipients",
        ComposeError::HeaderName
        | ComposeError::HeaderReserved
        | ComposeError::HeaderValue
        | ComposeError::MessageId => "headers",
        ComposeError::ContentType | ComposeError::ContentId | ComposeError::FileName => "attachments",
        ComposeError::Mime => "content",
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
