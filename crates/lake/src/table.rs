//! Log tables as data: ACS's own names, columns and types (Azure Monitor reference), with what each column may tell
//! about a person. A table is added as a file of its own and one entry in [`TABLES`].

mod auth;
mod chat;
mod email;
mod sms;

/// One log table.
#[derive(Debug)]
pub struct LogTable {
    /// Its name in queries: `ACSChatIncomingOperations`.
    pub name: &'static str,
    /// The diagnostic category that fills it: `ChatOperational`.
    pub category: &'static str,
    /// Its own columns, without those of [`COMMON`].
    pub columns: &'static [Column],
    /// How long its rows are kept.
    pub retention_class: RetentionClass,
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in queries.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether a value can lead to a person: an identity, an address, or a text that may hold one. Such a column is
    /// never written to a metric, a trace or an error.
    pub personal: bool,
}

/// What the values of a column are, as KQL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    String,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    Long,
    /// 64-bit floating point number.
    Real,
    /// True or false.
    Bool,
    /// An instant in UTC.
    DateTime,
    /// JSON.
    Dynamic,
}

impl Kind {
    /// Its name in KQL and in query answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::Bool => "bool",
            Self::DateTime => "datetime",
            Self::Dynamic => "dynamic",
        }
    }
}

/// How long rows are kept; the operator sets the time of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetentionClass {
    /// Records of requests.
    Operational,
}

/// The columns every table has beside its own.
pub static COMMON: &[Column] = &[
    plain("TimeGenerated", Kind::DateTime),
    plain("Type", Kind::String),
    plain("TenantId", Kind::String),
    plain("SourceSystem", Kind::String),
    plain("_ResourceId", Kind::String),
    plain("_SubscriptionId", Kind::String),
    plain("_BilledSize", Kind::Real),
    plain("_IsBillable", Kind::String),
];

/// Every table.
pub static TABLES: &[&LogTable] = &[
    &auth::TABLE,
    &chat::TABLE,
    &email::SEND,
    &email::STATUS,
    &email::ENGAGEMENT,
    &sms::TABLE,
    &sms::OPT_OUTS,
];

/// The table of this name. Names are case-sensitive, as in KQL.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static LogTable> {
    TABLES.iter().copied().find(|table| table.name == name)
}

impl LogTable {
    /// All its columns: first [`COMMON`], then its own.
    pub fn all_columns(&self) -> impl Iterator<Item = &'static Column> {
        COMMON.iter().chain(self.columns)
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.all_columns().find(|column| column.name == name)
    }
}

const fn plain(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, personal: false }
}

const fn personal(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, personal: true }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Names and types as the Azure Monitor reference lists them.
    fn documented(table: &LogTable) -> String {
        let mut columns: Vec<_> =
            table.columns.iter().map(|c| format!("{} {}", c.name, c.kind.name())).collect();
        columns.sort();
        columns.join(", ")
    }

    #[test]
    fn the_chat_table_has_the_documented_columns() {
        let table = by_name("ACSChatIncomingOperations").unwrap();
        assert_eq!(table.category, "ChatOperational");
        assert_eq!(
            documented(table),
            "CallerIpAddress string, Category string, ChatMessageId long, ChatThreadId string, CorrelationId string, \
             DurationMs int, Level string, OperationName string, OperationVersion string, PlatformType string, \
             ResultDescription string, ResultSignature string, ResultType string, SdkType string, URI string, \
             UserId string"
        );
    }

    #[test]
    fn the_mail_tables_have_the_documented_columns() {
        let table = by_name("ACSEmailSendMailOperational").unwrap();
        assert_eq!(
            documented(table),
            "AttachmentsCount int, BccRecipientsCount int, Category string, CcRecipientsCount int, \
             CorrelationId string, Location string, OperationName string, OperationVersion string, Size real, \
             ToRecipientsCount int, TrafficSource string, UniqueRecipientsCount int"
        );
        let table = by_name("ACSEmailStatusUpdateOperational").unwrap();
        assert_eq!(
            documented(table),
            "Category string, CorrelationId string, DeliveryStatus string, EnhancedSmtpStatusCode string, \
             FailureMessage string, FailureReason string, IsHardBounce string, Location string, \
             OperationName string, OperationVersion string, RecipientId string, SenderDomain string, \
             SenderUsername string, SmtpStatusCode string"
        );
        let table = by_name("ACSEmailUserEngagementOperational").unwrap();
        assert_eq!(
            documented(table),
            "Category string, CorrelationId string, EngagementContext string, EngagementType string, \
             Location string, OperationName string, OperationVersion string, RecipientId string, UserAgent string"
        );
    }

    #[test]
    fn the_identity_table_has_the_documented_columns() {
        let table = by_name("ACSAuthIncomingOperations").unwrap();
        assert_eq!(table.category, "AuthOperational");
        assert_eq!(
            documented(table),
            "Category string, CorrelationId string, DurationMs int, Identity string, Level string, \
             OperationName string, OperationVersion string, PlatformType string, ResultDescription string, \
             ResultSignature string, ResultType string, Scopes dynamic, SdkType string, URI string"
        );
    }

    #[test]
    fn the_sms_tables_have_the_documented_columns() {
        let table = by_name("ACSSMSIncomingOperations").unwrap();
        assert_eq!(table.category, "SMSOperational");
        assert_eq!(
            documented(table),
            "CallerIpAddress string, Category string, CorrelationId string, Country string, DeliveryAttempts int, \
             DurationMs int, IncomingMessageLength int, Level string, MessageId string, Method string, \
             NumberType string, OperationName string, OperationVersion string, OutgoingMessageLength int, \
             PhoneNumber string, PlatformType string, ResultDescription string, ResultSignature string, \
             ResultType string, SdkType string, URI string"
        );
        assert_eq!(
            documented(by_name("ACSOptOutManagementOperations").unwrap()),
            "CallerIpAddress string, Category string, CorrelationId string, Country string, DurationMs int, \
             Level string, Method string, OperationName string, OperationVersion string, PhoneNumber string, \
             PlatformType string, ResultDescription string, ResultSignature string, ResultType string, \
             SdkType string, URI string"
        );
    }

    #[test]
    fn what_leads_to_a_person_is_marked() {
        let marked = |name: &str| -> Vec<_> {
            by_name(name).unwrap().all_columns().filter(|c| c.personal).map(|c| c.name).collect()
        };
        assert_eq!(marked("ACSAuthIncomingOperations"), ["Identity", "URI"]);
        assert_eq!(marked("ACSChatIncomingOperations"), ["CallerIpAddress", "URI", "UserId"]);
        assert_eq!(marked("ACSSMSIncomingOperations"), ["CallerIpAddress", "PhoneNumber", "URI"]);
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = TABLES.iter().map(|t| t.name).collect();
        let categories: BTreeSet<_> = TABLES.iter().map(|t| t.category).collect();
        assert_eq!((names.len(), categories.len()), (TABLES.len(), TABLES.len()));
        for table in TABLES {
            let columns: BTreeSet<_> = table.all_columns().map(|c| c.name).collect();
            assert_eq!(columns.len(), table.all_columns().count(), "{}", table.name);
        }
    }

    #[test]
    fn columns_are_found_by_name() {
        let table = by_name("ACSChatIncomingOperations").unwrap();
        assert_eq!(table.column("TimeGenerated").map(|c| c.kind), Some(Kind::DateTime));
        assert_eq!(table.column("_BilledSize").map(|c| c.kind), Some(Kind::Real));
        assert_eq!(table.column("UserId").map(|c| c.personal), Some(true));
        assert!(table.column("userid").is_none() && table.column("Content").is_none());
        assert!(by_name("acschatincomingoperations").is_none());
    }
}
