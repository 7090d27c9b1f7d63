//! Closes the host before a server starts, and `chancery sandbox probe`, which tries to get out of it.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::CliError;
use crate::config::Config;
use crate::dev::files;
use crate::host::probe::{self, Attempt, Bait};
use crate::host::{self, Closed, Mode, Needs};

const EXAMPLES: &str = "Examples:\n  \
    chancery sandbox probe                             closed as `chancery dev` is\n  \
    chancery sandbox probe --config chancery.toml      closed as `chancery serve` is, with this configuration\n  \
    chancery sandbox probe --json                      {\"closed\": [..], \"attempts\": [..], \"open\": 0}";

/// What the closed host holds back.
#[derive(Debug, Subcommand)]
pub(super) enum Sandbox {
    /// Give up what a server gives up, then try to break out in every listed way. Ends with 1 when one works.
    Probe(Probe),
}

/// The attempts.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Probe {
    /// Close the host as `chancery serve` does with this configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Makes the folders that are to be written, gives up everything else, and says how far that holds. Call it before any
/// thread is started.
pub(super) fn close(mode: Mode, needs: &Needs) -> Result<(), CliError> {
    if mode == Mode::Off {
        tracing::warn!("the host is open: the sandbox is switched off");
        return Ok(());
    }
    let closed = shut(needs)?;
    closed.log();
    closed.judge(mode).map_err(CliError::Sandbox)
}

/// The last thing before requests are taken.
pub(super) fn shut_doors(mode: Mode) -> Result<(), CliError> {
    if mode == Mode::Off {
        return Ok(());
    }
    let closed = Closed(vec![host::shut_doors()]);
    closed.log();
    closed.judge(mode).map_err(CliError::Sandbox)
}

/// The folder of a file that is replaced whole.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn shut(needs: &Needs) -> Result<Closed, CliError> {
    for folder in &needs.write {
        files::make_folder(folder).map_err(|fault| CliError::Folder { path: folder.clone(), fault })?;
    }
    Ok(host::close(needs))
}

/// What a probe found.
#[derive(Debug, Serialize)]
struct Report {
    closed: Closed,
    attempts: Vec<Attempt>,
    /// How many attempts were not stopped.
    open: usize,
    /// Whether the process still reaches what is its own.
    own: bool,
}

impl Sandbox {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        match self {
            Self::Probe(probe) => probe.run(),
        }
    }
}

impl Probe {
    fn run(self) -> Result<ExitCode, CliError> {
        let mut needs = match &self.config {
            Some(path) => Config::load(path).map_err(CliError::Config)?.needs(),
            None => Needs::default(),
        };
        let [own, outside] = [folder()?, folder()?];
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |fault| CliError::Folder { path, fault }
        };
        std::fs::write(outside.path().join("secret"), "x").map_err(fault(outside.path()))?;
        needs.write.push(own.path().to_owned());
        let bait = Bait::new(own.path(), outside.path());
        let file = own.path().join("own");
        // A thread from before the closing keeps its way to the files: it clears up.
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let clearing = std::thread::spawn(move || {
            let _ = wait.recv();
            drop((own, outside));
        });
        let mut closed = shut(&needs)?;
        closed.0.push(host::shut_doors());
        let attempts = probe::run(&bait);
        let open = attempts.iter().filter(|attempt| !attempt.denied).count();
        let kept = std::fs::write(&file, "x").and_then(|()| std::fs::read(&file)).is_ok();
        let _ = done.send(());
        let _ = clearing.join();
        let report = Report { closed, attempts, open, own: kept };
        super::say(&report.text(self.json, io::stdout().is_terminal()))?;
        Ok(if open == 0 && kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn folder() -> Result<tempfile::TempDir, CliError> {
    let made = tempfile::Builder::new().prefix("chancery-probe-").tempdir();
    made.map_err(|fault| CliError::Folder { path: "(temporary)".into(), fault })
}

impl Report {
    fn text(&self, json: bool, colours: bool) -> String {
        if json {
            return serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        }
        let sign = |good| match (good, colours) {
            (true, true) => "\u{1b}[32m✓\u{1b}[0m",
            (false, true) => "\u{1b}[31m✗\u{1b}[0m",
            (true, false) => "✓",
            (false, false) => "✗",
        };
        let mut text = String::from("What holds:\n");
        for layer in &self.closed.0 {
            let line =
                format!("  {} {:<11} {}\n", sign(layer.holds == host::Holds::Whole), layer.name, layer.found);
            text.push_str(&line);
        }
        text.push_str("\nWhat was tried from inside:\n");
        for one in &self.attempts {
            let what = if one.denied { "stopped" } else { "NOT STOPPED" };
            let answer = &one.answer;
            text.push_str(&format!(
                "  {} {:<45} {what} ({}): {answer}\n",
                sign(one.denied),
                one.tried,
                one.layer
            ));
        }
        if !self.own {
            text.push_str("\nThe process does not reach its own folder any more: that is too much.\n");
        }
        text.push_str(&match self.open {
            0 => format!("\n{} attempts, none got out.\n", self.attempts.len()),
            open => format!("\n{open} of {} attempts got out.\n", self.attempts.len()),
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(denied: bool) -> Attempt {
        Attempt { tried: "become another program", layer: "calls", denied, answer: "no".to_owned() }
    }

    #[test]
    fn the_report_says_what_got_out() {
        let report = |denied| Report {
            closed: Closed::default(),
            attempts: vec![attempt(denied)],
            open: usize::from(!denied),
            own: true,
        };
        let good = report(true).text(false, false);
        assert!(
            good.contains("✓ become another program") && good.ends_with("1 attempts, none got out.\n"),
            "{good}"
        );
        let bad = report(false).text(false, false);
        assert!(bad.contains("✗ become") && bad.contains("NOT STOPPED (calls): no"), "{bad}");
        assert!(bad.ends_with("1 of 1 attempts got out.\n"), "{bad}");
        let json: serde_json::Value = serde_json::from_str(&report(false).text(true, true)).unwrap();
        assert_eq!((&json["open"], &json["attempts"][0]["denied"]), (&1.into(), &false.into()));
        assert!(Report { own: false, ..report(true) }.text(false, true).contains("too much"));
    }

    #[test]
    fn a_file_by_its_name_alone_is_here() {
        assert_eq!(folder_of(Path::new("ready.json")), Path::new("."));
        assert_eq!(folder_of(Path::new("/run/chancery/ready.json")), Path::new("/run/chancery"));
    }
}
