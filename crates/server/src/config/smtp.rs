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
