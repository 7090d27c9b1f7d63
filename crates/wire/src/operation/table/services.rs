//! SMS, mail, rooms, advanced messages and relays: known, not built.

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

const EMAIL: Family = Family {
    area: Area::Email,
    versions: &["2023-03-31", "2025-09-01"],
    access: Access::AccessKey,
    read: "email/read",
    write: "email/write",
    delete: "email/delete",
    log_table: Some("ACSEmailSendMailOperational"),
};

const ROOMS: Family = Family {
    area: Area::Rooms,
    versions: &["2025-03-13"],
    access: Access::AccessKey,
    read: "rooms/read",
    write: "rooms/write",
    delete: "rooms/delete",
    log_table: Some("ACSRoomsIncomingOperations"),
};

const MESSAGES: Family = Family {
    area: Area::Messages,
    versions: &["2024-08-30"],
    access: Access::AccessKey,
    read: "messages/read",
    write: "messages/write",
    delete: "messages/delete",
    log_table: Some("ACSAdvancedMessagingOperations"),
};

const RELAYS: Family = Family {
    area: Area::NetworkTraversal,
    versions: &["2022-03-01-preview"],
    access: Access::AccessKey,
    read: "relays/read",
    write: "relays/write",
    delete: "relays/delete",
    log_table: Some("ACSNetworkTraversalIncomingOperations"),
};

pub(super) const ROWS: &[Operation] = &[
    SMS.post("sms.send", "/sms", 202),
    OPT_OUTS.post("sms.opt_outs.add", "/sms/optouts:add", 200),
    OPT_OUTS.post("sms.opt_outs.remove", "/sms/optouts:remove", 200),
    OPT_OUTS.query("sms.opt_outs.check", "/sms/optouts:check", 200),
    EMAIL.get("email.get_send_result", "/emails/operations/{operationId}"),
    EMAIL.post("email.send", "/emails:send", 202),
    ROOMS.get("rooms.list_participants", "/rooms/{roomId}/participants"),
    ROOMS.patch("rooms.update_participants", "/rooms/{roomId}/participants", 200),
    ROOMS.post("rooms.create", "/rooms", 201),
    ROOMS.get("rooms.list", "/rooms"),
    ROOMS.get("rooms.get", "/rooms/{roomId}"),
    ROOMS.patch("rooms.update", "/rooms/{roomId}", 200),
    ROOMS.delete("rooms.delete", "/rooms/{roomId}", 204),
    MESSAGES.post("messages.send", "/messages/notifications:send", 202),
    MESSAGES.get("messages.download_media", "/messages/streams/{id}"),
    MESSAGES.get("messages.list_templates", "/messages/channels/{channelId}/templates"),
    RELAYS.post("relays.issue_relay_configuration", "/networkTraversal/:issueRelayConfiguration", 200),
];
