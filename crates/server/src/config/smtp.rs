//! `[smtp]`: mail that comes in, as reports of what became of ours and as submissions of programs.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::name::Host;

/// Where mail comes in; at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpConfig {
    /// The name of the mail server: where bounces come to, so that the DNS must lead there.
    pub hostname: Host,
    /// Where bounces and complaints are taken.
    pub reports: Option<SocketAddr>,
    /// Where programs submit mail.
    pub submission: Option<SocketAddr>,
}

/// Mail that comes in by SMTP, with the certificate of the listener. Without this section none does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "smtp")]
pub(super) struct RawSmtp {
    /// The DNS name of this mail server. Bounces come to addresses there: its MX or address record must lead here.
    #[schemars(required, with = "String")]
    hostname: Option<String>,
    /// Address and port where bounces and complaints are taken, such as "0.0.0.0:25".
    #[serde(default)]
    #[schemars(with = "String")]
    reports: Option<String>,
    /// Address and port where programs submit mail, after STARTTLS and a login, such as "0.0.0.0:587".
    #[serde(default)]
    #[schemars(with = "String")]
    submission: Option<String>,
}

impl RawSmtp {
    pub(super) fn check(self, document: &mut Document<'_>) -> Option<SmtpConfig> {
        let hostname = hostname(self.hostname, document);
        if self.reports.is_none() && self.submission.is_none() && !document.is_partial("smtp") {
            let fix = "write reports = \"0.0.0.0:25\", submission = \"0.0.0.0:587\", or both";
            document.problem("smtp", "listens nowhere", fix);
        }
        let reports = address("smtp.reports", self.reports, document)?;
        let submission = address("smtp.submission", self.submission, document)?;
        if reports.is_some_and(|one| one.port() != 0 && Some(one) == submission) {
            document.problem("smtp.submission", "the same as smtp.reports", "take another port");
        }
        Some(SmtpConfig { hostname: hostname?, reports, submission })
    }
}

fn hostname(text: Option<String>, document: &mut Document<'_>) -> Option<Host> {
    const FIX: &str = "write the DNS name of this mail server: hostname = \"mail.example.org\"";
    let Some(text) = text else {
        if !document.is_partial("smtp.hostname") {
            document.problem("smtp.hostname", "missing", FIX);
        }
        return None;
    };
    let host = Host::parse(&text).ok().filter(|host| host.address().is_none());
    if host.is_none() {
        document.problem("smtp.hostname", "this is no DNS name", FIX);
    }
    host
}

/// `None` when it is none, `Some(None)` when it is not there.
fn address(key: &str, text: Option<String>, document: &mut Document<'_>) -> Option<Option<SocketAddr>> {
    let Some(text) = text else { return Some(None) };
    let read = text.parse().ok();
    if read.is_none() {
        let fix = "write an address and a port, such as \"0.0.0.0:587\"";
        document.problem(key, "this is no address with a port; names are not resolved", fix);
    }
    read.map(Some)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const BASE: &str = "[listener]\naddress = '0.0.0.0:8443'\nself_signed = true\ndata = '/d'\n\
        [[cell]]\ngeography = 'europe'\nengine = { kind = 'sqlite', path = '/d/s' }\n\
        kms = { kind = 'local', path = '/d/k' }\n[[resource]]\nname = 'a'\ngeography = 'europe'\n";

    fn read(smtp: &str) -> Result<Config, String> {
        Config::parse("c.toml", &format!("{BASE}{smtp}")).map_err(|problems| problems.to_string())
    }

    #[test]
    fn mail_comes_in_where_it_is_said() {
        assert_eq!(read("").unwrap().smtp, None);
        let both = "[smtp]\nhostname = 'Mail.example.org'\nreports = '0.0.0.0:25'\nsubmission = '[::]:587'\n";
        let smtp = read(both).unwrap().smtp.unwrap();
        assert_eq!(smtp.hostname.as_str(), "mail.example.org");
        let ports = (smtp.reports.unwrap().port(), smtp.submission.unwrap().port());
        assert_eq!(ports, (25, 587));
        let one = read("[smtp]\nhostname = 'm.example'\nsubmission = '0.0.0.0:0'\n").unwrap().smtp.unwrap();
        assert!(one.reports.is_none() && one.submission.is_some());
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        for (smtp, said) in [
            ("reports = '0.0.0.0:25'", "smtp.hostname"),
            ("hostname = '192.0.2.1'\nreports = '0.0.0.0:25'", "this is no DNS name"),
            ("hostname = 'a b'\nreports = '0.0.0.0:25'", "this is no DNS name"),
            ("hostname = 'm.example'", "listens nowhere"),
            ("hostname = 'm.example'\nreports = 'mail:25'", "this is no address with a port"),
            (
                "hostname = 'm.example'\nreports = '0.0.0.0:25'\nsubmission = '0.0.0.0:25'",
                "the same as smtp.reports",
            ),
            ("hostname = 'm.example'\nreport = '0.0.0.0:25'", "did you mean"),
        ] {
            let problems = read(&format!("[smtp]\n{smtp}\n")).unwrap_err();
            assert!(problems.contains(said), "{smtp}: {problems}");
        }
    }
}
