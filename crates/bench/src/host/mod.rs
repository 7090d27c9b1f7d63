//! This machine's side of a run: the server as a child process, its data folder, and a PostgreSQL beside it. It knows how
//! to start and stop programs, and nothing of what is asked of them.

pub(crate) mod disk;
pub(crate) mod engine;
pub(crate) mod postgres;
pub(crate) mod program;
pub(crate) mod server;

use std::path::{Path, PathBuf};

use base::{Clock, SystemClock};
use tempfile::TempDir;

use crate::args::Common;
use crate::error::{Error, Result};
use crate::report;

pub(crate) use engine::Engine;
pub(crate) use server::{Running, Server};

/// What all runs have: where things lie and which server is meant.
#[derive(Debug)]
pub(crate) struct Host {
    binary: PathBuf,
    dir: PathBuf,
    extra: Vec<String>,
    /// Which database stands behind the server.
    pub(crate) engine: Engine,
    /// Where random sequences begin.
    pub(crate) seed: u64,
}

impl Host {
    /// From the command line; starts PostgreSQL when it is asked for, and builds the server when it is missing.
    pub(crate) async fn new(common: &Common) -> Result<Self> {
        let binary = match &common.server {
            Some(path) if path.is_file() => path.clone(),
            Some(path) => return Err(Error::Usage(format!("there is no server at {}", path.display()))),
            None => program::server_binary()?,
        };
        let seed = common.seed.unwrap_or_else(|| SystemClock.now().as_millis());
        let engine = Engine::new(common.postgres.as_deref(), &common.dir).await?;
        report::note(&format!(
            "server {}, {}, data under {}, seed {seed}",
            binary.display(),
            engine.name(),
            common.dir.display()
        ));
        Ok(Self { binary, dir: common.dir.clone(), extra: common.server_args.clone(), engine, seed })
    }

    /// A server with a fresh data folder, not yet started.
    pub(crate) fn fresh_server(&self) -> Result<Server> {
        let folder = temp_folder(&self.dir)?;
        let database = self.engine.fresh_database()?;
        Ok(Server::new(self.binary.clone(), folder, database, self.extra.clone()))
    }

    /// The folder whose disk is measured.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// A temporary folder under `dir`, removed when dropped.
pub(crate) fn temp_folder(dir: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("chancery-bench-")
        .tempdir_in(dir)
        .map_err(|e| Error::io("make a temporary folder", e))
}
