//! Complaints: no mail panics, and what is read as one keeps its limits.

#![no_main]

use base::limits::MAX_REPORT_RECIPIENTS;
use libfuzzer_sys::fuzz_target;
use post::mail::report::{self, Report};

fn check(mail: &[u8]) {
    let Some(Report::Complaint(complaint)) = report::read(mail) else { return };
    assert!(complaint.recipients.len() <= MAX_REPORT_RECIPIENTS);
    for address in complaint.recipients.iter().chain(&complaint.mail_from) {
        assert!(address.expose().contains('@') && address.expose().len() <= 320);
    }
    assert!(complaint.message_id.is_none_or(|id| id.expose().len() <= 998));
}

fuzz_target!(|data: &[u8]| {
    check(data);
    let mut mail = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        .to_vec();
    mail.extend_from_slice(data);
    mail.extend_from_slice(b"\r\n--b--\r\n");
    check(&mail);
});
