//! The push protocol of the browser build of the chat SDK (`realtime.md` of the specification). Its paths are at the root: the
//! client makes them of a host alone.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, BodyLimit, Operation};

const BASE: Operation = Operation {
    name: "",
    area: Area::Push,
    method: Method::GET,
    path: "",
    versions: &[],
    access: Access::UserToken(&["chat", "chat.join", "chat.join.limited"]),
    permission: "chat/realtime/read",
    audit: Audit::None,
    log_table: None,
    log_name: None,
    body: Body::None,
    rates: &[],
    success: 200,
    built: true,
};

pub(super) const ROWS: &[Operation] = &[
    Operation { name: "push.allocate", method: Method::POST, path: "/v4/a", ..BASE },
    Operation { name: "push.handshake", path: "/socket.io/1", ..BASE },
    // The socket has no credential but its id, which is bound to a user by the handshake.
    Operation {
        name: "push.connect",
        path: "/socket.io/1/websocket/{sessionId}",
        access: Access::Public,
        permission: "public",
        success: 101,
        ..BASE
    },
    Operation { name: "push.poll", path: "/socket.io/1/xhr-polling/{sessionId}", ..BASE },
    Operation {
        name: "push.say",
        method: Method::POST,
        path: "/socket.io/1/xhr-polling/{sessionId}",
        body: Body::Text(BodyLimit::Bytes(64 * 1024)),
        ..BASE
    },
    // Not of ACS: the same for programs that are no browser, as CloudEvents.
    Operation { name: "push.events", path: "/chat/events", ..BASE },
    Operation {
        name: "push.register",
        method: Method::POST,
        path: "/v3/registrations",
        body: Body::Json { max: BodyLimit::Bytes(16 * 1024), required: true, merge_patch: false },
        success: 202,
        ..BASE
    },
    Operation {
        name: "push.unregister",
        method: Method::DELETE,
        path: "/v3/registrations/{registrationId}",
        success: 202,
        ..BASE
    },
];
