//! `ACSEmailSendMailOperational`, `ACSEmailStatusUpdateOperational`, `ACSEmailUserEngagementOperational`: mail as it is
//! accepted, as it is delivered, and as it is read.

use super::{Kind, LogTable, RetentionClass, personal, plain};

pub(super) static SEND: LogTable = LogTable {
    name: "ACSEmailSendMailOperational",
    category: "EmailSendMailOperational",
    columns: &[
        plain("AttachmentsCount", Kind::Int),
        plain("BccRecipientsCount", Kind::Int),
        plain("Category", Kind::String),
        plain("CcRecipientsCount", Kind::Int),
        plain("CorrelationId", Kind::String),
        plain("Location", Kind::String),
        plain("OperationName", Kind::String),
        plain("OperationVersion", Kind::String),
        plain("Size", Kind::Real),
        plain("ToRecipientsCount", Kind::Int),
        plain("TrafficSource", Kind::String),
        plain("UniqueRecipientsCount", Kind::Int),
    ],
    retention_class: RetentionClass::Operational,
};

pub(super) static STATUS: LogTable = LogTable {
    name: "ACSEmailStatusUpdateOperational",
    category: "EmailStatusUpdateOperational",
    columns: &[
        plain("Category", Kind::String),
        plain("CorrelationId", Kind::String),
        plain("DeliveryStatus", Kind::String),
        plain("EnhancedSmtpStatusCode", Kind::String),
        personal("FailureMessage", Kind::String),
        personal("FailureReason", Kind::String),
        plain("IsHardBounce", Kind::String),
        plain("Location", Kind::String),
        plain("OperationName", Kind::String),
        plain("OperationVersion", Kind::String),
        personal("RecipientId", Kind::String),
        plain("SenderDomain", Kind::String),
        personal("SenderUsername", Kind::String),
        plain("SmtpStatusCode", Kind::String),
    ],
    retention_class: RetentionClass::Operational,
};

pub(super) static ENGAGEMENT: LogTable = LogTable {
    name: "ACSEmailUserEngagementOperational",
    category: "EmailUserEngagementOperational",
    columns: &[
        plain("Category", Kind::String),
        plain("CorrelationId", Kind::String),
        personal("EngagementContext", Kind::String),
        plain("EngagementType", Kind::String),
        plain("Location", Kind::String),
        plain("OperationName", Kind::String),
        plain("OperationVersion", Kind::String),
        personal("RecipientId", Kind::String),
        personal("UserAgent", Kind::String),
    ],
    retention_class: RetentionClass::Operational,
};
