//! A mail that a program submits by SMTP, taken apart into what a request to send says: addresses, subject, bodies, files,
//! headers of its own. What is made anew when the mail is composed (dates, ids, boundaries, traces) is left out.

use base::Personal;
use mail_parser::{Addr, Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::header::check_header;

/// A mail taken apart. Its addresses are texts as yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// Whom it says it is from; the first where there are several.
    pub from: Option<Named>,
    /// Whom it says it is to.
    pub to: Vec<Named>,
    /// Who is said to get a copy.
    pub cc: Vec<Named>,
    /// Where answers go.
    pub reply_to: Vec<Named>,
    /// The subject, empty when it has none.
    pub subject: Personal<String>,
    /// The message id, without its brackets.
    pub message_id: Option<Personal<String>>,
    /// The plain text.
    pub text: Option<Personal<String>>,
    /// The HTML.
    pub html: Option<Personal<String>>,
    /// What is attached or shown inline.
    pub files: Vec<File>,
    /// The other headers that a sender may set, in order, unfolded.
    pub headers: Vec<(Personal<String>, Personal<String>)>,
}

/// An address with the name that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The address.
    pub address: Personal<String>,
    /// The name, when there is one.
    pub name: Option<Personal<String>>,
}

/// A file that goes with a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name; made up where it has none.
    pub name: Personal<String>,
    /// Its MIME type.
    pub content_type: String,
    /// Its bytes.
    pub content: Personal<Vec<u8>>,
    /// How HTML names it, without brackets.
    pub content_id: Option<Personal<String>>,
}

/// Headers that a sender may set, and that tell of the way a mail came rather than of the mail.
const OF_THE_WAY: [&str; 2] = ["x-originating-ip", "x-received"];

/// Takes a mail apart; `None` when it has no header at all.
#[must_use]
pub fn read(mail: &[u8]) -> Option<Submitted> {
    let message = MessageParser::default().parse(mail)?;
    let mailboxes = |address: Option<&Address<'_>>| address.map_or_else(Vec::new, |all| named(all));
    Some(Submitted {
        from: mailboxes(message.from()).into_iter().next(),
        to: mailboxes(message.to()),
        cc: mailboxes(message.cc()),
        reply_to: mailboxes(message.reply_to()),
        subject: message.subject().unwrap_or_default().to_owned().into(),
        message_id: message.message_id().map(|id| id.to_owned().into()),
        text: body(&message, &message.text_body, |part| match &part.body {
            PartType::Text(text) => Some(text),
            _ => None,
        }),
        html: body(&message, &message.html_body, |part| match &part.body {
            PartType::Html(text) => Some(text),
            _ => None,
        }),
        files: files(&message),
        headers: headers(&message),
    })
}

fn named(all: &Address<'_>) -> Vec<Named> {
    let one = |addr: &Addr<'_>| {
        let address = addr.address()?.to_owned().into();
        let name = addr.name().filter(|name| !name.is_empty()).map(|name| name.to_owned().into());
        Some(Named { address, name })
    };
    all.iter().filter_map(one).collect()
}

/// The parts of one kind, one after another.
fn body<'a>(
    message: &'a Message<'_>,
    parts: &[u32],
    of: impl Fn(&'a MessagePart<'_>) -> Option<&'a std::borrow::Cow<'a, str>>,
) -> Option<Personal<String>> {
    let mut texts = parts.iter().filter_map(|id| message.part(*id)).filter_map(of);
    let mut whole = texts.next()?.clone().into_owned();
    for more in texts {
        whole.push_str("\r\n");
        whole.push_str(more);
    }
    Some(whole.into())
}

fn files(message: &Message<'_>) -> Vec<File> {
    let each = message.attachments().enumerate().filter_map(|(at, part)| {
        let content = match &part.body {
            PartType::Text(text) | PartType::Html(text) => text.as_bytes().to_vec(),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.to_vec(),
            PartType::Message(inner) => inner.raw_message().to_vec(),
            PartType::Multipart(_) => return None,
        };
        let content_type = content_type(part);
        let made_up = || format!("attachment-{}.{}", at + 1, ending(&content_type));
        let name = part.attachment_name().map_or_else(made_up, str::to_owned);
        let id = part.content_id().map(|id| id.trim_matches(['<', '>']).to_owned().into());
        Some(File { name: name.into(), content: content.into(), content_id: id, content_type })
    });
    each.collect()
}

fn content_type(part: &MessagePart<'_>) -> String {
    let kind = part.content_type().and_then(|kind| Some(format!("{}/{}", kind.ctype(), kind.subtype()?)));
    let plain = |text: &String| text.bytes().all(|b| b.is_ascii_graphic());
    kind.filter(plain).map_or_else(|| "application/octet-stream".to_owned(), |kind| kind.to_ascii_lowercase())
}

/// How a file of this type ends that was given no name.
fn ending(content_type: &str) -> &str {
    match content_type {
        "message/rfc822" => "eml",
        "image/jpeg" => "jpg",
        "text/plain" => "txt",
        _ => content_type
            .rsplit('/')
            .next()
            .filter(|sub| sub.len() <= 4 && sub.bytes().all(|b| b.is_ascii_alphanumeric()))
            .unwrap_or("bin"),
    }
}

fn headers(message: &Message<'_>) -> Vec<(Personal<String>, Personal<String>)> {
    let each = message.headers_raw().filter_map(|(name, value)| {
        let value = unfolded(value);
        let lower = name.to_ascii_lowercase();
        let kept = check_header(name, &value).is_ok() && !OF_THE_WAY.contains(&lower.as_str());
        kept.then(|| (name.to_owned().into(), value.into()))
    });
    each.collect()
}

fn unfolded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for word in value.split(['\r', '\n', '\t']).map(str::trim).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAIL: &str = "Received: from laptop by mx; Mon, 23 Nov 2026 08:00:00 +0000\r\n\
        From: =?utf-8?q?Clinic_Z=C3=BCrich?= <donotreply@example.com>\r\nTo: Ada <ada@example.org>, bob@example.org\r\n\
        Cc: team: carol@example.org, dan@example.org;\r\nReply-To: <help@example.com>\r\nSubject: Your\r\n =?utf-8?b?w6l0w6k=?=\r\n\
        Date: Mon, 23 Nov 2026 08:00:00 +0000\r\nMessage-ID: <one@example.com>\r\nIn-Reply-To: <zero@example.com>\r\n\
        X-Campaign: autumn\r\n\t2026\r\nX-Originating-IP: 192.0.2.1\r\nDKIM-Signature: v=1\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n\
        --r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nCaf=E9\r\n--a\r\nContent-Type: text/html\r\n\r\n\
        <p>Caf&eacute;<img src=\"cid:map\"></p>\r\n--a--\r\n--r\r\nContent-Type: image/png; name=map.png\r\nContent-ID: <map>\r\n\
        Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\nAQID\r\n--r--\r\n--m\r\n\
        Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"plan.pdf\"\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nBAUG\r\n--m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nhi\r\n--m--\r\n";

    fn pairs(all: &[Named]) -> Vec<(&str, Option<&str>)> {
        all.iter()
            .map(|one| (one.address.expose().as_str(), one.name.as_ref().map(|n| n.expose().as_str())))
            .collect()
    }

    #[test]
    fn a_mail_is_taken_apart() {
        let mail = read(MAIL.as_bytes()).unwrap();
        assert_eq!(pairs(&[mail.from.unwrap()]), [("donotreply@example.com", Some("Clinic Z\u{fc}rich"))]);
        assert_eq!(pairs(&mail.to), [("ada@example.org", Some("Ada")), ("bob@example.org", None)]);
        assert_eq!(pairs(&mail.cc), [("carol@example.org", None), ("dan@example.org", None)]);
        assert_eq!(pairs(&mail.reply_to), [("help@example.com", None)]);
        assert_eq!(mail.subject.expose(), "Your \u{e9}t\u{e9}");
        assert_eq!(mail.message_id.unwrap().expose(), "one@example.com");
        assert_eq!(mail.text.unwrap().expose().trim_end(), "Caf\u{e9}");
        assert!(mail.html.unwrap().expose().contains("cid:map"));
        let files: Vec<_> =
            mail.files.iter().map(|f| (f.name.expose().as_str(), f.content_type.as_str())).collect();
        let expected = [
            ("map.png", "image/png"),
            ("plan.pdf", "application/pdf"),
            ("attachment-3.eml", "message/rfc822"),
        ];
        assert_eq!(files, expected);
        assert_eq!(mail.files[0].content.expose().as_slice(), [1, 2, 3]);
        assert_eq!(mail.files[0].content_id, Some("map".to_owned().into()));
        assert_eq!(mail.files[1].content.expose().as_slice(), [4, 5, 6]);
        assert!(mail.files[2].content.expose().starts_with(b"Subject: inner"));
        let headers: Vec<_> =
            mail.headers.iter().map(|(n, v)| (n.expose().as_str(), v.expose().as_str())).collect();
        assert_eq!(headers, [("In-Reply-To", "<zero@example.com>"), ("X-Campaign", "autumn 2026")]);
    }

    #[test]
    fn one_body_is_one_body() {
        let plain = read(b"Subject: x\r\n\r\nhello\r\n").unwrap();
        assert_eq!((plain.text.unwrap().expose().as_str(), plain.html), ("hello\r\n", None));
        let html = read(b"Content-Type: text/html; charset=utf-8\r\n\r\n<b>hello</b>\r\n").unwrap();
        assert_eq!((html.text, html.html.unwrap().expose().as_str()), (None, "<b>hello</b>\r\n"));
        let eight = read("Content-Type: text/plain; charset=utf-8\r\n\r\nh\u{e9}\r\n".as_bytes()).unwrap();
        assert_eq!(eight.text.unwrap().expose(), "h\u{e9}\r\n");
        let bare = read(b"Subject: x\r\n\r\n").unwrap();
        assert!(bare.from.is_none() && bare.to.is_empty() && bare.files.is_empty());
        assert_eq!(read(b""), None);
    }

    #[test]
    fn debug_tells_nothing() {
        let shown = format!("{:?}", read(MAIL.as_bytes()).unwrap());
        for word in ["Ada", "example.org", "Caf", "plan.pdf", "Campaign"] {
            assert!(!shown.contains(word), "{word}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn no_mail_harms(at in 0usize..2000, bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut mail = MAIL.as_bytes().to_vec();
            let at = at.min(mail.len());
            let end = (at + bytes.len()).min(mail.len());
            mail.splice(at..end, bytes);
            if let Some(read) = read(&mail) {
                for (name, value) in &read.headers {
                    prop_assert!(check_header(name.expose(), value.expose()).is_ok());
                    prop_assert!(!value.expose().contains(['\r', '\n']));
                }
                prop_assert!(read.files.iter().map(|file| file.content.expose().len()).sum::<usize>() <= 3 * mail.len());
            }
        }
    }
}
