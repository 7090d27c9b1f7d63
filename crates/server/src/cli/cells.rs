//! Opens the cells of a node: folder, engine, key service, keyspaces.

use std::sync::Arc;

use base::{Clock, Geography, Limits, Rng};
use guard::Kms;
use store::engine::postgres::{PostgresEngine, PostgresOptions};
use store::engine::sqlite::{SqliteEngine, SqliteOptions};
use store::{Cell, CellParts, Engine, KeyServices};

use super::CliError;
use crate::config::{CellConfig, EngineConfig, KmsConfig};
use crate::dev::files;
use crate::kms;
use crate::service;

/// What opening needs besides the cell itself.
pub(super) struct Tools<'a> {
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) rng: &'a Arc<dyn Rng>,
    pub(super) limits: &'a Limits,
}

/// Opens one cell, making what is new.
pub(super) async fn open(config: &CellConfig, tools: &Tools<'_>) -> Result<Cell, CliError> {
    let engine = engine(config).await?;
    let root = key_service(config, &config.kms, tools.clock, &**tools.rng).await?;
    let mut services = KeyServices::new(root);
    for service in &config.key_services {
        services = services.with(&service.name, kms::open_or_later(service, tools.clock, tools.rng).await);
    }
    let keyspaces = service::keyspaces();
    let parts = CellParts {
        geography: config.geography.clone(),
        engine,
        kms: services,
        clock: Arc::clone(tools.clock),
        rng: Arc::clone(tools.rng),
        limits: tools.limits,
        keyspaces: &keyspaces,
    };
    Cell::open(parts).await.map_err(|fault| failed(&config.geography, &fault.to_string()))
}

/// A key service of a cell.
pub(super) async fn key_service(
    cell: &CellConfig,
    kms: &KmsConfig,
    clock: &Arc<dyn Clock>,
    rng: &dyn Rng,
) -> Result<Arc<dyn Kms>, CliError> {
    let opened = kms::open(kms, clock, rng).await;
    opened.map_err(|fault| failed(&cell.geography, &fault.to_string()))
}

async fn engine(config: &CellConfig) -> Result<Arc<dyn Engine>, CliError> {
    match &config.engine {
        EngineConfig::Sqlite { path } => {
            files::make_folder_of(path).map_err(|fault| CliError::Folder { path: path.clone(), fault })?;
            let engine = SqliteEngine::open(&SqliteOptions::new(path));
            Ok(Arc::new(engine.map_err(|fault| failed(&config.geography, &fault.to_string()))?))
        }
        EngineConfig::Postgres { url, schema } => {
            let mut options = PostgresOptions::new(url.fetch()?.expose());
            options.schema.clone_from(schema);
            let engine = PostgresEngine::open(&options).await;
            Ok(Arc::new(engine.map_err(|fault| failed(&config.geography, &fault.to_string()))?))
        }
    }
}

fn failed(geography: &Geography, why: &str) -> CliError {
    CliError::Cell { geography: geography.as_str().to_owned(), why: why.to_owned() }
}
