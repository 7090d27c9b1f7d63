//! `dev --mail` and `dev --sms`: ways out of a development server, each a URL, in place of its outbox.

use std::path::Path;
use std::str::FromStr;

use base::Secret;
use post::smpp::pdu::Binding;
use post::text::alphabet::Language;
use post::text::receipt::IdForm;

use super::CliError;
use crate::config::{CarrierConfig, MailConfig, MailRoute, MailTls, SecretRef};
use crate::dev::files::{self, Readers};

/// The file of a data folder that keeps the carrier's password.
const PASSWORD: &str = "carrier-password";
/// How long a centre may take to answer, and may be silent, in seconds.
const PATIENCE_SECS: (u64, u64) = (10, 30);
/// Submissions that may be unanswered, when the URL does not say.
const WINDOW: usize = 32;
/// The longest password of SMPP 3.4 (section 5.2.2).
const LONGEST_PASSWORD: usize = 8;

/// `smtp://HOST:PORT`: a mail server that takes everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MailTo {
    host: String,
    port: u16,
}

/// `smpp://SYSTEM_ID:PASSWORD@HOST:PORT[?window=N]`: an SMS centre.
#[derive(Clone, Debug)]
pub(super) struct TextsTo {
    host: String,
    port: u16,
    system_id: String,
    password: Secret<String>,
    window: usize,
}

/// What is wrong with such a URL.
fn place(text: &str) -> Result<(String, u16), String> {
    let (host, port) = text.rsplit_once(':').ok_or("a port is missing: write HOST:PORT")?;
    let port = port.parse().map_err(|_| "the port is no number from 1 to 65535")?;
    let host = host.trim_matches(['[', ']']);
    let known = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if host.is_empty() || port == 0 || !host.chars().all(known) {
        return Err("this is no host and port: write HOST:PORT".to_owned());
    }
    Ok((host.to_owned(), port))
}

impl FromStr for MailTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("smtp://").ok_or("write smtp://HOST:PORT")?;
        let (host, port) = place(rest.trim_end_matches('/'))?;
        Ok(Self { host, port })
    }
}

impl FromStr for TextsTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "write smpp://SYSTEM_ID:PASSWORD@HOST:PORT";
        let rest = text.strip_prefix("smpp://").ok_or(FORM)?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (who, at) = rest.rsplit_once('@').ok_or(FORM)?;
        let (system_id, password) = who.split_once(':').ok_or(FORM)?;
        let (host, port) = place(at.trim_end_matches('/'))?;
        if system_id.is_empty() || system_id.len() > 15 || password.len() > LONGEST_PASSWORD {
            return Err("SMPP allows 1 to 15 characters of system id and 8 of password".to_owned());
        }
        let window = match query.map(|query| query.strip_prefix("window=").unwrap_or_default().parse()) {
            None => WINDOW,
            Some(Ok(window @ 1..=1000)) => window,
            Some(_) => return Err("after `?` only window=1 to window=1000 may stand".to_owned()),
        };
        let (system_id, password) = (system_id.to_owned(), Secret::new(password.to_owned()));
        Ok(Self { host, port, system_id, password, window })
    }
}

impl MailTo {
    /// As a cell's configuration has it: without a certificate that anybody would know, whoever the server is.
    pub(super) fn config(&self, sessions: usize) -> MailConfig {
        MailConfig {
            hostname: "localhost".to_owned(),
            route: MailRoute::SmartHost {
                host: self.host.clone(),
                port: self.port,
                tls: MailTls::Off,
                login: None,
            },
            sessions,
            ca: std::path::PathBuf::new(),
            allow: Vec::new(),
            dns: Vec::new(),
        }
    }
}

impl TextsTo {
    /// As a cell's configuration has it. The password goes to a file of the data folder that its owner alone can read.
    pub(super) fn config(&self, data: &Path) -> Result<CarrierConfig, CliError> {
        let file = data.join(PASSWORD);
        files::write_whole(&file, self.password.expose().as_bytes(), Readers::Owner)
            .map_err(|fault| CliError::Folder { path: file.clone(), fault })?;
        Ok(CarrierConfig {
            name: "dev".to_owned(),
            host: self.host.clone(),
            port: self.port,
            tls: None,
            tls_name: self.host.clone(),
            system_id: self.system_id.clone(),
            password: SecretRef::File(file),
            system_type: String::new(),
            binding: Binding::Transceiver,
            connections: 1,
            window: self.window,
            rate: None,
            answer_secs: PATIENCE_SECS.0,
            enquire_secs: PATIENCE_SECS.1,
            prefixes: vec![String::new()],
            languages: Vec::<Language>::new(),
            long_references: false,
            ids: IdForm::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_goes_to_a_host_and_port() {
        let read: MailTo = "smtp://127.0.0.1:2525/".parse().unwrap();
        assert_eq!(read, MailTo { host: "127.0.0.1".into(), port: 2525 });
        let six: MailTo = "smtp://[::1]:25".parse().unwrap();
        assert_eq!(six.host, "::1");
        for bad in
            ["", "127.0.0.1:25", "smtp://", "smtp://host", "smtp://host:0", "smtp://host:x", "smtp://a b:1"]
        {
            assert!(bad.parse::<MailTo>().is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_go_to_a_centre_that_knows_us() {
        let read: TextsTo = "smpp://me:secret@127.0.0.1:2775?window=100".parse().unwrap();
        assert_eq!((read.host.as_str(), read.port, read.window), ("127.0.0.1", 2775, 100));
        assert_eq!((read.system_id.as_str(), read.password.expose().as_str()), ("me", "secret"));
        assert!(!format!("{read:?}").contains("secret"));
        assert_eq!("smpp://me:@h:1".parse::<TextsTo>().unwrap().window, WINDOW);
        for bad in [
            "smpp://h:1",
            "smpp://me@h:1",
            "smpp://:x@h:1",
            "smpp://me:123456789@h:1",
            "smpp://me:x@h:1?window=0",
            "smpp://me:x@h:1?window=1001",
            "smpp://me:x@h:1?speed=9",
        ] {
            assert!(bad.parse::<TextsTo>().is_err(), "{bad}");
        }
    }
}
