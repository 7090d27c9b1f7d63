//! `ACSChatIncomingOperations`: one row per chat request.

use super::{Column, Kind, LogTable, RetentionClass, personal, plain};

pub(super) static TABLE: LogTable = LogTable {
    name: "ACSChatIncomingOperations",
    category: "ChatOperational",
    columns: COLUMNS,
    retention_class: RetentionClass::Operational,
};

/// `ChatMessageId` is documented as `int`, but message ids are milliseconds since 1970 and need 64 bits.
const COLUMNS: &[Column] = &[
    personal("CallerIpAddress", Kind::String),
    plain("Category", Kind::String),
    plain("ChatMessageId", Kind::Long),
    plain("ChatThreadId", Kind::String),
    plain("CorrelationId", Kind::String),
    plain("DurationMs", Kind::Int),
    plain("Level", Kind::String),
    plain("OperationName", Kind::String),
    plain("OperationVersion", Kind::String),
    plain("PlatformType", Kind::String),
    plain("ResultDescription", Kind::String),
    plain("ResultSignature", Kind::String),
    plain("ResultType", Kind::String),
    plain("SdkType", Kind::String),
    personal("URI", Kind::String),
    personal("UserId", Kind::String),
];
