//! Chat on the wire: requests read into values that cannot be wrong, responses written for each API version.

use std::collections::BTreeMap;
use std::fmt;

use base::{Limits, MessageId, ThreadId};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::{ApiError, ApiVersion, thread_id};

mod message;
mod request;
mod response;
mod rules;

pub use message::{Message, MessageContent};
pub use request::{
    AddParticipants, CreateThread, NewParticipant, Patch, ReadReceiptRequest, RemoveParticipant, SendMessage,
    TextKind, Typing, UpdateMessage, UpdateThread,
};
pub use response::{
    AddedParticipants, CreatedThread, InvalidParticipant, Page, Participant, ReadReceipt, Render,
    SentMessage, Thread, ThreadItem, View,
};
pub use rules::fits_message;

/// The first version that knows `kind` in identifiers (Common 2022-07-13).
pub const KNOWS_KIND: ApiVersion = ApiVersion::known("2023-11-07");
/// The first version that knows metadata and retention of threads, and metadata of participants.
pub const KNOWS_THREAD_METADATA: ApiVersion = ApiVersion::known("2025-03-15");

/// The fewest days a thread may be kept by a retention policy.
pub const MIN_RETENTION_DAYS: u8 = 30;
/// The most days a thread may be kept by a retention policy.
pub const MAX_RETENTION_DAYS: u8 = 90;

/// Names and values a caller attaches to a thread, participant or message. Values are content: `Debug` shows only how
/// many there are.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// From pairs that were stored, or for tests.
    #[must_use]
    pub const fn new(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }

    /// The pairs, by name.
    #[must_use]
    pub const fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// A value of `null` is a name left out.
    fn from_request(raw: Option<BTreeMap<String, Option<String>>>) -> Self {
        Self(raw.unwrap_or_default().into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    fn within(self, limits: &Limits) -> Result<Self, ApiError> {
        if self.bytes() > limits.metadata_bytes {
            let message = format!("Metadata may hold {} bytes in all.", limits.metadata_bytes);
            return Err(ApiError::validation("metadata", message));
        }
        Ok(self)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({} pairs)", self.0.len())
    }
}

/// When a thread is deleted by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionPolicy {
    /// Never.
    None,
    /// So many days after it was created.
    ThreadCreationDate {
        /// [`MIN_RETENTION_DAYS`] to [`MAX_RETENTION_DAYS`].
        days: u8,
    },
}

/// Stays as it is in a `Location`: all but what ACS writes encoded, the colon foremost.
const LOCATION: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'/').add(b':').add(b'?');

/// The `Location` of a thread. `base_url` is scheme and host as the caller asked.
#[must_use]
pub fn thread_location(base_url: &str, thread: ThreadId) -> String {
    let base = base_url.trim_end_matches('/');
    format!("{base}/chat/threads/{}", utf8_percent_encode(&thread_id::format(thread), LOCATION))
}

/// The `Location` of a message.
#[must_use]
pub fn message_location(base_url: &str, thread: ThreadId, message: MessageId) -> String {
    format!("{}/messages/{message}", thread_location(base_url, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_written_as_acs_writes_them() {
        let thread = ThreadId::from_bytes([0xAB; 16]);
        let want =
            "https://contoso.example:8443/chat/threads/19%3Aabababababababababababababababab@thread.v2";
        assert_eq!(thread_location("https://contoso.example:8443/", thread), want);
        let message = message_location("https://contoso.example:8443", thread, MessageId(1_795_420_800_123));
        assert_eq!(message, format!("{want}/messages/1795420800123"));
        let path = message.strip_prefix("https://contoso.example:8443").unwrap();
        match crate::route(&http::Method::GET, path) {
            crate::Route::Found { operation, params } => {
                assert_eq!(operation.name, "chat.get_message");
                assert_eq!(thread_id::parse(params.get("chatThreadId").unwrap()), Some(thread));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn metadata_counts_names_and_values_and_hides_them() {
        let metadata = Metadata::new(BTreeMap::from([("colour".into(), "grün".into())]));
        assert_eq!(metadata.bytes(), 6 + 5);
        assert_eq!(format!("{metadata:?}"), "Metadata(1 pairs)");
    }
}
