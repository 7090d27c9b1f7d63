//! The log lake: which log tables there are, and what their columns hold. It never knows sockets or who asks.

pub mod table;

pub use table::{Column, Kind, LogTable, RetentionClass, TABLES};
