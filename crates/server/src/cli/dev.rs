//! `chancery dev`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use base::{Clock, Geography, Limits, NetworkRules, SystemClock, TlsVersion};
use clap::Args;
use guard::SystemRng;
use guard::signature::AccessKey;
use tempfile::TempDir;

use super::mail::{MailIn, Ports};
use super::node::{Node, Plan};
use super::opening::Placed;
use super::ways::{Ways, listen};
use super::ways_out::{MailTo, TextsTo};
use super::{CliError, sandbox, say, stock};
use crate::config::{CellConfig, EngineConfig, EventsConfig, KmsConfig, RateProfile, ResourceName};
use crate::dev::directory::{self, Known, Wanted};
use crate::dev::lock::FolderLock;
use crate::dev::ready::{Ready, ReadyResource, connection_string};
use crate::dev::samples::Samples;
use crate::dev::{
    authority::{self, Names},
    files, token,
};
use crate::host::{Mode, Needs};
use crate::http::operator::OperatorToken;
use crate::net::{CertificateFiles, Door};
use crate::service::email::MailSetup;
use crate::service::sms::senders::Senders;

const EXAMPLES: &str = "Examples:\n  \
    chancery dev\n  \
    chancery dev --data ./data --port 9443\n  \
    chancery dev --resource contoso --resource fabrikam:europe\n  \
    chancery dev --port 0 --ready-file ready.json     a free port, told in a file once requests are accepted";

/// The resource and the geography of who names none.
const DEFAULT_RESOURCE: &str = "dev";
const DEFAULT_GEOGRAPHY: &str = "unitedstates";
/// The one destination of all mail while it is captured.
const CAPTURED: &str = "outbox";

/// Serve for development, with nothing to configure: makes its own certificate authority, resources and keys.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Dev {
    /// Keep state in this folder. Without it everything is gone when the server stops.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// Write endpoint, CA file, process id and connection strings to this file as JSON once requests are accepted.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// A resource, and where it lives (unitedstates when not said). The first one also answers at localhost. [default: dev]
    #[arg(long = "resource", value_name = "NAME[:GEOGRAPHY]", value_parser = wanted)]
    resources: Vec<Wanted>,
    /// The first access key of every resource, in base64. Without it each gets keys of its own.
    #[arg(long, value_name = "BASE64")]
    access_key: Option<String>,
    /// A number that the first resource holds from the start; may be given several times. Without it each resource holds
    /// a fictitious one that can text.
    #[arg(long = "number", value_name = "NUMBER", value_parser = stock::wished)]
    numbers: Vec<base::Secret<base::PhoneNumber>>,
    /// Apply the rate limits of ACS.
    #[arg(long)]
    acs_rate_limits: bool,
    /// Take mail that programs submit by SMTP at this port, after STARTTLS and a login; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    smtp_port: Option<u16>,
    /// Send mail through this server instead of keeping it in the outbox, such as smtp://127.0.0.1:2525.
    #[arg(long, value_name = "URL")]
    mail: Option<MailTo>,
    /// Send texts through this SMS centre instead of keeping them in the outbox: smpp://SYSTEM_ID:PASSWORD@HOST:PORT.
    #[arg(long, value_name = "URL")]
    sms: Option<TextsTo>,
    /// Take bounces and complaints by SMTP at this port; 0 takes a free one.
    #[arg(long, value_name = "PORT")]
    bounce_port: Option<u16>,
    /// Print the content of the ready file instead of what to paste.
    #[arg(long)]
    json: bool,
    /// How closed the host has to be: what the kernel can do, all of it or no start, nothing.
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    sandbox: Mode,
}

/// The data folder, gone with this value when nobody named it.
enum Folder {
    Kept(PathBuf),
    Fresh(TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Fresh(folder) => folder.path(),
        }
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let (name, geography) = match text.split_once(':') {
        Some((name, geography)) => (name, Some(geography)),
        None => (text, None),
    };
    let name = ResourceName::parse(name).map_err(|fault| fault.to_string())?;
    let geography = geography.map(Geography::from_str).transpose().map_err(|fault| fault.to_string())?;
    Ok(Wanted { name, geography })
}

impl Dev {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let folder = self.folder()?;
        let mut needs = Needs { write: vec![folder.path().to_owned()], ..Needs::default() };
        needs.write.extend(self.ready_file.as_deref().map(sandbox::folder_of));
        if matches!(folder, Folder::Fresh(_)) {
            needs.remove.push(tempfile::env::temp_dir());
        }
        super::serve_with(self.sandbox, &needs, self.serve(folder))
    }

    async fn serve(self, folder: Folder) -> Result<(), CliError> {
        let key = self
            .access_key
            .as_deref()
            .map(AccessKey::parse)
            .transpose()
            .map_err(|_| CliError::AccessKey)?
            .map(Arc::new);
        let data = folder.path();
        let now = SystemClock.now();
        let _lock = FolderLock::take(&data.join("lock"), now)
            .map_err(|fault| CliError::Held { path: data.to_owned(), fault })?;
        let known = self.resources(data)?;
        let (doors, port) = listen_local(self.port, "--port PORT (0 takes a free one)")?;
        let mail_in = self.mail_in()?;
        let ports = Ports::of(&mail_in);
        let dns = names(&known);
        let ips = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let revocations_at = authority::revocations_at("localhost", port);
        let made_for = Names { dns: &dns, ips: &ips, revocations_at: &revocations_at };
        let tls = authority::ensure(data, made_for, now)?;
        let operator = token::ensure(data, &SystemRng)?;
        let (mut cells, resources) = place(data, &known, key.as_ref());
        let limits = Limits::default();
        for cell in &mut cells {
            cell.mail = self.mail.as_ref().map(|to| to.config(limits.mail_sessions));
            cell.carriers = self.sms.as_ref().map(|to| to.config(data)).transpose()?.into_iter().collect();
        }
        let plan = Plan {
            ways: Ways::public(doors),
            acme: None,
            certificates: CertificateFiles::open(tls.chain, tls.key)?.with_revocations(&tls.revocations)?,
            cells,
            resources,
            limits,
            operator: Some(operator.clone()),
            capture: true,
            mail: MailSetup {
                route: Arc::new(|_, _| CAPTURED.to_owned()),
                development_domains: true,
                local_host: Some(format!("localhost:{port}")),
                ..MailSetup::default()
            },
            mail_in,
            events: hooks(&tls.ca),
            alerts: None,
            rates: if self.acs_rate_limits { RateProfile::Acs } else { RateProfile::Off },
        };
        let node = Node::open(plan).await?;
        let wished: Vec<_> = self.numbers.iter().map(|number| number.expose().clone()).collect();
        let numbers = stock::stock(node.state(), &wished).await?;
        let (ready, first) = describe(&node, port, &tls.ca, &operator, numbers);
        let ready = ports.told(ready, "localhost");
        let fresh = matches!(folder, Folder::Fresh(_));
        let unresolved = if self.json { Vec::new() } else { unresolved(&known).await };
        node.run(|| self.tell(&ready, &first, &tls.ca, data, fresh, unresolved)).await
    }

    fn mail_in(&self) -> Result<MailIn, CliError> {
        let listen = |port: Option<u16>, choose| match port {
            Some(port) => listen_local(port, choose).map(|(doors, _)| doors),
            None => Ok(Vec::new()),
        };
        Ok(MailIn {
            host: "localhost".to_owned(),
            reports: listen(self.bounce_port, "--bounce-port PORT (0 takes a free one)")?,
            submission: listen(self.smtp_port, "--smtp-port PORT (0 takes a free one)")?,
        })
    }

    fn folder(&self) -> Result<Folder, CliError> {
        let Some(data) = &self.data else {
            let fresh = tempfile::Builder::new().prefix("chancery-").tempdir();
            return fresh
                .map(Folder::Fresh)
                .map_err(|fault| CliError::Folder { path: "(temporary)".into(), fault });
        };
        let fault = |fault| CliError::Folder { path: data.clone(), fault };
        files::make_folder(data).map_err(fault)?;
        std::path::absolute(data).map(Folder::Kept).map_err(fault)
    }

    fn resources(&self, data: &Path) -> Result<Vec<Known>, CliError> {
        let constant = "a constant that is a name";
        let name = ResourceName::parse(DEFAULT_RESOURCE).expect(constant);
        let geography = DEFAULT_GEOGRAPHY.parse().expect(constant);
        Ok(directory::settle(&data.join("directory.json"), &self.resources, &name, &geography, &SystemRng)?)
    }

    fn tell(
        &self,
        ready: &Ready,
        first: &str,
        ca: &Path,
        data: &Path,
        fresh: bool,
        unresolved: Vec<String>,
    ) -> Result<(), CliError> {
        sandbox::shut_doors(self.sandbox)?;
        ready.write_running(data).map_err(|fault| CliError::Folder { path: data.to_owned(), fault })?;
        if let Some(path) = &self.ready_file {
            ready.write(path).map_err(|fault| CliError::ReadyFile { path: path.clone(), fault })?;
        }
        let text = if self.json {
            ready.to_json()
        } else {
            Samples { ready, connection_string: first, ca, data, fresh, unresolved }.text()
        };
        say(&text).map(|_: ExitCode| ())
    }
}

/// Webhooks in development: also those of this machine, with or without a certificate of its own authority.
fn hooks(ca: &Path) -> EventsConfig {
    let usual = EventsConfig::default();
    let here = ["127.0.0.0/8", "::1"].iter().filter_map(|network| network.parse().ok());
    EventsConfig {
        ca: usual.ca.into_iter().chain([ca.to_owned()]).collect(),
        allow: here.collect(),
        allow_http: true,
    }
}

/// Listens at both loopback addresses, on one port: which of them `localhost` is depends on the machine. One without IPv6
/// does with the other.
fn listen_local(port: u16, choose: &'static str) -> Result<(Vec<Door>, u16), CliError> {
    let four = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), choose)?;
    let found = four.address().port();
    match listen(SocketAddr::from((Ipv6Addr::LOCALHOST, found)), choose) {
        Ok(six) => Ok((vec![four, six], found)),
        Err(fault @ CliError::PortInUse { .. }) if port != 0 => Err(fault),
        Err(_) => Ok((vec![four], found)),
    }
}

/// The names of the certificate. Each resource's own stands beside `*.localhost`, for OpenSSL matches no wildcard directly
/// below a top-level domain.
fn names(known: &[Known]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "*.localhost".to_owned()];
    names.extend(known.iter().map(|one| format!("{}.localhost", one.name)));
    names
}

/// One cell for each geography, and each resource in its cell.
fn place(data: &Path, known: &[Known], key: Option<&Arc<AccessKey>>) -> (Vec<CellConfig>, Vec<Placed>) {
    let mut cells: Vec<CellConfig> = Vec::new();
    let mut placed = Vec::new();
    for one in known {
        let at = cells.iter().position(|cell| cell.geography == one.geography).unwrap_or_else(|| {
            let folder = data.join("cells").join(one.geography.as_str());
            cells.push(CellConfig {
                geography: one.geography.clone(),
                engine: EngineConfig::Sqlite { path: folder.join("store.sqlite") },
                kms: KmsConfig::Local { path: folder.join("root.key"), passphrase: None },
                key_services: Vec::new(),
                carriers: Vec::new(),
                mail: None,
            });
            cells.len() - 1
        });
        placed.push(Placed {
            id: Some(one.id),
            name: one.name.clone(),
            cell: at,
            first_key: key.cloned(),
            key_service: None,
            public_hosts: Vec::new(),
            senders: Senders::for_development(),
            network: NetworkRules::default(),
            minimum_tls: TlsVersion::V1_2,
            origins: base::Origins::Any,
        });
    }
    (cells, placed)
}

/// What to tell, and the connection string of the first resource at `localhost`, which every machine resolves.
fn describe(
    node: &Node,
    port: u16,
    ca: &Path,
    operator: &OperatorToken,
    numbers: Vec<Vec<String>>,
) -> (Ready, String) {
    let endpoint = format!("https://localhost:{port}");
    let first = node.served().first().map_or("", |one| one.primary_key.expose().as_str());
    let first = connection_string(&endpoint, first);
    let resources = node.served().iter().zip(numbers).map(|(one, phone_numbers)| {
        let endpoint = format!("https://{}.localhost:{port}", one.name);
        ReadyResource {
            name: one.name.to_string(),
            geography: one.geography.clone(),
            connection_string: connection_string(&endpoint, one.primary_key.expose()),
            email_domain: Some(format!("{}.chancery.test", one.name)),
            phone_numbers,
            endpoint,
        }
    });
    let resources = resources.collect();
    let admin_token = Some(operator.expose().clone());
    let ca_file = Some(ca.to_owned());
    let pid = std::process::id();
    (Ready { endpoint, ca_file, pid, admin_token, resources, ..Ready::default() }, first)
}

/// Resources whose own host names this machine does not resolve.
async fn unresolved(known: &[Known]) -> Vec<String> {
    let mut names = Vec::new();
    for one in known {
        let host = format!("{}.localhost", one.name);
        let looked =
            tokio::time::timeout(std::time::Duration::from_millis(300), tokio::net::lookup_host((host, 0)))
                .await;
        let found = looked.is_ok_and(|found| found.is_ok_and(|mut all| all.next().is_some()));
        if !found {
            names.push(one.name.to_string());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read_with_and_without_geography() {
        let read = wanted("Contoso:europe").unwrap();
        assert_eq!((read.name.as_str(), read.geography.unwrap().as_str()), ("contoso", "europe"));
        assert_eq!(wanted("dev").unwrap().geography, None);
        for bad in ["", ":europe", "a:", "a:Europe", "a:b:c", "-a", "a.b", "a b", "a:../x"] {
            assert!(wanted(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_geography_is_one_cell() {
        let known = |name: &str, geography: &str| Known {
            name: ResourceName::parse(name).unwrap(),
            id: base::ResourceId::CELL,
            geography: geography.parse().unwrap(),
        };
        let all = [known("a", "europe"), known("b", "india"), known("c", "europe")];
        let (cells, placed) = place(Path::new("/d"), &all, None);
        assert_eq!(cells.len(), 2);
        assert_eq!(placed.iter().map(|one| one.cell).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(cells[1].engine, EngineConfig::Sqlite { path: "/d/cells/india/store.sqlite".into() });
        let path = "/d/cells/india/root.key".into();
        assert_eq!(cells[1].kms, KmsConfig::Local { path, passphrase: None });
        assert_eq!(names(&all[..1]), ["localhost", "*.localhost", "a.localhost"]);
    }
}
