//! Reports as servers of the world write them.

use base::Personal;
use base::limits::{MAX_REPORT, MAX_REPORT_RECIPIENTS};
use proptest::prelude::*;

use super::*;

/// A bounce as Postfix writes it.
const POSTFIX: &str = "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\r\n\
    Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"4F1.1795/mx.example.net\"\r\n\r\n\
    This is a MIME-encapsulated message.\r\n\r\n--4F1.1795/mx.example.net\r\n\
    Content-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nI'm sorry.\r\n\r\n\
    --4F1.1795/mx.example.net\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
    Reporting-MTA: dns; mx.example.net\r\nX-Postfix-Queue-ID: 4F1\r\nX-Postfix-Sender: rfc822; b+x@example.org\r\n\
    Arrival-Date: Mon, 23 Nov 2026 08:00:00 +0000 (UTC)\r\n\r\nFinal-Recipient: rfc822; nobody@example.com\r\n\
    Original-Recipient: rfc822;nobody@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\
    Remote-MTA: dns; mail.example.com\r\nDiagnostic-Code: smtp; 550 5.1.1 <nobody@example.com>: Recipient address\r\n    \
    rejected: User unknown in virtual mailbox table\r\n\r\n--4F1.1795/mx.example.net\r\n\
    Content-Description: Undelivered Message\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@example.org\r\n\
    Subject: hi\r\n\r\nhello\r\n\r\n--4F1.1795/mx.example.net--\r\n";

/// A complaint as the example of RFC 5965, appendix B.2, has it.
const COMPLAINT: &str = "From: <abusedesk@example.com>\r\nSubject: FW: Earn money\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=feedback-report;\r\n    boundary=\"part1_13d.2e68ed54_boundary\"\r\n\r\n\
    --part1_13d.2e68ed54_boundary\r\nContent-Type: text/plain; charset=\"US-ASCII\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
    This is an email abuse report.\r\n\r\n--part1_13d.2e68ed54_boundary\r\nContent-Type: message/feedback-report\r\n\r\n\
    Feedback-Type: abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\nOriginal-Mail-From: <somespammer@example.net>\r\n\
    Original-Rcpt-To: <user@example.com>\r\nOriginal-Rcpt-To: <other@example.com>\r\nRemoval-Recipient: user@example.com\r\n\
    \r\n--part1_13d.2e68ed54_boundary\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n\
    From: <somespammer@example.net>\r\nMessage-ID: <8787KJKJ3K4J3K4J3K4J3.mail@example.net>\r\nSubject: Earn money\r\n\r\n\
    Spam\r\n--part1_13d.2e68ed54_boundary--\r\n";

fn delivery(mail: &str) -> DeliveryStatus {
    match read(mail.as_bytes()) {
        Some(Report::Delivery(status)) => status,
        other => panic!("no delivery status: {other:?}"),
    }
}

#[test]
fn a_bounce_says_who_and_why() {
    let status = delivery(POSTFIX);
    assert_eq!(status.reporting_mta.as_deref(), Some("mx.example.net"));
    let [one] = status.recipients.as_slice() else { panic!("{status:?}") };
    assert_eq!(one.recipient, Some("nobody@example.com".to_owned().into()));
    assert_eq!(one.original, one.recipient);
    assert_eq!((one.action, one.status), (Action::Failed, Status { class: 5, subject: 1, detail: 1 }));
    assert_eq!(one.remote_mta.as_deref(), Some("mail.example.com"));
    assert_eq!(one.smtp_code(), Some(550));
    assert!(one.diagnostic.as_ref().unwrap().expose().ends_with("User unknown in virtual mailbox table"));
    let shown = format!("{status:?}");
    assert!(!shown.contains("nobody") && !shown.contains("rejected"), "{shown}");
}

#[test]
fn delays_are_no_bounces_and_success_is_success() {
    for (action, expected) in [
        ("delayed", Action::Delayed),
        ("Delivered (to mailbox)", Action::Delivered),
        ("relayed", Action::Relayed),
        ("EXPANDED", Action::Expanded),
    ] {
        let mail = POSTFIX.replace("Action: failed", &format!("Action: {action}"));
        assert_eq!(delivery(&mail).recipients[0].action, expected);
    }
    assert_eq!(read(POSTFIX.replace("Action: failed", "Action: lost").as_bytes()), None);
    assert_eq!(read(POSTFIX.replace("Action: failed\r\n", "").as_bytes()), None);
    let quiet = POSTFIX.replace("Status: 5.1.1\r\n", "").replace("smtp; 550 5.1.1 ", "smtp; 550 ");
    assert_eq!(delivery(&quiet).recipients[0].precise().to_string(), "5.0.0");
}

#[test]
fn the_servers_own_words_are_more_precise() {
    for (status, said, precise) in [
        ("5.0.0", "smtp; 550 5.1.1 no such user", "5.1.1"),
        ("5.0.0", "smtp; 550-5.2.1 The account is disabled", "5.2.1"),
        ("5.0.0", "smtp; 550 #5.1.0 Address rejected", "5.1.0"),
        ("5.4.1", "smtp; 421 4.4.1 timed out", "5.4.1"),
        ("5.7.1", "smtp; 550 blocked, see 5.1.1 in our manual", "5.7.1"),
        ("5.1.10", "", "5.1.10"),
    ] {
        let mail = POSTFIX
            .replace("Status: 5.1.1", &format!("Status: {status}"))
            .replace("smtp; 550 5.1.1 <nobody@example.com>: Recipient address", said);
        assert_eq!(delivery(&mail).recipients[0].precise().to_string(), precise, "{said}");
    }
}

#[test]
fn other_ways_to_write_it() {
    // Exchange: no original recipient, a status of three digits; sendmail: bare line feeds and upper case.
    let exchange = POSTFIX
        .replace("Original-Recipient: rfc822;nobody@example.com\r\n", "")
        .replace("Status: 5.1.1", "Status: 5.4.310 (DNS domain does not exist)");
    let status = delivery(&exchange);
    assert_eq!(status.recipients[0].status, Status { class: 5, subject: 4, detail: 310 });
    let sendmail =
        POSTFIX.replace("\r\n", "\n").replace("message/delivery-status", "MESSAGE/Delivery-Status");
    assert_eq!(delivery(&sendmail).recipients[0].smtp_code(), Some(550));
    let global = POSTFIX
        .replace("message/delivery-status", "message/global-delivery-status")
        .replace("rfc822; nobody@example.com", "utf-8; n\u{f6}body@example.com");
    assert_eq!(delivery(&global).recipients[0].recipient, Some("n\u{f6}body@example.com".to_owned().into()));
    let encoded = POSTFIX.replace(
        "message/delivery-status\r\n",
        "message/delivery-status\r\nContent-Transfer-Encoding: quoted-printable\r\n",
    );
    assert_eq!(delivery(&encoded).recipients.len(), 1);
    let headless = POSTFIX.replace("Reporting-MTA: dns; mx.example.net\r\n", "").replace("X-Postfix-", "Y-");
    assert_eq!(delivery(&headless).recipients.len(), 1);
}

#[test]
fn many_recipients_are_heeded_up_to_a_number() {
    let group = "Final-Recipient: rfc822; a@b\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n";
    let mail = POSTFIX.replace(
        "Final-Recipient: rfc822; nobody",
        &format!("{}Final-Recipient: rfc822; z", group.repeat(500)),
    );
    assert_eq!(delivery(&mail).recipients.len(), MAX_REPORT_RECIPIENTS);
}

#[test]
fn what_only_looks_like_a_report_is_none() {
    let absent =
        "From: ada@example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n\r\nI am on holiday.\r\n";
    let report = "multipart/report; report-type=delivery-status";
    let forwarded = format!(
        "From: ada@example.com\r\nContent-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\nContent-Type: message/rfc822\r\n\r\n\
        {POSTFIX}\r\n--f--\r\n"
    );
    let returned = POSTFIX.replace("message/delivery-status", "text/plain");
    for mail in [absent, &POSTFIX.replace(report, "multipart/mixed"), &forwarded, &returned, "", "\r\n", "--"]
    {
        assert_eq!(read(mail.as_bytes()), None, "{mail:.60}");
    }
    // A status within the mail that came back is that mail's.
    let nested = POSTFIX
        .replace("Content-Type: message/delivery-status", "Content-Type: text/plain")
        .replace("From: a@example.org\r\nSubject: hi\r\n\r\nhello\r\n", POSTFIX);
    assert_eq!(read(nested.as_bytes()), None);
}

#[test]
fn a_report_has_a_length() {
    let room = MAX_REPORT - POSTFIX.len();
    assert!(read(POSTFIX.replace("hello", &"x".repeat(room + 5)).as_bytes()).is_some());
    assert!(read(POSTFIX.replace("hello", &"x".repeat(room + 6)).as_bytes()).is_none());
}

#[test]
fn a_complaint_says_which_mail() {
    let Some(Report::Complaint(complaint)) = read(COMPLAINT.as_bytes()) else { panic!("no complaint") };
    assert_eq!(complaint.kind, ComplaintKind::Abuse);
    assert_eq!(complaint.user_agent.as_deref(), Some("SomeGenerator/1.0"));
    assert_eq!(complaint.mail_from, Some("somespammer@example.net".to_owned().into()));
    let recipients: Vec<_> = complaint.recipients.iter().map(Personal::expose).collect();
    assert_eq!(recipients, ["user@example.com", "other@example.com"]);
    assert_eq!(complaint.message_id, Some("8787KJKJ3K4J3K4J3K4J3.mail@example.net".to_owned().into()));
    for (word, kind) in [
        ("Fraud", ComplaintKind::Fraud),
        ("virus", ComplaintKind::Virus),
        ("not-spam", ComplaintKind::NotSpam),
        ("auth-failure", ComplaintKind::Other),
    ] {
        let mail = COMPLAINT.replace("Feedback-Type: abuse", &format!("Feedback-Type: {word}"));
        let Some(Report::Complaint(complaint)) = read(mail.as_bytes()) else { panic!("no complaint") };
        assert_eq!(complaint.kind, kind);
    }
    assert_eq!(read(COMPLAINT.replace("Feedback-Type: abuse\r\n", "").as_bytes()), None);
}

proptest! {
    #[test]
    fn statuses_read_back(class in prop::sample::select(vec![2u8, 4, 5]), subject in 0u16..1000, detail in 0u16..1000) {
        let status = Status { class, subject, detail };
        prop_assert_eq!(Status::parse(&status.to_string()), Some(status));
        prop_assert_eq!(Status::parse(&format!(" {status} (words)")), Some(status));
    }

    #[test]
    fn no_status_of_other_letters(text in "[0-9.x ]{0,8}") {
        if let Some(status) = Status::parse(&text) {
            prop_assert!([2, 4, 5].contains(&status.class) && status.subject < 1000 && status.detail < 1000);
        }
    }

    #[test]
    fn no_mail_harms(at in 0usize..2000, bytes in prop::collection::vec(any::<u8>(), 0..40), of in any::<bool>()) {
        let mut mail = if of { POSTFIX } else { COMPLAINT }.as_bytes().to_vec();
        let at = at.min(mail.len());
        let end = (at + bytes.len()).min(mail.len());
        mail.splice(at..end, bytes);
        if let Some(Report::Delivery(status)) = read(&mail) {
            prop_assert!((1..=MAX_REPORT_RECIPIENTS).contains(&status.recipients.len()));
            for one in &status.recipients {
                let _ = (one.precise(), one.smtp_code());
            }
        }
    }
}
