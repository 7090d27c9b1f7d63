//! The carriers of the cells, from their configuration to channels that run.

use std::sync::Arc;
use std::time::Duration;

use base::Rng;
use store::Cell;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::CliError;
use crate::channel::smpp::{CarrierSettings, Smpp};
use crate::channel::{Dial, TextChannel, TextInbox};
use crate::config::{CarrierConfig, CellConfig};
use crate::http::State;
use crate::job::delivery::Couriers;
use crate::job::text::{CellInbox, TextCourier};
use crate::net::SocketDial;
use crate::service::delivery::Kind;

/// The channels to the carriers of all cells; they must run.
#[derive(Default)]
pub(super) struct Carriers {
    channels: Vec<Arc<Smpp>>,
    rng: Option<Arc<dyn Rng>>,
}

impl Carriers {
    /// Lets the carriers of each cell take its texts. Passwords and certificates are fetched here; nothing is connected
    /// before [`Carriers::run`]. `configs` are those of `cells`, in the same order.
    pub(super) fn attach(
        state: &Arc<State>,
        configs: &[CellConfig],
        cells: &[Cell],
        mut couriers: Couriers,
    ) -> Result<(Couriers, Self), CliError> {
        let mut channels = Vec::new();
        for (config, cell) in configs.iter().zip(cells).filter(|(config, _)| !config.carriers.is_empty()) {
            let settings = config.carriers.iter().map(settings).collect::<Result<_, _>>()?;
            let inbox: Arc<dyn TextInbox> = Arc::new(CellInbox::new(Arc::clone(state), cell.clone()));
            let channel = Arc::new(Smpp::new(settings, &inbox, &state.clock));
            let texts = TextCourier::new(Arc::clone(state), Arc::clone(&channel) as Arc<dyn TextChannel>);
            couriers = couriers.with(cell.geography().clone(), Kind::Text, Arc::new(texts));
            channels.push(channel);
        }
        Ok((couriers, Self { channels, rng: Some(Arc::clone(&state.rng)) }))
    }

    /// Holds the connections until `stop` is done.
    pub(super) async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Some(rng) = self.rng else { return stop.await };
        // An operator named these hosts, and centres are often reached over a private line: any address will do.
        let everywhere = ["0.0.0.0/0", "::/0"].iter().filter_map(|network| network.parse().ok()).collect();
        let dial: Arc<dyn Dial> = Arc::new(SocketDial::new(everywhere));
        let stopped = Arc::new(Semaphore::new(0));
        let mut running = JoinSet::new();
        for channel in self.channels {
            let (dial, rng, stopped) = (Arc::clone(&dial), Arc::clone(&rng), Arc::clone(&stopped));
            running.spawn(async move {
                // It gives no places: waiting ends when it is closed.
                let stop = async { drop(stopped.acquire().await) };
                channel.run(dial, rng, stop).await;
            });
        }
        stop.await;
        stopped.close();
        while running.join_next().await.is_some() {}
    }
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
