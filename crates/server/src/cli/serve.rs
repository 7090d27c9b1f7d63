//! `chancery serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use base::{Clock, SystemClock};
use clap::Args;
use guard::signature::AccessKey;

use super::acme::{self, AcmeSetup, placeholder};
use super::mail::{MailIn, Ports};
use super::node::{Node, Plan};
use super::opening::Placed;
use super::ways::{Ways, balancers};
use super::{CliError, mailout, sandbox, unsealing};
use crate::config::{Certificate, Config, Host, OperatorConfig, ResourceConfig, TextSender};
use crate::dev::authority::{self, Names};
use crate::dev::ready::{Ready, ReadyResource, connection_string};
use crate::host::Mode;
use crate::http::operator::OperatorToken;
use crate::net::CertificateFiles;
use crate::service::email::MailSetup;
use crate::service::sms::senders::Senders;

const EXAMPLES: &str = "Examples:\n  \
    chancery serve\n  \
    chancery serve --config /etc/chancery/chancery.toml --log-format json\n\n\
    SIGTERM or SIGINT finishes what is under way and stops; a second one stops at once. SIGHUP reads the certificate\n\
    again; it is also read when its files change.";

/// Serve what a configuration file says.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Serve {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = super::default_config())]
    config: PathBuf,
    /// Write endpoint, CA file, process id and connection strings to this file as JSON once requests are accepted. It holds
    /// access keys.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, CliError> {
        let config = Config::load(&self.config).map_err(CliError::Config)?;
        let mut needs = config.needs();
        needs.write.extend(self.ready_file.as_deref().map(sandbox::folder_of));
        super::serve_with(config.sandbox.mode, &needs, self.serve(config))
    }

    async fn serve(self, config: Config) -> Result<(), CliError> {
        unsealing::unseal(&config).await?;
        let resources = place(&config)?;
        let (ways, address) = Ways::listen(&config)?;
        let (certificates, ca_file) = certificates(&config, address.port())?;
        let acme = acme(&config, &resources, address.port())?;
        let operator = operator(&config)?;
        let public = config.listener.public_hosts.first().map(|host| host.as_str().to_owned());
        let host = public.unwrap_or_else(|| "localhost".to_owned());
        let mail_in = config.smtp.as_ref().map(MailIn::listen).transpose()?.unwrap_or_default();
        let Config { cells, events, alerts, limits, rates, smtp, sandbox, .. } = config;
        let mut mail = MailSetup::default();
        mailout::set_up(&cells, &mut mail);
        // Where bounces are taken is where they must come to.
        if let Some(smtp) = &smtp {
            smtp.hostname.as_str().clone_into(&mut mail.hostname);
        }
        let ports = Ports::of(&mail_in);
        let plan = Plan {
            ways,
            acme,
            certificates,
            cells,
            resources,
            limits,
            rates,
            operator,
            mail,
            mail_in,
            events,
            alerts,
            capture: false,
        };
        let node = Node::open(plan).await?;
        let ready = ports.told(describe(&node, &host, address.port(), ca_file), &host);
        tracing::info!(%address, resources = ready.resources.len(), "serving");
        node.run(|| self.tell(&ready, sandbox.mode)).await
    }

    fn tell(&self, ready: &Ready, mode: Mode) -> Result<(), CliError> {
        sandbox::shut_doors(mode)?;
        if let Some(path) = &self.ready_file {
            ready.write(path).map_err(|fault| CliError::ReadyFile { path: path.clone(), fault })?;
        }
        tracing::info!("ready");
        Ok(())
    }
}

/// The operator's token, from where the operator keeps it.
pub(super) fn operator(config: &Config) -> Result<Option<OperatorToken>, CliError> {
    let Some(OperatorConfig { token: place, .. }) = &config.operator else { return Ok(None) };
    let token = place.fetch()?;
    let unfit = || CliError::OperatorToken { place: place.clone() };
    OperatorToken::parse(token.expose()).map(Some).ok_or_else(unfit)
}

fn place(config: &Config) -> Result<Vec<Placed>, CliError> {
    let mut placed = Vec::new();
    for (at, resource) in config.resources.iter().enumerate() {
        let cell = config.cells.iter().position(|cell| cell.geography == resource.geography).unwrap_or(0);
        let first_key = match resource.access_keys.first() {
            Some(place) => {
                let key = place.fetch()?;
                Some(Arc::new(AccessKey::parse(key.expose()).map_err(|_| CliError::AccessKey)?))
            }
            None => None,
        };
        let public_hosts = hosts(config, resource, at == 0);
        let name = resource.name.clone();
        let senders =
            Senders::parse(resource.text_senders.iter().map(TextSender::as_str)).unwrap_or_default();
        let network = resource.network.clone();
        let key_service = resource.key_service.clone();
        let minimum_tls = resource.minimum_tls;
        let origins = resource.origins.clone();
        placed.push(Placed {
            id: None,
            name,
            cell,
            first_key,
            key_service,
            public_hosts,
            senders,
            network,
            minimum_tls,
            origins,
        });
    }
    Ok(placed)
}

/// The host names of a resource: below each public host, and for the first one that host itself.
fn hosts(config: &Config, resource: &ResourceConfig, first: bool) -> Vec<String> {
    let mut hosts = Vec::new();
    for public in &config.listener.public_hosts {
        match public.address() {
            Some(IpAddr::V6(address)) if first => hosts.push(format!("[{address}]")),
            Some(address) if first => hosts.push(address.to_string()),
            Some(_) => {}
            None => {
                hosts.push(format!("{}.{}", resource.name, public.as_str()));
                if first {
                    hosts.push(public.as_str().to_owned());
                }
            }
        }
    }
    hosts
}

/// The authority that is to issue a certificate, and what for.
fn acme(config: &Config, resources: &[Placed], port: u16) -> Result<Option<AcmeSetup>, CliError> {
    let Certificate::Acme(acme) = &config.listener.certificate else { return Ok(None) };
    let names = acme::names(resources.iter().flat_map(|placed| &placed.public_hosts));
    AcmeSetup::listen(acme.clone(), names, port, balancers(config)).map(Some)
}

fn certificates(config: &Config, port: u16) -> Result<(CertificateFiles, Option<PathBuf>), CliError> {
    match &config.listener.certificate {
        Certificate::Files { chain, key } => Ok((CertificateFiles::open(chain.clone(), key.clone())?, None)),
        Certificate::Acme(_) => {
            let (dns, _) = names(config);
            Ok((placeholder(&dns, SystemClock.now())?, None))
        }
        Certificate::SelfSigned { data } => {
            let (dns, ips) = names(config);
            let host = config.listener.public_hosts.first().map_or("localhost", Host::as_str);
            let revocations_at = authority::revocations_at(host, port);
            let made_for = Names { dns: &dns, ips: &ips, revocations_at: &revocations_at };
            let files = authority::ensure(data, made_for, SystemClock.now())?;
            let opened = CertificateFiles::open(files.chain, files.key)?;
            Ok((opened.with_revocations(&files.revocations)?, Some(files.ca)))
        }
    }
}

/// The names of a certificate of the server's own.
fn names(config: &Config) -> (Vec<String>, Vec<IpAddr>) {
    let mut dns = vec!["localhost".to_owned(), "*.localhost".to_owned()];
    let mut ips = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let own = config.listener.address.ip();
    if !own.is_unspecified() && !ips.contains(&own) {
        ips.push(own);
    }
    for resource in &config.resources {
        dns.push(format!("{}.localhost", resource.name));
    }
    for host in &config.listener.public_hosts {
        match host.address() {
            Some(address) if ips.contains(&address) => {}
            Some(address) => ips.push(address),
            None => {
                dns.push(host.as_str().to_owned());
                dns.push(format!("*.{}", host.as_str()));
            }
        }
    }
    (dns, ips)
}

fn describe(node: &Node, host: &str, port: u16, ca_file: Option<PathBuf>) -> Ready {
    let at =
        |name: &str| if port == 443 { format!("https://{name}") } else { format!("https://{name}:{port}") };
    let is_address = host.parse::<IpAddr>().is_ok();
    let resources = node.served().iter().map(|one| {
        let endpoint = if is_address { at(host) } else { at(&format!("{}.{host}", one.name)) };
        ReadyResource {
            name: one.name.to_string(),
            geography: one.geography.clone(),
            email_domain: None,
            phone_numbers: Vec::new(),
            connection_string: connection_string(&endpoint, one.primary_key.expose()),
            endpoint,
        }
    });
    let resources = resources.collect();
    Ready { endpoint: at(host), ca_file, pid: std::process::id(), resources, ..Ready::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(hosts: &str) -> Config {
        let text = format!(
            "[listener]\naddress = '10.0.0.5:8443'\nself_signed = true\ndata = '/d'\npublic_hosts = {hosts}\n\
             [[cell]]\ngeography = 'europe'\nengine = {{ kind = 'sqlite', path = '/d/s' }}\n\
             kms = {{ kind = 'local', path = '/d/k' }}\n\
             [[resource]]\nname = 'a'\ngeography = 'europe'\n[[resource]]\nname = 'b'\ngeography = 'europe'\n"
        );
        Config::parse("c.toml", &text).unwrap()
    }

    #[test]
    fn every_resource_has_its_own_name_and_the_first_also_the_bare_ones() {
        let placed = place(&config("['chat.example.org', '10.0.0.5', 'fd00::1']")).unwrap();
        assert_eq!(
            placed[0].public_hosts,
            ["a.chat.example.org", "chat.example.org", "10.0.0.5", "[fd00::1]"]
        );
        assert_eq!(placed[1].public_hosts, ["b.chat.example.org"]);
    }

    #[test]
    fn a_certificate_of_its_own_names_all_of_them() {
        let (dns, ips) = names(&config("['chat.example.org', '10.0.0.6']"));
        for name in ["localhost", "a.localhost", "b.localhost", "chat.example.org", "*.chat.example.org"] {
            assert!(dns.iter().any(|one| one == name), "{name}");
        }
        let ips: Vec<_> = ips.iter().map(ToString::to_string).collect();
        assert_eq!(ips, ["127.0.0.1", "::1", "10.0.0.5", "10.0.0.6"]);
    }
}
