//! The operation table (law 8): every operation of the product and of ACS is one row. No row, no route. Rows say who
//! may call, what is audited and logged, which bodies are read and how often. Rows with `built: false` are known to
//! exist and answer 501.

use base::Limits;
use http::Method;

mod route;
mod table;

pub use route::{Params, Route, route};
pub use table::OPERATIONS;

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// Its name in this product: `chat.send_message`.
    pub name: &'static str,
    /// Which service it belongs to.
    pub area: Area,
    /// The HTTP method.
    pub method: Method,
    /// The path, with `{name}` for what is captured: `/chat/threads/{chatThreadId}/messages`.
    pub path: &'static str,
    /// The accepted values of `api-version`, oldest first. Empty: the operation has no versions.
    pub versions: &'static [&'static str],
    /// Which credential it takes.
    pub access: Access,
    /// The right it needs, as policies name it.
    pub permission: &'static str,
    /// Whether it is a privileged act.
    pub audit: Audit,
    /// The log table its requests are written to.
    pub log_table: Option<&'static str>,
    /// The operation's name in that table and in metrics, where ACS documents one.
    pub log_name: Option<&'static str>,
    /// What body it reads.
    pub body: Body,
    /// How often it may be called.
    pub rates: &'static [Rate],
    /// The status of success.
    pub success: u16,
    /// Whether this server has it.
    pub built: bool,
}

/// A service of ACS, or the product itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// The product's own routes.
    Product,
    /// Identities and tokens.
    Identity,
    /// Chat.
    Chat,
    /// What the browser build of the chat SDK is told as it happens.
    Push,
    /// SMS.
    Sms,
    /// Mail.
    Email,
    /// Phone numbers.
    PhoneNumbers,
    /// SIP routing.
    SipRouting,
    /// Rooms.
    Rooms,
    /// Call automation and recording.
    CallAutomation,
    /// Job router.
    JobRouter,
    /// Advanced messages (WhatsApp).
    Messages,
    /// TURN relays.
    NetworkTraversal,
    /// The control plane. Its paths are compared without regard to case, as Azure Resource Manager does.
    Arm,
    /// Log queries.
    LogQuery,
}

/// Which credential an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// None.
    Public,
    /// The resource's access key (a signed request), or a directory principal with the right role.
    AccessKey,
    /// A user access token with at least one of these scopes.
    UserToken(&'static [&'static str]),
    /// A directory principal only.
    Directory,
    /// Whoever runs the server, by the operator's token.
    Operator,
}

/// Whether an operation is a privileged act (law 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// It is not.
    None,
    /// It is, under this name in the audit log.
    Act(&'static str),
}

/// What body an operation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None; what is sent is not looked at.
    None,
    /// JSON.
    Json {
        /// How long it may be.
        max: BodyLimit,
        /// Whether it must be there.
        required: bool,
        /// Whether `application/merge-patch+json` is accepted beside `application/json`.
        merge_patch: bool,
    },
    /// Text of this length at most, whatever it is called.
    Text(BodyLimit),
}

/// How long a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLimit {
    /// As long as `Limits::body_bytes` says.
    Standard,
    /// As long as `Limits::mail_request_bytes` says: the one request that carries attachments.
    Mail,
    /// This many bytes, or as many as `Limits::body_bytes` says when that is less.
    Bytes(usize),
}

impl BodyLimit {
    /// The limit in bytes.
    #[must_use]
    pub fn bytes(self, limits: &Limits) -> usize {
        match self {
            Self::Standard => limits.body_bytes,
            Self::Mail => limits.mail_request_bytes,
            Self::Bytes(bytes) => bytes.min(limits.body_bytes),
        }
    }
}

impl Body {
    /// A JSON body that must be there.
    pub const JSON: Self = Self::Json { max: BodyLimit::Standard, required: true, merge_patch: false };
    /// A JSON merge patch that must be there.
    pub const PATCH: Self = Self::Json { max: BodyLimit::Standard, required: true, merge_patch: true };

    /// The limit in bytes; zero when no body is read.
    #[must_use]
    pub fn max_bytes(self, limits: &Limits) -> usize {
        match self {
            Self::None => 0,
            Self::Json { max, .. } | Self::Text(max) => max.bytes(limits),
        }
    }
}

/// How often something may be done: at most `max` times in any `window_secs` seconds, counted for each `per`.
/// Operations that name the same `bucket` are counted together. Refused requests count too (ACS behaviour section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What is counted, shared by all operations of the same limit.
    pub bucket: &'static str,
    /// The length of the window in seconds.
    pub window_secs: u32,
    /// How many requests it may hold.
    pub max: u32,
    /// For whom they are counted.
    pub per: Per,
}

/// For whom requests are counted, within one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    /// For each user.
    User,
    /// For each thread, whoever calls.
    Thread,
    /// For each user in each thread.
    UserAndThread,
    /// For the resource as a whole.
    Resource,
}

/// The row of this name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().copied().find(|operation| operation.name == name)
}

#[cfg(test)]
mod tests;
