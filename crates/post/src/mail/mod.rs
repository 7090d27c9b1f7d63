//! Mail as values.

pub mod report;
