//! The carriers of a cell, from its configuration to a channel.

use std::sync::Arc;
use std::time::Duration;

use base::Clock;

use super::CliError;
use crate::channel::TextInbox;
use crate::channel::smpp::{CarrierSettings, Smpp};
use crate::config::{CarrierConfig, CellConfig};

/// The channel to the carriers of a cell; `None` when it has none. Passwords and certificates are fetched here; nothing is
/// connected before [`Smpp::run`]. Carriers are hosts an operator chose, so their addresses may be private ones: the
/// channel is to be run with a way out that allows them.
pub(super) fn open(
    cell: &CellConfig,
    inbox: &Arc<dyn TextInbox>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Smpp>, CliError> {
    if cell.carriers.is_empty() {
        return Ok(None);
    }
    let settings = cell.carriers.iter().map(settings).collect::<Result<_, _>>()?;
    Ok(Some(Smpp::new(settings, inbox, clock)))
}

fn settings(config: &CarrierConfig) -> Result<CarrierSettings, CliError> {
    let failed = |why: String| CliError::Carrier { name: config.name.clone(), why };
    let tls = match &config.tls {
        None => None,
        Some(file) => {
            let pem = std::fs::read(file);
            let pem =
                pem.map_err(|fault| failed(format!("{} cannot be read: {}", file.display(), fault.kind())))?;
            let client = guard::tls::client_config(&pem);
            let client = client.map_err(|_| failed(format!("{} holds no certificate", file.display())))?;
            let mut client = (*client).clone();
            // SMS centres know no application protocols, and some refuse those they do not know.
            client.alpn_protocols.clear();
            let name = config.tls_name.clone().try_into();
            let name =
                name.map_err(|_| failed(format!("{} is no name a certificate can have", config.tls_name)))?;
            Some((Arc::new(client), name))
        }
    };
    let password = config.password.fetch()?;
    if password.expose().len() > 8 || !password.expose().is_ascii() {
        return Err(failed("SMPP allows passwords of at most 8 ASCII characters".to_owned()));
    }
    Ok(CarrierSettings {
        name: config.name.clone(),
        host: config.host.clone(),
        port: config.port,
        tls,
        system_id: config.system_id.clone(),
        password,
        system_type: config.system_type.clone(),
        binding: config.binding,
        bindings: config.connections,
        window: config.window,
        rate: config.rate,
        answer: Duration::from_secs(config.answer_secs),
        enquire: Duration::from_secs(config.enquire_secs),
        prefixes: config.prefixes.clone(),
        languages: config.languages.clone(),
        long_references: config.long_references,
        ids: config.ids,
    })
}
