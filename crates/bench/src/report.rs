//! What a person reads: aligned tables, verdicts, progress. The only place that prints.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program's one place of output"
)]

use std::io::{IsTerminal, Write, stderr};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::measure::Stopwatch;

/// A line for whoever waits, beside the result.
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// The result, as text.
pub(crate) fn print(text: &str) {
    println!("{}", text.trim_end());
}

/// The result, as JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|_| Error::Answer { doing: "write the result", missing: "a form in JSON" })?;
    println!("{text}");
    Ok(())
}

/// How a figure stands against what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Not even what is required.
    Fail,
    /// What is required.
    Pass,
    /// What is hoped for.
    Goal,
}

/// A figure, what is required of it and what is hoped for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    /// What it is.
    pub(crate) name: String,
    /// How much it is.
    pub(crate) value: f64,
    /// The worst that passes.
    pub(crate) required: f64,
    /// What is hoped for.
    pub(crate) goal: f64,
    /// How it stands.
    pub(crate) verdict: Verdict,
}

impl Check {
    /// A figure that should be small.
    pub(crate) fn at_most(name: impl Into<String>, value: f64, required: f64, goal: f64) -> Self {
        let verdict = verdict(value <= required, value <= goal);
        Self { name: name.into(), value, required, goal, verdict }
    }

    /// A figure that should be great.
    pub(crate) fn at_least(name: impl Into<String>, value: f64, required: f64, goal: f64) -> Self {
        let verdict = verdict(value >= required, value >= goal);
        Self { name: name.into(), value, required, goal, verdict }
    }
}

const fn verdict(required: bool, goal: bool) -> Verdict {
    match (required, goal) {
        (false, _) => Verdict::Fail,
        (true, false) => Verdict::Pass,
        (true, true) => Verdict::Goal,
    }
}

/// Whether all passed.
pub(crate) fn passed(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.verdict != Verdict::Fail)
}

/// A table of checks.
pub(crate) fn checks(checks: &[Check]) -> String {
    let mut table = Table::new(["", "measured", "required", "goal", "verdict"]);
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Fail => "FAIL",
            Verdict::Pass => "pass",
            Verdict::Goal => "goal",
        };
        let row = [check.value, check.required, check.goal].map(number);
        let [value, required, goal] = row;
        table.row([check.name.clone(), value, required, goal, verdict.to_owned()]);
    }
    table.render()
}

/// Rows in aligned columns: the first to the left, the others to the right.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With the headings.
    pub(crate) fn new(headings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { rows: vec![headings.into_iter().map(Into::into).collect()] }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// As text, one line for each row.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                line.push_str(&if column == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("  {cell:>width$}")
                });
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

/// A number with as many digits as matter, thousands apart: `12,345`, `98.7`, `1.23`, `0.045`.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 999.5 || v.fract() == 0.0 => 0,
        v if v >= 9.995 => 1,
        v if v >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A count with its thousands apart.
#[expect(clippy::cast_precision_loss, reason = "counts of messages stay far below 2^52")]
pub(crate) fn count(value: u64) -> String {
    number(value as f64)
}

/// A share as per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 bytes")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

/// A bar on the terminal, shown when something takes more than two seconds.
#[derive(Debug)]
pub(crate) struct Progress {
    watch: Stopwatch,
    terminal: bool,
    shown: bool,
}

impl Progress {
    /// Begins now; silent when nobody looks.
    pub(crate) fn start() -> Self {
        Self { watch: Stopwatch::start(), terminal: stderr().is_terminal(), shown: false }
    }

    /// `done` of `all`, and a word about it.
    pub(crate) fn show(&mut self, done: usize, all: usize, word: &str) {
        if self.terminal && self.watch.seconds() > 2.0 {
            eprint!("\r\x1b[K{} {done}/{all} {word}", bar(done, all));
            let _ = stderr().flush();
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}

fn bar(done: usize, all: usize) -> String {
    const WIDTH: usize = 24;
    let filled = (WIDTH * done.min(all)).checked_div(all).unwrap_or(0);
    format!("[{}{}]", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        for (value, text) in [
            (0.0, "0"),
            (0.0454, "0.045"),
            (1.234, "1.23"),
            (98.76, "98.8"),
            (600.0, "600"),
            (999.7, "1,000"),
            (12_345.6, "12,346"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!((count(100_000), percent(0.2031)), ("100,000".into(), "20.3 %".into()));
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["", "K=64", "K=1024"]);
        table.row(["messages/s", "1", "22,222"]);
        table.row(["p50", "1,234,567"]);
        assert_eq!(
            table.render(),
            "                 K=64  K=1024\nmessages/s          1  22,222\np50         1,234,567\n"
        );
    }

    #[test]
    fn verdicts() {
        let low = |v| Check::at_most("x", v, 600.0, 450.0).verdict;
        assert_eq!([low(600.1), low(600.0), low(450.0)], [Verdict::Fail, Verdict::Pass, Verdict::Goal]);
        let high = |v| Check::at_least("x", v, 0.20, 0.35).verdict;
        assert_eq!([high(0.19), high(0.20), high(0.36)], [Verdict::Fail, Verdict::Pass, Verdict::Goal]);
        let mixed = [Check::at_most("a", 1.0, 2.0, 0.5), Check::at_most("b", 3.0, 2.0, 1.0)];
        assert!(passed(&mixed[..1]) && !passed(&mixed));
        assert!(checks(&mixed).contains("FAIL"));
        assert_eq!(Check::at_most("a", f64::NAN, 1.0, 1.0).verdict, Verdict::Fail, "no figure is no pass");
    }

    #[test]
    fn bars() {
        assert_eq!(bar(0, 4), format!("[{}]", ".".repeat(24)));
        assert_eq!(bar(2, 4), format!("[{}{}]", "#".repeat(12), ".".repeat(12)));
        assert_eq!(bar(9, 4), format!("[{}]", "#".repeat(24)));
        assert_eq!(bar(0, 0), format!("[{}]", ".".repeat(24)));
    }
}
