//! The server's own log, on standard error. It is for operators and holds no content: our own events name kinds, ids and
//! counts; libraries may only warn; a panic is logged by its place and never by its words, which may quote what a user
//! wrote.

use std::io::{self, IsTerminal};
use std::panic;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Our own crates: what they log is under our rules.
const OURS: [&str; 6] = ["base::", "guard::", "lake::", "policy::", "server::", "store::"];

/// Libraries that name in their warnings what they were asked for: the domains of recipients.
const SILENT: [&str; 3] = ["hickory_net", "hickory_proto", "hickory_resolver"];

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON object per line, for machines.
    Json,
}

/// Which of our own events are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Detail {
    /// Only what failed.
    Error,
    /// Also what should be looked at.
    Warn,
    /// Also what an operator wants to know of a normal day.
    #[default]
    Info,
    /// Also each step.
    Debug,
}

impl From<Detail> for Level {
    fn from(detail: Detail) -> Self {
        match detail {
            Detail::Error => Self::ERROR,
            Detail::Warn => Self::WARN,
            Detail::Info => Self::INFO,
            Detail::Debug => Self::DEBUG,
        }
    }
}

/// Events of our own crates up to `detail`; of all others warnings, whatever the detail: their debug lines may quote
/// statements and headers. Of [`SILENT`] ones nothing.
fn filter(detail: Detail) -> Targets {
    let all = Targets::new().with_default(LevelFilter::WARN);
    all.with_targets(OURS.map(|name| (name, Level::from(detail))))
        .with_targets(SILENT.map(|name| (name, LevelFilter::OFF)))
}

/// Starts logging for the process. Does nothing when logging has begun before.
pub fn start(format: Format, detail: Detail) {
    let registry = tracing_subscriber::registry().with(filter(detail));
    let begun = match format {
        Format::Human => {
            let layer = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
            registry.with(layer.with_target(false)).try_init()
        }
        Format::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(io::stderr);
            registry.with(layer).try_init()
        }
    };
    if begun.is_ok() {
        log_panics();
    }
}

/// From now on a panic is one line that says where, not what.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let at = info.location().map_or((String::new(), 0), |at| (at.file().to_owned(), at.line()));
        tracing::error!(file = %at.0, line = at.1, "a panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_never_log_their_details() {
        for detail in [Detail::Error, Detail::Info, Detail::Debug] {
            let filter = filter(detail);
            for library in ["hyper", "rustls", "tokio_postgres", "h2", "serverless"] {
                assert!(!filter.would_enable(library, &Level::DEBUG), "{library}");
            }
            assert!(filter.would_enable("store::engine", &Level::ERROR));
            assert!(filter.would_enable("hyper::proto", &Level::WARN));
            for silent in ["hickory_net::dnssec", "hickory_proto", "hickory_resolver::name_server"] {
                assert!(!filter.would_enable(silent, &Level::ERROR), "{silent}: it names domains of recipients");
            }
        }
        assert!(filter(Detail::Debug).would_enable("server::net", &Level::DEBUG));
        assert!(!filter(Detail::Warn).would_enable("server::net", &Level::INFO));
    }
}
