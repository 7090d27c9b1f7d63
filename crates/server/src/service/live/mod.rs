//! Who listens hears at once. After a commit the chat says which thread changed; what happened is then read from the log
//! itself, with who may hear of it at that very moment, and put into the mailbox of each listener. A listener that does not
//! take what is there loses it and is told so: it slows neither the sender nor anyone else.

mod allowance;
mod contact;
mod judge;
mod mailbox;
mod nodes;
mod notice;
mod polls;
mod pump;
mod resume;
mod sessions;
mod tell;
mod watch;

pub use allowance::{Allowance, SPARE_FRAMES};
pub use mailbox::{End, Hearing, Letter, MAX_LETTERS, Mark, Occurrence, Taken};
pub use nodes::{ASKED, TERM};
pub use polls::{GONE, MAX_WAITING, Poller, Polls};
pub use resume::{Heard, Resumable, SETTLED};
pub use sessions::{MAX_ENDPOINT_ID, MAX_OPENING, OPENING, Opening, Sessions};
pub use tell::MAX_PASSING;
pub use watch::{Live, MAX_FOLLOWED, MAX_LISTENERS_PER_USER};

use base::{MessageId, Personal, Timestamp, UserId};

use crate::service::chat::view::ReceiptView;

/// What is told in passing and stands in no log.
#[derive(Clone, Debug)]
pub enum Passing {
    /// Somebody types.
    Typing(UserId, Option<Personal<String>>, Timestamp),
    /// Somebody has read up to a message.
    Read(ReceiptView),
    /// Metadata or retention of the thread are new, by this one since then.
    Updated(UserId, Timestamp),
}

/// Those who came into a thread with a message, and hear of it from that message on.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The message.
    pub with: MessageId,
    /// Who.
    pub users: Vec<UserId>,
}
