//! Job router: known, not built.

use super::family::Family;
use crate::operation::{Access, Area, Operation};

const ROUTER: Family = Family {
    area: Area::JobRouter,
    versions: &["2023-11-01"],
    access: Access::AccessKey,
    read: "router/read",
    write: "router/write",
    delete: "router/delete",
    log_table: Some("ACSJobRouterIncomingOperations"),
};

pub(super) const ROWS: &[Operation] = &[
    ROUTER.patch(
        "router.upsert_distribution_policy",
        "/routing/distributionPolicies/{distributionPolicyId}",
        200,
    ),
    ROUTER.get("router.get_distribution_policy", "/routing/distributionPolicies/{distributionPolicyId}"),
    ROUTER.delete(
        "router.delete_distribution_policy",
        "/routing/distributionPolicies/{distributionPolicyId}",
        204,
    ),
    ROUTER.get("router.list_distribution_policies", "/routing/distributionPolicies"),
    ROUTER.patch(
        "router.upsert_classification_policy",
        "/routing/classificationPolicies/{classificationPolicyId}",
        200,
    ),
    ROUTER
        .get("router.get_classification_policy", "/routing/classificationPolicies/{classificationPolicyId}"),
    ROUTER.delete(
        "router.delete_classification_policy",
        "/routing/classificationPolicies/{classificationPolicyId}",
        204,
    ),
    ROUTER.get("router.list_classification_policies", "/routing/classificationPolicies"),
    ROUTER.patch("router.upsert_exception_policy", "/routing/exceptionPolicies/{exceptionPolicyId}", 200),
    ROUTER.get("router.get_exception_policy", "/routing/exceptionPolicies/{exceptionPolicyId}"),
    ROUTER.delete("router.delete_exception_policy", "/routing/exceptionPolicies/{exceptionPolicyId}", 204),
    ROUTER.get("router.list_exception_policies", "/routing/exceptionPolicies"),
    ROUTER.patch("router.upsert_queue", "/routing/queues/{queueId}", 200),
    ROUTER.get("router.get_queue", "/routing/queues/{queueId}"),
    ROUTER.delete("router.delete_queue", "/routing/queues/{queueId}", 204),
    ROUTER.get("router.list_queues", "/routing/queues"),
    ROUTER.patch("router.upsert_job", "/routing/jobs/{jobId}", 200),
    ROUTER.get("router.get_job", "/routing/jobs/{jobId}"),
    ROUTER.delete("router.delete_job", "/routing/jobs/{jobId}", 204),
    ROUTER.post("router.reclassify_job", "/routing/jobs/{jobId}:reclassify", 200),
    ROUTER.post("router.cancel_job", "/routing/jobs/{jobId}:cancel", 200),
    ROUTER.post("router.complete_job", "/routing/jobs/{jobId}/assignments/{assignmentId}:complete", 200),
    ROUTER.post("router.close_job", "/routing/jobs/{jobId}/assignments/{assignmentId}:close", 200),
    ROUTER.get("router.list_jobs", "/routing/jobs"),
    ROUTER.get("router.get_queue_position", "/routing/jobs/{jobId}/position"),
    ROUTER.post("router.unassign_job", "/routing/jobs/{jobId}/assignments/{assignmentId}:unassign", 200),
    ROUTER.act("router.accept_job_offer", "/routing/workers/{workerId}/offers/{offerId}:accept", 200),
    ROUTER.post("router.decline_job_offer", "/routing/workers/{workerId}/offers/{offerId}:decline", 200),
    ROUTER.get("router.get_queue_statistics", "/routing/queues/{queueId}/statistics"),
    ROUTER.patch("router.upsert_worker", "/routing/workers/{workerId}", 200),
    ROUTER.get("router.get_worker", "/routing/workers/{workerId}"),
    ROUTER.delete("router.delete_worker", "/routing/workers/{workerId}", 204),
    ROUTER.get("router.list_workers", "/routing/workers"),
];
