//! SMS and its opt-outs (sms 2021-03-07 to 2026-01-23).

use super::family::Family;
use crate::operation::{Access, Area, Operation};

const SMS: Family = Family {
    area: Area::Sms,
    versions: &["2021-03-07", "2025-05-29-preview", "2025-08-01-preview", "2025-09-17", "2026-01-23"],
    access: Access::AccessKey,
    read: "sms/read",
    write: "sms/write",
    delete: "sms/delete",
    log_table: Some("ACSSMSIncomingOperations"),
};

const OPT_OUTS: Family = Family {
    area: Area::Sms,
    versions: &["2025-05-29-preview", "2025-08-01-preview", "2025-09-17", "2026-01-23"],
    access: Access::AccessKey,
    read: "sms/opt_outs/read",
    write: "sms/opt_outs/write",
    delete: "sms/opt_outs/delete",
    log_table: Some("ACSOptOutManagementOperations"),
};

pub(super) const ROWS: &[Operation] = &[
    SMS.post("sms.send", "/sms", 202),
    OPT_OUTS.post("sms.opt_outs.add", "/sms/optouts:add", 200),
    OPT_OUTS.post("sms.opt_outs.remove", "/sms/optouts:remove", 200),
    OPT_OUTS.query("sms.opt_outs.check", "/sms/optouts:check", 200),
];
