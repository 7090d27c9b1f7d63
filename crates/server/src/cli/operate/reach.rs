//! How a verb finds the server it asks: by the data folder of `chancery dev`, by a configuration, by a ready file, or by
//! an address.

use std::path::{Path, PathBuf};

use ::http::Method;
use base::Secret;
use clap::Args;
use guard::tls::{client_config, client_config_showing};
use serde::Deserialize;
use serde_json::Value;

use super::{CliError, segment};
use crate::config::{Certificate, Config};
use crate::dev::ready::RUNNING;
use crate::dev::token;
use crate::http::operator::OperatorToken;
use crate::net::Client;

/// Where the certificates of public authorities are, on the systems we know.
const PUBLIC: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Which server.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which server")]
pub(super) struct Reach {
    /// The data folder of a running `chancery dev`.
    #[arg(long, value_name = "DIR", group = "server")]
    data: Option<PathBuf>,
    /// The configuration of a server on this machine. [default: chancery.toml, when it is there]
    #[arg(long, value_name = "FILE", group = "server")]
    config: Option<PathBuf>,
    /// The ready file of a running `chancery dev`.
    #[arg(long, value_name = "FILE", group = "server")]
    ready_file: Option<PathBuf>,
    /// The address of a server: https://HOST:PORT. Needs --token-file.
    #[arg(long, value_name = "URL", group = "server", requires = "token_file")]
    endpoint: Option<String>,
    /// The authority to trust, as PEM. [default: what the server's folder says, else the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The operator's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A certificate to show, as PEM, where the operator's listener asks for one. [default: what the configuration says]
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_certificate: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key: Option<PathBuf>,
    /// Print JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

/// What is needed to ask.
struct Found {
    endpoint: String,
    connect: Option<(String, u16)>,
    ca: Option<PathBuf>,
    token: Option<OperatorToken>,
    /// The chain and the key that are shown to it.
    shown: Option<(PathBuf, PathBuf)>,
}

/// A server that can be asked.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    endpoint: String,
}

/// What a running `chancery dev` says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    endpoint: String,
    ca_file: Option<PathBuf>,
    admin_token: Option<String>,
}

impl Reach {
    /// Finds the server.
    pub(super) fn server(&self) -> Result<Server, CliError> {
        let mut found = self.find()?;
        if let Some(path) = &self.token_file {
            found.token = Some(token::read(path)?);
        }
        let token = found.token.ok_or(CliError::NoOperatorToken)?;
        let trusted = self.ca.clone().or(found.ca);
        let path = trusted.or_else(|| PUBLIC.iter().map(PathBuf::from).find(|path| path.exists()));
        let path = path.ok_or(CliError::NoAuthority)?;
        let pem = read(&path)?;
        let shown = self.client_certificate.clone().zip(self.client_key.clone()).or(found.shown);
        let tls = match shown {
            None => client_config(&pem).map_err(|_| CliError::NotAnAuthority { path })?,
            Some((chain, key)) => {
                client_config(&pem).map_err(|_| CliError::NotAnAuthority { path })?;
                let (chain_pem, key_pem) = (read(&chain)?, Secret::new(read(&key)?));
                client_config_showing(&pem, Some((&chain_pem, &key_pem)))
                    .map_err(|fault| CliError::ClientCertificate { path: chain, fault })?
            }
        };
        let endpoint = found.endpoint;
        let client = Client::new(&endpoint, found.connect, tls, Secret::new(token.expose().clone()));
        let client = client.map_err(|fault| CliError::Unreached { endpoint: endpoint.clone(), fault })?;
        Ok(Server { client, endpoint })
    }

    fn find(&self) -> Result<Found, CliError> {
        if let Some(endpoint) = &self.endpoint {
            return Ok(Found {
                endpoint: endpoint.clone(),
                connect: None,
                ca: None,
                token: None,
                shown: None,
            });
        }
        if let Some(path) = &self.ready_file {
            return running(path);
        }
        if let Some(data) = &self.data {
            let mut found = running(&data.join(RUNNING))?;
            found.token = Some(token::read(&data.join(token::FILE))?);
            return Ok(found);
        }
        let default = super::super::default_config();
        match &self.config {
            Some(path) => configured(path, self.token_file.is_some()),
            None if default.exists() => configured(&default, self.token_file.is_some()),
            None => Err(CliError::WhichServer),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(path).map_err(|fault| CliError::File { path: path.to_owned(), fault })
}

fn running(path: &Path) -> Result<Found, CliError> {
    let text = std::fs::read(path).map_err(|fault| match fault.kind() {
        std::io::ErrorKind::NotFound => CliError::NotRunning { path: path.to_owned() },
        _ => CliError::File { path: path.to_owned(), fault },
    })?;
    let read: Running =
        serde_json::from_slice(&text).map_err(|_| CliError::NotRunning { path: path.to_owned() })?;
    let token = read.admin_token.as_deref().and_then(OperatorToken::parse);
    Ok(Found { endpoint: read.endpoint, connect: None, ca: read.ca_file, token, shown: None })
}

/// A server of this machine, reached at the address it listens at, whatever stands before it.
fn configured(path: &Path, token_is_given: bool) -> Result<Found, CliError> {
    let config = Config::load(path).map_err(CliError::Config)?;
    let operator = config.operator.as_ref();
    let address = operator.and_then(|operator| operator.listen).unwrap_or(config.listener.address);
    let shown = operator.and_then(|operator| operator.shown.clone());
    let (loopback, port) = (address.ip().is_unspecified() || address.ip().is_loopback(), address.port());
    let ca = match &config.listener.certificate {
        Certificate::SelfSigned { data } => Some(data.join("ca").join("ca.pem")),
        Certificate::Files { .. } | Certificate::Acme(_) => None,
    };
    let public = config.listener.public_hosts.iter().find(|host| host.address().is_none());
    let host = match (&ca, public) {
        // A certificate of the server's own names localhost, one of an authority the public host.
        (None, Some(host)) => host.as_str().to_owned(),
        _ => "localhost".to_owned(),
    };
    let at = if loopback { "localhost".to_owned() } else { address.ip().to_string() };
    // Where it is given it is not looked for: it may be sealed, or out of reach for who asks.
    let token = if token_is_given { None } else { super::super::serve::operator(&config)? };
    Ok(Found { endpoint: format!("https://{host}:{port}"), connect: Some((at, port)), ca, token, shown })
}

/// Path and query of a link that the server told.
pub(super) fn target_of(link: &str) -> String {
    let uri: ::http::Uri = link.parse().unwrap_or_default();
    uri.path_and_query().map_or("/", |target| target.as_str()).to_owned()
}

impl Server {
    /// Asks, and reads the answer's JSON. An answer without a body is `null`.
    pub(super) async fn ask(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let body = body.map(|body| body.to_string().into_bytes());
        let (status, answer) = self
            .client
            .ask(method, target, body)
            .await
            .map_err(|fault| CliError::Unreached { endpoint: self.endpoint.clone(), fault })?;
        let read: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status.is_success() {
            return Ok(read);
        }
        let error = &read["error"];
        let mut message = error["message"].as_str().unwrap_or("The server said no more.").to_owned();
        for detail in error["details"].as_array().into_iter().flatten() {
            let (target, said) = (super::text(detail, "target"), super::text(detail, "message"));
            message.extend(["\n  ", target, ": ", said]);
        }
        Err(CliError::Answered { status: status.as_u16(), message, hint: hint(status.as_u16()) })
    }

    /// The resource that is meant: the named one, or the only one there is.
    pub(super) async fn resource(&self, named: Option<&String>) -> Result<String, CliError> {
        if let Some(name) = named {
            return Ok(segment(name));
        }
        let known = self.ask(Method::GET, "/operator/resources", None).await?;
        let names: Vec<_> =
            super::items(&known).iter().map(|one| super::text(one, "name").to_owned()).collect();
        match &names[..] {
            [only] => Ok(segment(only)),
            _ => Err(CliError::Which { what: "resource", names: names.join(", ") }),
        }
    }

    /// The geography that is meant: the named one, or the only one there is.
    pub(super) async fn geography(&self, named: Option<&String>) -> Result<String, CliError> {
        if let Some(name) = named {
            return Ok(name.clone());
        }
        let known = self.ask(Method::GET, "/operator/resources", None).await?;
        let mut names: Vec<_> =
            super::items(&known).iter().map(|one| super::text(one, "geography").to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        match &names[..] {
            [only] => Ok(only.clone()),
            _ => Err(CliError::Which { what: "geography", names: names.join(", ") }),
        }
    }
}

/// What to do after an answer that was no success.
const fn hint(status: u16) -> &'static str {
    match status {
        401 => "\n  The token is another server's, or was replaced; name the right one with --token-file.",
        404 => "\n  Look at the name; `list` says what there is.",
        429 | 503 => "\n  Try again in a moment.",
        501 => "\n  This server is older than this program, or does not have this yet.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Verb {
        #[command(flatten)]
        reach: Reach,
    }

    fn reach(line: &[&str]) -> Reach {
        Verb::try_parse_from(std::iter::once("verb").chain(line.iter().copied())).unwrap().reach
    }

    #[test]
    fn one_way_to_a_server_at_a_time() {
        for bad in [
            &["--data", "d", "--config", "c"][..],
            &["--endpoint", "https://localhost"],
            &["--ready-file", "r", "--endpoint", "https://localhost", "--token-file", "t"],
        ] {
            let line = std::iter::once("verb").chain(bad.iter().copied());
            assert!(Verb::try_parse_from(line).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_data_folder_says_where_its_server_is() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let fault = reach(&["--data", data]).server().unwrap_err();
        assert!(fault.to_string().contains("chancery dev --data"), "{fault}");
        let made = token::ensure(folder.path(), &base::SeededRng::new(1)).unwrap();
        std::fs::write(folder.path().join(RUNNING), r#"{"endpoint":"https://localhost:9","caFile":"/c"}"#)
            .unwrap();
        let found = reach(&["--data", data]).find().unwrap();
        assert_eq!((found.endpoint.as_str(), found.ca), ("https://localhost:9", Some("/c".into())));
        assert!(found.token.unwrap().is(made.expose()));
    }

    #[test]
    fn a_configuration_says_where_its_server_listens() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("token");
        std::fs::write(&secret, "x".repeat(40)).unwrap();
        let text = |listener: &str| {
            format!(
                "[operator]\ntoken = 'file:{}'\n[listener]\n{listener}\n[[cell]]\ngeography = 'europe'\n\
                 engine = {{ kind = 'sqlite', path = '/d/s' }}\nkms = {{ kind = 'local', path = '/d/k' }}\n\
                 [[resource]]\nname = 'a'\ngeography = 'europe'\n",
                secret.display()
            )
        };
        let path = folder.path().join("c.toml");
        let found = |listener: &str| {
            std::fs::write(&path, text(listener)).unwrap();
            let found = reach(&["--config", path.to_str().unwrap()]).find().unwrap();
            assert!(found.token.unwrap().is(&"x".repeat(40)));
            (found.endpoint, found.connect.unwrap(), found.ca)
        };
        let own = found("address = '0.0.0.0:8443'\nself_signed = true\ndata = '/d'");
        assert_eq!(
            own,
            ("https://localhost:8443".into(), ("localhost".into(), 8443), Some("/d/ca/ca.pem".into()))
        );
        let public = found(
            "address = '10.0.0.5:443'\ncertificate = '/c'\nkey = '/k'\npublic_hosts = ['chat.example.org']",
        );
        assert_eq!(public, ("https://chat.example.org:443".into(), ("10.0.0.5".into(), 443), None));
    }

    #[test]
    fn a_token_that_is_given_is_not_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (path, token) = (folder.path().join("c.toml"), folder.path().join("token"));
        let text = "[operator]\ntoken = 'sealed:/nowhere/token'\n[listener]\naddress = '127.0.0.1:1'\n\
                    self_signed = true\ndata = '/d'\n[[cell]]\ngeography = 'europe'\n\
                    engine = { kind = 'sqlite', path = '/d/s' }\nkms = { kind = 'local', path = '/d/k' }\n\
                    [[resource]]\nname = 'a'\ngeography = 'europe'\n";
        std::fs::write(&path, text).unwrap();
        std::fs::write(&token, "x".repeat(40)).unwrap();
        let config = ["--config", path.to_str().unwrap()];
        assert!(reach(&config).find().err().unwrap().to_string().contains("--token-file"));
        let given = [config[0], config[1], "--token-file", token.to_str().unwrap()];
        assert!(reach(&given).find().unwrap().token.is_none());
    }

    #[test]
    fn links_lead_to_their_path_and_query() {
        assert_eq!(target_of("https://localhost:1/a/b?c=d%20e"), "/a/b?c=d%20e");
        assert_eq!(target_of("not a link"), "/");
    }
}
