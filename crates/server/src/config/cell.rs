//! `[[cell]]`: one geography, the engine that keeps its rows, and the key service above its keys.

use std::path::PathBuf;

use base::{Geography, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::key_service::{KeyServiceConfig, RawKeyService};
use super::kms::{KmsConfig, RawKms};
use super::mail::{MailConfig, RawMail};
use super::secret::{self, SecretError, SecretRef};
use super::sms::{CarrierConfig, RawSms};

/// One geography that this node serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellConfig {
    /// Its name.
    pub geography: Geography,
    /// Where its rows rest.
    pub engine: EngineConfig,
    /// Who keeps the key above its keys.
    pub kms: KmsConfig,
    /// The key services that its resources may put their keys under.
    pub key_services: Vec<KeyServiceConfig>,
    /// The SMS centres that carry its texts.
    pub carriers: Vec<CarrierConfig>,
    /// How its mail leaves the house; `None`: it does not.
    pub mail: Option<MailConfig>,
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
        /// How to reach it.
        url: DatabaseUrl,
        /// The schema that holds this cell's tables; `None` for the one the database chooses.
        schema: Option<String>,
    },
}

/// How to reach a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// Written in the file; it holds no password.
    Open(String),
    /// Kept elsewhere.
    Kept(SecretRef),
}

impl DatabaseUrl {
    /// Reads a reference, or a URL or key list without a password. When it is neither: what is wrong, what to write.
    fn parse(text: &str) -> Result<Self, (&'static str, &'static str)> {
        if let Some(place) = SecretRef::parse(text) {
            return Ok(Self::Kept(place));
        }
        let lower = text.to_ascii_lowercase();
        let server = lower.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
        let inline =
            server.and_then(|rest| rest.rsplit_once('@')).is_some_and(|(user, _)| user.contains(':'));
        if inline || lower.contains("password") {
            return Err(("this holds a password", secret::FORM));
        }
        let known =
            lower.starts_with("postgres://") || lower.starts_with("postgresql://") || lower.contains('=');
        if known {
            Ok(Self::Open(text.to_owned()))
        } else {
            Err(("this is no address of a database", secret::FORM))
        }
    }

    /// The URL itself.
    ///
    /// # Errors
    /// When it is kept elsewhere and cannot be had.
    pub fn fetch(&self) -> Result<Secret<String>, SecretError> {
        match self {
            Self::Open(url) => Ok(Secret::new(url.clone())),
            Self::Kept(place) => place.fetch(),
        }
    }
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
    /// Key services that its resources may put their keys under.
    #[serde(default)]
    #[schemars(length(max = 256))]
    key_service: Vec<RawKeyService>,
    /// Texts.
    #[serde(default)]
    sms: RawSms,
    /// Mail.
    #[serde(default)]
    #[schemars(with = "RawMail")]
    mail: Option<RawMail>,
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
    #[serde(default)]
    #[schemars(with = "String")]
    path: Option<PathBuf>,
    /// For postgres: where the database's URL is, as "file:/path", "credential:NAME", "sealed:/path" or "env:NAME"; or the URL itself when it has no password.
    #[serde(default)]
    #[schemars(with = "String")]
    url: Option<String>,
    /// For postgres: the schema that holds the tables of this cell. Two cells never share one.
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^[a-z_][a-z0-9_]{0,62}$"))]
    schema: Option<String>,
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
        let key_services = key_services(self.key_service, &format!("{at}.key_service"), document);
        let carriers = self.sms.check(&format!("{at}.sms"), document);
        let mail = match self.mail {
            Some(mail) => Some(mail.check(&format!("{at}.mail"), document)?),
            None => None,
        };
        Some(CellConfig { geography: geography?, engine: engine?, kms: kms?, key_services, carriers, mail })
    }
}

/// The most key services of one cell.
const MAX_KEY_SERVICES: usize = 256;

fn key_services(raw: Vec<RawKeyService>, at: &str, document: &mut Document<'_>) -> Vec<KeyServiceConfig> {
    if raw.len() > MAX_KEY_SERVICES {
        let what = format!("{} key services, a cell can have {MAX_KEY_SERVICES}", raw.len());
        document.problem(at, what, "move some to another cell");
    }
    let mut services: Vec<KeyServiceConfig> = Vec::new();
    for (place, service) in raw.into_iter().enumerate() {
        let at = format!("{at}[{place}]");
        let Some(service) = service.check(&at, document) else { continue };
        if services.iter().any(|other| other.name == service.name) {
            let what = "another key service of this cell has this name";
            document.problem(&format!("{at}.name"), what, "give each a name of its own");
        }
        services.push(service);
    }
    services
}

impl RawEngine {
    fn check(self, at: &str, document: &mut Document<'_>) -> Option<EngineConfig> {
        const SQLITE: &str = "name the file: path = \"/var/lib/chancery/europe/store.sqlite\"";
        match self.kind.as_deref() {
            Some("sqlite") => {
                unused(self.url.is_some(), &format!("{at}.url"), "sqlite", document);
                unused(self.schema.is_some(), &format!("{at}.schema"), "sqlite", document);
                let path = self.path.filter(|path| !path.as_os_str().is_empty());
                path.map(|path| EngineConfig::Sqlite { path })
                    .or_else(|| missing(&format!("{at}.path"), SQLITE, document))
            }
            Some("postgres") => {
                unused(self.path.is_some(), &format!("{at}.path"), "postgres", document);
                let key = format!("{at}.url");
                let Some(text) = self.url else { return missing(&key, secret::FORM, document) };
                let schema = schema(self.schema, &format!("{at}.schema"), document);
                match DatabaseUrl::parse(&text) {
                    Ok(url) => Some(EngineConfig::Postgres { url, schema }),
                    Err((what, fix)) => {
                        document.problem(&key, what, fix);
                        None
                    }
                }
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

fn schema(text: Option<String>, key: &str, document: &mut Document<'_>) -> Option<String> {
    let text = text?;
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(legal)
        && !text.starts_with(|first: char| first.is_ascii_digit());
    if !fits {
        document.problem(
            key,
            "this is no name of a schema",
            "write 1 to 63 of a-z, 0-9 and _, no digit first",
        );
    }
    Some(text)
}

fn unused(given: bool, key: &str, kind: &str, document: &mut Document<'_>) {
    if given {
        document.problem(key, format!("an engine of the kind {kind} has no such key"), "take it out");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_without_its_password() {
        for open in [
            "postgres://u@h/d",
            "postgresql://h:5432/d",
            "host=127.0.0.1 port=5 dbname=x",
            "postgres://h/d?a=b:c@d",
        ] {
            assert_eq!(DatabaseUrl::parse(open), Ok(DatabaseUrl::Open(open.to_owned())), "{open}");
            assert_eq!(DatabaseUrl::parse(open).unwrap().fetch().unwrap().expose(), open);
        }
        for bad in [
            "postgres://u:p@h/d",
            "host=h Password=p",
            "postgres://u:p@h@h/d",
            "postgres://h/d?password=p",
            "nothing",
            "",
        ] {
            assert!(DatabaseUrl::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(DatabaseUrl::parse("env:A"), Ok(DatabaseUrl::Kept(SecretRef::Env("A".into()))));
    }
}
