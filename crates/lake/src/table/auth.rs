//! `ACSAuthIncomingOperations`: one row per request for an identity or a token.

use super::{Column, Kind, LogTable, RetentionClass, personal, plain};

pub(super) static TABLE: LogTable = LogTable {
    name: "ACSAuthIncomingOperations",
    category: "AuthOperational",
    columns: COLUMNS,
    retention_class: RetentionClass::Operational,
};

const COLUMNS: &[Column] = &[
    plain("Category", Kind::String),
    plain("CorrelationId", Kind::String),
    plain("DurationMs", Kind::Int),
    personal("Identity", Kind::String),
    plain("Level", Kind::String),
    plain("OperationName", Kind::String),
    plain("OperationVersion", Kind::String),
    plain("PlatformType", Kind::String),
    plain("ResultDescription", Kind::String),
    plain("ResultSignature", Kind::String),
    plain("ResultType", Kind::String),
    plain("Scopes", Kind::Dynamic),
    plain("SdkType", Kind::String),
    personal("URI", Kind::String),
];
