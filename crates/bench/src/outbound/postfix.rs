//! Postfix as the peer that relays: a throwaway instance of the machine's own package, on free ports and a temporary
//! folder, with or without OpenDKIM before it; and Postfix's own sink and source.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::host::postgres::free_port;
use crate::host::program::{Owned, run, terminate};
use crate::host::temp_folder;
use crate::measure::{Stopwatch, proc};
use crate::report;

/// Who takes mail in and keeps none of it.
const NOBODY: &str = "nobody";
/// How long something may take to begin.
const START: Duration = Duration::from_secs(20);
/// How often something is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How much of the sink's counters is read.
const TAIL: u64 = 128;

/// Postfix's `smtp-sink`: takes every mail, keeps none, counts them.
#[derive(Debug)]
pub(crate) struct Sink {
    _child: Owned,
    counters: PathBuf,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
}

impl Sink {
    /// Starts it; its counters go to a file under `folder`.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let counters = folder.join(format!("sink-{port}"));
        let out = File::create(&counters).map_err(|e| Error::io("make the sink's file", e))?;
        let mut command = Command::new("smtp-sink");
        command.args(["-u", NOBODY, "-c", &format!("127.0.0.1:{port}"), "2000"]);
        let child = Owned::spawn(command.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()))?;
        listening(port).await?;
        Ok(Self { _child: child, counters, port })
    }

    /// How many mails it took.
    pub(crate) fn taken(&self) -> Result<u64> {
        let failed = |e| Error::io("read the sink's counters", e);
        let mut file = File::open(&self.counters).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        Ok(counted(&text))
    }

    /// Waits until it took `all`.
    pub(crate) async fn took(&self, all: u64, most: Duration) -> Result<()> {
        let watch = Stopwatch::start();
        while self.taken()? < all {
            if watch.elapsed() > most {
                let text = format!("{} of {all} mails came through in {most:?}", self.taken()?);
                return Err(Error::Server(text));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

/// The last whole `mesg=N` of the counters, which are written one over the other.
fn counted(text: &str) -> u64 {
    let whole = text.rfind(['\r', '\n']).map_or("", |end| &text[..end]);
    let number = whole.rsplit("mesg=").next().filter(|_| whole.contains("mesg="));
    number.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).unwrap_or(0)
}

/// A Postfix that relays everything to a sink.
#[derive(Debug)]
pub(crate) struct Postfix {
    folder: TempDir,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    master: u32,
    signer: Option<Owned>,
}

impl Postfix {
    /// Starts it, and OpenDKIM (RSA, 2048 bits) when `signing`.
    pub(crate) async fn start(dir: &Path, sink: u16, sessions: usize, signing: bool) -> Result<Self> {
        let (folder, port) = (temp_folder(dir)?, free_port()?);
        let root = folder.path();
        for name in ["conf", "data", "queue"] {
            fs::create_dir(root.join(name)).map_err(|e| Error::io("make a folder for Postfix", e))?;
        }
        // Its daemons run as a user of their own and must get through to their files.
        run(Command::new("chmod").arg("755").arg(root))?;
        run(Command::new("chown").arg("postfix").arg(root.join("data")))?;
        let milter = if signing { Some(free_port()?) } else { None };
        let signer = match milter {
            Some(port) => Some(signer(root, port).await?),
            None => None,
        };
        let write = |name: &str, text: String| {
            fs::write(root.join("conf").join(name), text).map_err(|e| Error::io("write Postfix's files", e))
        };
        write("main.cf", main_cf(root, sink, sessions, milter))?;
        write("master.cf", master_cf(port))?;
        run(Command::new("postfix").arg("-c").arg(root.join("conf")).arg("start"))?;
        let mut started = Self { folder, port, master: 0, signer };
        listening(port).await?;
        let pid = fs::read_to_string(started.folder.path().join("queue/pid/master.pid"));
        let pid = pid.map_err(|e| Error::io("read Postfix's pid file", e))?;
        let lacking = Error::Answer { doing: "start Postfix", missing: "a process id in its pid file" };
        started.master = pid.trim().parse().map_err(|_| lacking)?;
        Ok(started)
    }

    /// CPU seconds of all its processes, OpenDKIM's included.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let signer = self.signer.as_ref().map_or(Ok(0.0), |signer| proc::family_cpu_seconds(signer.id()))?;
        Ok(proc::family_cpu_seconds(self.master)? + signer)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stop = run(Command::new("postfix").arg("-c").arg(self.folder.path().join("conf")).arg("stop"));
        if let Err(error) = stop {
            report::note(&format!("Postfix (process {}) was not stopped: {error}", self.master));
        }
        if let Some(signer) = &self.signer {
            let _ = terminate(signer.id());
        }
    }
}

/// Sends `mails` of `bytes` by Postfix's own `smtp-source` over `sessions` at once. Blocks a thread of its own.
pub(crate) async fn source(port: u16, sessions: usize, bytes: usize, mails: u64) -> Result<()> {
    let mut command = Command::new("smtp-source");
    command.args(["-s", &sessions.to_string(), "-l", &bytes.to_string(), "-m", &mails.to_string()]);
    command.args([
        "-f",
        "sender@bench.example",
        "-t",
        "recipient@sink.example",
        &format!("127.0.0.1:{port}"),
    ]);
    let mut child = Owned::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()))?;
    loop {
        match child.ended()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(Error::Server(format!("smtp-source ended badly ({status})"))),
            None => tokio::time::sleep(POLL).await,
        }
    }
}

async fn signer(root: &Path, port: u16) -> Result<Owned> {
    let (key, conf) = (root.join("bench.private"), root.join("opendkim.conf"));
    let mut generate = Command::new("opendkim-genkey");
    run(generate.args(["-b", "2048", "-d", "bench.example", "-s", "bench", "-D"]).arg(root))?;
    let text = format!(
        "Domain bench.example\nSelector bench\nKeyFile {}\nMode s\nSocket inet:{port}@127.0.0.1\nSyslog no\n\
         Canonicalization relaxed/relaxed\nInternalHosts 127.0.0.0/8\nRequireSafeKeys false\n",
        key.display()
    );
    fs::write(&conf, text).map_err(|e| Error::io("write OpenDKIM's file", e))?;
    let mut command = Command::new("opendkim");
    command.arg("-f").arg("-x").arg(&conf).stdin(Stdio::null()).stdout(Stdio::null());
    let child = Owned::spawn(&mut command)?;
    listening(port).await?;
    Ok(child)
}

/// Waits until something listens at a port.
pub(super) async fn listening(port: u16) -> Result<()> {
    let watch = Stopwatch::start();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if watch.elapsed() > START {
            return Err(Error::Timeout("the start of a peer"));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn main_cf(root: &Path, sink: u16, sessions: usize, milter: Option<u16>) -> String {
    let root = root.display();
    let milter = milter.map_or_else(String::new, |port| {
        format!("smtpd_milters = inet:127.0.0.1:{port}\nmilter_default_action = tempfail\n")
    });
    format!(
        "compatibility_level = 3.6\nqueue_directory = {root}/queue\ndata_directory = {root}/data\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
         setgid_group = postdrop\nmyhostname = bench.localhost\nmydestination =\n\
         relayhost = [127.0.0.1]:{sink}\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         mynetworks = 127.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtp_tls_security_level = none\nsmtpd_tls_security_level = none\nmaillog_file = {root}/mail.log\n\
         maillog_file_prefixes = {root}\ndefault_database_type = hash\nalias_maps =\nalias_database =\n\
         smtp_destination_concurrency_limit = {sessions}\ninitial_destination_concurrency = {sessions}\n{milter}"
    )
}

fn master_cf(port: u16) -> String {
    let mut text = format!("127.0.0.1:{port} inet n - n - - smtpd\n");
    for line in [
        "pickup unix n - n 60 1 pickup",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "rewrite unix - - n - - trivial-rewrite",
        "bounce unix - - n - 0 bounce",
        "defer unix - - n - 0 bounce",
        "trace unix - - n - 0 bounce",
        "verify unix - - n - 1 verify",
        "flush unix n - n 1000? 0 flush",
        "proxymap unix - - n - - proxymap",
        "proxywrite unix - - n - 1 proxymap",
        "smtp unix - - n - - smtp",
        "relay unix - - n - - smtp",
        "error unix - - n - - error",
        "retry unix - - n - - error",
        "discard unix - - n - - discard",
        "anvil unix - - n - 1 anvil",
        "scache unix - - n - 1 scache",
        "postlog unix-dgram n - n - 1 postlogd",
    ] {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_counter_counts() {
        assert_eq!(counted("sess=1 quit=1 mesg=9\rsess=2 quit=1 mesg=10\rsess=2 quit=1 mesg=1"), 10);
        assert_eq!(counted("sess=2 quit=1 mesg=10\r"), 10);
        assert_eq!(counted("sess=2 quit=1 mesg=10\n\n"), 10);
        for none in ["", "\r", "sess=1", "mesg=5", "mesg=x\r"] {
            assert_eq!(counted(none), 0, "{none}");
        }
    }

    #[test]
    fn the_files_name_their_ports() {
        let main = main_cf(Path::new("/t"), 25, 16, Some(99));
        assert!(main.contains("relayhost = [127.0.0.1]:25\n") && main.contains("inet:127.0.0.1:99\n"));
        assert!(main.contains("smtp_destination_concurrency_limit = 16\n"));
        assert!(!main_cf(Path::new("/t"), 25, 16, None).contains("milter"));
        assert!(master_cf(2525).starts_with("127.0.0.1:2525 inet n"));
    }
}
