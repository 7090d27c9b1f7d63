//! Mail on the wire (email 2023-03-31 and 2025-09-01): the request to send read into a value of the right shape, and the
//! answers. What an address may be, which domain may send and which attachments may go is not the wire's business.

mod request;
mod response;

pub use request::{Attachment, Content, Mailbox, SendEmail};
pub use response::{OperationStatus, SendResult, operation_location};

use crate::ApiVersion;

/// The first version whose attachments may be inline.
pub const KNOWS_CONTENT_ID: ApiVersion = ApiVersion::known("2025-09-01");
