//! The channel against a scripted SMS centre: what it says to each thing a peer can do. Time is paused, so that waits cost
//! nothing and none is a matter of luck.

mod failing;
mod receiving;
mod scripted;
mod sending;

use scripted::{Peer, Place, answer, text};
