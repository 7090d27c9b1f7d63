//! Rooms, advanced messages and relays: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

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
