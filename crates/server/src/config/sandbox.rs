//! `[sandbox]`: how closed the host has to be, and what else the server must reach; and, of a whole configuration, every file
//! and folder that it names.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::{
    Also, CellConfig, Certificate, Config, DatabaseUrl, EngineConfig, KmsConfig, MailRoute, SecretRef,
};
use crate::host::{Mode, Needs};

/// How closed the host has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxConfig {
    /// What is done where the kernel cannot close it.
    pub mode: Mode,
    /// Files and folders that are read besides those the configuration names.
    pub read: Vec<PathBuf>,
    /// Folders that are written besides those the configuration names.
    pub write: Vec<PathBuf>,
}

/// What the process gives up once it knows what it needs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "sandbox")]
pub(super) struct RawSandbox {
    /// "best-effort": what the kernel can do, the rest is logged as a warning. "required": all of it, or no start. "off":
    /// nothing.
    #[schemars(with = "String", regex(pattern = r"^(required|best-effort|off)$"))]
    mode: Option<String>,
    /// Files and folders that the server may read besides those this file names: what the library of an HSM needs, say.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    read: Vec<PathBuf>,
    /// Folders that the server may write in besides those this file names.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    write: Vec<PathBuf>,
}

impl RawSandbox {
    pub(super) fn check(self, document: &mut Document<'_>) -> SandboxConfig {
        let mode = match self.mode.as_deref() {
            None => Mode::default(),
            Some(text) => Mode::parse(text).unwrap_or_else(|| {
                document.problem(
                    "sandbox.mode",
                    "this is no mode of the sandbox",
                    "write \"required\", \"best-effort\" or \"off\"",
                );
                Mode::default()
            }),
        };
        for (list, paths) in [("read", &self.read), ("write", &self.write)] {
            for (at, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_absolute()) {
                let what = format!("{} does not begin with /", path.display());
                document.problem(&format!("sandbox.{list}[{at}]"), what, "write the whole path");
            }
        }
        SandboxConfig { mode, read: self.read, write: self.write }
    }
}

impl Config {
    /// Every secret that is named, with what it is.
    #[must_use]
    pub fn secrets(&self) -> Vec<(String, &SecretRef)> {
        let mut all: Vec<(String, &SecretRef)> = Vec::new();
        all.extend(self.operator.iter().map(|who| ("operator's token".to_owned(), &who.token)));
        let token = self.alerts.iter().filter_map(|alerts| alerts.token.as_ref());
        all.extend(token.map(|place| ("token of alerts".to_owned(), place)));
        for resource in &self.resources {
            let keys = resource.access_keys.iter();
            all.extend(keys.map(|place| (format!("access key of {}", resource.name), place)));
        }
        for cell in &self.cells {
            let geography = cell.geography.as_str();
            if let EngineConfig::Postgres { url: DatabaseUrl::Kept(place), .. } = &cell.engine {
                all.push((format!("database of {geography}"), place));
            }
            let services = cell.key_services.iter().map(|service| &service.kms);
            for kms in std::iter::once(&cell.kms).chain(services) {
                let places = kms.secrets().into_iter();
                all.extend(places.map(|place| (format!("key service of {geography}"), place)));
            }
            all.extend(cell.carriers.iter().map(|one| (format!("carrier of {geography}"), &one.password)));
            if let Some(MailRoute::SmartHost { login: Some((_, place)), .. }) =
                cell.mail.as_ref().map(|mail| &mail.route)
            {
                all.push((format!("smart host of {geography}"), place));
            }
        }
        all
    }

    /// Every file and folder that a server with this configuration needs once it runs.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs =
            Needs { read: self.sandbox.read.clone(), write: self.sandbox.write.clone(), ..Needs::default() };
        match &self.listener.certificate {
            // The folders: a certificate is replaced by a new file of the same name.
            Certificate::Files { chain, key } => needs.read.extend([folder(chain), folder(key)]),
            Certificate::Acme(acme) => needs.read.push(acme.ca.clone()),
            Certificate::SelfSigned { data } => needs.write.push(data.clone()),
        }
        self.cells.iter().for_each(|cell| of_cell(cell, &mut needs));
        let keys = self.resources.iter().flat_map(|resource| &resource.access_keys);
        keys.chain(self.operator.iter().map(|who| &who.token)).for_each(|place| secret(place, &mut needs));
        for also in &self.listener.also {
            if let Also::Socket(path) = also {
                needs.sockets.push(folder(path));
            }
        }
        for clients in self.operator.iter().filter_map(|who| who.clients.as_ref()) {
            // The folders: lists of revoked certificates are replaced by new files of the same name.
            needs
                .read
                .extend([&clients.authorities].into_iter().chain(&clients.revoked).map(|path| folder(path)));
        }
        needs.read.extend(self.events.ca.iter().cloned());
        let token = self.alerts.as_ref().and_then(|alerts| alerts.token.as_ref());
        token.iter().for_each(|place| secret(place, &mut needs));
        needs
    }
}

fn of_cell(cell: &CellConfig, needs: &mut Needs) {
    match &cell.engine {
        EngineConfig::Sqlite { path } => needs.write.push(folder(path)),
        EngineConfig::Postgres { url: DatabaseUrl::Kept(place), .. } => secret(place, needs),
        EngineConfig::Postgres { .. } => {}
    }
    let services = cell.key_services.iter().map(|service| &service.kms);
    std::iter::once(&cell.kms).chain(services).for_each(|kms| of_key_service(kms, needs));
    for carrier in &cell.carriers {
        secret(&carrier.password, needs);
        needs.read.extend(carrier.tls.iter().cloned());
    }
    if let Some(mail) = &cell.mail {
        needs.read.push(mail.ca.clone());
        if let MailRoute::SmartHost { login: Some((_, place)), .. } = &mail.route {
            secret(place, needs);
        }
    }
}

fn of_key_service(kms: &KmsConfig, needs: &mut Needs) {
    match kms {
        KmsConfig::Local { path, passphrase } => {
            needs.write.push(folder(path));
            passphrase.iter().for_each(|place| secret(place, needs));
        }
        KmsConfig::Pkcs11 { module, pin, .. } => {
            secret(pin, needs);
            // The module, and the libraries that it wants when it is loaded.
            needs.read.push(folder(module));
            needs.read.extend(["/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache"].map(PathBuf::from));
        }
        KmsConfig::Vault(vault) => {
            needs.read.push(vault.ca.clone());
            needs.read.extend(vault.token.path().map(|path| folder(&path)));
        }
        KmsConfig::Azure(azure) => {
            needs.read.push(azure.ca.clone());
            needs.read.extend(azure.client_secret.path().map(|path| folder(&path)));
        }
        KmsConfig::Aws(aws) => {
            needs.read.push(aws.ca.clone());
            // The folders: credentials are replaced while running, by new files of the same names.
            let places = [Some(&aws.access_key_id), Some(&aws.secret_access_key), aws.session_token.as_ref()];
            for place in places.into_iter().flatten() {
                needs.read.extend(place.path().map(|path| folder(&path)));
            }
        }
    }
}

fn secret(place: &SecretRef, needs: &mut Needs) {
    needs.read.extend(place.path());
}

/// The folder that a file is in.
fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
[listener]
address = "127.0.0.1:0"
certificate = "/tls/chain.pem"
key = "/keys/key.pem"
[[cell]]
geography = "europe"
engine = { kind = "sqlite", path = "/data/eu/store.sqlite" }
kms = { kind = "local", path = "/data/keys/root.key" }
[cell.mail]
hostname = "mail.example.org"
smart_host = "relay.example.org"
user = "u"
password = "file:/run/secrets/mail"
ca = "/ca/mail.pem"
[[cell]]
geography = "india"
engine = { kind = "postgres", url = "file:/run/secrets/db" }
kms = { kind = "local", path = "root.key" }
[[resource]]
name = "contoso"
geography = "europe"
access_keys = ["file:/run/secrets/key"]
[operator]
token = "file:/run/secrets/operator"
[events]
ca = "/ca/hooks.pem"
[sandbox]
mode = "required"
read = ["/usr/lib/softhsm"]
write = ["/var/lib/softhsm/tokens"]
"#;

    fn paths(texts: &[&str]) -> Vec<PathBuf> {
        texts.iter().map(PathBuf::from).collect()
    }

    fn sorted(mut list: Vec<PathBuf>) -> Vec<PathBuf> {
        list.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        list.dedup();
        list
    }

    #[test]
    fn all_that_a_configuration_names_is_needed_and_nothing_else() {
        let config = Config::parse("t", WHOLE).unwrap();
        assert_eq!(config.sandbox.mode, Mode::Required);
        let needs = config.needs();
        let written = [".", "/data/eu", "/data/keys", "/var/lib/softhsm/tokens"];
        assert_eq!(sorted(needs.write), paths(&written));
        let read = [
            "/ca/hooks.pem",
            "/ca/mail.pem",
            "/keys",
            "/run/secrets/db",
            "/run/secrets/key",
            "/run/secrets/mail",
            "/run/secrets/operator",
            "/tls",
            "/usr/lib/softhsm",
        ];
        assert_eq!(sorted(needs.read), paths(&read));
        assert!(needs.remove.is_empty());
    }

    #[test]
    fn an_authority_of_its_own_is_written() {
        let text = WHOLE
            .replace("certificate = \"/tls/chain.pem\"", "self_signed = true")
            .replace("key = \"/keys/key.pem\"", "data = \"/own\"");
        let needs = Config::parse("t", &text).unwrap().needs();
        assert!(needs.write.contains(&"/own".into()) && !needs.read.contains(&"/tls".into()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let text = WHOLE.replace("\"required\"", "\"on\"").replace("\"/usr/lib/softhsm\"", "\"lib\"");
        let told = Config::parse("t", &text).unwrap_err().to_string();
        assert!(told.contains("sandbox.mode") && told.contains("\"best-effort\""), "{told}");
        assert!(told.contains("sandbox.read[0]") && told.contains("whole path"), "{told}");
        let without = WHOLE.split("[sandbox]").next().unwrap();
        assert_eq!(Config::parse("t", without).unwrap().sandbox, SandboxConfig::default());
    }
}
