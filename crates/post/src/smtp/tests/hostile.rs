//! Clients that mean harm, and the login that keeps them out.

use base::limits::{MAX_SMTP_FAULTS, MAX_SMTP_IDLE};

use super::*;

#[test]
fn submission_is_for_those_who_logged_in_under_tls() {
    let mut talk = Talk::new(true);
    assert!(!talk.say("EHLO x\r\n").contains("AUTH"));
    assert_eq!(talk.say("MAIL FROM:<a@ours>\r\n"), "530 5.7.0 Must issue a STARTTLS command first\r\n");
    assert_eq!(talk.codes("AUTH PLAIN AHVzZXIAc2VjcmV0\r\n"), [538], "no password in the clear");
    assert_eq!(talk.codes("STARTTLS\r\n"), [220]);
    assert!(talk.say("EHLO x\r\n").contains("AUTH PLAIN LOGIN"));
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\n"), [530]);
    assert_eq!(talk.codes("AUTH XOAUTH2 dXNlcj1h\r\n"), [504]);
    assert_eq!(talk.codes("AUTH LOGIN\r\n"), [334]);
    assert_eq!(talk.codes(&format!("{}\r\n", STANDARD.encode("user"))), [334]);
    assert_eq!(talk.say("bm8=\r\n"), "535 5.7.3 Authentication unsuccessful\r\n");
    assert!(!talk.session.authenticated());
    assert_eq!(talk.codes("AUTH PLAIN\r\n"), [334]);
    assert_eq!(talk.codes(&format!("{}\r\n", STANDARD.encode("\0user\0secret"))), [235]);
    assert!(talk.session.authenticated());
    assert_eq!(talk.codes("AUTH PLAIN\r\n"), [503], "once");
    assert_eq!(
        talk.say("MAIL FROM:<a@stranger>\r\n"),
        "501 5.1.7 The specified sender domain has not been linked.\r\n"
    );
    assert_eq!(talk.codes("MAIL FROM:<a@ours> AUTH=<>\r\n"), [250]);
}

#[test]
fn guessing_ends_soon() {
    let mut talk = Talk::new(true);
    talk.say("EHLO x\r\nSTARTTLS\r\n");
    talk.say("EHLO x\r\n");
    let wrong = format!("AUTH PLAIN {}\r\n", STANDARD.encode("\0user\0guess"));
    assert_eq!(talk.codes(&wrong), [535]);
    assert_eq!(talk.codes(&wrong), [535]);
    assert_eq!(talk.codes(&format!("{wrong}{wrong}")), [535, 421]);
    assert!(talk.closed);
    let mut talk = Talk::logged_in();
    assert_eq!(talk.codes("STARTTLS\r\n"), [503], "and a login holds");
    assert!(talk.session.authenticated());
}

#[test]
fn nothing_is_injected_before_tls() {
    for (sent, code) in [("STARTTLS\r\nMAIL FROM:<evil@x>\r\n", 503), ("STARTTLS\r\nx", 503)] {
        let mut talk = Talk::greeted();
        assert_eq!(talk.codes(sent), [code]);
        assert!(talk.closed && !talk.tls);
    }
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\nSTARTTLS\r\n"), [250, 220]);
    assert!(talk.tls);
    assert_eq!(talk.codes("RCPT TO:<b@there>\r\n"), [503], "what was said before TLS is forgotten");
    assert_eq!(talk.codes("MAIL FROM:<a@ours>\r\n"), [503], "also the greeting");
    let extensions = talk.say("EHLO x\r\n");
    assert!(!extensions.contains("STARTTLS"), "{extensions}");
    assert_eq!(talk.codes("STARTTLS\r\n"), [503], "once");
}

#[test]
fn text_before_the_reply_to_data_ends_the_session() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.codes(&format!("{MAIL}DATA\r\nhi\r\n.\r\n")), [250, 250, 503]);
    assert!(talk.closed && talk.letters.is_empty());
}

#[test]
fn lone_line_ends_smuggle_nothing() {
    for ending in ["\n.\n", "\n.\r\n", "\r.\r\n", "\r\n.\n", "\r\n.\r\r\n"] {
        let mut talk = Talk::greeted();
        assert_eq!(talk.codes(&format!("{MAIL}DATA\r\n")), [250, 250, 354]);
        let second = format!("a{ending}{MAIL}DATA\r\nSubject: smuggled\r\n.\r\n");
        assert_eq!(talk.say(&second).lines().count(), 1, "{ending:?}");
        assert!(talk.letters.is_empty(), "{ending:?}");
    }
    for bad in ["NOOP\nNOOP\r\n", "NO\rOP\r\n", "MAIL FROM:<a@b>\rRCPT TO:<c@d>\r\n", "\n"] {
        let mut talk = Talk::greeted();
        assert_eq!(talk.codes(bad), [521], "{bad:?}");
        assert!(talk.closed);
    }
}

#[test]
fn errors_and_idleness_have_an_end() {
    let mut talk = Talk::greeted();
    let codes = talk.codes(&"GARBAGE\r\n".repeat(50));
    assert_eq!(codes.len(), MAX_SMTP_FAULTS as usize + 1);
    assert_eq!(codes.last(), Some(&421));
    assert!(talk.closed);
    let mut talk = Talk::greeted();
    let codes = talk.codes(&"NOOP\r\n".repeat(1000));
    assert_eq!((codes.len(), codes.last()), (MAX_SMTP_IDLE as usize, Some(&421)));
    let mut talk = Talk::greeted();
    talk.say("MAIL FROM:<a@ours>\r\n");
    let codes = talk.codes(&"RCPT TO:<nobody@there>\r\n".repeat(50));
    assert_eq!((codes.len(), codes.last()), (MAX_SMTP_FAULTS as usize + 1, Some(&421)), "harvesting");
}
