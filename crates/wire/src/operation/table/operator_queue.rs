//! The operator's plane: what waits to leave the house.

use http::Method;

use super::operator::{act, look};
use crate::operation::{Body, BodyLimit, Operation};

/// A request names a resource and a kind.
const SMALL: Body = Body::Json { max: BodyLimit::Bytes(4 * 1024), required: false, merge_patch: false };

const fn change(name: &'static str, path: &'static str) -> Operation {
    act(Method::POST, name, path, "operator/queue/write", SMALL)
}

pub(super) const ROWS: &[Operation] = &[
    look("operator.queue.list", "/operator/queue", "operator/queue/read"),
    change("operator.queue.pause", "/operator/queue/pause"),
    change("operator.queue.resume", "/operator/queue/resume"),
    change("operator.queue.hurry", "/operator/queue/hurry"),
];
