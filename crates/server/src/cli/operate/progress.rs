//! A bar for what takes longer than two seconds, on standard error of a terminal alone.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use base::Timestamp;

/// Before this nothing is shown.
const QUIET: Duration = Duration::from_secs(2);
const WIDTH: usize = 30;

/// How far something is.
pub(in super::super) struct Bar {
    what: &'static str,
    begun: Timestamp,
    whole: usize,
    shown: bool,
    terminal: bool,
}

impl Bar {
    /// Nothing of it done yet.
    pub(in super::super) fn new(what: &'static str, begun: Timestamp) -> Self {
        Self { what, begun, whole: 0, shown: false, terminal: io::stderr().is_terminal() }
    }

    /// So much is `left`; the whole is the most that ever was.
    pub(in super::super) fn left(&mut self, left: usize, now: Timestamp) {
        self.whole = self.whole.max(left);
        if self.terminal && now >= self.begun.plus(QUIET) {
            self.shown = true;
            let _ = write!(io::stderr(), "\r{}", line(self.what, self.whole, left));
        }
    }

    /// Takes the bar away.
    pub(in super::super) fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

fn line(what: &str, whole: usize, left: usize) -> String {
    let done = whole - left;
    let full = (done * WIDTH).checked_div(whole).unwrap_or(WIDTH);
    format!("{what} [{}{}] {done} of {whole} ", "#".repeat(full), "-".repeat(WIDTH - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills() {
        assert_eq!(line("x", 0, 0), format!("x [{}] 0 of 0 ", "#".repeat(WIDTH)));
        assert_eq!(line("x", 10, 5), format!("x [{}{}] 5 of 10 ", "#".repeat(15), "-".repeat(15)));
        assert_eq!(line("x", 3, 3), format!("x [{}] 0 of 3 ", "-".repeat(WIDTH)));
    }

    #[test]
    fn the_whole_is_the_most_there_was() {
        let mut bar = Bar { terminal: false, ..Bar::new("x", Timestamp::EPOCH) };
        [3, 9, 4].iter().for_each(|left| bar.left(*left, Timestamp::EPOCH));
        assert_eq!((bar.whole, bar.shown), (9, false));
    }
}
