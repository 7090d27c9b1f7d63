//! The operator's plane: sms.

use http::Method;

use super::operator::{act, look};
use crate::operation::{Body, Operation};

pub(super) const ROWS: &[Operation] = &[
    // Numbers of people: looking at them is an act.
    act(
        Method::GET,
        "operator.sms.list_opt_outs",
        "/operator/resources/{resource}/sms/optOuts",
        "operator/sms/read",
        Body::None,
    ),
    act(
        Method::DELETE,
        "operator.sms.delete_opt_out",
        "/operator/resources/{resource}/sms/optOuts/{optOut}",
        "operator/sms/write",
        Body::None,
    ),
    look("operator.sms.counts", "/operator/sms/counts", "operator/sms/read"),
];
