//! The protocol's bytes: which operations there are, how requests are read into values that cannot be wrong, how
//! responses and errors are written for each API version. It never knows storage, policy, clocks or sockets.

pub mod chat;
pub mod email;
pub mod error;
pub mod events;
pub mod identifier;
pub mod identity;
pub mod json;
pub mod numbers;
pub mod operation;
pub mod outbox;
pub mod page;
pub mod push;
pub mod query;
pub mod sip;
pub mod sms;
pub mod thread_id;
pub mod time;
pub mod version;

pub use error::ApiError;
pub use identifier::Identifier;
pub use operation::{Operation, Route, route};
pub use query::Query;
pub use version::ApiVersion;
