//! Event Grid system events on the wire: which there are, the data of those of chat, and both envelopes (Event Grid schema and
//! CloudEvents 1.0). Property names and types are those of `eventgrid-events` 2018-01-01.

mod chat;
mod envelope;
mod subscription;

pub use chat::{
    MessageChanged, MessageData, Metadata, ParticipantChange, ParticipantChanged, ThreadCreated,
    ThreadDeleted, ThreadParticipant, ThreadUpdated,
};
pub use envelope::{
    DeadLetter, Envelope, ValidationRequest, cloud_event, dead_letter, envelope, validation,
    validation_answer,
};
pub use subscription::{
    EventSchema, MAX_ATTEMPTS, MAX_FILTER, MAX_LABELS, MAX_NAME, MAX_SUBSCRIPTIONS, MAX_TTL_MINUTES, MAX_URL,
    MIN_NAME, SubscriptionBody, SubscriptionPatch, SubscriptionView, check_name,
};

/// What the types of all Communication Services events begin with.
pub const PREFIX: &str = "Microsoft.Communication.";

/// Every type this server can produce, without [`PREFIX`].
pub const KINDS: [&str; 22] = [
    "ChatMessageReceived",
    "ChatMessageReceivedInThread",
    "ChatMessageEdited",
    "ChatMessageEditedInThread",
    "ChatMessageDeleted",
    "ChatMessageDeletedInThread",
    "ChatThreadCreated",
    "ChatThreadCreatedWithUser",
    "ChatThreadDeleted",
    "ChatThreadWithUserDeleted",
    "ChatThreadPropertiesUpdated",
    "ChatThreadPropertiesUpdatedPerUser",
    "ChatThreadParticipantAdded",
    "ChatParticipantAddedToThreadWithUser",
    "ChatThreadParticipantRemoved",
    "ChatParticipantRemovedFromThreadWithUser",
    "ChatTypingIndicatorReceivedInThread",
    "SMSReceived",
    "SMSDeliveryReportReceived",
    "EmailDeliveryReportReceived",
    "EmailEngagementTrackingReportReceived",
    "UserDisconnected",
];

/// Types of ACS that this server does not produce yet and that may be subscribed to all the same.
pub const LATER: [&str; 9] = [
    "ChatAzureBotCommandReceivedInThread",
    "CallStarted",
    "CallEnded",
    "CallParticipantAdded",
    "CallParticipantRemoved",
    "IncomingCall",
    "RecordingFileStatusUpdated",
    "AdvancedMessageReceived",
    "AdvancedMessageDeliveryStatusUpdated",
];

/// The type without [`PREFIX`], when `name` is one that may be subscribed to. Types are compared without regard to case.
#[must_use]
pub fn kind(name: &str) -> Option<&'static str> {
    let (prefix, rest) = name.split_at_checked(PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    KINDS.iter().chain(&LATER).find(|kind| kind.eq_ignore_ascii_case(rest)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_whatever_their_case_and_only_with_their_prefix() {
        assert_eq!(kind("Microsoft.Communication.SMSReceived"), Some("SMSReceived"));
        assert_eq!(kind("microsoft.communication.smsreceived"), Some("SMSReceived"));
        assert_eq!(kind("Microsoft.Communication.IncomingCall"), Some("IncomingCall"));
        for bad in ["", "SMSReceived", "Microsoft.Communication.", "Microsoft.Storage.BlobCreated", "é"] {
            assert_eq!(kind(bad), None, "{bad}");
        }
    }
}
