//! The control plane of Communication Services: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

/// A path below a resource group.
macro_rules! group {
    ($tail:literal) => {
        concat!("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/", $tail)
    };
}

const COMMUNICATION: Family = Family {
    area: Area::Arm,
    versions: &["2025-09-01"],
    access: Access::Directory,
    read: "arm/communication/read",
    write: "arm/communication/write",
    delete: "arm/communication/delete",
    log_table: None,
};

pub(super) const ROWS: &[Operation] = &[
    COMMUNICATION.query("arm.communication_services.check_name_availability", "/subscriptions/{subscriptionId}/providers/Microsoft.Communication/checkNameAvailability", 200),
    COMMUNICATION.post("arm.communication_services.link_notification_hub", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/linkNotificationHub"), 200),
    COMMUNICATION.get("arm.communication_services.list_by_subscription", "/subscriptions/{subscriptionId}/providers/Microsoft.Communication/communicationServices"),
    COMMUNICATION.get("arm.communication_services.list_by_resource_group", group!("Microsoft.Communication/communicationServices")),
    COMMUNICATION.patch("arm.communication_services.update", group!("Microsoft.Communication/communicationServices/{communicationServiceName}"), 200),
    COMMUNICATION.get("arm.communication_services.get", group!("Microsoft.Communication/communicationServices/{communicationServiceName}")),
    COMMUNICATION.put("arm.communication_services.create_or_update", group!("Microsoft.Communication/communicationServices/{communicationServiceName}"), 201),
    COMMUNICATION.delete("arm.communication_services.delete", group!("Microsoft.Communication/communicationServices/{communicationServiceName}"), 202),
    COMMUNICATION.act("arm.communication_services.list_keys", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/listKeys"), 200),
    COMMUNICATION.post("arm.communication_services.regenerate_key", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/regenerateKey"), 200),
    COMMUNICATION.act("arm.email_services.list_verified_exchange_online_domains", "/subscriptions/{subscriptionId}/providers/Microsoft.Communication/listVerifiedExchangeOnlineDomains", 200),
    COMMUNICATION.get("arm.operations.list", "/providers/Microsoft.Communication/operations"),
    COMMUNICATION.get("arm.smtp_usernames.list", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/smtpUsernames")),
    COMMUNICATION.get("arm.smtp_usernames.get", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/smtpUsernames/{smtpUsername}")),
    COMMUNICATION.put("arm.smtp_usernames.create_or_update", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/smtpUsernames/{smtpUsername}"), 201),
    COMMUNICATION.delete("arm.smtp_usernames.delete", group!("Microsoft.Communication/communicationServices/{communicationServiceName}/smtpUsernames/{smtpUsername}"), 200),
];
