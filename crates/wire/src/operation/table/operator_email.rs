//! The operator's plane: email.

use crate::operation::Operation;

pub(super) const ROWS: &[Operation] = &[];
