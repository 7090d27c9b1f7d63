//! What the browser build of the Azure chat SDK is told as it happens: the frames of its socket and the bodies of its
//! events. Source: `realtime.md` of the specification, recorded from `@azure/communication-signaling` 1.0.0-beta.34.

pub mod cursor;
pub mod event;
pub mod frame;
mod packed;

pub use packed::{Unpacked, pack, unpack};
