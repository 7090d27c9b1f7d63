//! The operator's plane: numbers.

use crate::operation::Operation;

pub(super) const ROWS: &[Operation] = &[];
