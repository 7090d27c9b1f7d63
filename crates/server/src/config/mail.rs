//! `[cell.mail]`: how a cell's mail leaves the house.

use std::net::SocketAddr;
use std::path::PathBuf;

use base::Network;
use post::mail::address::is_domain;
use schemars::JsonSchema;
use serde::Deserialize;

use super::cell::missing;
use super::document::Document;
use super::secret::{self, SecretRef};

/// Where a system has the certificates it trusts, when no other file is named.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The port of submission (RFC 6409).
const SUBMISSION: u16 = 587;
/// The port of submission under TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;
/// The port between mail servers (RFC 5321).
const RELAY: u16 = 25;
/// The most sessions with one server.
const MOST_SESSIONS: usize = 256;

/// How a cell's mail leaves the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConfig {
    /// Our name to other mail servers; bounces come to addresses there.
    pub hostname: String,
    /// Where it goes.
    pub route: MailRoute,
    /// How many sessions with one server at the same time.
    pub sessions: usize,
    /// The file with the authorities that certificates may come from.
    pub ca: PathBuf,
    /// Networks that may be reached although they are not of the public internet.
    pub allow: Vec<Network>,
    /// Name servers to ask; none for those of the system. They must pass on DNSSEC for DANE to be used.
    pub dns: Vec<SocketAddr>,
}

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailRoute {
    /// All of it to one server, which knows the way.
    SmartHost {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// How the session is encrypted.
        tls: MailTls,
        /// As whom we log in: user name, and where the password is.
        login: Option<(String, SecretRef)>,
    },
    /// To the servers of each destination, as the DNS names them.
    Direct {
        /// The port of the destination's servers.
        port: u16,
    },
}

/// How the session with a smart host is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// STARTTLS, and its certificate bears its name.
    Required,
    /// TLS from the first byte, and its certificate bears its name.
    FromStart,
    /// STARTTLS where it is offered, with whatever certificate.
    Offered,
    /// Never.
    Off,
}

/// How the cell's mail leaves the house. Without this section none does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "mail")]
pub(super) struct RawMail {
    /// Our DNS name to other mail servers; it should lead back to the address we send from.
    #[schemars(required, with = "String")]
    hostname: Option<String>,
    /// A mail server that takes all mail, such as "smtp.example.org:587". Without it mail goes to the servers of each
    /// destination.
    #[serde(default)]
    #[schemars(with = "String")]
    smart_host: Option<String>,
    /// For a smart host: "required" (STARTTLS and a good certificate, the default), "from-start" (port 465), "offered" (if it
    /// offers it, whoever it is), "off".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(required|from-start|offered|off)$"))]
    tls: Option<String>,
    /// For a smart host: the user name it knows us by.
    #[serde(default)]
    #[schemars(with = "String")]
    user: Option<String>,
    /// For a smart host: where the password is, as "file:/path", "credential:NAME", "sealed:/path" or "env:NAME".
    #[serde(default)]
    #[schemars(with = "String", regex(pattern = r"^(env|file|credential|sealed):."))]
    password: Option<String>,
    /// How many sessions with one server at the same time.
    #[serde(default = "sessions")]
    #[schemars(range(min = 1, max = 256))]
    sessions: usize,
    /// A file of certificates (PEM) that servers' may come from; without it those the system trusts.
    #[serde(default)]
    #[schemars(with = "String")]
    ca: Option<PathBuf>,
    /// Name servers to ask about destinations and senders' domains, such as ["127.0.0.1:53"]; without it those of the system.
    #[serde(default)]
    dns: Vec<String>,
    /// Without a smart host: the port of the destinations' servers, for networks of one's own; 25 without it.
    #[serde(default)]
    #[schemars(with = "u16", range(min = 1))]
    port: Option<u16>,
    /// Private networks that mail may go to, such as ["10.0.0.0/8"]. A smart host is one more that may be reached.
    #[serde(default)]
    allow: Vec<String>,
}

const fn sessions() -> usize {
    16
}

impl RawMail {
    pub(super) fn check(self, at: &str, document: &mut Document<'_>) -> Option<MailConfig> {
        const DNS: &str = "write an address and a port such as \"127.0.0.1:53\"";
        const HOSTNAME: &str = "write our DNS name: hostname = \"mail.example.org\"";
        let key = |name: &str| format!("{at}.{name}");
        let hostname = match self.hostname.as_deref() {
            Some(name) if is_domain(name) => Some(name.to_ascii_lowercase()),
            Some(_) => {
                document.problem(&key("hostname"), "this is no DNS name", HOSTNAME);
                None
            }
            None => missing(&key("hostname"), HOSTNAME, document),
        };
        if !(1..=MOST_SESSIONS).contains(&self.sessions) {
            document.problem(&key("sessions"), "out of bounds", "write a number from 1 to 256");
        }
        let allow =
            list(&self.allow, &key("allow"), "no network", "write one such as \"10.0.0.0/8\"", document);
        let ca = self.ca.clone().unwrap_or_else(|| SYSTEM_CA.into());
        let dns = list(&self.dns, &key("dns"), "no address with a port", DNS, document);
        let sessions = self.sessions;
        let route = self.route(at, document);
        Some(MailConfig { hostname: hostname?, route: route?, sessions, ca, allow, dns })
    }

    fn route(self, at: &str, document: &mut Document<'_>) -> Option<MailRoute> {
        let key = |name: &str| format!("{at}.{name}");
        let Some(smart) = &self.smart_host else {
            let given = [
                ("tls", self.tls.is_some()),
                ("user", self.user.is_some()),
                ("password", self.password.is_some()),
            ];
            for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                document.problem(
                    &key(name),
                    "only a smart host has this",
                    "take it out, or write smart_host",
                );
            }
            return Some(MailRoute::Direct { port: self.port.unwrap_or(RELAY) });
        };
        if self.port.is_some() {
            document.problem(&key("port"), "not used with a smart host", "take it out");
        }
        let tls = match self.tls.as_deref() {
            None | Some("required") => MailTls::Required,
            Some("from-start") => MailTls::FromStart,
            Some("offered") => MailTls::Offered,
            Some("off") => MailTls::Off,
            Some(_) => {
                let fix = "write \"required\", \"from-start\", \"offered\" or \"off\"";
                document.problem(&key("tls"), "there is no such way", fix);
                MailTls::Required
            }
        };
        let login = login(self.user, self.password, tls, at, document);
        let usual = if tls == MailTls::FromStart { SUBMISSIONS } else { SUBMISSION };
        let Some((host, port)) = host_and_port(smart, usual) else {
            let fix = "write a name or an address, with or without a port: \"smtp.example.org:587\"";
            document.problem(&key("smart_host"), "this is no server", fix);
            return None;
        };
        Some(MailRoute::SmartHost { host, port, tls, login })
    }
}

fn login(
    user: Option<String>,
    password: Option<String>,
    tls: MailTls,
    at: &str,
    document: &mut Document<'_>,
) -> Option<(String, SecretRef)> {
    let key = |name: &str| format!("{at}.{name}");
    if user.is_some() && !matches!(tls, MailTls::Required | MailTls::FromStart) {
        let fix = "write tls = \"required\" or \"from-start\"";
        document.problem(&key("tls"), "a password needs a connection that nobody reads", fix);
    }
    match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => {
            secret::reference(&password, &key("password"), document).map(|place| (user, place))
        }
        (Some(_), None) => missing(&key("password"), secret::FORM, document),
        (None, Some(_)) => missing(&key("user"), "write the user name: user = \"..\"", document),
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn host_and_port(text: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            let port = if after.is_empty() { usual } else { after.strip_prefix(':')?.parse().ok()? };
            return (port != 0).then(|| (host.to_owned(), port));
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(usual), |port| port.parse().ok()).filter(|port| *port != 0)?;
    let known = is_domain(host) || host.parse::<std::net::Ipv4Addr>().is_ok();
    known.then(|| (host.to_ascii_lowercase(), port))
}

fn list<T: std::str::FromStr>(
    texts: &[String],
    key: &str,
    what: &str,
    fix: &str,
    document: &mut Document<'_>,
) -> Vec<T> {
    let mut out = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(value) => out.push(value),
            Err(_) => document.problem(&format!("{key}[{at}]"), format!("this is {what}"), fix),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(mail: &str) -> Result<MailConfig, Vec<(String, String)>> {
        let text = format!(
            "[listener]\naddress = \"127.0.0.1:0\"\nself_signed = true\ndata = \"/d\"\n\
             [[cell]]\ngeography = \"europe\"\nengine = {{ kind = \"sqlite\", path = \"/d/s\" }}\n\
             kms = {{ kind = \"local\", path = \"/d/k\" }}\n[cell.mail]\n{mail}\n\
             [[resource]]\nname = \"contoso\"\ngeography = \"europe\"\n"
        );
        Config::parse("c.toml", &text)
            .map(|config| config.cells.into_iter().next().unwrap().mail.unwrap())
            .map_err(|problems| problems.0.into_iter().map(|problem| (problem.key, problem.what)).collect())
    }

    #[test]
    fn straight_to_the_destinations() {
        let config = read("hostname = \"Mail.Example.org\"").unwrap();
        let wanted = MailConfig {
            hostname: "mail.example.org".into(),
            route: MailRoute::Direct { port: 25 },
            sessions: 16,
            ca: SYSTEM_CA.into(),
            allow: vec![],
            dns: vec![],
        };
        assert_eq!(config, wanted);
        let own = "hostname = \"m.example\"\ndns = [\"127.0.0.1:53\"]\nport = 2525\nallow = [\"10.0.0.0/8\"]\nsessions = 256";
        let config = read(own).unwrap();
        assert_eq!(config.route, MailRoute::Direct { port: 2525 });
        assert_eq!(config.dns, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!((config.sessions, config.allow), (256, vec!["10.0.0.0/8".parse().unwrap()]));
    }

    #[test]
    fn through_a_smart_host() {
        let full = "hostname = \"m.example\"\nsmart_host = \"smtp.example.org\"\nuser = \"u\"\npassword = \"env:P\"\nca = \"/ca\"";
        let config = read(full).unwrap();
        let login = Some(("u".to_owned(), SecretRef::Env("P".into())));
        let (host, tls) = ("smtp.example.org".to_owned(), MailTls::Required);
        assert_eq!(config.route, MailRoute::SmartHost { host, port: 587, tls, login });
        assert_eq!(config.ca, PathBuf::from("/ca"));
        for (text, usual, wanted) in [
            ("smtp.example.org:2525", 587, Some(("smtp.example.org", 2525))),
            ("127.0.0.1:25", 587, Some(("127.0.0.1", 25))),
            ("[::1]:25", 587, Some(("::1", 25))),
            ("[::1]", 465, Some(("::1", 465))),
            ("localhost", 465, Some(("localhost", 465))),
            ("a:b", 587, None),
            ("a:0", 587, None),
            ("a:70000", 587, None),
            ("[::1", 587, None),
            ("[::1]x", 587, None),
            ("::1", 587, None),
            ("", 587, None),
            ("a b", 587, None),
        ] {
            let wanted = wanted.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(host_and_port(text, usual), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let smart = "hostname = \"m.example\"\nsmart_host = \"s.example\"\n";
        let direct = "hostname = \"m.example\"\n";
        for (text, key, what) in [
            (String::new(), "hostname", "missing"),
            ("hostname = \"a_b\"".into(), "hostname", "this is no DNS name"),
            (format!("{direct}sessions = 0"), "sessions", "out of bounds"),
            (format!("{direct}sessions = 257"), "sessions", "out of bounds"),
            (format!("{direct}allow = [\"10/8\"]"), "allow[0]", "this is no network"),
            (format!("{direct}dns = [\"127.0.0.1\"]"), "dns[0]", "this is no address with a port"),
            (format!("{direct}tls = \"off\""), "tls", "only a smart host has this"),
            (format!("{direct}password = \"env:P\""), "password", "only a smart host has this"),
            ("hostname = \"m.example\"\nsmart_host = \"a b\"".into(), "smart_host", "this is no server"),
            (format!("{smart}tls = \"maybe\""), "tls", "there is no such way"),
            (format!("{smart}user = \"u\""), "password", "missing"),
            (format!("{smart}password = \"env:P\""), "user", "missing"),
            (
                format!("{smart}user = \"u\"\npassword = \"p\""),
                "password",
                "this is no reference to a secret",
            ),
            (format!("{smart}port = 25"), "port", "not used with a smart host"),
            (
                format!("{smart}tls = \"offered\"\nuser = \"u\"\npassword = \"env:P\""),
                "tls",
                "a password needs a connection that nobody reads",
            ),
        ] {
            let problems = read(&text).unwrap_err();
            assert_eq!(problems, [(format!("cell[0].mail.{key}"), what.to_owned())], "{text}");
        }
    }
}
