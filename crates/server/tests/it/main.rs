//! The server as a whole, through its real parts.

mod chat_api;
mod chat_calls;
mod chat_limits;
mod chat_model;
mod chat_race;
mod chat_review;
mod chat_spy;
mod chat_world;
mod engines;
