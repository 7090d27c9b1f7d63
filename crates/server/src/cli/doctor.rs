//! `chancery doctor`: looks at the machine and, when a configuration is named, at all that it names, and says what to do.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ResourceId, SystemClock, Timestamp};
use clap::Args;
use guard::tls::CertificateStore;
use guard::{KeyContext, ScopeKey, SystemRng};
use serde::Serialize;
use store::Engine;
use store::engine::postgres::{PostgresEngine, PostgresOptions};

use super::sandbox::folder_of;
use super::{CliError, cells, machine, unsealing};
use crate::config::{
    CellConfig, Certificate, Config, DatabaseUrl, EngineConfig, KmsConfig, Listener, SecretRef,
};
use crate::host::{self, Holds, Layer, Needs};
use crate::net;

const EXAMPLES: &str = "Examples:\n  \
    chancery doctor                                  this machine alone\n  \
    chancery doctor --config chancery.toml --json    and all that a configuration names";

/// This program was written after this instant (2026-01-01): a clock that shows less is wrong.
const WRITTEN_AFTER: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// A certificate that ends sooner than this is worth a word.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// Files the process has open besides its connections.
const OTHER_FILES: u64 = 256;
/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Find out whether this machine can run the server, and what to do when it cannot. Ends with 1 when it cannot.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    /// A configuration file whose files, ports and databases are looked at too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON: {"ok": .., "checks": [{"name", "state", "found", "next"}]}.
    #[arg(long)]
    json: bool,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// It works, but should not stay so.
    Warning,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: String,
    state: State,
    found: String,
    /// What to do; empty when there is nothing.
    next: String,
}

fn good(name: impl Into<String>, found: impl Into<String>) -> Finding {
    Finding { name: name.into(), state: State::Good, found: found.into(), next: String::new() }
}

fn bad(name: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding { name: name.into(), state: State::Bad, found: found.into(), next: next.into() }
}

fn warning(name: impl Into<String>, found: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding { state: State::Warning, ..bad(name, found, next) }
}

impl Doctor {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let now = SystemClock.now();
        let mut findings =
            vec![clock(now), cores(), swap(&fs::read_to_string("/proc/swaps").unwrap_or_default())];
        findings.extend(sandbox());
        match self.config.as_deref().map(Config::load) {
            None => {
                findings.push(files(u64::try_from(base::Limits::default().connections).unwrap_or(u64::MAX)));
            }
            Some(Err(problems)) => findings.push(bad(
                "configuration",
                problems.to_string(),
                "mend it; `chancery config check` looks again",
            )),
            Some(Ok(config)) => {
                findings.push(good("configuration", "good"));
                findings.push(files(u64::try_from(config.limits.connections).unwrap_or(u64::MAX)));
                findings.extend(listener(&config.listener, now));
                for cell in &config.cells {
                    findings.extend(look_at(cell).await);
                }
                // What cannot be opened is said of each secret.
                let _ = unsealing::unseal(&config).await;
                findings.extend(config.secrets().into_iter().map(|(what, place)| secret(&what, place)));
            }
        }
        let well = findings.iter().all(|one| one.state != State::Bad);
        super::say(&report(&findings, self.json, io::stdout().is_terminal()))?;
        let _ = io::stdout().flush();
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn report(findings: &[Finding], json: bool, colours: bool) -> String {
    let count = |state| findings.iter().filter(|one| one.state == state).count();
    let (faults, warnings) = (count(State::Bad), count(State::Warning));
    if json {
        let body = serde_json::json!({ "ok": faults == 0, "checks": findings });
        return format!("{body:#}\n");
    }
    let mut text = String::new();
    for one in findings {
        let (sign, colour) = match one.state {
            State::Good => ("✓", 32),
            State::Warning => ("!", 33),
            State::Bad => ("✗", 31),
        };
        let sign = if colours { format!("\u{1b}[{colour}m{sign}\u{1b}[0m") } else { sign.to_owned() };
        text.push_str(&format!("{sign} {}: {}\n", one.name, one.found));
        if !one.next.is_empty() {
            text.push_str(&format!("    -> {}\n", one.next));
        }
    }
    text.push_str(&match (faults, warnings) {
        (0, 0) => "\nThis machine can run the server.\n".to_owned(),
        (0, _) => "\nThis machine can run the server; see the remarks.\n".to_owned(),
        _ => format!("\nThis machine cannot run the server yet: {faults} to mend.\n"),
    });
    text
}

fn clock(now: Timestamp) -> Finding {
    if now < WRITTEN_AFTER {
        let next = "set the clock, best by NTP: signatures, tokens and certificates depend on it";
        return bad("clock", format!("shows {now}, which is past"), next);
    }
    good("clock", now.to_string())
}

/// A core dump puts keys and content on a disk. The server turns them off for itself; a pipe in `core_pattern` gets them
/// all the same.
fn cores() -> Finding {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.starts_with('|') {
        let next = "the server sets its own limit to 0, which most collectors heed; better turn the collector off for it";
        return warning("core dumps", "are handed to a collector", next);
    }
    good("core dumps", "the server turns them off for itself")
}

fn swap(swaps: &str) -> Finding {
    let names: Vec<&str> = swaps.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    if names.is_empty() || names.iter().all(|name| name.contains("zram") || name.contains("dm-")) {
        return good("swap", "none on a plain disk");
    }
    let next = "encrypt it or turn it off: memory with keys and content may be written there";
    warning("swap", format!("on {}", names.join(", ")), next)
}

/// What this machine can close. Tried on a thread of its own, which alone loses its way.
fn sandbox() -> Vec<Finding> {
    let closed = std::thread::spawn(|| host::close(&Needs::default())).join().unwrap_or_default();
    let finding = |layer: Layer| {
        let name = format!("sandbox: {}", layer.name);
        match layer.holds {
            Holds::Whole => good(name, layer.found),
            _ => warning(name, layer.found, "the server runs, and warns of it; Linux 6.12 closes all of it"),
        }
    };
    closed.0.into_iter().map(finding).collect()
}

fn files(connections: u64) -> Finding {
    let wanted = connections.saturating_add(OTHER_FILES);
    match machine::most_files() {
        Some(most) if most < wanted => warning(
            "open files",
            format!("at most {most}, {wanted} are needed for all connections"),
            "raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower [limits] connections",
        ),
        most => good("open files", most.map_or("no limit".to_owned(), |most| format!("at most {most}"))),
    }
}

fn listener(listener: &Listener, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![port(listener.address)];
    match &listener.certificate {
        Certificate::Files { chain, key } => {
            findings.push(certificate(chain, key, now));
            findings.push(private(key, "private key"));
        }
        Certificate::Acme(acme) => {
            findings.push(port(acme.http));
            findings.push(match fs::read(&acme.ca) {
                Ok(_) => good("certificate", format!("asked for at {}", acme.directory)),
                Err(fault) => bad(
                    "certificate",
                    format!("the authorities in {} cannot be read: {}", acme.ca.display(), fault.kind()),
                    "name a PEM file of authorities: [listener.acme] ca",
                ),
            });
        }
        Certificate::SelfSigned { data } => {
            findings.push(folder(data, "folder of the certificate authority"));
        }
    }
    findings
}

fn port(address: SocketAddr) -> Finding {
    let name = format!("port {address}");
    match net::bind(address) {
        Ok(_) => good(name, "free"),
        Err(fault) if fault.kind() == io::ErrorKind::AddrInUse => warning(
            name,
            "in use",
            "well if this server runs already; otherwise stop what uses it or choose another",
        ),
        Err(fault) => {
            bad(name, fault.kind().to_string(), "choose an address of this machine and a port it may use")
        }
    }
}

fn certificate(chain: &Path, key: &Path, now: Timestamp) -> Finding {
    let name = format!("certificate {}", chain.display());
    let (Ok(chain), Ok(key)) = (fs::read(chain), fs::read(key)) else {
        return bad(name, "it or its key cannot be read", "put both there, readable for the server's user");
    };
    match CertificateStore::new(&chain, &key) {
        Err(fault) => {
            bad(name, fault.to_string(), "put a PEM chain and the key of its first certificate there")
        }
        Ok(store) if store.expires_at() <= now => bad(
            name,
            format!("ended {}", store.expires_at()),
            "renew it; the server takes it without a restart",
        ),
        Ok(store) if store.expires_at() <= now.plus(SOON) => warning(
            name,
            format!("ends {}", store.expires_at()),
            "renew it; the server takes it without a restart",
        ),
        Ok(store) => good(name, format!("good until {}", store.expires_at())),
    }
}

/// A secret that is where it is said to be, and for the server alone.
fn secret(what: &str, place: &SecretRef) -> Finding {
    let name = format!("{what} {place}");
    if let Err(fault) = place.fetch() {
        return bad(name, fault.to_string(), "put it there, readable for the server's user");
    }
    match place {
        SecretRef::Env(_) => warning(
            name,
            "in the environment, which whoever may look at the process sees",
            "put it into a file, or hand it over as a credential of systemd",
        ),
        SecretRef::Credential(_) => good(name, "handed over by systemd"),
        SecretRef::Sealed(_) => good(name, "sealed, and opened by its key service"),
        SecretRef::File(path) => match fs::metadata(path) {
            Ok(about) if about.mode() & 0o077 != 0 => {
                warning(name, "others on this machine may read it", format!("chmod 600 {}", path.display()))
            }
            _ => good(name, "readable for its owner alone"),
        },
    }
}

/// A file that its owner alone may read.
fn private(path: &Path, what: &str) -> Finding {
    let name = format!("{what} {}", path.display());
    match fs::metadata(path) {
        Ok(about) if about.mode() & 0o077 != 0 => {
            bad(name, "others may read it", format!("chmod 600 {}", path.display()))
        }
        Ok(_) => good(name, "readable for its owner alone"),
        Err(fault) => bad(name, fault.kind().to_string(), "put it there"),
    }
}

/// A folder that is there and can be written, or can be made.
fn folder(path: &Path, what: &str) -> Finding {
    let name = format!("{what} {}", path.display());
    let mut there = path;
    while !there.exists() {
        match there.parent() {
            Some(above) if !above.as_os_str().is_empty() => there = above,
            _ => break,
        }
    }
    let there = if there.exists() { there } else { Path::new(".") };
    match tempfile::Builder::new().prefix(".chancery-doctor-").tempfile_in(there) {
        Ok(_) if there == path => good(name, "can be written"),
        Ok(_) => good(name, "will be made"),
        Err(fault) => bad(
            name,
            format!("cannot be written: {}", fault.kind()),
            "give the server's user a place to write",
        ),
    }
}

async fn look_at(cell: &CellConfig) -> Vec<Finding> {
    let geography = cell.geography.as_str();
    let mut findings = Vec::new();
    match &cell.engine {
        EngineConfig::Sqlite { path } => {
            findings.push(folder(&folder_of(path), &format!("cell {geography}: folder")));
        }
        EngineConfig::Postgres { url, schema } => {
            findings.push(database(geography, url, schema.as_deref()).await);
        }
    }
    findings.push(key_service(cell, &cell.kms, &format!("cell {geography}: key")).await);
    for service in &cell.key_services {
        let what = format!("cell {geography}: key service {}: key", service.name);
        findings.push(key_service(cell, &service.kms, &what).await);
    }
    findings
}

/// A key file that its owner alone may read, or a key service that wraps a key and opens it again.
async fn key_service(cell: &CellConfig, config: &KmsConfig, what: &str) -> Finding {
    if let KmsConfig::Local { path, .. } = config {
        let what = format!("{what} file");
        return if path.exists() { private(path, &what) } else { folder(&folder_of(path), &what) };
    }
    let name = format!("{what} service");
    let fix = "see that the key service is there, and that the key and what opens it are right";
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let kms = match cells::key_service(cell, config, &clock, &SystemRng).await {
        Ok(kms) => kms,
        Err(fault) => return bad(name, fault.to_string(), fix),
    };
    let context = KeyContext { geography: cell.geography.clone(), resource: ResourceId::CELL, generation: 1 };
    let key = ScopeKey::generate(&SystemRng, 1);
    let again = async { kms.unwrap(&context, &kms.wrap(&context, &key).await?).await };
    match again.await {
        Ok(_) => good(name, format!("{} wraps keys and opens them", kms.name())),
        Err(fault) => bad(name, fault.to_string(), fix),
    }
}

async fn database(geography: &str, url: &DatabaseUrl, schema: Option<&str>) -> Finding {
    let name = format!("cell {geography}: database");
    let url = match url.fetch() {
        Ok(url) => url,
        Err(fault) => return bad(name, fault.to_string(), "put the URL there"),
    };
    let mut options = PostgresOptions::new(url.expose());
    options.schema = schema.map(ToOwned::to_owned);
    let asked = tokio::time::timeout(PATIENCE, async {
        let engine = PostgresEngine::open(&options).await?;
        engine.check().await?;
        engine.close().await
    });
    match asked.await {
        Ok(Ok(())) => good(name, "answers"),
        Ok(Err(fault)) => bad(name, fault.to_string(), "see that it runs, and that the URL is right"),
        Err(_) => bad(name, "does not answer", "see that it runs, and that this machine reaches it"),
    }
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;
