//! Bounces: no mail panics, and what is read as one is about somebody, within its limits.

#![no_main]

use base::limits::MAX_REPORT_RECIPIENTS;
use libfuzzer_sys::fuzz_target;
use post::mail::report::{self, Report, Status};

fn check(mail: &[u8]) {
    let Some(Report::Delivery(status)) = report::read(mail) else { return };
    assert!((1..=MAX_REPORT_RECIPIENTS).contains(&status.recipients.len()));
    for one in &status.recipients {
        let precise = one.precise();
        assert_eq!(precise.class, one.status.class);
        assert_eq!(Status::parse(&precise.to_string()), Some(precise));
        assert!(one.smtp_code().is_none_or(|code| (200..600).contains(&code)));
        for address in [&one.recipient, &one.original].into_iter().flatten() {
            assert!(address.expose().contains('@') && address.expose().len() <= 320);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    check(data);
    // The fields alone, in a mail that is well made.
    let mut mail = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        .to_vec();
    mail.extend_from_slice(data);
    mail.extend_from_slice(b"\r\n--b--\r\n");
    check(&mail);
});
