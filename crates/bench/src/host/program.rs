//! Running other programs to their end, signals, and finding or building the server's own file.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::error::{Error, Result};
use crate::report;

/// The server's file name.
const SERVER: &str = "chancery";

/// Runs a program to its end and gives what it printed; an error quotes the end of its complaints.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => return Err(Error::Program { program, output: error.to_string() }),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Program { program, output: tail(&String::from_utf8_lossy(&said), 20) })
}

/// The last `lines` lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Asks a process to end (SIGTERM). The shell's own `kill` needs neither unsafe code nor another program.
pub(crate) fn terminate(pid: u32) -> Result<()> {
    run(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid.to_string()])).map(|_| ())
}

/// A child process that does not outlive its owner.
#[derive(Debug)]
pub(crate) struct Owned(Child);

impl Owned {
    /// Starts a program.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.spawn().map(Self).map_err(|e| Error::Program { program, output: e.to_string() })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.0.try_wait().map_err(|e| Error::io("look after a child process", e))
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.0.kill().map_err(|e| Error::io("kill a child process", e))?;
        self.0.wait().map_err(|e| Error::io("wait for a killed process", e))?;
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.kill();
        }
    }
}

/// The server beside this program, built with the same profile when it is not there.
pub(crate) fn server_binary() -> Result<PathBuf> {
    let me = std::env::current_exe().map_err(|e| Error::io("find this program's own file", e))?;
    let beside = me.with_file_name(SERVER);
    if beside.is_file() {
        return Ok(beside);
    }
    let build = build_arguments(&me);
    let shown = build.join(" ");
    report::note(&format!("{} is not there yet: building it with `cargo {shown}`", beside.display()));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(&build).status().map_err(|e| Error::io("start cargo", e))?;
    if !status.success() || !beside.is_file() {
        return Err(Error::Usage(format!(
            "no server: `cargo {shown}` did not make {}; build it yourself and name it with --server",
            beside.display()
        )));
    }
    Ok(beside)
}

fn build_arguments(me: &Path) -> Vec<&'static str> {
    let release = me.parent().and_then(Path::file_name).is_some_and(|folder| folder == "release");
    let mut build = vec!["build", "-p", "server", "--bin", SERVER];
    if release {
        build.insert(1, "--release");
    }
    build
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_and_complains() {
        assert_eq!(run(Command::new("sh").args(["-c", "echo yes"])).unwrap(), "yes\n");
        let error = run(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh failed: no");
        assert!(matches!(run(&mut Command::new("no-such-program-here")), Err(Error::Program { .. })));
    }

    #[test]
    fn tails() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }

    #[test]
    fn terminate_ends_a_child() {
        let mut child = Command::new("sleep").arg("100").spawn().unwrap();
        terminate(child.id()).unwrap();
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_child_ends_with_its_owner() {
        let mut owned = Owned::spawn(Command::new("sleep").arg("100")).unwrap();
        assert!(owned.ended().unwrap().is_none());
        let entry = PathBuf::from(format!("/proc/{}", owned.id()));
        assert!(entry.exists());
        drop(owned);
        assert!(!entry.exists());
    }

    #[test]
    fn the_server_is_built_as_this_program_was() {
        let release = build_arguments(Path::new("/t/release/bench")).join(" ");
        assert_eq!(release, "build --release -p server --bin chancery");
        assert_eq!(build_arguments(Path::new("/t/debug/bench")).join(" "), "build -p server --bin chancery");
    }
}
