//! What nodes of one store say to each other beside what they write: texts that reach whoever attends at that moment and are
//! kept nowhere, and promises to act on them, which hold for a bounded time and by the store's own clock.

use std::fmt;
use std::time::Duration;

use super::{BoxFuture, EngineError};

/// The longest text, in bytes: PostgreSQL takes less than 8,000 (NOTIFY, "Parameters").
pub const MAX_TEXT: usize = 7_900;

/// One time of attending of one node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeName([u8; 16]);

impl NodeName {
    /// The `time`th attendance of the node with these random bytes.
    #[must_use]
    pub fn new(node: [u8; 8], time: u64) -> Self {
        Self::from_bytes((u128::from(u64::from_be_bytes(node)) << 64 | u128::from(time)).to_be_bytes())
    }

    /// As it was taken apart.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Both parts, one after the other.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether both are times of one node.
    #[must_use]
    pub fn is_same_node(&self, other: &Self) -> bool {
        self.0[..8] == other.0[..8]
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base::hex(&self.0))
    }
}

/// Where nodes of one store hear each other. A text must carry ids only: a store may keep what it has not delivered yet
/// on its disk.
pub trait Exchange: Send + Sync {
    /// Hears from now on what is said, as `name`.
    fn attend(&self, name: NodeName) -> BoxFuture<'_, Result<Box<dyn Attendance>, EngineError>>;

    /// Says each of `texts`, of at most [`MAX_TEXT`] bytes, in this order, to all who attend; also to who says it. They are
    /// said when this returns, and heard a little later.
    fn say(&self, texts: Vec<String>) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Whose promises hold, and for how long at most if they are not renewed.
    fn pledged(&self) -> BoxFuture<'_, Result<Vec<(NodeName, Duration)>, EngineError>>;
}

/// Being there to hear.
pub trait Attendance: Send {
    /// The next text. Nothing is lost when it is not waited for. After an error it hears nothing more, and may have missed
    /// some.
    fn next(&mut self) -> BoxFuture<'_, Result<String, EngineError>>;

    /// Promises to act on what is heard for `term` from a moment after this was called. It stands, durable, when this
    /// returns.
    fn pledge(&mut self, term: Duration) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Takes back the promises of all times of this node.
    fn retract(&mut self) -> BoxFuture<'_, Result<(), EngineError>>;
}
