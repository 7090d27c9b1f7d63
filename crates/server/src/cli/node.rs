//! A node: cells, resources, the request stack and its listener, from opening to draining. What `dev` and `serve` share.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Limits, NetworkRules, ResourceId, Rng, Secret, SystemClock, TlsVersion};
use bytes::Bytes;
use guard::SystemRng;
use guard::signature::AccessKey;
use guard::tls::mutual_server_config;
use store::{Cell, StoreError};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::captured::Captured;
use super::carriers::Carriers;
use super::hooks::Hooks;
use super::mail::MailIn;
use super::signals::{Asked, Signals};
use super::ways::Ways;
use super::{CliError, cells, mailout};
use crate::channel::nowhere::Nowhere;
use crate::config::{AlertsConfig, CellConfig, EngineConfig, EventsConfig, RateProfile, ResourceName};
use crate::directory::{Directory, ResourceEntry};
use crate::http::operator::OperatorToken;
use crate::http::rates::Profile;
use crate::http::{App, Setup, State};
use crate::job;
use crate::job::custody::Alerts;
use crate::job::delivery::{Couriers, Dispatcher, Pacing};
use crate::job::mail::MailCourier;
use crate::job::text::TextCourier;
use crate::net::{CertificateFiles, ClientFiles, Drained, Reload, Server, Stop, Timeouts, Way};
use crate::observe::health::Health;
use crate::service::delivery::{Delivery, Intake, Kind};
use crate::service::email::{EmailState, MailSetup};
use crate::service::events::EventRouter;
use crate::service::resources::{self, CellTokens, Custody, Resource, Wanted};
use crate::service::sms::senders::Senders;

/// How often certificate files are looked at.
const LOOK: Duration = Duration::from_secs(5);

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
}

/// What a node is made of.
pub(super) struct Plan {
    pub(super) ways: Ways,
    pub(super) certificates: CertificateFiles,
    pub(super) cells: Vec<CellConfig>,
    pub(super) resources: Vec<Placed>,
    pub(super) limits: Limits,
    pub(super) rates: RateProfile,
    pub(super) operator: Option<OperatorToken>,
    /// Whether what would leave is kept in the development outbox instead.
    pub(super) capture: bool,
    pub(super) mail: MailSetup,
    pub(super) mail_in: MailIn,
    pub(super) events: EventsConfig,
    pub(super) alerts: Option<AlertsConfig>,
}

/// One resource that is served.
pub(super) struct Served {
    pub(super) name: ResourceName,
    pub(super) geography: String,
    pub(super) primary_key: Secret<String>,
}

/// A node that is ready to run.
pub(super) struct Node {
    ways: Vec<Way>,
    certificates: CertificateFiles,
    clients: Option<ClientFiles>,
    app: Arc<App>,
    server: Server<App>,
    intake: Intake,
    couriers: Couriers,
    mail_in: MailIn,
    hooks: Hooks,
    alerts: Option<Alerts>,
    captured: Option<Captured>,
    carriers: Carriers,
    cells: Vec<Cell>,
    served: Vec<Served>,
    stop: Stop,
    signals: Signals,
}

impl Node {
    /// Opens the cells and the resources, making what is new.
    pub(super) async fn open(plan: Plan) -> Result<Self, CliError> {
        let signals = Signals::new()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let rng: Arc<dyn Rng> = Arc::new(SystemRng);
        let tools = cells::Tools { clock: &clock, rng: &rng, limits: &plan.limits };
        let (opened, tokens) = open_cells(&plan.cells, &tools).await?;
        let (entries, served) = settle(plan.resources, &opened, &tokens).await?;
        let stop = Stop::new();
        let timeouts = Timeouts::from(&plan.limits);
        let limits = Arc::new(plan.limits);
        let rates = match plan.rates {
            RateProfile::Off => Profile::Off,
            RateProfile::Acs => Profile::Acs,
        };
        let (delivery, intake) = Delivery::new();
        let app = Arc::new(App::new(Setup {
            directory: Directory::new(entries),
            limits: Arc::clone(&limits),
            clock: Arc::clone(&clock),
            rng,
            rates,
            health: Health::new(opened.clone(), stop.clone()),
            operator: plan.operator,
            operator_plane: plan.ways.plane(),
            delivery: Arc::new(delivery),
            events: Arc::new(EventRouter::default()),
            email: Arc::new(EmailState::new(plan.mail)),
            revocations: plan.certificates.revocations().map(Bytes::copy_from_slice),
        }));
        let hooks = Hooks::open(app.state(), &plan.events).await?;
        let alerts = hooks.alerts(plan.alerts)?;
        let couriers = couriers(&plan.cells, &limits);
        let (mut couriers, mut captured) = (couriers, None);
        if plan.capture {
            let (with, outbox) = Captured::attach(app.state(), &opened, couriers);
            (couriers, captured) = (with, Some(outbox));
        }
        // Where a cell has a way out of its own, that is taken and not the outbox.
        let (couriers, carriers) = Carriers::attach(app.state(), &plan.cells, &opened, couriers)?;
        let couriers = mailout::attach(app.state(), &plan.cells, couriers)?;
        let couriers = nowhere(app.state(), &opened, couriers);
        let tls = guard::tls::server_config(Arc::clone(plan.certificates.store()));
        let Ways { ways, balancers, clients, .. } = plan.ways;
        let operator_tls = clients.as_ref().map(|clients| {
            mutual_server_config(Arc::clone(plan.certificates.store()), Arc::clone(clients.known()))
        });
        let server = Server::new(Arc::clone(&app), tls, clock, &limits, timeouts);
        let server = server.with(operator_tls, balancers);
        let (certificates, mail_in) = (plan.certificates, plan.mail_in);
        Ok(Self {
            ways,
            certificates,
            clients,
            app,
            server,
            intake,
            couriers,
            mail_in,
            hooks,
            alerts,
            captured,
            carriers,
            cells: opened,
            served,
            stop,
            signals,
        })
    }

    /// What all requests share.
    pub(super) fn state(&self) -> &Arc<State> {
        self.app.state()
    }

    /// What is served, in the order of the plan.
    pub(super) fn served(&self) -> &[Served] {
        &self.served
    }

    /// Serves until a signal, then drains and closes the cells. `ready` is called once requests are accepted.
    pub(super) async fn run(mut self, ready: impl FnOnce() -> Result<(), CliError>) -> Result<(), CliError> {
        let mut tasks = JoinSet::new();
        let (state, stop) = (Arc::clone(self.app.state()), self.stop.clone());
        tasks.spawn(async move {
            job::run(state, stop_begun(stop)).await;
            None
        });
        let (state, stop, intake) = (Arc::clone(self.app.state()), self.stop.clone(), self.intake);
        let couriers = self.couriers;
        if let Some(captured) = self.captured {
            let stop = self.stop.clone();
            tasks.spawn(async move {
                captured.run(stop_begun(stop)).await;
                None
            });
        }
        let (carriers, ended) = (self.carriers, self.stop.clone());
        tasks.spawn(async move {
            carriers.run(stop_begun(ended)).await;
            None
        });
        tasks.spawn(async move {
            Dispatcher::new(state, couriers, intake).run(stop_begun(stop)).await;
            None
        });
        let (state, ended) = (Arc::clone(self.app.state()), self.stop.clone());
        tasks.spawn(async move {
            job::renewal::run(state, SystemRng.id(), stop_begun(ended)).await;
            None
        });
        self.hooks.alert(self.alerts, self.app.state(), &self.stop, &mut tasks);
        self.hooks.tell(self.app.state(), &self.stop, &mut tasks);
        self.mail_in.serve(self.app.state(), &self.certificates, &self.stop, &mut tasks);
        let (server, ways, stop) = (self.server, self.ways, self.stop.clone());
        tasks.spawn(async move { Some(server.run(ways, &stop).await) });
        let begun = ready();
        if begun.is_err() {
            self.stop.drain();
        }
        let drained =
            attend(&mut tasks, &mut self.signals, (self.certificates, self.clients), &self.stop).await;
        for cell in &self.cells {
            if let Err(fault) = cell.close().await {
                tracing::error!(geography = cell.geography().as_str(), %fault, "a cell did not close well");
            }
        }
        if let Some(Drained { finished, cut, took }) = drained {
            tracing::info!(finished, cut, took_ms = took.as_millis(), "stopped");
        }
        begun
    }
}

/// What has no way out comes to its end all the same.
fn nowhere(state: &Arc<State>, cells: &[Cell], mut couriers: Couriers) -> Couriers {
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

/// Opens each cell, and the keys that sign its tokens.
async fn open_cells(
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
async fn settle(
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
        let entry = entry.with_minimum_tls(placed.minimum_tls);
        entries.push(Arc::new(entry.held_by(custody)));
    }
    Ok((entries, served))
}

/// Who carries what leaves the house.
fn couriers(cells: &[CellConfig], limits: &Limits) -> Couriers {
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

async fn stop_begun(stop: Stop) {
    stop.begun().await;
}

/// Waits for the tasks, heeding signals and looking at the certificates meanwhile.
async fn attend(
    tasks: &mut JoinSet<Option<Drained>>,
    signals: &mut Signals,
    (mut certificates, mut clients): (CertificateFiles, Option<ClientFiles>),
    stop: &Stop,
) -> Option<Drained> {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drained = None;
    let mut look_at_files = |anyway| {
        report(&certificates.look(anyway), "certificate");
        clients.iter_mut().for_each(|files| report(&files.look(anyway), "authority of clients"));
    };
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                None => return drained,
                Some(Ok(how)) => drained = drained.or(how),
                Some(Err(fault)) => {
                    tracing::error!(panicked = fault.is_panic(), "a part of the server ended; stopping");
                    stop.drain();
                }
            },
            asked = signals.next() => match asked {
                Asked::Reload => look_at_files(true),
                Asked::Stop if stop.stopping() => {
                    tracing::info!("asked again: stopping at once");
                    stop.cut();
                }
                Asked::Stop => {
                    tracing::info!("asked to stop: finishing what is under way");
                    stop.drain();
                }
            },
            _ = look.tick() => look_at_files(false),
        }
    }
}

fn report(found: &Reload, what: &'static str) {
    match found {
        Reload::Unchanged => {}
        Reload::Replaced => tracing::info!("a new {what} is in use"),
        Reload::Kept(fault) => {
            tracing::error!(%fault, "a new {what} cannot be used; the old one is kept");
        }
    }
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
