//! What can go wrong in a run, told so that whoever started it knows what to do. It is outside the product, so an error
//! may quote what the server answered.

use std::io;

use crate::net::http1::BadResponse;

/// The result of anything here.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The machine refused something.
    #[error("could not {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The machine's answer.
        source: io::Error,
    },
    /// The server's bytes were no answer.
    #[error("not an HTTP/1.1 answer: {0}")]
    Response(#[from] BadResponse),
    /// The server said no.
    #[error("{doing}: expected {expected}, the server answered {status}: {body}")]
    Status {
        /// What was asked for.
        doing: &'static str,
        /// The status hoped for.
        expected: u16,
        /// The status that came.
        status: u16,
        /// The beginning of the answer's body.
        body: String,
    },
    /// The server's answer lacks what it must have.
    #[error("{doing}: the answer lacks {missing}")]
    Answer {
        /// What was asked for.
        doing: &'static str,
        /// What was not there.
        missing: &'static str,
    },
    /// The server could not be started, or did not do as it was told.
    #[error("{0}")]
    Server(String),
    /// A file under `/proc` was not as expected.
    #[error("could not understand /proc/<pid>/{0}")]
    Proc(&'static str),
    /// The machine or the command line does not allow this run.
    #[error("{0}")]
    Usage(String),
    /// Something took longer than it may.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// Another program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: String,
        /// The end of what it wrote.
        output: String,
    },
}

impl Error {
    /// A refusal of the machine.
    pub(crate) const fn io(doing: &'static str, source: io::Error) -> Self {
        Self::Io { doing, source }
    }

    /// Whether the connection broke, as it does when the server is killed.
    pub(crate) const fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Response(BadResponse::Ended))
    }
}
