//! The operator's plane: the development outbox. Whatever tells what was written, or to whom, is an act.

use http::Method;

use super::operator::{act, look};
use super::product::public;
use crate::operation::{Body, BodyLimit, Operation};

const READ: &str = "operator/outbox/read";
const WRITE: &str = "operator/outbox/write";

const OUTBOX: &str = "/operator/resources/{resource}/outbox";
const ITEM: &str = "/operator/resources/{resource}/outbox/{item}";
const RULES: &str = "/operator/resources/{resource}/outbox/rules";

/// One text.
const SMALL: Body = Body::Json { max: BodyLimit::Bytes(16 * 1024), required: true, merge_patch: false };

pub(super) const ROWS: &[Operation] = &[
    look("outbox.resources", "/operator/resources", READ),
    look("outbox.state", "/operator/resources/{resource}/outbox/state", READ),
    act(Method::GET, "outbox.list", OUTBOX, READ, Body::None),
    act(Method::DELETE, "outbox.clear", OUTBOX, WRITE, Body::None),
    act(Method::GET, "outbox.rules", RULES, READ, Body::None),
    act(Method::PUT, "outbox.set_rules", RULES, WRITE, Body::JSON),
    act(Method::POST, "outbox.receive", "/operator/resources/{resource}/outbox/receive", WRITE, SMALL),
    act(Method::GET, "outbox.read", ITEM, READ, Body::None),
    act(Method::GET, "outbox.raw", "/operator/resources/{resource}/outbox/{item}/raw", READ, Body::None),
    act(Method::DELETE, "outbox.delete", ITEM, WRITE, Body::None),
    // The page tells nothing by itself: it asks its reader for the operator's token.
    public("outbox.page", "/operator/outbox"),
    public("outbox.script", "/operator/outbox/page.js"),
    public("outbox.style", "/operator/outbox/page.css"),
];
