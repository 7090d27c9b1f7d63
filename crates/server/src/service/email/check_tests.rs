//! Tests of what may go.

use super::*;

fn header(name: &str, value: &str) -> (Personal<String>, Personal<String>) {
    (name.to_owned().into(), value.to_owned().into())
}

fn with_headers(headers: &[(&str, &str)]) -> NewMail {
    let headers = headers.iter().map(|(name, value)| header(name, value)).collect();
    NewMail { headers, ..NewMail::default() }
}

fn file(name: &str) -> NewAttachment {
    NewAttachment {
        name: name.to_owned().into(),
        content_type: "text/plain".to_owned(),
        content: vec![1].into(),
        content_id: None,
    }
}

#[test]
fn programs_and_scripts_are_known_by_their_endings() {
    for bad in ["a.exe", "A.ExE", "invoice.pdf.js", "a.scr.", "a.bat  ", "a.ps1. .", ".vbs"] {
        assert!(is_blocked(bad), "{bad}");
    }
    for good in ["a.pdf", "exe", "a.exe.txt", "a.json", "a.example", "", "...", "README"] {
        assert!(!is_blocked(good), "{good}");
    }
    assert!(BLOCKED.is_sorted() && BLOCKED.iter().all(|ending| *ending == ending.to_ascii_lowercase()));
}

#[test]
fn wishes_are_read_whatever_their_case() {
    let read = |name: &str, value: &str| wishes(&with_headers(&[(name, value)]));
    assert!(read("X-MS-ACSEmail-Ignore-Duplicate-Content-Id", "True").ignore_duplicate_content_id);
    assert!(read(SUPPRESS_INVALID_ATTACHMENT, " true ").suppress_invalid_attachment);
    assert!(read(VALIDATE_MESSAGE_ID, "true").validate_message_id);
    for no in ["false", "", "1", "yes"] {
        assert!(!read(VALIDATE_MESSAGE_ID, no).validate_message_id, "{no}");
    }
}

#[test]
fn headers_for_us_are_not_sent_on() {
    let mail = with_headers(&[("x-ms-acsemail-anything", "1"), ("X-A", "2")]);
    let (kept, id) = headers(&mail, Wishes::default()).unwrap();
    assert_eq!((kept, id), (vec![("X-A", "2")], None));
}

#[test]
fn a_message_id_is_taken_when_it_is_one() {
    let strict = Wishes { validate_message_id: true, ..Wishes::default() };
    let read =
        |value: &str, wishes| headers(&with_headers(&[("Message-Id", value)]), wishes).map(|(_, id)| id);
    assert_eq!(read("<a@b.c>", strict).unwrap().as_deref(), Some("a@b.c"));
    for bad in ["a@b.c", "<a>", "<a@b.c", "", "<a b@c>", "<a@b@c>"] {
        assert_eq!(read(bad, Wishes::default()).unwrap(), None, "{bad}");
        assert!(read(bad, strict).is_err(), "{bad}");
    }
    let twice = with_headers(&[("Message-ID", "<a@b.c>"), ("message-id", "<d@e.f>")]);
    assert!(headers(&twice, strict).is_err());
    assert_eq!(headers(&twice, Wishes::default()).unwrap().1.as_deref(), Some("a@b.c"));
}

#[test]
fn what_is_wrong_with_an_attachment_is_named() {
    let mut typed = file("a");
    typed.content_type = "none".to_owned();
    let mut named = file("a");
    named.content_id = Some("a b".to_owned().into());
    for (bad, property) in [(typed, "contentType"), (named, "contentId"), (file("a.exe"), "name")] {
        let all = [file("ok"), bad];
        let Err(MailError::Property(path)) = attachments(&all, Wishes::default()) else {
            panic!("{property}")
        };
        assert_eq!(path, format!("attachments[1].{property}"));
        let lenient = Wishes { suppress_invalid_attachment: true, ..Wishes::default() };
        assert_eq!(attachments(&all, lenient).unwrap().len(), 1);
    }
}
