//! Keeps all that the process logs, at every level and from every library, for [`super::TestApp`] to look through.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use tracing::level_filters::LevelFilter;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static START: Once = Once::new();

struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep the log, once in a process.
pub(super) fn start() {
    START.call_once(|| {
        let all = tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(|| Sink);
        // Somebody else's subscriber would hide leaks from us: a test binary must not have one.
        all.try_init().expect("the first subscriber of the process");
    });
}

/// What was logged so far.
pub(super) fn log() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
