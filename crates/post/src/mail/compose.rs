//! A mail as a value, and the message it becomes (RFC 5322). It knows no envelope: who gets it, and where bounces go, is
//! the affair of those who send it. The same value gives the same bytes.

use std::fmt;

use base::Timestamp;
use thiserror::Error;

use super::address::{Address, InvalidAddress};
use super::{body, header};

/// The longest Message-ID or Content-ID, in bytes without angle brackets: one line holds it.
pub const MAX_ID: usize = 250;
/// The longest name of an attachment, in bytes.
pub const MAX_FILE_NAME: usize = 255;

/// Why a message cannot be made. None of it repeats what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ComposeError {
    /// An address is none.
    #[error(transparent)]
    Address(#[from] InvalidAddress),
    /// A header's name is none.
    #[error("the name of a header is not valid")]
    HeaderName,
    /// A header that is made by the composer, or by servers on the way.
    #[error("a header may not be set by the sender")]
    HeaderReserved,
    /// A header's value is too long.
    #[error("the value of a header is too long")]
    HeaderValue,
    /// The Message-ID is not of the form `left@right`.
    #[error("the message id is not valid")]
    MessageId,
    /// A content type is not of the form `type/subtype`.
    #[error("the content type of an attachment is not valid")]
    ContentType,
    /// A content id has a character it may not have.
    #[error("the content id of an attachment is not valid")]
    ContentId,
    /// The name of an attachment is empty or too long.
    #[error("the name of an attachment is not valid")]
    FileName,
    /// The MIME tree could not be written.
    #[error("the body cannot be written")]
    Mime,
}

/// Somebody in a header: an address, and what they are called.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Mailbox<'a> {
    /// The address, as [`Address`] reads it.
    pub address: &'a str,
    /// The display name; any text.
    pub name: Option<&'a str>,
}

impl<'a> Mailbox<'a> {
    /// Without a display name.
    #[must_use]
    pub const fn bare(address: &'a str) -> Self {
        Self { address, name: None }
    }

    /// With a display name.
    #[must_use]
    pub const fn named(address: &'a str, name: &'a str) -> Self {
        Self { address, name: Some(name) }
    }
}

/// A file that goes with a mail.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Attachment<'a> {
    /// The file's name; any text up to [`MAX_FILE_NAME`] bytes.
    pub name: &'a str,
    /// Its media type, such as `application/pdf`, with or without parameters.
    pub content_type: &'a str,
    /// By which the HTML shows it (`cid:...`), without angle brackets; `None` for a file beside the text.
    pub content_id: Option<&'a str>,
    /// Its bytes, not encoded.
    pub content: &'a [u8],
}

impl<'a> Attachment<'a> {
    /// A file beside the text.
    #[must_use]
    pub const fn file(name: &'a str, content_type: &'a str, content: &'a [u8]) -> Self {
        Self { name, content_type, content_id: None, content }
    }

    /// A file that the HTML shows.
    #[must_use]
    pub const fn inline(
        name: &'a str,
        content_type: &'a str,
        content_id: &'a str,
        content: &'a [u8],
    ) -> Self {
        Self { name, content_type, content_id: Some(content_id), content }
    }
}

/// A mail to be written. All of it is borrowed: nothing is copied before [`OutgoingMail::compose`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OutgoingMail<'a> {
    /// Who it is from.
    pub from: Mailbox<'a>,
    /// Who it is to.
    pub to: Vec<Mailbox<'a>>,
    /// Who sees a copy.
    pub cc: Vec<Mailbox<'a>>,
    /// Where answers go, when not to `from`.
    pub reply_to: Vec<Mailbox<'a>>,
    /// Its subject; any text.
    pub subject: &'a str,
    /// Its plain text.
    pub text: Option<&'a str>,
    /// Its HTML.
    pub html: Option<&'a str>,
    /// Files with it.
    pub attachments: Vec<Attachment<'a>>,
    /// Further headers in order, such as `List-Unsubscribe`; each must pass [`header::check_header`].
    pub headers: Vec<(&'a str, &'a str)>,
    /// Its Message-ID without angle brackets: `left@right`.
    pub message_id: &'a str,
    /// When it was written.
    pub date: Timestamp,
}

impl OutgoingMail<'_> {
    /// The message: CRLF line ends throughout, every line at most 998 bytes, ASCII only, the last line ended, so that it
    /// passes any server and a signature over it stays good.
    ///
    /// # Errors
    /// [`ComposeError`], before anything is written. Text of any kind (names, subject, bodies, header values) is never an
    /// error: what cannot stand in a header becomes a space or is encoded.
    pub fn compose(&self) -> Result<Vec<u8>, ComposeError> {
        self.check()?;
        let payload: usize = self.attachments.iter().map(|file| file.content.len()).sum();
        let texts = self.text.map_or(0, str::len) + self.html.map_or(0, str::len);
        let mut out =
            Vec::with_capacity(2048 + texts + texts / 8 + payload / 54 * 76 + 512 * self.attachments.len());
        header::write_mailboxes(&mut out, "From", std::iter::once((self.from.name, self.from.address)));
        for (name, mailboxes) in [("To", &self.to), ("Cc", &self.cc), ("Reply-To", &self.reply_to)] {
            if !mailboxes.is_empty() {
                header::write_mailboxes(&mut out, name, mailboxes.iter().map(|one| (one.name, one.address)));
            }
        }
        header::write_text(&mut out, "Subject", self.subject);
        // The zone by number: "GMT" is of the old form (RFC 5322, section 4.3).
        let date = self.date.to_http_date().replace("GMT", "+0000");
        header::write_text(&mut out, "Date", &date);
        out.extend_from_slice(b"Message-ID: <");
        out.extend_from_slice(self.message_id.as_bytes());
        out.extend_from_slice(b">\r\n");
        for (name, value) in &self.headers {
            header::write_text(&mut out, name, value);
        }
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        body::write(self, &mut out)?;
        Ok(out)
    }

    fn check(&self) -> Result<(), ComposeError> {
        let mailboxes = [&self.to, &self.cc, &self.reply_to].into_iter().flatten();
        for mailbox in std::iter::once(&self.from).chain(mailboxes) {
            Address::parse(mailbox.address)?;
        }
        check_message_id(self.message_id)?;
        self.headers.iter().try_for_each(|(name, value)| header::check_header(name, value))?;
        self.attachments.iter().try_for_each(check_attachment)
    }
}

impl fmt::Debug for OutgoingMail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutgoingMail(..)")
    }
}

/// Whether `id` (without angle brackets) can be a Message-ID: `left@right` in printable ASCII.
///
/// # Errors
/// [`ComposeError::MessageId`].
pub fn check_message_id(id: &str) -> Result<(), ComposeError> {
    let halves = id.split_once('@').filter(|(left, right)| !left.is_empty() && !right.is_empty());
    match halves {
        Some((left, right)) if is_id(left) && is_id(right) && id.len() <= MAX_ID => Ok(()),
        _ => Err(ComposeError::MessageId),
    }
}

/// Whether a file can go with a mail: its name, its type and its content id; not what is in it.
///
/// # Errors
/// [`ComposeError::FileName`], [`ComposeError::ContentType`], [`ComposeError::ContentId`].
pub fn check_attachment(file: &Attachment<'_>) -> Result<(), ComposeError> {
    if file.name.is_empty() || file.name.len() > MAX_FILE_NAME {
        return Err(ComposeError::FileName);
    }
    if !is_media_type(file.content_type) {
        return Err(ComposeError::ContentType);
    }
    match file.content_id {
        Some(id) if id.is_empty() || id.len() > MAX_ID || !id.split('@').all(is_id) => {
            Err(ComposeError::ContentId)
        }
        _ => Ok(()),
    }
}

fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && !b"<>()@,;:\\\"".contains(&byte))
}

/// `type/subtype` with parameters or without (RFC 2045, section 5.1), in one line.
fn is_media_type(text: &str) -> bool {
    let token = |text: &str| {
        let special = |byte| b"()<>@,;:\\\"/[]?=".contains(&byte);
        !text.is_empty() && text.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && !special(byte))
    };
    let (media, parameters) = text.split_once(';').unwrap_or((text, ""));
    let lawful = media.trim_end().split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
    lawful && text.len() <= MAX_ID && parameters.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
