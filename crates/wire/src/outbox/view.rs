//! What the operator's routes tell of the development outbox.

use serde::Serialize;

use super::Rule;

/// One item in the list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its id in the outbox.
    pub id: String,
    /// `mail` or `text`.
    pub kind: &'static str,
    /// When it was captured (RFC 3339).
    pub at: String,
    /// The id that the API call answered: of the operation, or of the text.
    pub message_id: String,
    /// Who sent it.
    pub from: String,
    /// To whom it went.
    pub to: Vec<Delivered>,
    /// The subject of a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it begins.
    pub preview: String,
    /// How long it is: a mail in bytes, a text in segments.
    pub size: usize,
}

/// One recipient, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Delivered {
    /// An address or a number.
    pub address: String,
    /// `accepted`, `refused` or `later`.
    pub outcome: &'static str,
    /// How often it was handed over.
    pub attempts: u16,
    /// The action of the rule that decided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
}

/// A page of the list, newest first.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct List {
    /// The items.
    pub value: Vec<Summary>,
    /// Where the list goes on; missing at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_link: Option<String>,
}

/// One item with all that is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// As in the list.
    #[serde(flatten)]
    pub summary: Summary,
    /// Of a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
    /// Of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
}

/// A captured mail.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mail {
    /// The message as it would have left (RFC 5322), in base64.
    pub raw: String,
    /// The envelope sender of each delivery, in the order of arrival.
    pub return_paths: Vec<String>,
    /// All header fields in order, decoded.
    pub headers: Vec<Header>,
    /// The text part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Attachments, inline ones too.
    pub attachments: Vec<Attachment>,
}

/// A header field.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// Its name as written.
    pub name: String,
    /// Its value, unfolded and decoded.
    pub value: String,
}

/// An attachment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// By which the HTML names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// Its length in bytes.
    pub size: usize,
    /// Its content in base64.
    pub content: String,
}

/// A captured text.
#[derive(Clone, Debug, Serialize)]
pub struct Text {
    /// All that it says.
    pub text: String,
    /// In how many segments it would have gone.
    pub segments: usize,
    /// `gsm7` or `ucs2`.
    pub encoding: &'static str,
    /// Whether a receipt was asked for.
    pub receipt: bool,
}

/// What there is, without telling what it says: cheap to ask often.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Changes with every item that comes or goes.
    pub mark: String,
    /// How many items there are.
    pub count: usize,
}

/// The rules.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Those of the resource, the first that fits holding.
    pub rules: Vec<ShownRule>,
    /// Those behind them.
    pub built_in: Vec<ShownRule>,
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
pub struct ShownRule {
    /// For whom.
    #[serde(rename = "match")]
    pub pattern: String,
    /// What happens.
    pub action: &'static str,
    /// How long it takes.
    pub seconds: u16,
    /// How often it is put off.
    pub times: u16,
    /// The code instead of the action's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
}

impl From<&Rule> for ShownRule {
    fn from(rule: &Rule) -> Self {
        Self {
            pattern: rule.pattern.as_str().to_owned(),
            action: rule.action.name(),
            seconds: rule.seconds,
            times: rule.times,
            code: (rule.code != 0).then_some(rule.code),
        }
    }
}

/// A resource of this node.
#[derive(Clone, Debug, Serialize)]
pub struct Resource {
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub geography: String,
}

/// The resources of this node.
#[derive(Clone, Debug, Serialize)]
pub struct Resources {
    /// The default one first.
    pub value: Vec<Resource>,
}
