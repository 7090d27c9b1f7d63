//! How the server tells of itself: its log on standard error, and its health. Neither ever holds content, secrets or
//! addresses of people.

pub mod health;
pub mod log;
