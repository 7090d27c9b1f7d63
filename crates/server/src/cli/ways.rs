//! The ways into a node: where it listens, and for whom.

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Clock, Limits};
use guard::tls::{mutual_server_config, server_config};

use super::CliError;
use crate::config::{Also, Balancer, Config};
use crate::http::App;
use crate::http::operator::OperatorPlane;
use crate::net::{self, Balancers, CertificateFiles, ClientFiles, Door, Entrance, Server, Timeouts, Way};

/// The ways into a node.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub(super) ways: Vec<Way>,
    pub(super) balancers: Balancers,
    /// Whose certificates are asked for at the operator's listener.
    pub(super) clients: Option<ClientFiles>,
    /// Whether the operator has a listener of its own.
    is_apart: bool,
}

impl Ways {
    /// For everybody, at these addresses.
    pub(super) fn public(doors: Vec<Door>) -> Self {
        let ways = doors.into_iter().map(|door| Way::Address(door, Entrance::Public)).collect();
        Self { ways, ..Self::default() }
    }

    /// Listens wherever a configuration says. The first address comes with it: its port may have been found.
    pub(super) fn listen(config: &Config) -> Result<(Self, SocketAddr), CliError> {
        let first = listen(config.listener.address, "[listener] address")?;
        let address = first.address();
        let mut all = Self::public(vec![first]);
        for also in &config.listener.also {
            all.ways.push(match also {
                Also::Address(address) => {
                    Way::Address(listen(*address, "[listener] also")?, Entrance::Public)
                }
                Also::Socket(path) => Way::Machine(
                    net::bind_unix(path).map_err(|fault| CliError::Socket { path: path.clone(), fault })?,
                ),
            });
        }
        all.balancers = balancers(config);
        let operator = config.operator.as_ref();
        if let Some(address) = operator.and_then(|operator| operator.listen) {
            all.ways.push(Way::Address(listen(address, "[operator] listen")?, Entrance::Operator));
            all.is_apart = true;
        }
        if let Some(clients) = operator.and_then(|operator| operator.clients.clone()) {
            all.clients = Some(ClientFiles::open(clients.authorities, clients.revoked)?);
        }
        Ok((all, address))
    }

    /// What serves `app` behind them.
    pub(super) fn server(
        &self,
        app: Arc<App>,
        certificates: &CertificateFiles,
        clock: Arc<dyn Clock>,
        limits: &Limits,
    ) -> Server<App> {
        let store = || Arc::clone(certificates.store());
        let operator_tls =
            self.clients.as_ref().map(|files| mutual_server_config(store(), Arc::clone(files.known())));
        Server::new(app, server_config(store()), clock, limits, Timeouts::from(limits))
            .with(operator_tls, self.balancers.clone())
    }

    /// Where the operator is let in.
    pub(super) fn plane(&self) -> OperatorPlane {
        let clients = self.clients.as_ref().map(|files| files.known().clone());
        OperatorPlane { is_apart: self.is_apart, clients }
    }
}

/// Who begins each connection with a PROXY header.
pub(super) fn balancers(config: &Config) -> Balancers {
    let mut all = Balancers::default();
    for balancer in &config.listener.balancers {
        match balancer {
            Balancer::From(network) => all.networks.push(*network),
            Balancer::AtSockets => all.at_sockets = true,
        }
    }
    all
}

/// Listens at `address`.
pub(super) fn listen(address: SocketAddr, choose: &'static str) -> Result<Door, CliError> {
    net::bind(address).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::AddrInUse => CliError::PortInUse { address, choose },
        _ => CliError::Listen { address, fault },
    })
}
