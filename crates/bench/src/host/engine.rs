//! What stands behind the server: its embedded SQLite (`chancery dev`), or a PostgreSQL (`chancery serve` with a
//! configuration). The configuration's text is made here and nowhere else.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::disk::bytes_under;
use super::postgres::{Postgres, Throwaway};
use super::program::run;
use crate::error::{Error, Result};

/// The database of a run.
#[derive(Debug)]
pub(crate) enum Engine {
    /// SQLite files in the data folder.
    Embedded,
    /// A PostgreSQL server.
    Postgres(Arc<Postgres>),
}

impl Engine {
    /// From `--postgres`: absent, `auto`, or how to reach one.
    pub(crate) async fn new(postgres: Option<&str>, dir: &Path) -> Result<Self> {
        Ok(match postgres {
            None => Self::Embedded,
            Some("auto") => {
                let dir = dir.to_owned();
                let started = tokio::task::spawn_blocking(move || Throwaway::start(&dir)).await;
                let throwaway = started.map_err(|e| Error::Server(e.to_string()))??;
                Self::Postgres(Arc::new(Postgres::of(throwaway)))
            }
            Some(conninfo) => Self::Postgres(Arc::new(Postgres::at(conninfo)?)),
        })
    }

    /// For the report.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// An empty database for one server.
    pub(super) fn fresh_database(&self) -> Result<Database> {
        Ok(match self {
            Self::Embedded => Database::Embedded,
            Self::Postgres(postgres) => {
                let name = postgres.create_database()?;
                Database::Postgres { postgres: Arc::clone(postgres), name }
            }
        })
    }
}

/// The database of one server.
#[derive(Debug)]
pub(crate) enum Database {
    /// SQLite files in the data folder.
    Embedded,
    /// One database of a PostgreSQL server.
    Postgres {
        /// The server.
        postgres: Arc<Postgres>,
        /// The database's name.
        name: String,
    },
}

impl Database {
    /// The server's command line, its ready file excepted. Writes the configuration when one is needed.
    pub(super) fn arguments(&self, folder: &Path, data: &Path) -> Result<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        match self {
            Self::Embedded => Ok(words(&["dev", "--port", "0", "--data", &data.display().to_string()])),
            Self::Postgres { postgres, name } => {
                let config = folder.join("chancery.toml");
                fs::create_dir_all(data).map_err(|e| Error::io("make the data folder", e))?;
                let text = configuration(&postgres.conninfo(name), data);
                fs::write(&config, text).map_err(|e| Error::io("write the configuration", e))?;
                Ok(words(&["serve", "--config", &config.display().to_string()]))
            }
        }
    }

    /// Bytes on disk: of the data folder, and of the database after a checkpoint.
    pub(super) fn bytes_on_disk(&self, data: &Path) -> Result<u64> {
        let files = bytes_under(data)?;
        match self {
            Self::Embedded => Ok(files),
            Self::Postgres { postgres, name } => Ok(files + postgres.database_bytes(name)?),
        }
    }

    /// CPU seconds of the database's own processes.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        match self {
            Self::Embedded => Ok(0.0),
            Self::Postgres { postgres, .. } => postgres.cpu_seconds(),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { postgres, name } = self {
            postgres.drop_database(name);
        }
    }
}

/// The configuration of a server with one cell on PostgreSQL and one resource. Paths and conninfo go into TOML literal
/// strings, which know no escapes.
fn configuration(conninfo: &str, data: &Path) -> String {
    let data = data.display();
    format!(
        "[listener]\naddress = '127.0.0.1:0'\n\n[[cell]]\ngeography = 'unitedstates'\n\
         engine = {{ kind = 'postgres', url = '{conninfo}' }}\nkms = {{ kind = 'local', path = '{data}/root.key' }}\n\n\
         [[resource]]\nname = 'alpha'\ngeography = 'unitedstates'\n"
    )
}

/// `psql` that answers with bare values.
pub(super) fn psql(program: &Path, conninfo: &str, statements: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", conninfo]);
    for statement in statements {
        command.args(["-c", statement]);
    }
    run(&mut command).map(|out| out.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_server_is_dev_on_a_free_port() {
        let arguments = Database::Embedded.arguments(Path::new("/f"), Path::new("/f/data")).unwrap();
        assert_eq!(arguments.join(" "), "dev --port 0 --data /f/data");
    }

    #[test]
    fn the_configuration_names_the_database_and_the_key() {
        let text = configuration("host=127.0.0.1 port=5 dbname=x", Path::new("/d"));
        for line in [
            "engine = { kind = 'postgres', url = 'host=127.0.0.1 port=5 dbname=x' }",
            "kms = { kind = 'local', path = '/d/root.key' }",
            "address = '127.0.0.1:0'",
            "geography = 'unitedstates'",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
