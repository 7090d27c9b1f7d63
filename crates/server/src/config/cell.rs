//! `[[cell]]`: one geography, the engine that keeps its rows, and the key service above its keys.

use std::path::PathBuf;

use base::Geography;
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::secret::{self, SecretRef};

/// One geography that this node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellConfig {
    /// Its name.
    pub geography: Geography,
    /// Where its rows rest.
    pub engine: EngineConfig,
    /// Who keeps the key above its keys.
    pub kms: KmsConfig,
}

/// Where rows rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineConfig {
    /// A SQLite file, for one node.
    Sqlite {
        /// The file; its folder is made when it is missing.
        path: PathBuf,
    },
    /// A PostgreSQL database, for any number of nodes.
    Postgres {
        /// Where its URL is, which holds a password.
        url: SecretRef,
    },
}

/// Who keeps the root key of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KmsConfig {
    /// A key file of this machine.
    Local {
        /// The file, readable for the server alone; made when it is missing.
        path: PathBuf,
    },
}

/// One geography that this node serves.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "cell")]
pub(super) struct RawCell {
    /// Its name: one of the data locations of ACS, such as "europe", or a name of your own.
    #[schemars(required, with = "String", regex(pattern = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"))]
    geography: Option<String>,
    /// Where its rows rest.
    #[schemars(required, with = "RawEngine")]
    engine: Option<RawEngine>,
    /// Who keeps the key above its keys.
    #[schemars(required, with = "RawKms")]
    kms: Option<RawKms>,
}

/// Where rows rest: { kind = "sqlite", path = ".." } or { kind = "postgres", url = "env:NAME" }.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "engine")]
struct RawEngine {
    /// "sqlite" or "postgres".
    #[schemars(required, with = "String", regex(pattern = r"^(sqlite|postgres)$"))]
    kind: Option<String>,
    /// For sqlite: the file.
    #[schemars(with = "String")]
    path: Option<PathBuf>,
    /// For postgres: where the database's URL is, as "env:NAME" or "file:/path".
    #[schemars(with = "String", regex(pattern = r"^(env|file):."))]
    url: Option<String>,
}

/// Who keeps the key above a cell's keys: { kind = "local", path = ".." }.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "kms")]
struct RawKms {
    /// "local".
    #[schemars(required, with = "String", regex(pattern = r"^local$"))]
    kind: Option<String>,
    /// The key file, readable for the server alone; made when it is missing. Back it up: without it nothing can be read.
    #[schemars(required, with = "String")]
    path: Option<PathBuf>,
}

impl RawCell {
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<CellConfig> {
        let geography = geography(self.geography.as_deref(), &format!("{at}.geography"), document);
        let engine = match self.engine {
            Some(engine) => engine.check(&format!("{at}.engine"), document),
            None => missing(
                &format!("{at}.engine"),
                "write engine = { kind = \"sqlite\", path = \"..\" }",
                document,
            ),
        };
        let kms = match self.kms {
            Some(kms) => kms.check(&format!("{at}.kms"), document),
            None => {
                missing(&format!("{at}.kms"), "write kms = { kind = \"local\", path = \"..\" }", document)
            }
        };
        Some(CellConfig { geography: geography?, engine: engine?, kms: kms? })
    }
}

impl RawEngine {
    fn check(self, at: &str, document: &mut Document<'_>) -> Option<EngineConfig> {
        const SQLITE: &str = "name the file: path = \"/var/lib/chancery/europe/store.sqlite\"";
        match self.kind.as_deref() {
            Some("sqlite") => {
                unused(self.url.is_some(), &format!("{at}.url"), "sqlite", document);
                let path = self.path.filter(|path| !path.as_os_str().is_empty());
                path.map(|path| EngineConfig::Sqlite { path })
                    .or_else(|| missing(&format!("{at}.path"), SQLITE, document))
            }
            Some("postgres") => {
                unused(self.path.is_some(), &format!("{at}.path"), "postgres", document);
                let key = format!("{at}.url");
                let Some(text) = self.url else { return missing(&key, secret::FORM, document) };
                let url = SecretRef::parse(&text);
                if url.is_none() {
                    document.problem(&key, "this is no reference to a secret", secret::FORM);
                }
                url.map(|url| EngineConfig::Postgres { url })
            }
            Some(_) => {
                document.problem(
                    &format!("{at}.kind"),
                    "there is no such engine",
                    "write \"sqlite\" or \"postgres\"",
                );
                None
            }
            None => missing(&format!("{at}.kind"), "write \"sqlite\" or \"postgres\"", document),
        }
    }
}

impl RawKms {
    fn check(self, at: &str, document: &mut Document<'_>) -> Option<KmsConfig> {
        match self.kind.as_deref() {
            Some("local") => self.path.filter(|path| !path.as_os_str().is_empty()).map_or_else(
                || {
                    missing(
                        &format!("{at}.path"),
                        "name the key file: path = \"/var/lib/chancery/europe/root.key\"",
                        document,
                    )
                },
                |path| Some(KmsConfig::Local { path }),
            ),
            Some(_) => {
                document.problem(&format!("{at}.kind"), "there is no such key service", "write \"local\"");
                None
            }
            None => missing(&format!("{at}.kind"), "write \"local\"", document),
        }
    }
}

/// Reads a geography; what is wrong with it is noted.
pub(super) fn geography(text: Option<&str>, key: &str, document: &mut Document<'_>) -> Option<Geography> {
    const FIX: &str = "write a name in lower-case letters, digits and hyphens, such as \"europe\"";
    let Some(text) = text else { return missing(key, FIX, document) };
    let read = text.parse().ok();
    if read.is_none() {
        document.problem(key, "this is no geography", FIX);
    }
    read
}

/// Notes that `key` is missing, unless it was wrong before.
pub(super) fn missing<T>(key: &str, fix: &str, document: &mut Document<'_>) -> Option<T> {
    if !document.is_partial(key) {
        document.problem(key, "missing", fix);
    }
    None
}

fn unused(given: bool, key: &str, kind: &str, document: &mut Document<'_>) {
    if given {
        document.problem(key, format!("an engine of the kind {kind} has no such key"), "take it out");
    }
}
