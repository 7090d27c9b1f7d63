//! The operator's plane: the inventory of phone numbers.

use http::Method;

use super::operator::{act, look};
use crate::operation::{Body, Operation};

pub(super) const ROWS: &[Operation] = &[
    look("operator.numbers.list", "/operator/cells/{geography}/numbers", "operator/numbers/read"),
    look("operator.numbers.offers", "/operator/cells/{geography}/numbers/offers", "operator/numbers/read"),
    act(
        Method::POST,
        "operator.numbers.import",
        "/operator/cells/{geography}/numbers:import",
        "operator/numbers/write",
        Body::JSON,
    ),
];
