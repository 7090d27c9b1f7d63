//! What a node opens before it serves: cells, resources, and the ways out of them.

use std::sync::Arc;

use base::{Limits, NetworkRules, ResourceId, Secret, TlsVersion};
use guard::signature::AccessKey;
use store::{Cell, StoreError};

use super::{CliError, cells};
use crate::channel::nowhere::Nowhere;
use crate::config::{CellConfig, EngineConfig, ResourceName};
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::job::delivery::{Couriers, Pacing};
use crate::job::mail::MailCourier;
use crate::job::text::TextCourier;
use crate::service::delivery::Kind;
use crate::service::resources::{self, CellTokens, Custody, Resource, Wanted};
use crate::service::sms::senders::Senders;

/// One resource to serve.
#[derive(Debug)]
pub(super) struct Placed {
    /// Its id; `None` is the one its cell knows it by, or a new one.
    pub(super) id: Option<ResourceId>,
    pub(super) name: ResourceName,
    /// The place of its cell in [`Plan::cells`].
    pub(super) cell: usize,
    pub(super) first_key: Option<Arc<AccessKey>>,
    /// Who is to hold its keys; `None`: whoever holds them.
    pub(super) key_service: Option<String>,
    pub(super) public_hosts: Vec<String>,
    /// What it may send texts from, besides its numbers.
    pub(super) senders: Senders,
    /// From where it may be reached.
    pub(super) network: NetworkRules,
    /// The oldest TLS it may be spoken to in.
    pub(super) minimum_tls: TlsVersion,
    pub(super) origins: base::Origins,
}

/// One resource that is served.
pub(super) struct Served {
    pub(super) name: ResourceName,
    pub(super) geography: String,
    pub(super) primary_key: Secret<String>,
}

/// Opens each cell, and the keys that sign its tokens.
pub(super) async fn open_cells(
    configs: &[CellConfig],
    tools: &cells::Tools<'_>,
) -> Result<(Vec<Cell>, Vec<Arc<CellTokens>>), CliError> {
    let (mut opened, mut tokens) = (Vec::new(), Vec::new());
    for config in configs {
        let cell = cells::open(config, tools).await?;
        let keys = CellTokens::open(&cell).await.map_err(|fault| CliError::Cell {
            geography: config.geography.as_str().to_owned(),
            why: fault.to_string(),
        })?;
        opened.push(cell);
        tokens.push(Arc::new(keys));
    }
    Ok((opened, tokens))
}

/// Opens each resource in its cell, making what is new.
pub(super) async fn settle(
    resources: Vec<Placed>,
    cells: &[Cell],
    tokens: &[Arc<CellTokens>],
) -> Result<(Vec<Arc<ResourceEntry>>, Vec<Served>), CliError> {
    let (mut entries, mut served) = (Vec::new(), Vec::new());
    for placed in resources {
        let (cell, tokens) = (&cells[placed.cell], &tokens[placed.cell]);
        let custody = Custody::new(placed.key_service.clone());
        let resource = ensure(cell, &placed, &custody).await?;
        served.push(Served {
            name: placed.name.clone(),
            geography: cell.geography().as_str().to_owned(),
            primary_key: resource.access_keys.primary().unwrap_or_else(|| Secret::new(String::new())),
        });
        let entry = ResourceEntry::new(
            resource.id,
            placed.name.as_str().to_owned(),
            cell.clone(),
            resource.access_keys,
            Arc::clone(tokens),
            placed.public_hosts,
        );
        let entry = entry.with_senders(placed.senders).with_network(placed.network);
        let entry = entry.with_minimum_tls(placed.minimum_tls).with_origins(placed.origins);
        entries.push(Arc::new(entry.held_by(custody)));
    }
    Ok((entries, served))
}

/// Opens a resource of the register, or makes it. That its keys cannot be had now keeps no other from being served.
async fn ensure(cell: &Cell, placed: &Placed, custody: &Custody) -> Result<Resource, CliError> {
    let name = placed.name.as_str();
    let wanted = Wanted { name, id: placed.id, first_key: placed.first_key.as_deref() };
    let made = resources::ensure(cell, wanted).await;
    let resource = made.map_err(|fault| CliError::Resource { name: name.to_owned(), fault })?;
    match custody.ensure(cell, resource.id).await {
        Ok(0) => {}
        Ok(_) => tracing::info!(resource = name, holder = custody.wanted(), "its keys have a new holder"),
        Err(fault @ (StoreError::Kms(_) | StoreError::UnknownKeyService(_))) => {
            tracing::error!(resource = name, %fault, "its keys cannot be had; the others are served");
        }
        Err(fault) => return Err(CliError::Resource { name: name.to_owned(), fault: fault.into() }),
    }
    Ok(resource)
}

/// Who carries what leaves the house.
pub(super) fn couriers(cells: &[CellConfig], limits: &Limits) -> Couriers {
    let rate = |limit: u32| (limit > 0).then_some(limit);
    let mail = Pacing { at_once: limits.mail_sessions, per_second: rate(limits.mail_per_second) };
    let texts = Pacing { at_once: limits.texts_at_once, per_second: rate(limits.texts_per_second) };
    let mut couriers =
        Couriers::new(limits.deliveries_at_once).paced(Kind::Mail, mail).paced(Kind::Text, texts);
    for cell in cells {
        // A SQLite file is open in one process alone, so what is held in it was held by one that is gone.
        if let EngineConfig::Sqlite { .. } = cell.engine {
            couriers = couriers.exclusive(cell.geography.clone());
        }
    }
    couriers
}

/// What has no way out comes to its end all the same.
pub(super) fn nowhere(state: &Arc<State>, cells: &[Cell], mut couriers: Couriers) -> Couriers {
    for cell in cells {
        let geography = cell.geography();
        if !couriers.carries(geography, Kind::Mail) {
            tracing::warn!(geography = geography.as_str(), "mail has no way out: see [cell.mail]");
            let courier = MailCourier::new(state, Arc::new(Nowhere));
            couriers = couriers.with(geography.clone(), Kind::Mail, Arc::new(courier));
        }
        if !couriers.carries(geography, Kind::Text) {
            tracing::warn!(geography = geography.as_str(), "texts have no way out: see [[cell.sms.carrier]]");
            let courier = TextCourier::new(Arc::clone(state), Arc::new(Nowhere));
            couriers = couriers.with(geography.clone(), Kind::Text, Arc::new(courier));
        }
    }
    couriers
}
