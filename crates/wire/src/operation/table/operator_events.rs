//! The operator's plane: events.

use crate::operation::Operation;

pub(super) const ROWS: &[Operation] = &[];
