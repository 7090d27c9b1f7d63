//! The operator's plane: queue.

use crate::operation::Operation;

pub(super) const ROWS: &[Operation] = &[];
