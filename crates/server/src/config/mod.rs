//! `chancery.toml`, read once into types that cannot be wrong, or refused with everything that is wrong with it. It opens
//! no socket and no store; the only files it reads are the configuration and, when asked for one, a secret's.

pub mod acme;
mod alerts;
pub mod cell;
mod document;
pub mod events;
mod explain;
pub mod key_service;
pub mod kms;
mod limits;
pub mod listener;
pub mod mail;
pub mod name;
mod operator;
mod problem;
pub mod rates;
pub mod resource;
pub mod sandbox;
pub mod secret;
pub mod sms;
pub mod smtp;

use std::collections::BTreeMap;
use std::path::Path;

use base::Limits;
use schemars::JsonSchema;
use serde::Deserialize;

pub use acme::AcmeConfig;
pub use alerts::AlertsConfig;
pub use cell::{CellConfig, DatabaseUrl, EngineConfig};
use document::Document;
pub use events::EventsConfig;
pub use key_service::KeyServiceConfig;
pub use kms::{AwsConfig, AzureConfig, KmsConfig, VaultConfig};
pub use listener::{Also, Balancer, Certificate, Listener};
pub use mail::{MailConfig, MailRoute, MailTls};
pub use name::{Host, InvalidName, ResourceName};
pub use operator::{ClientsConfig, OperatorConfig};
pub use problem::{Problem, Problems};
pub use rates::RateProfile;
pub use resource::{ResourceConfig, TextSender};
pub use sandbox::SandboxConfig;
pub use secret::{SecretError, SecretRef};
pub use sms::CarrierConfig;
pub use smtp::SmtpConfig;

/// The longest configuration that is read.
const MAX_FILE: u64 = 1024 * 1024;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the server listens.
    pub listener: Listener,
    /// What it serves; each geography once, at least one.
    pub cells: Vec<CellConfig>,
    /// Whom it serves; each name once, each in one of the cells. The first is the default one.
    pub resources: Vec<ResourceConfig>,
    /// Limits, within their bounds.
    pub limits: Limits,
    /// Which rate limits hold.
    pub rates: RateProfile,
    /// Which webhooks may be told of events.
    pub events: EventsConfig,
    /// Who is told of what whoever runs the server should know.
    pub alerts: Option<AlertsConfig>,
    /// Where mail comes in; nowhere without it.
    pub smtp: Option<SmtpConfig>,
    /// Who runs the server; without a token nobody gets into the operator's plane.
    pub operator: Option<OperatorConfig>,
    /// How closed the host has to be.
    pub sandbox: SandboxConfig,
}

/// The configuration of a Chancery server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "chancery.toml")]
struct RawConfig {
    #[schemars(required, with = "listener::RawListener")]
    listener: Option<listener::RawListener>,
    /// The geographies this node serves.
    #[schemars(required, with = "Vec<cell::RawCell>", length(min = 1))]
    cell: Option<Vec<cell::RawCell>>,
    /// The resources this node serves; the first is also found under the bare public hosts.
    #[schemars(required, with = "Vec<resource::RawResource>", length(min = 1))]
    resource: Option<Vec<resource::RawResource>>,
    #[serde(default)]
    #[schemars(schema_with = "limits::schema")]
    limits: Limits,
    #[serde(default)]
    rates: rates::RawRates,
    #[serde(default)]
    events: events::RawEvents,
    #[serde(default)]
    alerts: alerts::RawAlerts,
    #[serde(default)]
    #[schemars(with = "smtp::RawSmtp")]
    smtp: Option<smtp::RawSmtp>,
    #[serde(default)]
    operator: operator::RawOperator,
    #[serde(default)]
    sandbox: sandbox::RawSandbox,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let unreadable = |what: String, fix: &str| {
            let key = String::new();
            Problems(vec![Problem { file: file.clone(), line: 0, column: 0, key, what, fix: fix.to_owned() }])
        };
        let size = std::fs::metadata(path).map_err(|fault| {
            unreadable(
                format!("cannot be read: {}", fault.kind()),
                "name another file with --config, or make this one",
            )
        })?;
        if size.len() > MAX_FILE {
            return Err(unreadable("longer than a configuration can be".to_owned(), ""));
        }
        let text = std::fs::read_to_string(path).map_err(|fault| {
            unreadable(format!("cannot be read: {}", fault.kind()), "it must be a UTF-8 text file")
        })?;
        Self::parse(&file, &text)
    }

    /// Reads `text`, which came from `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let (mut document, raw) = Document::read::<RawConfig>(file, text);
        let config = raw.and_then(|raw| raw.check(&mut document));
        match (document.finish(), config) {
            (None, Some(config)) => Ok(config),
            (Some(problems), _) => Err(problems),
            (None, None) => Err(Problems(vec![Problem {
                file: file.to_owned(),
                line: 1,
                column: 1,
                key: String::new(),
                what: "this cannot be read".to_owned(),
                fix: String::new(),
            }])),
        }
    }

    /// The JSON schema of the file, for editors.
    #[must_use]
    pub fn schema() -> String {
        let mut schema = schemars::schema_for!(RawConfig).to_value();
        without_nulls(&mut schema);
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Takes out defaults that say nothing: TOML has no null.
fn without_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

impl RawConfig {
    fn check(self, document: &mut Document<'_>) -> Option<Config> {
        let listener = match self.listener {
            Some(listener) => listener.check(document),
            None => cell::missing(
                "listener",
                "write a section [listener] with an address and a certificate",
                document,
            ),
        };
        let cells = each(self.cell.unwrap_or_default(), "cell", document, cell::RawCell::check);
        let resources =
            each(self.resource.unwrap_or_default(), "resource", document, resource::RawResource::check);
        limits::check(&self.limits, document);
        let rates = self.rates.check(document);
        let events = self.events.check(document);
        let alerts = self.alerts.check(events.allow_http, document);
        let smtp = self.smtp.and_then(|smtp| smtp.check(document));
        let operator = self.operator.check(document);
        let sandbox = self.sandbox.check(document);
        let cells_known = cells.iter().all(|(_, cell)| cell.is_some());
        let cells: Vec<_> = cells.into_iter().filter_map(|(at, cell)| Some((at, cell?))).collect();
        let resources: Vec<_> =
            resources.into_iter().filter_map(|(at, resource)| Some((at, resource?))).collect();
        distinct_cells(&cells, document);
        placed_resources(&resources, &cells, cells_known, document);
        Some(Config {
            listener: listener?,
            cells: cells.into_iter().map(|(_, cell)| cell).collect(),
            resources: resources.into_iter().map(|(_, resource)| resource).collect(),
            limits: self.limits,
            rates,
            events,
            alerts,
            smtp,
            operator,
            sandbox,
        })
    }
}

/// Checks each item of a list, which must have at least one, and keeps its place.
fn each<R, T>(
    items: Vec<R>,
    key: &str,
    document: &mut Document<'_>,
    check: impl Fn(R, &str, &mut Document<'_>) -> Option<T>,
) -> Vec<(String, Option<T>)> {
    if items.is_empty() {
        cell::missing::<()>(key, &format!("write at least one section [[{key}]]"), document);
    }
    let checked = items.into_iter().enumerate().map(|(at, item)| {
        let at = format!("{key}[{at}]");
        let item = check(item, &at, document);
        (at, item)
    });
    checked.collect()
}

/// Two cells may share neither a geography nor a file: what rests in one geography must not be found in another's.
fn distinct_cells(cells: &[(String, CellConfig)], document: &mut Document<'_>) {
    let mut seen = BTreeMap::new();
    for (at, cell) in cells {
        let (root, field) = cell.kms.place();
        let mut places = vec![
            (
                format!("geography {}", cell.geography.as_str()),
                format!("{at}.geography"),
                "each geography has one cell",
            ),
            (root, format!("{at}.kms.{field}"), "each cell has a root key of its own"),
        ];
        for (place, service) in cell.key_services.iter().enumerate() {
            let (key, field) = service.kms.place();
            // While a root is replaced, the new one is known by both names.
            if key == places[1].0 {
                continue;
            }
            let at = format!("{at}.key_service[{place}].kms.{field}");
            places.push((key, at, "each key service has a key of its own"));
        }
        match &cell.engine {
            EngineConfig::Sqlite { path } => places.push((
                format!("file {}", path.display()),
                format!("{at}.engine.path"),
                "each cell has a file of its own",
            )),
            EngineConfig::Postgres { url, schema } => places.push((
                format!("database {url:?} {schema:?}"),
                format!("{at}.engine.url"),
                "each cell has a database or a schema of its own",
            )),
        }
        for (place, key, rule) in places {
            if let Some(other) = seen.insert(place, key.clone()) {
                document.problem(&key, format!("the same as {other}"), rule);
            }
        }
    }
}

fn placed_resources(
    resources: &[(String, ResourceConfig)],
    cells: &[(String, CellConfig)],
    cells_known: bool,
    document: &mut Document<'_>,
) {
    let mut names = BTreeMap::new();
    for (at, resource) in resources {
        if let Some(other) = names.insert(resource.name.clone(), at) {
            document.problem(
                &format!("{at}.name"),
                format!("the same as {other}.name"),
                "each resource has a name of its own",
            );
        }
        let placed = cells.iter().any(|(_, cell)| cell.geography == resource.geography);
        if !placed && cells_known {
            let known: Vec<_> =
                cells.iter().map(|(_, cell)| format!("\"{}\"", cell.geography.as_str())).collect();
            let fix = format!("write one of {}, or add a [[cell]] for it", known.join(", "));
            document.problem(&format!("{at}.geography"), "no cell of this file has this geography", fix);
        }
        chosen_key_service(at, resource, cells, document);
    }
}

/// A resource's keys are held by a key service of its own cell: a key never leaves the geography of what it opens.
fn chosen_key_service(
    at: &str,
    resource: &ResourceConfig,
    cells: &[(String, CellConfig)],
    document: &mut Document<'_>,
) {
    let Some(name) = &resource.key_service else { return };
    let Some((_, cell)) = cells.iter().find(|(_, cell)| cell.geography == resource.geography) else { return };
    let known = |service: &KeyServiceConfig| service.name == *name;
    if name != guard::holder::ROOT && !cell.key_services.iter().any(known) {
        let fix = "name a [[cell.key_service]] of the resource's cell, or \"root\" for the cell's own";
        document.problem(&format!("{at}.key_service"), "its cell has no such key service", fix);
    }
}

#[cfg(test)]
mod tests;
