//! The server as a whole, through its real parts.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod chat_api;
mod chat_between;
mod chat_calls;
mod chat_limits;
mod chat_model;
mod chat_race;
mod chat_review;
mod chat_spy;
mod chat_world;
mod coverage;
mod decisions;
mod deliveries;
mod edge;
mod engines;
mod identity;
mod program;
mod rates;
mod secrecy;
mod sms_centre;
mod world;
