//! The operator's plane: the keys above content, the keys that sign tokens, receipts of what was deleted, and access keys.

use http::Method;

use super::operator::{act, look};
use crate::operation::{Body, BodyLimit, Operation};

/// A request names a key service, a pace, or one of two keys.
const SMALL: Body = Body::Json { max: BodyLimit::Bytes(4 * 1024), required: false, merge_patch: false };

const fn change(name: &'static str, path: &'static str) -> Operation {
    act(Method::POST, name, path, "operator/keys/write", SMALL)
}

pub(super) const ROWS: &[Operation] = &[
    look("operator.keys.list", "/operator/keys", "operator/keys/read"),
    look("operator.keys.count_cell", "/operator/cells/{geography}/keys/count", "operator/keys/read"),
    look("operator.keys.count_resource", "/operator/resources/{resource}/keys/count", "operator/keys/read"),
    change("operator.keys.hand_over_cell", "/operator/cells/{geography}/keys:handOver"),
    change("operator.keys.hand_over_resource", "/operator/resources/{resource}/keys:handOver"),
    change("operator.keys.rotate_cell", "/operator/cells/{geography}/keys:rotate"),
    change("operator.keys.rotate_resource", "/operator/resources/{resource}/keys:rotate"),
    change("operator.keys.rotate_signing", "/operator/cells/{geography}/signingKeys:rotate"),
    change("operator.keys.rotate_webhook", "/operator/cells/{geography}/webhookKeys:rotate"),
    look("operator.receipts.list", "/operator/resources/{resource}/receipts", "operator/receipts/read"),
    look("operator.receipts.keys", "/operator/cells/{geography}/receiptKeys", "operator/receipts/read"),
    look("operator.access_keys.list", "/operator/resources/{resource}/accessKeys", "operator/keys/read"),
    change("operator.access_keys.regenerate", "/operator/resources/{resource}/accessKeys:regenerate"),
];
