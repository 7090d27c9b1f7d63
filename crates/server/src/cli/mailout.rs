//! The way out for a cell's mail, from its configuration to a channel, and who is asked what the DNS says of a domain.

use std::sync::Arc;

use base::{Clock, Network, Rng, Secret};
use guard::BoxFuture;
use guard::tls::mail::{mail_unverified, mail_verified};

use super::CliError;
use crate::channel::dns::{MailDns, Resolver};
use crate::channel::mx::{Direct, Tools};
use crate::channel::smtp::{Hop, Login, Router, SmartHost, SmtpChannel, SmtpSettings, Timeouts, Tls};
use crate::channel::webhook::Webhook;
use crate::channel::{Dial, MailChannel};
use crate::config::{CellConfig, MailConfig, MailRoute, MailTls};
use crate::http::State;
use crate::job::delivery::Couriers;
use crate::job::mail::MailCourier;
use crate::net::SocketDial;
use crate::service::delivery::Kind;
use crate::service::email::MailSetup;
use crate::service::email::domain::{DomainLookup, LookupFault};

/// The one destination of all mail that goes through a smart host, whose sessions it shares.
const SMART_HOST: &str = "smart-host";

/// Lets the mail of `cells` leave as they are configured.
pub(super) fn attach(state: &State, cells: &[CellConfig], couriers: Couriers) -> Result<Couriers, CliError> {
    let mut couriers = couriers;
    for cell in cells {
        if let Some(channel) = open(cell, &state.clock, &state.rng)? {
            let courier = Arc::new(MailCourier::new(state, channel));
            couriers = couriers.with(cell.geography.clone(), Kind::Mail, courier);
        }
    }
    Ok(couriers)
}

/// The channel for a cell's mail; `None` when none leaves. Passwords and certificates are fetched here; nothing is connected
/// before the first mail.
fn open(
    cell: &CellConfig,
    clock: &Arc<dyn Clock>,
    rng: &Arc<dyn Rng>,
) -> Result<Option<Arc<dyn MailChannel>>, CliError> {
    let Some(config) = &cell.mail else { return Ok(None) };
    let failed = |why: String| CliError::Mail { geography: cell.geography.as_str().to_owned(), why };
    let verified = || {
        let pem = std::fs::read(&config.ca);
        let pem =
            pem.map_err(|fault| failed(format!("{} cannot be read: {}", config.ca.display(), fault.kind())))?;
        mail_verified(&pem).map_err(|_| failed(format!("{} holds no certificate", config.ca.display())))
    };
    let (router, login, dial): (Arc<dyn Router>, _, _) = match &config.route {
        MailRoute::SmartHost { host, port, tls, login } => {
            let tls = match tls {
                MailTls::Required => Tls::Must(verified()?),
                MailTls::FromStart => Tls::FromStart(verified()?),
                MailTls::Offered => Tls::Offered(mail_unverified()),
                MailTls::Off => Tls::Off,
            };
            let login = match login {
                Some((user, password)) => {
                    Some(Login { user: Secret::new(user.clone()), password: password.fetch()? })
                }
                None => None,
            };
            let hop = Hop { host: host.clone(), port: *port, name: host.clone(), tls };
            // The operator chose the host, so its address may be a private one.
            (Arc::new(SmartHost(hop)), login, SocketDial::new(anywhere()))
        }
        MailRoute::Direct { port } => {
            let dns = Resolver::new(&config.dns)
                .map_err(|_| failed("the system names no name servers".to_owned()))?;
            let dial = SocketDial::new(config.allow.clone());
            let web = Webhook::new(Arc::new(dial.clone()), verified()?, false);
            let tools = Tools {
                dns: Arc::new(dns),
                web: Arc::new(web),
                clock: Arc::clone(clock),
                rng: Arc::clone(rng),
                verified: verified()?,
                port: *port,
            };
            (Arc::new(Direct::new(tools)), None, dial)
        }
    };
    let settings = settings(config, login);
    let dial: Arc<dyn Dial> = Arc::new(dial);
    Ok(Some(Arc::new(SmtpChannel::new(router, dial, settings, Arc::clone(clock)))))
}

fn settings(config: &MailConfig, login: Option<Login>) -> SmtpSettings {
    SmtpSettings {
        hello: config.hostname.clone(),
        login,
        sessions: config.sessions,
        timeouts: Timeouts::default(),
    }
}

fn anywhere() -> Vec<Network> {
    ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect()
}

/// What the configuration of `cells` says of the way of mail: one destination where there is a smart host, our name, and whom
/// to ask about domains.
pub(super) fn set_up(cells: &[CellConfig], setup: &mut MailSetup) {
    let smart: Vec<_> = cells
        .iter()
        .filter(|cell| matches!(cell.mail, Some(MailConfig { route: MailRoute::SmartHost { .. }, .. })))
        .map(|cell| cell.geography.clone())
        .collect();
    setup.route = Arc::new(
        move |geography, domain| {
            if smart.contains(geography) { SMART_HOST.to_owned() } else { domain.to_owned() }
        },
    );
    let mut dns = cells.iter().filter_map(|cell| cell.mail.as_ref()).map(|mail| mail.dns.as_slice());
    match Resolver::new(dns.find(|servers| !servers.is_empty()).unwrap_or_default()) {
        Ok(resolver) => setup.lookup = Arc::new(Texts(resolver)),
        Err(_) => tracing::warn!("the system names no name servers: no domain can be verified"),
    }
}

/// The texts of domains, for those who verify them.
struct Texts(Resolver);

impl DomainLookup for Texts {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFault>> {
        Box::pin(async move { self.0.txt(name).await.map_err(|_| LookupFault) })
    }
}
