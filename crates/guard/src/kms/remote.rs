//! A key service across the network, as requests and answers of bytes. Whoever has sockets carries them.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::BoxFuture;

/// One request to a key service. Its body may hold a key: it is wiped when dropped, and never printed.
pub struct Ask {
    /// The method, in capitals.
    pub method: &'static str,
    /// Where to: an absolute URL.
    pub url: String,
    /// Its headers, but for those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Zeroizing<Vec<u8>>,
}

/// What a key service answered. Its body may hold a key: it is wiped when dropped, and never printed.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// How long it asks to wait, when it says so.
    pub retry_after: Option<Duration>,
    /// Its body, up to what the carrier reads; one that was cut is no answer.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({}, {} bytes)", self.url, self.body.len())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

/// No answer came: no name, no connection, no trust, no time, or too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable;

/// Carries requests to key services.
pub trait Exchange: Send + Sync + 'static {
    /// Sends one and waits for its answer.
    fn exchange(&self, ask: Ask) -> BoxFuture<'_, Result<Reply, Unreachable>>;
}
