//! Mail (email 2023-03-31 and 2025-09-01).

use super::family::Family;
use crate::operation::{Access, Area, Operation};

const EMAIL: Family = Family {
    area: Area::Email,
    versions: &["2023-03-31", "2025-09-01"],
    access: Access::AccessKey,
    read: "email/read",
    write: "email/write",
    delete: "email/delete",
    log_table: Some("ACSEmailSendMailOperational"),
};

pub(super) const ROWS: &[Operation] = &[
    EMAIL.get("email.get_send_result", "/emails/operations/{operationId}"),
    EMAIL.post("email.send", "/emails:send", 202),
];
