//! Measuring: the stopwatch, the figures of a sample, and what the kernel tells of a process. It knows nothing of what
//! is being measured.

pub(crate) mod proc;
pub(crate) mod stats;
pub(crate) mod stopwatch;

pub(crate) use stats::{Latencies, Summary, median};
pub(crate) use stopwatch::Stopwatch;
