//! Chat (chat 2025-03-15). Scopes from the table of ACS behaviour section 1, rates from the end of its section 2.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, BodyLimit, Operation, Per, Rate};

const VERSIONS: &[&str] = &["2021-09-07", "2023-11-07", "2024-03-07", "2025-03-15"];

/// Create, update and delete threads.
const CHAT: Access = Access::UserToken(&["chat"]);
/// Add and remove participants.
const JOIN: Access = Access::UserToken(&["chat", "chat.join"]);
/// Everything else.
const LIMITED: Access = Access::UserToken(&["chat", "chat.join", "chat.join.limited"]);

const THREADS: &str = "/chat/threads";
const THREAD: &str = "/chat/threads/{chatThreadId}";
const MESSAGES: &str = "/chat/threads/{chatThreadId}/messages";
const MESSAGE: &str = "/chat/threads/{chatThreadId}/messages/{chatMessageId}";
const RECEIPTS: &str = "/chat/threads/{chatThreadId}/readReceipts";

const fn rate(bucket: &'static str, per: Per, window_secs: u32, max: u32) -> Rate {
    Rate { bucket, window_secs, max, per }
}

const READ_THREADS: &[Rate] = &[rate("chat.read_threads", Per::User, 10, 50)];
const CHANGE_PARTICIPANTS: &[Rate] = &[
    rate("chat.change_participants", Per::Thread, 10, 10),
    rate("chat.change_participants", Per::Thread, 60, 30),
];
const CHANGE_MESSAGES: &[Rate] =
    &[rate("chat.change_messages", Per::Thread, 10, 10), rate("chat.change_messages", Per::Thread, 60, 30)];

const BASE: Operation = Operation {
    name: "",
    area: Area::Chat,
    method: Method::GET,
    path: "",
    versions: VERSIONS,
    access: LIMITED,
    permission: "",
    audit: Audit::None,
    log_table: Some("ACSChatIncomingOperations"),
    log_name: None,
    body: Body::None,
    rates: &[],
    success: 200,
    built: true,
};

pub(super) const ROWS: &[Operation] = &[
    Operation {
        name: "chat.send_message",
        method: Method::POST,
        path: MESSAGES,
        permission: "chat/messages/send",
        log_name: Some("SendChatMessage"),
        body: Body::JSON,
        rates: CHANGE_MESSAGES,
        success: 201,
        ..BASE
    },
    Operation {
        name: "chat.list_messages",
        path: MESSAGES,
        permission: "chat/messages/read",
        log_name: Some("ListChatMessages"),
        rates: &[
            rate("chat.list_messages", Per::UserAndThread, 10, 50),
            rate("chat.list_messages", Per::UserAndThread, 60, 200),
            rate("chat.list_messages", Per::Thread, 10, 250),
            rate("chat.list_messages", Per::Thread, 60, 400),
        ],
        ..BASE
    },
    Operation {
        name: "chat.get_message",
        path: MESSAGE,
        permission: "chat/messages/read",
        log_name: Some("GetChatMessage"),
        rates: &[
            rate("chat.get_message", Per::UserAndThread, 10, 50),
            rate("chat.get_message", Per::Thread, 10, 250),
        ],
        ..BASE
    },
    Operation {
        name: "chat.update_message",
        method: Method::PATCH,
        path: MESSAGE,
        permission: "chat/messages/update",
        log_name: Some("UpdateChatMessage"),
        body: Body::PATCH,
        rates: CHANGE_MESSAGES,
        success: 204,
        ..BASE
    },
    Operation {
        name: "chat.delete_message",
        method: Method::DELETE,
        path: MESSAGE,
        permission: "chat/messages/delete",
        log_name: Some("DeleteChatMessage"),
        rates: CHANGE_MESSAGES,
        success: 204,
        ..BASE
    },
    Operation {
        name: "chat.create_thread",
        method: Method::POST,
        path: THREADS,
        access: CHAT,
        permission: "chat/threads/create",
        log_name: Some("CreateChatThread"),
        body: Body::JSON,
        rates: &[rate("chat.create_thread", Per::User, 10, 10)],
        success: 201,
        ..BASE
    },
    Operation {
        name: "chat.list_threads",
        path: THREADS,
        permission: "chat/threads/read",
        log_name: Some("ListChatThreads"),
        rates: READ_THREADS,
        ..BASE
    },
    Operation {
        name: "chat.get_thread",
        path: THREAD,
        permission: "chat/threads/read",
        log_name: Some("GetChatThread"),
        rates: READ_THREADS,
        ..BASE
    },
    Operation {
        name: "chat.update_thread",
        method: Method::PATCH,
        path: THREAD,
        access: CHAT,
        permission: "chat/threads/update",
        log_name: Some("UpdateChatThread"),
        body: Body::PATCH,
        rates: &[rate("chat.update_thread", Per::Thread, 10, 5)],
        success: 204,
        ..BASE
    },
    Operation {
        name: "chat.delete_thread",
        method: Method::DELETE,
        path: THREAD,
        access: CHAT,
        permission: "chat/threads/delete",
        audit: Audit::Act("chat.delete_thread"),
        log_name: Some("DeleteChatThread"),
        rates: &[rate("chat.delete_thread", Per::User, 10, 10)],
        success: 204,
        ..BASE
    },
    Operation {
        name: "chat.list_participants",
        path: "/chat/threads/{chatThreadId}/participants",
        permission: "chat/participants/read",
        log_name: Some("ListChatThreadParticipants"),
        rates: &[
            rate("chat.list_participants", Per::UserAndThread, 10, 10),
            rate("chat.list_participants", Per::Thread, 10, 250),
        ],
        ..BASE
    },
    Operation {
        name: "chat.add_participants",
        method: Method::POST,
        path: "/chat/threads/{chatThreadId}/participants/:add",
        access: JOIN,
        permission: "chat/participants/add",
        log_name: Some("AddChatThreadParticipants"),
        body: Body::JSON,
        rates: CHANGE_PARTICIPANTS,
        success: 201,
        ..BASE
    },
    Operation {
        name: "chat.remove_participant",
        method: Method::POST,
        path: "/chat/threads/{chatThreadId}/participants/:remove",
        access: JOIN,
        permission: "chat/participants/remove",
        audit: Audit::Act("chat.remove_participant"),
        log_name: Some("RemoveChatThreadParticipant"),
        body: Body::JSON,
        rates: CHANGE_PARTICIPANTS,
        success: 204,
        ..BASE
    },
    Operation {
        name: "chat.list_read_receipts",
        path: RECEIPTS,
        permission: "chat/receipts/read",
        log_name: Some("GetReadReceipts"),
        rates: &[
            rate("chat.list_read_receipts", Per::UserAndThread, 10, 5),
            rate("chat.list_read_receipts", Per::Thread, 10, 100),
        ],
        ..BASE
    },
    Operation {
        name: "chat.send_read_receipt",
        method: Method::POST,
        path: RECEIPTS,
        permission: "chat/receipts/send",
        log_name: Some("SendReadReceipt"),
        body: Body::JSON,
        rates: &[
            rate("chat.send_read_receipt", Per::UserAndThread, 10, 10),
            rate("chat.send_read_receipt", Per::UserAndThread, 60, 30),
        ],
        ..BASE
    },
    Operation {
        name: "chat.send_typing",
        method: Method::POST,
        path: "/chat/threads/{chatThreadId}/typing",
        permission: "chat/typing/send",
        log_name: Some("SendTypingIndicator"),
        body: Body::Json { max: BodyLimit::Standard, required: false, merge_patch: true },
        rates: &[
            rate("chat.send_typing", Per::UserAndThread, 10, 5),
            rate("chat.send_typing", Per::UserAndThread, 60, 15),
            rate("chat.send_typing", Per::Thread, 10, 10),
            rate("chat.send_typing", Per::Thread, 60, 30),
        ],
        ..BASE
    },
    Operation {
        name: "chat.realtime_configuration",
        area: Area::Push,
        path: "/chat/config/realTimeNotifications",
        versions: &["2024-09-01"],
        permission: "chat/realtime/read",
        log_table: None,
        ..BASE
    },
];
