//! A PostgreSQL beside the server: one given by the caller, or a throwaway one of the machine's own packages, on a free
//! port and a temporary folder. It speaks to it only through PostgreSQL's own programs.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::engine::psql;
use super::program::run;
use super::temp_folder;
use crate::error::{Error, Result};
use crate::measure::proc;
use crate::report;

/// Where distributions put PostgreSQL's programs, one folder for each version.
const PROGRAMS: &str = "/usr/lib/postgresql";
/// PostgreSQL refuses to run as root; this user comes with the package.
const USER: &str = "postgres";

/// A PostgreSQL server in which databases may be made.
#[derive(Debug)]
pub(crate) struct Postgres {
    conninfo: String,
    psql: PathBuf,
    made: AtomicU32,
    /// Stops it at the end, when it is ours.
    throwaway: Option<Throwaway>,
}

impl Postgres {
    /// Our own.
    pub(super) fn of(throwaway: Throwaway) -> Self {
        let conninfo = format!("host=127.0.0.1 port={} user={USER}", throwaway.port);
        let psql = throwaway.programs.join("psql");
        Self { conninfo, psql, made: AtomicU32::new(0), throwaway: Some(throwaway) }
    }

    /// Somebody else's, in the `name=value` form.
    pub(super) fn at(conninfo: &str) -> Result<Self> {
        if conninfo.contains("://") || !conninfo.contains('=') || conninfo.contains('\'') {
            let text = "--postgres takes `auto` or `host=... port=... user=...`, without quotes";
            return Err(Error::Usage(text.into()));
        }
        let psql = find_programs().map_or_else(|_| "psql".into(), |programs| programs.join("psql"));
        Ok(Self { conninfo: conninfo.to_owned(), psql, made: AtomicU32::new(0), throwaway: None })
    }

    /// How to reach the database `name`; of a parameter given twice the last one counts.
    pub(super) fn conninfo(&self, name: &str) -> String {
        format!("{} dbname={name}", self.conninfo)
    }

    /// Makes an empty database; its name.
    pub(super) fn create_database(&self) -> Result<String> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("chancery_bench_{}_{number}", std::process::id());
        psql(&self.psql, &self.conninfo("postgres"), &[&format!("CREATE DATABASE {name}")])?;
        Ok(name)
    }

    /// Removes a database; one that cannot be removed is left to its owner.
    pub(super) fn drop_database(&self, name: &str) {
        let _ = psql(&self.psql, &self.conninfo("postgres"), &[&format!("DROP DATABASE IF EXISTS {name}")]);
    }

    /// Bytes of a database after a checkpoint, without the write-ahead log, which is recycled.
    pub(super) fn database_bytes(&self, name: &str) -> Result<u64> {
        let size = "SELECT pg_database_size(current_database())";
        let out = psql(&self.psql, &self.conninfo(name), &["CHECKPOINT", size])?;
        out.parse().map_err(|_| Error::Answer { doing: "ask PostgreSQL for its size", missing: "a number" })
    }

    /// CPU seconds of all its processes.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        match &self.throwaway {
            Some(throwaway) => proc::family_cpu_seconds(throwaway.postmaster),
            None => proc::family_cpu_seconds(self.find_postmaster()?),
        }
    }

    fn find_postmaster(&self) -> Result<u32> {
        let text = "PostgreSQL must run on this machine: its CPU time is part of the figures";
        let elsewhere = || Error::Usage(text.into());
        let query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
        let pid = psql(&self.psql, &self.conninfo("postgres"), &[query])?.parse().map_err(|_| elsewhere())?;
        let checkpointer = proc::stat(pid).map_err(|_| elsewhere())?;
        if checkpointer.name == "postgres" { Ok(checkpointer.parent) } else { Err(elsewhere()) }
    }
}

/// A PostgreSQL that is started for this run and stopped after it.
#[derive(Debug)]
pub(crate) struct Throwaway {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    postmaster: u32,
    root: bool,
}

impl Throwaway {
    /// Makes a cluster under `dir` and starts it. Blocks for some seconds.
    pub(super) fn start(dir: &Path) -> Result<Self> {
        let programs = find_programs()?;
        let folder = temp_folder(dir)?;
        let root = run(Command::new("id").arg("-u"))?.trim() == "0";
        if root {
            run(Command::new("chown").arg(USER).arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        let cluster = ["-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C"];
        run(as_postgres(root, &programs.join("initdb")).arg("-D").arg(&data).args(cluster))?;
        let port = free_port()?;
        // From here on dropping it stops whatever has been started.
        let mut started = Self { folder, programs, port, postmaster: 0, root };
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''");
        let mut start = as_postgres(root, &started.programs.join("pg_ctl"));
        start.args(["start", "-w", "-t", "60", "-o", &options, "-D"]).arg(&data);
        // Its log goes to a file: a pipe would stay open as long as the server runs.
        run(start.arg("-l").arg(started.folder.path().join("log")))?;
        let pid_file = data.join("postmaster.pid");
        let text = fs::read_to_string(pid_file).map_err(|e| Error::io("read PostgreSQL's pid file", e))?;
        let lacking = Error::Answer { doing: "start PostgreSQL", missing: "a process id in its pid file" };
        started.postmaster = first_number(&text).ok_or(lacking)?;
        Ok(started)
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        // `pg_ctl` signals the process whose id stands in this very data folder, and waits for its end.
        let data = self.folder.path().join("data");
        let mut stop = as_postgres(self.root, &self.programs.join("pg_ctl"));
        stop.args(["stop", "-w", "-m", "fast", "-D"]).arg(data);
        if let Err(error) = run(&mut stop) {
            report::note(&format!("PostgreSQL (process {}) was not stopped: {error}", self.postmaster));
        }
    }
}

/// A program of PostgreSQL, not as root.
fn as_postgres(root: bool, program: &Path) -> Command {
    let mut command = if root { Command::new("setpriv") } else { Command::new(program) };
    if root {
        let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
        command.args([&user, &group, "--clear-groups", "--"]).arg(program);
    }
    command.current_dir("/");
    command
}

fn find_programs() -> Result<PathBuf> {
    let missing =
        || Error::Usage(format!("no PostgreSQL under {PROGRAMS}: install it (`apt-get install postgresql`)"));
    let versions = fs::read_dir(PROGRAMS).map_err(|_| missing())?.flatten();
    let newest = versions
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse::<u32>().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .max();
    newest.map(|(_, programs)| programs).ok_or_else(missing)
}

pub(crate) fn free_port() -> Result<u16> {
    let failed = |e| Error::io("find a free port", e);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    Ok(listener.local_addr().map_err(failed)?.port())
}

fn first_number(text: &str) -> Option<u32> {
    text.lines().next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_postgresql_is_named_in_pairs() {
        assert!(Postgres::at("postgres://localhost/x").is_err());
        assert!(Postgres::at("localhost").is_err());
        assert!(Postgres::at("host='a b'").is_err());
        let postgres = Postgres::at("host=127.0.0.1 port=5432 user=me").unwrap();
        assert_eq!(postgres.conninfo("x"), "host=127.0.0.1 port=5432 user=me dbname=x");
    }

    #[test]
    fn the_first_line_of_a_pid_file() {
        assert_eq!(first_number("4242\n/var/data\n1\n"), Some(4242));
        assert_eq!(first_number(""), None);
        assert_eq!(first_number("-1\n"), None);
    }

    #[test]
    fn root_hands_over_to_the_user_of_the_package() {
        let command = as_postgres(true, Path::new("/p/initdb"));
        assert_eq!(command.get_program(), "setpriv");
        assert_eq!(command.get_args().last().unwrap(), "/p/initdb");
        assert_eq!(as_postgres(false, Path::new("/p/initdb")).get_program(), "/p/initdb");
    }
}
