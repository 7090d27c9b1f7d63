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
mod events;
mod identity;
mod mail_api;
mod mail_delivery;
mod mail_domains;
mod mail_world;
mod number_offers;
mod number_reservations;
mod numbers;
mod outbox_api;
mod program;
mod rates;
mod secrecy;
mod sip;
mod sms_centre;
mod sms_events;
mod sms_opt_outs;
mod sms_receipts;
mod sms_send;
mod sms_world;
mod world;
