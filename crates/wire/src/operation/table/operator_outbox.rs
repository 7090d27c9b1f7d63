//! The operator's plane: outbox.

use crate::operation::Operation;

pub(super) const ROWS: &[Operation] = &[];
