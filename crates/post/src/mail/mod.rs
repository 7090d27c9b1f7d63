//! Mail as values: addresses, messages on their way out, what servers' replies mean, and where bounces come back
//! to, and what they say.
//!
//! How a message is made, for those who send one:
//!
//! ```
//! use base::Timestamp;
//! use post::mail::{Attachment, Mailbox, OutgoingMail};
//!
//! let mail = OutgoingMail {
//!     from: Mailbox::named("donotreply@example.com", "Clinic"),
//!     to: vec![Mailbox::bare("ada@example.org")],
//!     subject: "Your appointment",
//!     text: Some("Tomorrow at nine."),
//!     html: Some("<p>Tomorrow at <b>nine</b>.<img src=\"cid:map\"></p>"),
//!     attachments: vec![Attachment::inline("map.png", "image/png", "map", &[1, 2, 3])],
//!     headers: vec![("Importance", "high")],
//!     message_id: "0c9f@example.com",
//!     date: Timestamp::from_millis(1_795_420_800_000),
//!     ..OutgoingMail::default()
//! };
//! let message: Vec<u8> = mail.compose().unwrap();
//! assert!(message.starts_with(b"From: \"Clinic\" <donotreply@example.com>\r\n"));
//! ```
//!
//! `bcc` is not a field: hidden recipients are in the envelope only, so they cannot come to be in the message.

pub mod address;
pub mod body;
pub mod client;
pub mod compose;
pub mod header;
pub mod reply;
pub mod report;
pub mod sts;
pub mod submitted;
pub mod verp;

pub use address::{Address, InvalidAddress};
pub use compose::{Attachment, ComposeError, Mailbox, OutgoingMail, check_attachment, check_message_id};
pub use header::check_header;
pub use reply::{DeliveryStatus, Verdict, classify};
pub use verp::Verp;
