//! SMS, its opt-outs and its delivery reports (sms 2021-03-07 to 2026-01-23). ACS limits texts by their sender and not
//! requests (ACS behaviour section 4), so they are counted where the sender is known.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, Operation};

const SMS: Operation = Operation {
    name: "sms.send",
    area: Area::Sms,
    method: Method::POST,
    path: "/sms",
    versions: &["2021-03-07", "2025-05-29-preview", "2025-08-01-preview", "2025-09-17", "2026-01-23"],
    access: Access::AccessKey,
    permission: "sms/write",
    audit: Audit::None,
    log_table: Some("ACSSMSIncomingOperations"),
    log_name: Some("SMSMessagesSent"),
    body: Body::JSON,
    rates: &[],
    success: 202,
    built: true,
};

const OPT_OUTS: Operation = Operation {
    versions: &["2025-05-29-preview", "2025-08-01-preview", "2025-09-17", "2026-01-23"],
    permission: "sms/opt_outs/write",
    log_table: Some("ACSOptOutManagementOperations"),
    success: 200,
    ..SMS
};

pub(super) const ROWS: &[Operation] = &[
    SMS,
    Operation {
        name: "sms.get_delivery_report",
        method: Method::GET,
        path: "/deliveryReports/{outgoingMessageId}",
        versions: &["2025-08-01-preview", "2026-01-23"],
        permission: "sms/read",
        log_name: Some("GetDeliveryReport"),
        body: Body::None,
        success: 200,
        ..SMS
    },
    Operation {
        name: "sms.opt_outs.add",
        path: "/sms/optouts:add",
        log_name: Some("OptOutsAdd"),
        ..OPT_OUTS
    },
    Operation {
        name: "sms.opt_outs.remove",
        path: "/sms/optouts:remove",
        log_name: Some("OptOutsRemove"),
        ..OPT_OUTS
    },
    Operation {
        name: "sms.opt_outs.check",
        path: "/sms/optouts:check",
        permission: "sms/opt_outs/read",
        log_name: Some("OptOutsCheck"),
        ..OPT_OUTS
    },
];
