//! The server under test: started on a data folder, found through its ready file, stopped by SIGTERM or killed. It is a
//! black box: a program with a command line, files and a port.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use guard::signature::AccessKey;
use serde::Deserialize;
use tempfile::TempDir;

use super::engine::Database;
use super::program::{Owned, tail, terminate};
use crate::error::{Error, Result};
use crate::measure::Stopwatch;
use crate::measure::proc::{self, Memory};
use crate::net::api::Resource;
use crate::net::client::Endpoint;

/// How long a server may take to accept requests; a debug build on a busy machine takes seconds.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(60);
/// How often its state is looked at.
const POLL: Duration = Duration::from_millis(5);

/// A server that may be started again and again on the same data.
#[derive(Debug)]
pub(crate) struct Server {
    binary: PathBuf,
    folder: TempDir,
    database: Database,
    extra: Vec<String>,
    starts: u32,
}

/// The ready file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    endpoint: String,
    ca_file: PathBuf,
    pid: u32,
    #[serde(default)]
    admin_token: Option<String>,
    resources: Vec<ReadyResource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadyResource {
    #[serde(default)]
    email_domain: Option<String>,
    #[serde(default)]
    phone_numbers: Vec<String>,
    endpoint: String,
    connection_string: String,
}

impl Server {
    pub(super) const fn new(
        binary: PathBuf,
        folder: TempDir,
        database: Database,
        extra: Vec<String>,
    ) -> Self {
        Self { binary, folder, database, extra, starts: 0 }
    }

    /// Starts it and waits until it accepts requests.
    pub(crate) async fn start(&mut self) -> Result<Running> {
        self.starts += 1;
        let ready_file = self.folder.path().join(format!("ready-{}.json", self.starts));
        let mut arguments = self.database.arguments(self.folder.path(), &self.data())?;
        arguments.extend(["--ready-file".into(), ready_file.display().to_string()]);
        arguments.extend(self.extra.iter().cloned());
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.map_err(|e| Error::io("open the server's log file", e))?;
        let errors = log.try_clone().map_err(|e| Error::io("open the server's log file", e))?;
        let watch = Stopwatch::start();
        let mut command = Command::new(&self.binary);
        command.args(&arguments).stdin(Stdio::null()).stdout(log).stderr(errors);
        let mut child = Owned::spawn(&mut command)?;
        let ready = loop {
            if let Ok(text) = fs::read(&ready_file) {
                break text;
            }
            if let Some(status) = child.ended()? {
                return Err(self.complain(&format!("the server ended before it was ready ({status})")));
            }
            if watch.elapsed() > START {
                return Err(self.complain("the server was not ready within a minute"));
            }
            tokio::time::sleep(POLL).await;
        };
        let started_in = watch.elapsed();
        self.connect(child, &ready, started_in)
    }

    fn connect(&self, child: Owned, ready: &[u8], started_in: Duration) -> Result<Running> {
        let ready: Ready = serde_json::from_slice(ready)
            .map_err(|e| self.complain(&format!("the ready file is not as documented: {e}")))?;
        if ready.pid != child.id() {
            return Err(self.complain("the ready file names another process"));
        }
        let ca = fs::read(&ready.ca_file).map_err(|e| Error::io("read the server's CA file", e))?;
        let tls = guard::tls::client_config(&ca)
            .map_err(|e| self.complain(&format!("the CA file is not usable: {e}")))?;
        let first =
            ready.resources.first().ok_or_else(|| self.complain("the ready file lists no resource"))?;
        let key = connection_key(&first.connection_string)
            .ok_or_else(|| self.complain("the connection string has no usable access key"))?;
        let endpoint = Endpoint::new(&first.endpoint, Arc::clone(&tls))?;
        let default = Endpoint::new(&ready.endpoint, tls)?;
        let resource = Resource { endpoint, key: Arc::new(key) };
        let (email_domain, numbers) = (first.email_domain.clone(), first.phone_numbers.clone());
        let (admin_token, log) = (ready.admin_token, self.log());
        Ok(Running { child, resource, default, admin_token, email_domain, numbers, started_in, log })
    }

    /// Gives it more arguments from its next start on.
    pub(crate) fn argue(&mut self, arguments: impl IntoIterator<Item = String>) {
        self.extra.extend(arguments);
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Bytes on disk, of a server that is not running.
    pub(crate) fn bytes_on_disk(&self) -> Result<u64> {
        self.database.bytes_on_disk(&self.data())
    }

    /// CPU seconds used so far by the database's own processes, if it has any.
    pub(crate) fn database_cpu_seconds(&self) -> Result<f64> {
        self.database.cpu_seconds()
    }

    /// Keeps the folder after the run, for someone to look into; where it is.
    pub(crate) fn keep(&mut self) -> &Path {
        self.folder.disable_cleanup(true);
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn complain(&self, what: &str) -> Error {
        Error::Server(format!("{what}\n{}", last_words(&self.log())))
    }
}

/// The end of the server's log, for an error message.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    format!("--- the end of its log:\n{}", tail(&String::from_utf8_lossy(&text), 20))
}

/// The access key of `endpoint=...;accesskey=...`.
fn connection_key(text: &str) -> Option<AccessKey> {
    let value = text.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("accesskey").then_some(value)
    })?;
    AccessKey::parse(value.trim()).ok()
}

/// A server that accepts requests.
#[derive(Debug)]
pub(crate) struct Running {
    child: Owned,
    /// Its first resource.
    pub(crate) resource: Resource,
    /// Where it answers by its default name.
    pub(crate) default: Endpoint,
    admin_token: Option<String>,
    email_domain: Option<String>,
    numbers: Vec<String>,
    /// From its start to the ready file.
    pub(crate) started_in: Duration,
    log: PathBuf,
}

impl Running {
    /// The operator's token.
    pub(crate) fn admin_token(&self) -> Result<&str> {
        let token = self.admin_token.as_deref();
        token.ok_or_else(|| Error::Server("the ready file holds no operator's token".into()))
    }

    /// The domain that its first resource may send from.
    pub(crate) fn mail_domain(&self) -> Result<String> {
        self.email_domain.clone().ok_or_else(|| Error::Server("the ready file names no mail domain".into()))
    }

    /// A number that its first resource holds.
    pub(crate) fn number(&self) -> Result<String> {
        self.numbers.first().cloned().ok_or_else(|| Error::Server("the ready file names no number".into()))
    }

    /// CPU seconds it has used.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        proc::cpu_seconds(self.child.id())
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        proc::memory(self.child.id())
    }

    /// Fails when it has ended by itself.
    pub(crate) fn must_live(&mut self) -> Result<()> {
        match self.child.ended()? {
            None => Ok(()),
            Some(status) => {
                let log = last_words(&self.log);
                Err(Error::Server(format!("the server ended by itself ({status})\n{log}")))
            }
        }
    }

    /// SIGTERM, and waits for its orderly end; how long that took.
    pub(crate) async fn stop(mut self) -> Result<Duration> {
        self.must_live()?;
        let watch = Stopwatch::start();
        terminate(self.child.id())?;
        loop {
            if let Some(status) = self.child.ended()? {
                if status.success() {
                    return Ok(watch.elapsed());
                }
                let log = last_words(&self.log);
                return Err(Error::Server(format!("the server ended badly after SIGTERM ({status})\n{log}")));
            }
            if watch.elapsed() > STOP {
                return Err(Error::Timeout("the server's end after SIGTERM"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGKILL: it gets no chance to do anything.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.must_live()?;
        self.child.kill()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::api;

    #[test]
    fn keys_from_connection_strings() {
        let key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0";
        for text in [
            format!("endpoint=https://a.localhost:1/;accesskey={key}"),
            format!("AccessKey={key};Endpoint=https://a.localhost:1"),
        ] {
            assert_eq!(connection_key(&text).unwrap().to_base64().expose(), key);
        }
        for bad in ["", "endpoint=https://a", "accesskey=", "accesskey=###"] {
            assert!(connection_key(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_ready_file_may_grow() {
        let text = br#"{"endpoint":"https://localhost:1","caFile":"/x","pid":7,"adminToken":"later",
            "resources":[{"name":"dev","geography":"unitedstates","endpoint":"e","connectionString":"c"}]}"#;
        let ready: Ready = api::read("ready", text).unwrap();
        assert_eq!((ready.pid, ready.admin_token.as_deref()), (7, Some("later")));
        assert_eq!(ready.resources[0].connection_string, "c");
        assert!(api::read::<Ready>("ready", b"{}").is_err());
    }

    fn shell_server(script: &str) -> Server {
        // A script stands for the server: `sh` is given its arguments as the server would be.
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("server.sh");
        fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&binary, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Server::new(binary, folder, Database::Embedded, Vec::new())
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_is_quoted() {
        let error = shell_server("echo the port is taken >&2; exit 4").start().await.unwrap_err().to_string();
        assert!(error.contains("the port is taken") && error.contains("before it was ready"), "{error}");
    }

    #[tokio::test]
    async fn a_ready_file_of_another_process_is_refused() {
        let script = r#"while [ "$1" != --ready-file ]; do shift; done
printf '{"endpoint":"https://localhost:1","caFile":"/x","pid":1,"resources":[]}' > "$2.new"
mv "$2.new" "$2"; exec sleep 100"#;
        let error = shell_server(script).start().await.unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
    }
}
