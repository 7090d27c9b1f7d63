//! How the mail of the cells leaves the house: from their configuration to channels.

use std::sync::Arc;

use store::Cell;

use super::CliError;
use crate::channel::smtp::{Hop, Login, SmartHost, SmtpChannel, SmtpSettings, Timeouts, Tls};
use crate::channel::{Dial, MailChannel};
use crate::config::{CellConfig, MailConfig, MailRoute, MailTls};
use crate::http::State;
use crate::job::delivery::Couriers;
use crate::job::mail::MailCourier;
use crate::net::SocketDial;
use crate::service::delivery::Kind;

/// Lets the mail of each cell that says how go that way. Passwords and certificates are fetched here; nothing is connected
/// before there is mail. `configs` are those of `cells`, in the same order.
pub(super) fn attach(
    state: &Arc<State>,
    configs: &[CellConfig],
    cells: &[Cell],
    mut couriers: Couriers,
) -> Result<Couriers, CliError> {
    for (config, cell) in configs.iter().zip(cells) {
        let Some(mail) = &config.mail else { continue };
        let of = |why: String| CliError::Mail { geography: cell.geography().as_str().to_owned(), why };
        let channel: Arc<dyn MailChannel> = Arc::new(channel(mail, state).map_err(of)?);
        let courier = MailCourier::new(state, channel);
        couriers = couriers.with(cell.geography().clone(), Kind::Mail, Arc::new(courier));
    }
    Ok(couriers)
}

fn channel(config: &MailConfig, state: &Arc<State>) -> Result<SmtpChannel, String> {
    let clock = Arc::clone(&state.clock);
    let mut settings = SmtpSettings {
        hello: config.hostname.clone(),
        login: None,
        sessions: config.sessions,
        timeouts: Timeouts::default(),
    };
    match &config.route {
        MailRoute::SmartHost { host, port, tls, login } => {
            if let Some((user, place)) = login {
                let password = place.fetch().map_err(|fault| fault.to_string())?;
                settings.login = Some(Login { user: base::Secret::new(user.clone()), password });
            }
            let tls = encryption(*tls, config)?;
            let hop = Hop { host: host.clone(), port: *port, name: host.clone(), tls };
            // An operator named this host: it may be at any address, also a private one.
            let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
            let dial: Arc<dyn Dial> = Arc::new(SocketDial::new(everywhere));
            Ok(SmtpChannel::new(Arc::new(SmartHost(hop)), dial, settings, clock))
        }
        MailRoute::Direct { .. } => Err("mail straight to the destinations is not built yet: name a smart host".to_owned()),
    }
}

fn encryption(tls: MailTls, config: &MailConfig) -> Result<Tls, String> {
    let client = || {
        let pem = std::fs::read(&config.ca);
        let pem = pem.map_err(|fault| format!("{} cannot be read: {}", config.ca.display(), fault.kind()))?;
        let client = guard::tls::client_config(&pem);
        let client = client.map_err(|_| format!("{} holds no certificate", config.ca.display()))?;
        let mut client = (*client).clone();
        // Mail servers speak of no application protocols.
        client.alpn_protocols.clear();
        Ok::<_, String>(Arc::new(client))
    };
    Ok(match tls {
        MailTls::Off => Tls::Off,
        MailTls::Offered => Tls::Offered(client()?),
        MailTls::Required => Tls::Must(client()?),
        MailTls::FromStart => Tls::FromStart(client()?),
    })
}
