//! A node: cells, resources, the request stack and its listener, from opening to draining. What `dev` and `serve` share.

use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Limits, Rng, SystemClock};
use bytes::Bytes;
use guard::SystemRng;
use store::Cell;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::acme::{AcmePart, AcmeSetup};
use super::captured::Captured;
use super::carriers::Carriers;
use super::hooks::Hooks;
use super::mail::MailIn;
use super::opening::{Placed, Served, couriers, nowhere, open_cells, settle};
use super::signals::{Asked, Signals};
use super::ways::Ways;
use super::{CliError, cells, mailout};
use crate::config::{AlertsConfig, CellConfig, EventsConfig, RateProfile};
use crate::directory::Directory;
use crate::http::operator::OperatorToken;
use crate::http::rates::Profile;
use crate::http::{App, Setup, State};
use crate::job;
use crate::job::custody::Alerts;
use crate::job::delivery::{Couriers, Dispatcher};
use crate::net::{CertificateFiles, ClientFiles, Drained, Reload, Server, Stop, Way};
use crate::observe::health::Health;
use crate::service::delivery::{Delivery, Intake};
use crate::service::email::{EmailState, MailSetup};
use crate::service::events::EventRouter;

/// How often certificate files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What a node is made of.
pub(super) struct Plan {
    pub(super) ways: Ways,
    /// Who is to issue the certificate, when it comes from no file.
    pub(super) acme: Option<AcmeSetup>,
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

/// A node that is ready to run.
pub(super) struct Node {
    ways: Vec<Way>,
    acme: Option<AcmePart>,
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
        let acme = match (plan.acme, opened.first()) {
            (Some(acme), Some(cell)) => {
                let (clock, node) = (Arc::clone(&clock), SystemRng.id());
                Some(acme.open(cell, &plan.certificates, clock, &limits, node).await?)
            }
            _ => None,
        };
        let (certificates, mail_in) = (plan.certificates, plan.mail_in);
        let server = plan.ways.server(Arc::clone(&app), &certificates, clock, &limits);
        let Ways { ways, clients, .. } = plan.ways;
        Ok(Self {
            ways,
            acme,
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
        let (heard, ended) = (Arc::clone(self.app.state()), self.stop.clone());
        tasks.spawn(async move {
            heard.chat.live.run(heard.directory.resources(), &*heard.clock, stop_begun(ended)).await;
            None
        });
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
        if let Some(acme) = self.acme {
            acme.serve(&self.stop, &mut tasks);
        }
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
