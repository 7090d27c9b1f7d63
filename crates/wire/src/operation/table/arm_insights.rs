//! Diagnostic settings, metrics, alerts and log queries: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

/// A path below a resource group.
macro_rules! group {
    ($tail:literal) => {
        concat!("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/", $tail)
    };
}

const DIAGNOSTICS: Family = Family {
    area: Area::Arm,
    versions: &["2021-05-01-preview"],
    access: Access::Directory,
    read: "arm/diagnostics/read",
    write: "arm/diagnostics/write",
    delete: "arm/diagnostics/delete",
    log_table: None,
};

const METRICS: Family = Family {
    area: Area::Arm,
    versions: &["2024-02-01"],
    access: Access::Directory,
    read: "arm/metrics/read",
    write: "arm/metrics/write",
    delete: "arm/metrics/delete",
    log_table: None,
};

const METRIC_ALERTS: Family = Family {
    area: Area::Arm,
    versions: &["2018-03-01"],
    access: Access::Directory,
    read: "arm/metric_alerts/read",
    write: "arm/metric_alerts/write",
    delete: "arm/metric_alerts/delete",
    log_table: None,
};

const AUTOSCALE: Family = Family {
    area: Area::Arm,
    versions: &["2022-10-01"],
    access: Access::Directory,
    read: "arm/autoscale/read",
    write: "arm/autoscale/write",
    delete: "arm/autoscale/delete",
    log_table: None,
};

const QUERY_RULES: Family = Family {
    area: Area::Arm,
    versions: &["2023-12-01"],
    access: Access::Directory,
    read: "arm/query_rules/read",
    write: "arm/query_rules/write",
    delete: "arm/query_rules/delete",
    log_table: None,
};

const ACTION_GROUPS: Family = Family {
    area: Area::Arm,
    versions: &["2023-01-01"],
    access: Access::Directory,
    read: "arm/action_groups/read",
    write: "arm/action_groups/write",
    delete: "arm/action_groups/delete",
    log_table: None,
};

const LOGS: Family = Family {
    area: Area::LogQuery,
    versions: &[],
    access: Access::Directory,
    read: "logs/read",
    write: "logs/write",
    delete: "logs/delete",
    log_table: None,
};

pub(super) const ROWS: &[Operation] = &[
    DIAGNOSTICS.get("arm.diagnostic_settings_category.get", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettingsCategories/{name}"),
    DIAGNOSTICS.get("arm.diagnostic_settings_category.list", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettingsCategories"),
    DIAGNOSTICS.get("arm.diagnostic_settings.get", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}"),
    DIAGNOSTICS.put("arm.diagnostic_settings.create_or_update", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}", 200),
    DIAGNOSTICS.delete("arm.diagnostic_settings.delete", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}", 200),
    DIAGNOSTICS.get("arm.diagnostic_settings.list", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings"),
    DIAGNOSTICS.get("arm.management_group_diagnostic_settings.get", "/providers/Microsoft.Management/managementGroups/{managementGroupId}/providers/Microsoft.Insights/diagnosticSettings/{name}"),
    DIAGNOSTICS.put("arm.management_group_diagnostic_settings.create_or_update", "/providers/Microsoft.Management/managementGroups/{managementGroupId}/providers/Microsoft.Insights/diagnosticSettings/{name}", 200),
    DIAGNOSTICS.delete("arm.management_group_diagnostic_settings.delete", "/providers/Microsoft.Management/managementGroups/{managementGroupId}/providers/Microsoft.Insights/diagnosticSettings/{name}", 200),
    DIAGNOSTICS.get("arm.management_group_diagnostic_settings.list", "/providers/Microsoft.Management/managementGroups/{managementGroupId}/providers/Microsoft.Insights/diagnosticSettings"),
    DIAGNOSTICS.get("arm.subscription_diagnostic_settings.get", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/diagnosticSettings/{name}"),
    DIAGNOSTICS.put("arm.subscription_diagnostic_settings.create_or_update", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/diagnosticSettings/{name}", 200),
    DIAGNOSTICS.delete("arm.subscription_diagnostic_settings.delete", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/diagnosticSettings/{name}", 200),
    DIAGNOSTICS.get("arm.subscription_diagnostic_settings.list", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/diagnosticSettings"),
    METRICS.get("arm.metric_namespaces.list", "/{resourceUri}/providers/microsoft.insights/metricNamespaces"),
    METRIC_ALERTS.get("arm.metric_alerts_status.list", group!("Microsoft.Insights/metricAlerts/{ruleName}/status")),
    METRIC_ALERTS.get("arm.metric_alerts_status.list_by_name", group!("Microsoft.Insights/metricAlerts/{ruleName}/status/{statusName}")),
    METRIC_ALERTS.get("arm.metric_alerts.list_by_subscription", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/metricAlerts"),
    METRIC_ALERTS.get("arm.metric_alerts.list_by_resource_group", group!("Microsoft.Insights/metricAlerts")),
    METRIC_ALERTS.get("arm.metric_alerts.get", group!("Microsoft.Insights/metricAlerts/{ruleName}")),
    METRIC_ALERTS.put("arm.metric_alerts.create_or_update", group!("Microsoft.Insights/metricAlerts/{ruleName}"), 200),
    METRIC_ALERTS.patch("arm.metric_alerts.update", group!("Microsoft.Insights/metricAlerts/{ruleName}"), 200),
    METRIC_ALERTS.delete("arm.metric_alerts.delete", group!("Microsoft.Insights/metricAlerts/{ruleName}"), 200),
    AUTOSCALE.get("arm.predictive_metric.get", group!("Microsoft.Insights/autoscalesettings/{autoscaleSettingName}/predictiveMetrics")),
    QUERY_RULES.get("arm.scheduled_query_rules.list_by_subscription", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/scheduledQueryRules"),
    QUERY_RULES.get("arm.scheduled_query_rules.list_by_resource_group", group!("Microsoft.Insights/scheduledQueryRules")),
    QUERY_RULES.get("arm.scheduled_query_rules.get", group!("Microsoft.Insights/scheduledQueryRules/{ruleName}")),
    QUERY_RULES.put("arm.scheduled_query_rules.create_or_update", group!("Microsoft.Insights/scheduledQueryRules/{ruleName}"), 201),
    QUERY_RULES.patch("arm.scheduled_query_rules.update", group!("Microsoft.Insights/scheduledQueryRules/{ruleName}"), 200),
    QUERY_RULES.delete("arm.scheduled_query_rules.delete", group!("Microsoft.Insights/scheduledQueryRules/{ruleName}"), 200),
    ACTION_GROUPS.put("arm.action_groups.create_or_update", group!("Microsoft.Insights/actionGroups/{actionGroupName}"), 201),
    ACTION_GROUPS.get("arm.action_groups.get", group!("Microsoft.Insights/actionGroups/{actionGroupName}")),
    ACTION_GROUPS.delete("arm.action_groups.delete", group!("Microsoft.Insights/actionGroups/{actionGroupName}"), 200),
    ACTION_GROUPS.patch("arm.action_groups.update", group!("Microsoft.Insights/actionGroups/{actionGroupName}"), 200),
    ACTION_GROUPS.post("arm.action_groups.create_notifications", group!("Microsoft.Insights/actionGroups/{actionGroupName}/createNotifications"), 202),
    ACTION_GROUPS.get("arm.action_groups.get_notification_status", group!("Microsoft.Insights/actionGroups/{actionGroupName}/notificationStatus/{notificationId}")),
    ACTION_GROUPS.get("arm.action_groups.list_by_subscription_id", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/actionGroups"),
    ACTION_GROUPS.get("arm.action_groups.list_by_resource_group", group!("Microsoft.Insights/actionGroups")),
    ACTION_GROUPS.post("arm.action_groups.enable_receiver", group!("Microsoft.Insights/actionGroups/{actionGroupName}/subscribe"), 200),
    METRICS.get("arm.metrics.list_at_subscription_scope", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/metrics"),
    METRICS.query("arm.metrics.list_at_subscription_scope_post", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/metrics", 200),
    METRICS.get("arm.metrics.list", "/{resourceUri}/providers/Microsoft.Insights/metrics"),
    METRICS.get("arm.metric_definitions.list_at_subscription_scope", "/subscriptions/{subscriptionId}/providers/Microsoft.Insights/metricDefinitions"),
    METRICS.get("arm.metric_definitions.list", "/{resourceUri}/providers/Microsoft.Insights/metricDefinitions"),
    LOGS.query("logs.query_workspace", "/v1/workspaces/{workspaceId}/query", 200),
    LOGS.query("logs.query_resource", "/v1/{resourceId}/query", 200),
    LOGS.query("logs.batch", "/v1/$batch", 200),
];
