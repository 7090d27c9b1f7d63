//! The closed host: what the process gives up once it knows what it needs, so that whoever gets into it gets no further.
//! Landlock for files, seccomp for system calls, no new privileges, no dumps, memory that is not swapped. It must never know
//! what the server serves: it is told paths.
//!
//! Order matters. [`close`] comes before any thread is started, because Landlock and the filters hold for the calling thread
//! and those it starts; [`shut_doors`] comes when every listener is open, and reaches all threads.

mod calls;
mod files;
mod memory;
mod names;
pub mod probe;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

pub use calls::{Rule, rules};

/// The paths that the server goes on needing. What does not exist when [`close`] is called stays out of reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files, and folders with all below them, that are read.
    pub read: Vec<PathBuf>,
    /// Folders in which, and below which, files are made, written and removed.
    pub write: Vec<PathBuf>,
    /// Folders in which sockets of this machine are made.
    pub sockets: Vec<PathBuf>,
    /// Folders out of which an empty folder may be removed: the place of a temporary data folder.
    pub remove: Vec<PathBuf>,
}

/// What is done where the machine cannot give a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Do not start.
    Required,
    /// Say so in the log, and start.
    #[default]
    BestEffort,
    /// Ask for nothing.
    Off,
}

impl Mode {
    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Required, Self::BestEffort, Self::Off].into_iter().find(|mode| mode.as_str() == text)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a layer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Holds {
    /// All of it.
    Whole,
    /// Some of it: the kernel is too old for the rest.
    Part,
    /// Nothing.
    None,
}

/// One layer, as it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Its name: `privileges`, `files`, `calls`, `dumps`, `memory`.
    pub name: &'static str,
    /// How far it holds.
    pub holds: Holds,
    /// In words.
    pub found: String,
}

impl Layer {
    fn whole(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, holds: Holds::Whole, found: found.into() }
    }

    fn none(name: &'static str, found: impl fmt::Display) -> Self {
        Self { name, holds: Holds::None, found: found.to_string() }
    }
}

/// All layers, as they came out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Closed(pub Vec<Layer>);

/// A layer is missing that must hold.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the sandbox cannot be had whole: {0}; use a newer kernel (Linux 6.12 has all of it), or write \
     `mode = \"best-effort\"` under [sandbox]"
)]
pub struct Incomplete(String);

impl Closed {
    /// The layers that do not hold whole, besides memory, which depends on a limit and not on the kernel.
    pub fn gaps(&self) -> impl Iterator<Item = &Layer> {
        self.0.iter().filter(|layer| layer.holds != Holds::Whole)
    }

    /// # Errors
    /// [`Incomplete`] when `mode` requires layers that do not hold. Locked memory is asked for and never required.
    pub fn judge(&self, mode: Mode) -> Result<(), Incomplete> {
        let missing: Vec<_> =
            self.gaps().filter(|layer| layer.name != memory::LOCKED).map(|gap| gap.found.as_str()).collect();
        if mode == Mode::Required && !missing.is_empty() {
            return Err(Incomplete(missing.join("; ")));
        }
        Ok(())
    }

    /// Says in the log what holds, loudly what does not.
    pub fn log(&self) {
        for layer in &self.0 {
            if layer.holds == Holds::Whole {
                tracing::info!(layer = layer.name, found = layer.found, "closed");
            } else if layer.name == memory::LOCKED {
                tracing::info!(layer = layer.name, found = layer.found, "open");
            } else {
                tracing::warn!(layer = layer.name, found = layer.found, "open: the host is not closed here");
            }
        }
    }
}

/// Gives up everything but `needs`. Call it once, from the first thread, before any other is started. What was given up
/// does not come back.
#[must_use]
pub fn close(needs: &Needs) -> Closed {
    let dumps = memory::no_dumps();
    let locked = memory::lock();
    let privileges = match rustix::thread::set_no_new_privs(true) {
        Ok(()) => Layer::whole("privileges", "no program can give this process new ones"),
        Err(fault) => Layer::none("privileges", format!("new ones cannot be refused: {fault}")),
    };
    let files = files::close(needs);
    let calls = calls::close();
    Closed(vec![privileges, files, calls, dumps, locked])
}

/// From now on no thread of the process can listen at another address.
#[must_use]
pub fn shut_doors() -> Layer {
    calls::shut_doors()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_written() {
        for mode in [Mode::Required, Mode::BestEffort, Mode::Off] {
            assert_eq!(Mode::parse(&mode.to_string()), Some(mode));
        }
        assert_eq!(Mode::parse("on"), None);
        assert_eq!(Mode::default(), Mode::BestEffort);
    }

    #[test]
    fn only_what_must_hold_keeps_the_server_from_starting() {
        let layer = |name, holds| Layer { name, holds, found: format!("{name} found") };
        let whole = Closed(vec![layer("files", Holds::Whole), layer(memory::LOCKED, Holds::None)]);
        assert_eq!(whole.judge(Mode::Required), Ok(()));
        let part = Closed(vec![layer("files", Holds::Part), layer("calls", Holds::None)]);
        assert_eq!(part.gaps().count(), 2);
        let refused = part.judge(Mode::Required).unwrap_err().to_string();
        assert!(refused.contains("files found; calls found") && refused.contains("best-effort"), "{refused}");
        assert_eq!(part.judge(Mode::BestEffort), Ok(()));
        assert_eq!(part.judge(Mode::Off), Ok(()));
    }
}
