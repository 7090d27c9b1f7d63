//! The control plane of mail services and their domains: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

/// A path below a resource group.
macro_rules! group {
    ($tail:literal) => {
        concat!("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/", $tail)
    };
}

const EMAIL: Family = Family {
    area: Area::Arm,
    versions: &["2025-09-01"],
    access: Access::Directory,
    read: "arm/email/read",
    write: "arm/email/write",
    delete: "arm/email/delete",
    log_table: None,
};

pub(super) const ROWS: &[Operation] = &[
    EMAIL.get("arm.domains.get", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}")),
    EMAIL.put("arm.domains.create_or_update", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}"), 201),
    EMAIL.delete("arm.domains.delete", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}"), 202),
    EMAIL.patch("arm.domains.update", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}"), 202),
    EMAIL.get("arm.domains.list_by_email_service_resource", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains")),
    EMAIL.post("arm.domains.initiate_verification", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/initiateVerification"), 202),
    EMAIL.post("arm.domains.cancel_verification", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/cancelVerification"), 202),
    EMAIL.get("arm.email_services.get", group!("Microsoft.Communication/emailServices/{emailServiceName}")),
    EMAIL.put("arm.email_services.create_or_update", group!("Microsoft.Communication/emailServices/{emailServiceName}"), 201),
    EMAIL.delete("arm.email_services.delete", group!("Microsoft.Communication/emailServices/{emailServiceName}"), 202),
    EMAIL.patch("arm.email_services.update", group!("Microsoft.Communication/emailServices/{emailServiceName}"), 202),
    EMAIL.get("arm.email_services.list_by_subscription", "/subscriptions/{subscriptionId}/providers/Microsoft.Communication/emailServices"),
    EMAIL.get("arm.email_services.list_by_resource_group", group!("Microsoft.Communication/emailServices")),
    EMAIL.get("arm.sender_usernames.list_by_domains", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/senderUsernames")),
    EMAIL.get("arm.sender_usernames.get", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/senderUsernames/{senderUsername}")),
    EMAIL.put("arm.sender_usernames.create_or_update", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/senderUsernames/{senderUsername}"), 201),
    EMAIL.delete("arm.sender_usernames.delete", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/senderUsernames/{senderUsername}"), 200),
    EMAIL.get("arm.suppression_list_addresses.list", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}/suppressionListAddresses")),
    EMAIL.get("arm.suppression_list_addresses.get", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}/suppressionListAddresses/{addressId}")),
    EMAIL.put("arm.suppression_list_addresses.create_or_update", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}/suppressionListAddresses/{addressId}"), 201),
    EMAIL.delete("arm.suppression_list_addresses.delete", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}/suppressionListAddresses/{addressId}"), 200),
    EMAIL.get("arm.suppression_lists.list_by_domain", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists")),
    EMAIL.get("arm.suppression_lists.get", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}")),
    EMAIL.put("arm.suppression_lists.create_or_update", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}"), 201),
    EMAIL.delete("arm.suppression_lists.delete", group!("Microsoft.Communication/emailServices/{emailServiceName}/domains/{domainName}/suppressionLists/{suppressionListName}"), 200),
];
