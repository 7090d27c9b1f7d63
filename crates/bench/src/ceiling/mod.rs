//! The ceilings: what this machine could do at best, with the same client and the same concurrency. Both run as child
//! processes of this program, so that neither shares memory, runtime or scheduler state with the client.

pub(crate) mod http;
pub(crate) mod log;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::host::program::{Owned, run};
use crate::host::temp_folder;
use crate::measure::{Stopwatch, proc};
use crate::net::client::Endpoint;

/// How long the endpoint may take to make its certificate and listen.
const START: Duration = Duration::from_secs(20);

/// The bare TLS endpoint, running.
#[derive(Debug)]
pub(crate) struct BareEndpoint {
    child: Owned,
    /// Where it listens.
    pub(crate) endpoint: Endpoint,
    _folder: TempDir,
}

/// What the endpoint writes when it serves.
#[derive(Debug, Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    /// Its address.
    pub(crate) endpoint: String,
    /// The certificate authority to trust, in PEM.
    pub(crate) ca: String,
}

impl BareEndpoint {
    /// Starts it; its ready file goes under `dir`.
    pub(crate) async fn start(dir: &Path) -> Result<Self> {
        let folder = temp_folder(dir)?;
        let ready_file = folder.path().join("ready.json");
        let mut command = this_program()?;
        // Its input is a pipe that closes when this process ends, and so does it.
        command.args(["ceiling-http", "--ready-file"]).arg(&ready_file).stdin(Stdio::piped());
        let mut child = Owned::spawn(&mut command)?;
        let watch = Stopwatch::start();
        let text = loop {
            if let Ok(text) = fs::read(&ready_file) {
                break text;
            }
            if child.ended()?.is_some() || watch.elapsed() > START {
                return Err(Error::Server("the bare endpoint did not start".into()));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let ready: Ready = crate::net::api::read("start the bare endpoint", &text)?;
        let tls = guard::tls::client_config(ready.ca.as_bytes())
            .map_err(|e| Error::Server(format!("the bare endpoint's authority is not usable: {e}")))?;
        Ok(Self { child, endpoint: Endpoint::new(&ready.endpoint, tls)?, _folder: folder })
    }

    /// CPU seconds it has used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        proc::cpu_seconds(self.child.id())
    }
}

/// Runs the log ceiling once in a process of its own.
pub(crate) async fn append_log(dir: &Path, producers: usize, records: u64) -> Result<log::Figures> {
    let mut command = this_program()?;
    command.args([
        "ceiling-log",
        "--producers",
        &producers.to_string(),
        "--records",
        &records.to_string(),
        "--dir",
    ]);
    command.arg(dir);
    let out = tokio::task::spawn_blocking(move || run(&mut command)).await;
    let out = out.map_err(|e| Error::Server(e.to_string()))??;
    crate::net::api::read("run the log ceiling", out.as_bytes())
}

fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().map_err(|e| Error::io("find this program's own file", e))?))
}
