//! The server as a whole, through its real parts.

mod chat_model;
mod chat_race;
mod chat_world;
mod engines;
