//! The closed host, seen from outside: what the running program gave up, and that nothing gets out of it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");

/// A running server; ended when dropped.
struct Running(Child);

impl Running {
    /// Starts it and waits until `ready` is there.
    fn start(arguments: &[&str], ready: &Path) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--ready-file").arg(ready);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !ready.exists() {
            assert_eq!(child.try_wait().unwrap(), None, "ended before it was ready");
            std::thread::yield_now();
        }
        Self(child)
    }

    /// What the kernel says of each of its threads.
    fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim_start_matches(':').trim()
}

fn configuration(folder: &Path, mode: &str) -> std::path::PathBuf {
    let file = folder.join("chancery.toml");
    let at = folder.display();
    let text = format!(
        "[listener]\naddress = \"127.0.0.1:0\"\nself_signed = true\ndata = \"{at}/tls\"\n[[cell]]\n\
         geography = \"europe\"\nengine = {{ kind = \"sqlite\", path = \"{at}/eu/store.sqlite\" }}\n\
         kms = {{ kind = \"local\", path = \"{at}/keys/eu.key\" }}\n[[resource]]\nname = \"alpha\"\n\
         geography = \"europe\"\n[sandbox]\nmode = \"{mode}\"\n"
    );
    fs::write(&file, text).unwrap();
    file
}

/// Every thread of a server that accepts requests has all filters, and can get no privileges.
#[test]
fn the_threads_of_a_running_server_are_closed_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ready) = (folder.path().join("data"), folder.path().join("ready.json"));
    let config = configuration(folder.path(), "required");
    let dev = ["dev", "--port", "0", "--data", data.to_str().unwrap()];
    let serve = ["serve", "--config", config.to_str().unwrap()];
    for arguments in [&dev[..], &serve] {
        let _ = fs::remove_file(&ready);
        let server = Running::start(arguments, &ready);
        let threads = server.threads();
        assert!(threads.len() > 2, "{arguments:?}: only {} threads", threads.len());
        for status in &threads {
            let name = field(status, "Name");
            assert_eq!(field(status, "Seccomp"), "2", "{arguments:?}: {name}");
            assert_eq!(field(status, "Seccomp_filters"), "3", "{arguments:?}: {name}");
            assert_eq!(field(status, "NoNewPrivs"), "1", "{arguments:?}: {name}");
        }
    }
}

#[test]
fn who_switches_it_off_has_it_off() {
    let folder = tempfile::tempdir().unwrap();
    let (data, ready) = (folder.path().join("data"), folder.path().join("ready.json"));
    let data = data.to_str().unwrap();
    let server = Running::start(&["dev", "--port", "0", "--data", data, "--sandbox", "off"], &ready);
    for status in server.threads() {
        assert_eq!(field(&status, "Seccomp_filters"), "0");
    }
}

/// Done-when: every listed attempt is denied, closed as `dev` is and as `serve` is.
#[test]
fn nothing_gets_out() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), "required");
    for arguments in [
        &["sandbox", "probe", "--json"][..],
        &["sandbox", "probe", "--json", "--config", config.to_str().unwrap()],
    ] {
        let output = run(arguments);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let attempts = report["attempts"].as_array().unwrap();
        let out: Vec<_> = attempts.iter().filter(|one| one["denied"] != true).collect();
        assert!(out.is_empty(), "{arguments:?}: {out:#?}\n{:#}", report["closed"]);
        assert_eq!((&report["open"], &report["own"]), (&0.into(), &true.into()));
        assert!(attempts.len() > 30, "only {} attempts", attempts.len());
        assert!(output.status.success(), "{arguments:?}");
        let left = fs::read_dir(tempfile::env::temp_dir()).unwrap();
        let mine = |name: &str| name.starts_with("chancery-probe-");
        let left = left.filter(|entry| mine(&entry.as_ref().unwrap().file_name().to_string_lossy())).count();
        assert_eq!(left, 0, "a probe clears up");
    }
}

#[test]
fn doctor_says_what_this_kernel_can_close() {
    let output = run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    for name in
        ["sandbox: privileges", "sandbox: files", "sandbox: calls", "sandbox: dumps", "sandbox: memory"]
    {
        assert!(checks.iter().any(|check| check["name"] == name), "{name}: {report:#}");
    }
}
