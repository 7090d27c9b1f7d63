//! The operator's plane: sms.

use crate::operation::Operation;

pub(super) const ROWS: &[Operation] = &[];
