//! Mail (email 2023-03-31 and 2025-09-01). Rates of a custom domain, from the end of ACS behaviour section 3.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, BodyLimit, Operation, Per, Rate};

const fn rate(bucket: &'static str, window_secs: u32, max: u32) -> Rate {
    Rate { bucket, window_secs, max, per: Per::Resource }
}

const BASE: Operation = Operation {
    name: "",
    area: Area::Email,
    method: Method::GET,
    path: "",
    versions: &["2023-03-31", "2025-09-01"],
    access: Access::AccessKey,
    permission: "",
    audit: Audit::None,
    log_table: Some("ACSEmailSendMailOperational"),
    log_name: None,
    body: Body::None,
    rates: &[],
    success: 200,
    built: true,
};

pub(super) const ROWS: &[Operation] = &[
    Operation {
        name: "email.get_send_result",
        path: "/emails/operations/{operationId}",
        permission: "email/read",
        log_name: Some("GetMessageStatus"),
        rates: &[rate("email.status", 60, 60), rate("email.status", 3600, 200)],
        ..BASE
    },
    Operation {
        name: "email.send",
        method: Method::POST,
        path: "/emails:send",
        permission: "email/write",
        log_name: Some("SendMail"),
        body: Body::Json { max: BodyLimit::Mail, required: true, merge_patch: false },
        rates: &[rate("email.send", 60, 30), rate("email.send", 3600, 100)],
        success: 202,
        ..BASE
    },
];
