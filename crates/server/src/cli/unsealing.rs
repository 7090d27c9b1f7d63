//! Secrets of a configuration that a key service seals: `chancery secret seal` writes them, the server opens them when it
//! starts.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use base::{Clock, Geography, Secret, SystemClock};
use clap::{Args, Subcommand};
use guard::sealed_secret::{self, MAX_SECRET, SealedSecretError};
use guard::{Kms, SystemRng};
use thiserror::Error;

use super::{CliError, cells, say};
use crate::config::{Config, SecretError, SecretRef};

const EXAMPLES: &str = "Examples:\n  \
    openssl rand -hex 32 | chancery secret seal --config chancery.toml > operator.sealed\n  \
    chancery secret seal --config chancery.toml --cell europe < smtp-password > smtp.sealed\n\n\
    Name the file as \"sealed:/etc/chancery/operator.sealed\". It opens only where the key service of that cell answers, so it\n\
    may lie in an image or in version control.";

/// Seal secrets, for a configuration to name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Secrets {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read a secret from standard input, and print it sealed by a cell's key service.
    Seal(Seal),
}

#[derive(Debug, Args)]
struct Seal {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = super::default_config())]
    config: PathBuf,
    /// The cell whose key service seals it. [default: the first]
    #[arg(long, value_name = "GEOGRAPHY")]
    cell: Option<String>,
}

/// Why a secret is not sealed or not opened.
#[derive(Debug, Error)]
pub enum UnsealingFault {
    /// The file.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What is in it, or its key service.
    #[error("{place}: {fault}")]
    Sealed {
        /// Which secret.
        place: SecretRef,
        /// Why.
        fault: SealedSecretError,
    },
    /// It was sealed elsewhere.
    #[error(
        "{place} was sealed by the key service of the geography {geography}, of which there is no cell here"
    )]
    Elsewhere {
        /// Which secret.
        place: SecretRef,
        /// Where it was sealed.
        geography: String,
    },
    /// There is nothing to seal.
    #[error("give the secret on standard input: chancery secret seal < FILE")]
    Nothing,
    /// Standard input failed, or is no text.
    #[error("the secret cannot be read from standard input: {}", .0.kind())]
    Input(std::io::Error),
}

impl Secrets {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        let Verb::Seal(Seal { config, cell }) = self.verb;
        let config = Config::load(&config).map_err(CliError::Config)?;
        let geography = match (cell, config.cells.first()) {
            (Some(named), _) => named.parse().map_err(|_| CliError::NoSuchCell { geography: named })?,
            (None, Some(first)) => first.geography.clone(),
            (None, None) => return Err(CliError::NoSuchCell { geography: String::new() }),
        };
        let kms = kms_of(&config, &geography).await?;
        let kms = kms.ok_or_else(|| CliError::NoSuchCell { geography: geography.as_str().to_owned() })?;
        let secret = read()?;
        let sealed = sealed_secret::seal(&*kms, &geography, &secret, &SystemRng).await;
        let place = SecretRef::File("-".into());
        say(&sealed.map_err(|fault| UnsealingFault::Sealed { place, fault })?)
    }
}

/// A secret from standard input, without the line end after it.
fn read() -> Result<Secret<String>, UnsealingFault> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(UnsealingFault::Nothing);
    }
    let mut text = String::new();
    let most = u64::try_from(MAX_SECRET).unwrap_or(u64::MAX).saturating_add(2);
    stdin.lock().take(most).read_to_string(&mut text).map_err(UnsealingFault::Input)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(UnsealingFault::Nothing) } else { Ok(Secret::new(text.to_owned())) }
}

async fn kms_of(config: &Config, geography: &Geography) -> Result<Option<Arc<dyn Kms>>, CliError> {
    let Some(cell) = config.cells.iter().find(|cell| cell.geography == *geography) else { return Ok(None) };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    cells::key_service(cell, &cell.kms, &clock, &SystemRng).await.map(Some)
}

/// Opens every secret of `config` that is sealed; each key service is begun once, and only when there is one of its own.
pub(super) async fn unseal(config: &Config) -> Result<(), CliError> {
    let mut services: HashMap<Geography, Arc<dyn Kms>> = HashMap::new();
    for (_, reference) in config.secrets() {
        let SecretRef::Sealed(place) = reference else { continue };
        let text = place.text().map_err(UnsealingFault::from)?;
        let malformed =
            || UnsealingFault::Sealed { place: reference.clone(), fault: SealedSecretError::Malformed };
        let geography = sealed_secret::geography_of(&text).ok_or_else(malformed)?;
        let kms = match services.get(&geography) {
            Some(kms) => Arc::clone(kms),
            None => {
                let elsewhere = || UnsealingFault::Elsewhere {
                    place: reference.clone(),
                    geography: geography.as_str().to_owned(),
                };
                let kms = kms_of(config, &geography).await?.ok_or_else(elsewhere)?;
                services.insert(geography, Arc::clone(&kms));
                kms
            }
        };
        let opened = sealed_secret::open(&*kms, &text).await;
        place.keep(opened.map_err(|fault| UnsealingFault::Sealed { place: reference.clone(), fault })?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &std::path::Path, token: &str) -> Config {
        let at = folder.display();
        let text = format!(
            "[listener]\naddress = '127.0.0.1:1'\nself_signed = true\ndata = '{at}'\n[operator]\ntoken = '{token}'\n\
             [[cell]]\ngeography = 'europe'\nengine = {{ kind = 'sqlite', path = '{at}/s' }}\n\
             kms = {{ kind = 'local', path = '{at}/root.key' }}\n[[resource]]\nname = 'a'\ngeography = 'europe'\n"
        );
        Config::parse("c.toml", &text).unwrap()
    }

    #[tokio::test]
    async fn a_sealed_secret_is_opened_by_the_key_service_of_its_cell() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token.sealed");
        let config = config(folder.path(), &format!("sealed:{}", file.display()));
        let token = config.operator.as_ref().unwrap().token.clone();
        assert!(unseal(&config).await.unwrap_err().to_string().contains("cannot be read"));
        std::fs::write(&file, "x").unwrap();
        assert!(unseal(&config).await.unwrap_err().to_string().contains("no sealed secret"));
        let kms = kms_of(&config, &"europe".parse().unwrap()).await.unwrap().unwrap();
        let secret = Secret::new("hunter2".to_owned());
        let seal = async |geography: &str| {
            let geography = geography.parse().unwrap();
            sealed_secret::seal(&*kms, &geography, &secret, &SystemRng).await.unwrap()
        };
        std::fs::write(&file, seal("uk").await).unwrap();
        assert!(unseal(&config).await.unwrap_err().to_string().contains("no cell here"));
        assert!(token.fetch().is_err());
        std::fs::write(&file, seal("europe").await).unwrap();
        unseal(&config).await.unwrap();
        assert_eq!(token.fetch().unwrap().expose(), "hunter2");
    }
}
