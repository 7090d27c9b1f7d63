//! A message read back by an independent parser says what was put in, whatever was put in.

use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::*;

fn mail<'a>() -> OutgoingMail<'a> {
    OutgoingMail {
        from: Mailbox::named("donotreply@example.com", "The Clinic"),
        to: vec![Mailbox::bare("ada@example.org"), Mailbox::named("b@example.org", "Bébé")],
        subject: "Your appointment",
        text: Some("Tomorrow.\nAt nine."),
        message_id: "0c9f@example.com",
        date: Timestamp::from_millis(1_795_420_800_000),
        ..OutgoingMail::default()
    }
}

/// What every message must be, whatever is in it.
fn is_lawful(message: &[u8]) {
    assert!(message.is_ascii() && message.ends_with(b"\r\n"));
    for line in message[..message.len() - 2].split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(line.len() <= header::MAX_LINE, "a line of {}", line.len());
        assert!(!line.contains(&b'\r') && !line.contains(&0));
    }
    let ends = message.windows(2).filter(|pair| pair == b"\r\n").count();
    assert_eq!(ends, message.iter().filter(|byte| **byte == b'\n').count(), "a lone line end");
}

#[test]
fn a_plain_mail_byte_for_byte() {
    let mail = OutgoingMail { cc: vec![Mailbox::bare("c@example.org")], ..mail() };
    let wanted = concat!(
        "From: \"The Clinic\" <donotreply@example.com>\r\n",
        "To: <ada@example.org>,\r\n",
        " =?utf-8?B?QsOpYsOp?= <b@example.org>\r\n",
        "Cc: <c@example.org>\r\n",
        "Subject: Your appointment\r\n",
        "Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n",
        "Message-ID: <0c9f@example.com>\r\n",
        "MIME-Version: 1.0\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Transfer-Encoding: 7bit\r\n",
        "\r\n",
        "Tomorrow.\r\nAt nine.\r\n",
    );
    assert_eq!(String::from_utf8(mail.compose().unwrap()).unwrap(), wanted);
    assert_eq!(mail.compose(), mail.compose(), "the same value gives the same bytes");
    assert_eq!(format!("{mail:?}"), "OutgoingMail(..)");
}

#[test]
fn text_html_picture_and_file_come_back_whole() {
    let picture: Vec<u8> = (0..=255).collect();
    let pdf = vec![0x25; 3_000];
    let html = "<p>Größe</p><img src=\"cid:map@x\">\n".repeat(40);
    let mail = OutgoingMail {
        html: Some(&html),
        attachments: vec![
            Attachment::inline("map.png", "image/png", "map@x", &picture),
            Attachment::file("Befund Füße.pdf", "application/pdf; version=1", &pdf),
            Attachment::file("old.eml", "message/rfc822", b"From: x\r\n\r\n"),
        ],
        headers: vec![("X-Priority", "1"), ("List-Unsubscribe", "<https://example.com/u/1>")],
        reply_to: vec![Mailbox::named("r@example.com", "Reply")],
        ..mail()
    };
    let bytes = mail.compose().unwrap();
    is_lawful(&bytes);
    let read = MessageParser::new().parse(&bytes).unwrap();
    assert_eq!(read.body_text(0).unwrap(), "Tomorrow.\r\nAt nine.");
    assert_eq!(read.body_html(0).unwrap(), html.replace('\n', "\r\n"));
    assert_eq!(read.attachment(0).unwrap().contents(), picture);
    assert_eq!(read.attachment(0).unwrap().content_id(), Some("map@x"));
    let file = read.attachment(1).unwrap();
    assert_eq!((file.attachment_name(), file.contents()), (Some("Befund Füße.pdf"), &pdf[..]));
    assert!(read.attachment(2).unwrap().is_content_type("application", "octet-stream"));
    assert_eq!(read.header("X-Priority").unwrap().as_text(), Some("1"));
    assert_eq!(read.reply_to().unwrap().first().unwrap().address(), Some("r@example.com"));
    let shape = String::from_utf8(bytes).unwrap();
    let order = ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html"];
    let places: Vec<_> = order.iter().map(|kind| shape.find(kind).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_picture_without_html_is_a_file() {
    let mail =
        OutgoingMail { attachments: vec![Attachment::inline("a.png", "image/png", "a", b"1")], ..mail() };
    let bytes = mail.compose().unwrap();
    let read = MessageParser::new().parse(&bytes).unwrap();
    assert_eq!((read.attachment_count(), read.body_text(0).unwrap().as_ref()), (1, "Tomorrow.\r\nAt nine."));
}

#[test]
fn nothing_given_becomes_a_header_of_its_own() {
    let evil = "x\r\nBcc: victim@example.net\r\n\r\n<script>";
    let mail = OutgoingMail {
        from: Mailbox::named("donotreply@example.com", evil),
        to: vec![Mailbox::named("ada@example.org", evil)],
        subject: evil,
        text: Some(evil),
        attachments: vec![Attachment::file(evil, "text/plain", b"1")],
        headers: vec![("X-Custom", evil)],
        ..mail()
    };
    let bytes = mail.compose().unwrap();
    is_lawful(&bytes);
    let read = MessageParser::new().parse(&bytes).unwrap();
    assert!(read.bcc().is_none() && read.to().unwrap().as_list().unwrap().len() == 1);
    let head = String::from_utf8(bytes).unwrap();
    let head = &head[..head.find("\r\n\r\n").unwrap()];
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
}

#[test]
fn what_must_be_exact_is_refused() {
    let with = |change: fn(&mut OutgoingMail<'_>)| {
        let mut mail = mail();
        change(&mut mail);
        mail.compose().unwrap_err()
    };
    let address = ComposeError::Address;
    assert_eq!(with(|m| m.from.address = "x"), address(InvalidAddress::Local));
    assert_eq!(with(|m| m.to[0].address = "a@b\r\n.c"), address(InvalidAddress::Domain));
    assert_eq!(with(|m| m.reply_to.push(Mailbox::bare(""))), address(InvalidAddress::Local));
    assert_eq!(with(|m| m.headers.push(("Bcc", "x@y.z"))), ComposeError::HeaderReserved);
    assert_eq!(with(|m| m.headers.push(("X\r\nBcc", "x"))), ComposeError::HeaderName);
    for bad in ["", "no-at", "@x", "x@", "a@b@c", "a b@c", "a@b>\r\nX: y", "<a@b>"] {
        assert_eq!(check_message_id(bad), Err(ComposeError::MessageId), "{bad:?}");
    }
    let left = "a".repeat(MAX_ID - 2);
    assert_eq!(check_message_id(&format!("{left}@b")), Ok(()));
    assert_eq!(check_message_id(&format!("{left}a@b")), Err(ComposeError::MessageId));
}

#[test]
fn attachments_that_cannot_go() {
    let file = |name, content_type, content_id| Attachment { name, content_type, content_id, content: b"1" };
    let long = "n".repeat(MAX_FILE_NAME);
    let longer = "n".repeat(MAX_FILE_NAME + 1);
    assert_eq!(check_attachment(&file(&long, "a/b", Some("logo-1.png@x"))), Ok(()));
    for (bad, why) in [
        (file("", "a/b", None), ComposeError::FileName),
        (file(&longer, "a/b", None), ComposeError::FileName),
        (file("n", "", None), ComposeError::ContentType),
        (file("n", "pdf", None), ComposeError::ContentType),
        (file("n", "a/b/c", None), ComposeError::ContentType),
        (file("n", "a/b\r\nX: y", None), ComposeError::ContentType),
        (file("n", "a/b; n=\"\r\n\"", None), ComposeError::ContentType),
        (file("n", "a/b", Some("")), ComposeError::ContentId),
        (file("n", "a/b", Some("a b")), ComposeError::ContentId),
        (file("n", "a/b", Some("<a>")), ComposeError::ContentId),
    ] {
        assert_eq!(check_attachment(&bad), Err(why));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_comes_back(text in "(\\PC|\r|\n|\t|é){0,300}", html in "(\\PC|\n|ü){1,300}", name in "\\PC{1,40}") {
        let mail = OutgoingMail {
            subject: &name,
            text: Some(&text),
            html: Some(&html),
            attachments: vec![Attachment::file(&name, "x/y", text.as_bytes())],
            ..mail()
        };
        let bytes = mail.compose().unwrap();
        is_lawful(&bytes);
        let read = MessageParser::new().parse(&bytes).unwrap();
        let same = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(same(&read.body_text(0).unwrap()), same(&text));
        prop_assert_eq!(same(&read.body_html(0).unwrap()), same(&html));
        prop_assert_eq!(read.attachment(0).unwrap().contents(), text.as_bytes());
    }
}
