//! Texts on the wire: requests read into values that cannot be wrong in shape, responses and event data as the
//! specification has them (sms 2021-03-07 to 2026-01-23). Whether a number is one is not judged here.

mod report;
mod request;
mod response;

pub use report::{DeliveryAttempt, DeliveryReport, DeliveryStatus, Received, not_found};
pub use request::{OptOutRequest, Recipient, Repeat, SendText};
pub use response::{OptOutItem, OptOutItems, SendItem, SendItems, SendOutcome};

use crate::ApiVersion;

/// The most recipients of one request (ACS: 100).
pub const MAX_RECIPIENTS: usize = 100;
/// The longest message, in UTF-16 units as ACS counts (ACS: 2048).
pub const MAX_MESSAGE: usize = 2048;
/// The longest tag, in UTF-16 units. ACS documents none.
pub const MAX_TAG: usize = 2048;
/// The longest sender or recipient that is read at all, in bytes: no number has more.
pub const MAX_PARTY: usize = 64;
/// The longest repeatability id, in bytes: ACS asks for a UUID of 36.
pub const MAX_REPEAT_ID: usize = 64;
/// The shortest wait for a delivery report that may be asked for, in seconds.
pub const MIN_REPORT_SECS: u32 = 60;
/// The longest wait for a delivery report that may be asked for, in seconds.
pub const MAX_REPORT_SECS: u32 = 43_200;

/// The first version with `deliveryReportTimeoutInSeconds` and `messagingConnect`.
const KNOWS_TIMEOUT: ApiVersion = ApiVersion::known("2025-05-29-preview");
