//! `ACSSMSIncomingOperations`: one row per text sent, delivery report and text received;
//! `ACSOptOutManagementOperations`: one row per request about opt-outs.

use super::{Column, Kind, LogTable, RetentionClass, personal, plain};

pub(super) static TABLE: LogTable = LogTable {
    name: "ACSSMSIncomingOperations",
    category: "SMSOperational",
    columns: COLUMNS,
    retention_class: RetentionClass::Operational,
};

pub(super) static OPT_OUTS: LogTable = LogTable {
    name: "ACSOptOutManagementOperations",
    category: "OptOutManagementOperational",
    columns: OPT_OUT_COLUMNS,
    retention_class: RetentionClass::Operational,
};

const COLUMNS: &[Column] = &[
    personal("CallerIpAddress", Kind::String),
    plain("Category", Kind::String),
    plain("CorrelationId", Kind::String),
    plain("Country", Kind::String),
    plain("DeliveryAttempts", Kind::Int),
    plain("DurationMs", Kind::Int),
    plain("IncomingMessageLength", Kind::Int),
    plain("Level", Kind::String),
    plain("MessageId", Kind::String),
    plain("Method", Kind::String),
    plain("NumberType", Kind::String),
    plain("OperationName", Kind::String),
    plain("OperationVersion", Kind::String),
    plain("OutgoingMessageLength", Kind::Int),
    personal("PhoneNumber", Kind::String),
    plain("PlatformType", Kind::String),
    plain("ResultDescription", Kind::String),
    plain("ResultSignature", Kind::String),
    plain("ResultType", Kind::String),
    plain("SdkType", Kind::String),
    personal("URI", Kind::String),
];

const OPT_OUT_COLUMNS: &[Column] = &[
    personal("CallerIpAddress", Kind::String),
    plain("Category", Kind::String),
    plain("CorrelationId", Kind::String),
    plain("Country", Kind::String),
    plain("DurationMs", Kind::Int),
    plain("Level", Kind::String),
    plain("Method", Kind::String),
    plain("OperationName", Kind::String),
    plain("OperationVersion", Kind::String),
    personal("PhoneNumber", Kind::String),
    plain("PlatformType", Kind::String),
    plain("ResultDescription", Kind::String),
    plain("ResultSignature", Kind::String),
    plain("ResultType", Kind::String),
    plain("SdkType", Kind::String),
    personal("URI", Kind::String),
];
