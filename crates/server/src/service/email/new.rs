//! A mail as it comes in, whichever door it takes.

use base::Personal;

/// A mail to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMail {
    /// Who it is from. `name` is what the door may say of the sender; what the domain's registry says is used instead
    /// when it says something.
    pub from: NewMailbox,
    /// To whom.
    pub to: Vec<NewMailbox>,
    /// Copies.
    pub cc: Vec<NewMailbox>,
    /// Copies that the others do not see.
    pub bcc: Vec<NewMailbox>,
    /// Where answers go.
    pub reply_to: Vec<NewMailbox>,
    /// Its subject.
    pub subject: Personal<String>,
    /// Its text.
    pub plain: Option<Personal<String>>,
    /// Its HTML.
    pub html: Option<Personal<String>>,
    /// Headers of its own. Those that begin with `x-ms-acsemail-` are for this service and are not sent.
    pub headers: Vec<(Personal<String>, Personal<String>)>,
    /// Files.
    pub attachments: Vec<NewAttachment>,
    /// Whether opens and clicks shall not be told of.
    pub tracking_disabled: bool,
}

/// An address with the name that goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMailbox {
    /// The address.
    pub address: Personal<String>,
    /// The name.
    pub name: Option<Personal<String>>,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewAttachment {
    /// Its name.
    pub name: Personal<String>,
    /// Its MIME type.
    pub content_type: String,
    /// Its bytes.
    pub content: Personal<Vec<u8>>,
    /// How HTML names it, when it is shown inline.
    pub content_id: Option<Personal<String>>,
}
