//! A mail taken apart for who looks at it in the development outbox: header fields, both bodies, attachments.

use mail_parser::{HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// The longest preview, in characters.
const PREVIEW: usize = 140;

/// What a mail holds. Nothing in it is safe to show as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailView {
    /// Its header fields in order, unfolded, encoded words decoded.
    pub headers: Vec<(String, String)>,
    /// Its first text part.
    pub text: Option<String>,
    /// Its first HTML part.
    pub html: Option<String>,
    /// Everything else.
    pub attachments: Vec<AttachmentView>,
}

/// An attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentView {
    /// Its name; made up when it has none.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its content id, without angle brackets.
    pub content_id: Option<String>,
    /// Its bytes, decoded.
    pub content: Vec<u8>,
}

impl MailView {
    /// Takes `message` (RFC 5322) apart as far as it can be; what is no mail has no fields and no parts.
    #[must_use]
    pub fn read(message: &[u8]) -> Self {
        // Every field as text, but those that say how to read the parts.
        let parser = MessageParser::new().with_mime_headers().default_header_text();
        let Some(parsed) = parser.parse(message) else { return Self::default() };
        let text = parsed.text_bodies().find_map(|part| match &part.body {
            PartType::Text(text) => Some(text.to_string()),
            _ => None,
        });
        let html = parsed.html_bodies().find_map(|part| match &part.body {
            PartType::Html(html) => Some(html.to_string()),
            _ => None,
        });
        let attachments = parsed.attachments().enumerate().map(|(at, part)| attachment(at, part)).collect();
        Self { headers: fields(&parsed), text, html, attachments }
    }

    /// The first field called `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// How it begins, in one line without markup.
    #[must_use]
    pub fn preview(&self) -> String {
        match (&self.text, &self.html) {
            (Some(text), _) => preview(text),
            (None, Some(html)) => preview(&mail_parser::decoders::html::html_to_text(html)),
            (None, None) => String::new(),
        }
    }
}

/// How `text` begins, in one line of at most 140 characters.
#[must_use]
pub fn preview(text: &str) -> String {
    let mut line = String::new();
    let mut left = PREVIEW;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if !line.is_empty() && left > 0 {
            line.push(' ');
            left -= 1;
        }
        line.extend(word.chars().take(left));
        left = left.saturating_sub(long);
        if left == 0 {
            break;
        }
    }
    line
}

fn fields(message: &Message<'_>) -> Vec<(String, String)> {
    let decoded = message.headers().iter().map(|field| {
        let value = match &field.value {
            HeaderValue::Text(text) => text.to_string(),
            _ => raw(message, field.offset_start, field.offset_end),
        };
        (field.name().to_owned(), value)
    });
    decoded.collect()
}

/// A field as it was written, unfolded.
fn raw(message: &Message<'_>, from: u32, to: u32) -> String {
    let bytes = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let bytes = bytes.and_then(|(from, to)| message.raw_message.get(from..to)).unwrap_or_default();
    String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn attachment(at: usize, part: &MessagePart<'_>) -> AttachmentView {
    let content_type = part.content_type().map_or_else(
        || "application/octet-stream".to_owned(),
        |kind| match &kind.c_subtype {
            Some(subtype) => format!("{}/{subtype}", kind.c_type),
            None => kind.c_type.to_string(),
        },
    );
    let content = match &part.body {
        // An attached mail is a tree already; its bytes are in the whole message.
        PartType::Message(inner) => inner.raw_message().to_vec(),
        _ => part.contents().to_vec(),
    };
    AttachmentView {
        name: part.attachment_name().map_or_else(|| format!("part-{}", at + 1), str::to_owned),
        content_type,
        content_id: part.content_id().map(|id| id.trim_matches(['<', '>']).to_owned()),
        content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <donotreply@dev.example>\r\n\
        To: Ada <ada@example.org>,\r\n\tbob@example.org\r\n\
        Subject: =?utf-8?b?UsOpc3Vtw6k=?= of the\r\n day\r\n\
        X-Note: plain\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed;\r\n boundary=\"m\"\r\n\r\n\
        --m\r\nContent-Type: multipart/related; boundary=\"r\"\r\n\r\n\
        --r\r\nContent-Type: multipart/alternative; boundary=\"a\"\r\n\r\n\
        --a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello  world,\r\nhow are you?\r\n\
        --a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello <img src=\"cid:logo\"></p>\r\n--a--\r\n\
        --r\r\nContent-Type: image/png; name=\"logo.png\"\r\nContent-ID: <logo>\r\n\
        Content-Disposition: inline; filename=\"logo.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--r--\r\n\
        --m\r\nContent-Type: application/pdf; name=\"bill.pdf\"\r\n\
        Content-Disposition: attachment; filename=\"bill.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--m--\r\n";

    #[test]
    fn takes_a_whole_mail_apart() {
        let view = MailView::read(MAIL.as_bytes());
        assert_eq!(view.header("subject"), Some("Résumé of the day"));
        assert_eq!(view.header("FROM"), Some("Grüße <donotreply@dev.example>"));
        assert_eq!(view.header("To"), Some("Ada <ada@example.org>, bob@example.org"));
        assert_eq!(view.header("Content-Type"), Some("multipart/mixed; boundary=\"m\""));
        assert_eq!(view.header("X-Missing"), None);
        assert_eq!(view.headers.iter().map(|(name, _)| name.as_str()).nth(3), Some("X-Note"));
        assert!(view.text.as_deref().unwrap().starts_with("Hello  world,"));
        assert!(view.html.as_deref().unwrap().contains("cid:logo"));
        let [logo, bill] = &view.attachments[..] else { panic!("{:?}", view.attachments) };
        assert_eq!((logo.name.as_str(), logo.content_type.as_str()), ("logo.png", "image/png"));
        assert_eq!(logo.content_id.as_deref(), Some("logo"));
        assert_eq!((bill.name.as_str(), bill.content.as_slice()), ("bill.pdf", &b"%PDF"[..]));
        assert_eq!(view.preview(), "Hello world, how are you?");
    }

    #[test]
    fn one_part_is_that_part_alone() {
        let text = MailView::read(b"Subject: a\r\n\r\nonly text\r\n");
        assert_eq!((text.text.as_deref(), text.html), (Some("only text\r\n"), None));
        let html = MailView::read(b"Content-Type: text/html\r\n\r\n<p>only <b>HTML</b></p>");
        assert_eq!((html.text.as_deref(), html.html.as_deref()), (None, Some("<p>only <b>HTML</b></p>")));
        assert_eq!(html.preview(), "only HTML");
    }

    #[test]
    fn previews_are_one_short_line() {
        assert_eq!(preview(" a\r\n\tb  "), "a b");
        assert_eq!(preview(""), "");
        assert_eq!(preview(&"é".repeat(PREVIEW + 1)).chars().count(), PREVIEW);
        assert_eq!(preview(&"ab ".repeat(PREVIEW)).chars().count(), PREVIEW);
    }

    proptest::proptest! {
        #[test]
        fn anything_can_be_looked_at(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let view = MailView::read(&bytes);
            proptest::prop_assert!(view.preview().chars().count() <= PREVIEW);
        }
    }
}
