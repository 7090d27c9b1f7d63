//! A certificate that an authority issues by itself: the parts of a node that get it and answer for it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use base::{Clock, Limits, Timestamp};
use guard::tls::mail::mail_verified;
use guard::tls::{Authority, CertificateStore, server_config};
use store::Cell;
use tokio::task::JoinSet;

use super::CliError;
use super::ways::listen;
use crate::channel::acme::Acme;
use crate::channel::webhook::Webhook;
use crate::config::AcmeConfig;
use crate::http::challenges::Challenges;
use crate::job::acme::Keeper;
use crate::net::{
    Balancers, CertificateFiles, Door, Drained, Entrance, Server, SocketDial, Stop, Timeouts, Way,
};

/// What is configured, and the port where challenges are answered.
pub(super) struct AcmeSetup {
    config: AcmeConfig,
    door: Door,
    names: Vec<String>,
    port: u16,
    balancers: Balancers,
}

/// Ready to run.
pub(super) struct AcmePart {
    keeper: Keeper,
    server: Server<Challenges>,
    door: Door,
}

/// What is shown until the authority has issued the first: clients do not trust it.
pub(super) fn placeholder(names: &[String], now: Timestamp) -> Result<CertificateFiles, CliError> {
    let made = || {
        let pair =
            Authority::generate("Chancery, before a certificate was issued", now)?.issue(names, &[], now)?;
        CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes())
    };
    made().map(CertificateFiles::held).map_err(CliError::Placeholder)
}

/// The names among hosts, each once and in one order.
pub(super) fn names<'a>(hosts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let is_name = |host: &&String| host.trim_matches(['[', ']']).parse::<IpAddr>().is_err();
    hosts.filter(is_name).map(|host| host.to_ascii_lowercase()).collect::<BTreeSet<_>>().into_iter().collect()
}

impl AcmeSetup {
    /// Listens where challenges are answered. `port` is that of HTTPS.
    pub(super) fn listen(
        config: AcmeConfig,
        names: Vec<String>,
        port: u16,
        balancers: Balancers,
    ) -> Result<Self, CliError> {
        let door = listen(config.http, "[listener.acme] http")?;
        Ok(Self { config, door, names, port, balancers })
    }

    /// Shows the certificate that is kept in `cell`, when there is one.
    pub(super) async fn open(
        self,
        cell: &Cell,
        certificates: &CertificateFiles,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        node: [u8; 16],
    ) -> Result<AcmePart, CliError> {
        let Self { config, door, names, port, balancers } = self;
        let ca = |path: &Path| {
            std::fs::read(path).map_err(|fault| CliError::File { path: path.to_owned(), fault })
        };
        let tls = mail_verified(&ca(&config.ca)?);
        let tls = tls.map_err(|_| CliError::NotAnAuthority { path: config.ca.clone() })?;
        let hooks = Arc::new(Webhook::new(Arc::new(SocketDial::everywhere()), tls, false));
        let shown = Arc::clone(certificates.store());
        let challenges = Arc::new(Challenges::new(cell.clone(), names.clone(), port));
        let server =
            Server::new(challenges, server_config(Arc::clone(&shown)), clock, limits, Timeouts::from(limits))
                .with(None, balancers);
        let issuer = Arc::new(Acme::new(config.directory.clone(), config.contact, hooks));
        let keeper = Keeper { cell: cell.clone(), issuer, directory: config.directory, names, shown, node };
        if let Err(fault) = keeper.take_up().await {
            tracing::warn!(%fault, "the certificate that is kept cannot be read now");
        }
        Ok(AcmePart { keeper, server, door })
    }
}

impl AcmePart {
    /// Answers and asks until a stop.
    pub(super) fn serve(self, stop: &Stop, tasks: &mut JoinSet<Option<Drained>>) {
        let Self { keeper, server, door } = self;
        let (kept, answered) = (stop.clone(), stop.clone());
        tasks.spawn(async move {
            keeper.run(async move { kept.begun().await }).await;
            None
        });
        tasks.spawn(async move {
            server.run(vec![Way::Address(door, Entrance::Plain)], &answered).await;
            None
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_asked_for_names_and_not_for_addresses() {
        let hosts = ["b.example.org", "a.example.org", "10.0.0.5", "[fd00::1]", "A.example.org"];
        let hosts = hosts.map(str::to_owned);
        assert_eq!(names(hosts.iter()), ["a.example.org", "b.example.org"]);
    }
}
