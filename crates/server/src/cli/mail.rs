//! The listeners of incoming mail, as part of a node.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::CliError;
use super::ways::listen;
use crate::config::SmtpConfig;
use crate::dev::ready::Ready;
use crate::http::State;
use crate::net::smtp::{Bounds, SmtpServer};
use crate::net::{CertificateFiles, Door, Drained, Stop};
use crate::smtp::{Reports, Submission, reports_profile, submission_profile};

/// Where mail comes in.
#[derive(Debug, Default)]
pub(super) struct MailIn {
    /// The name of the mail server.
    pub(super) host: String,
    /// Where bounces and complaints are taken.
    pub(super) reports: Vec<Door>,
    /// Where programs submit mail.
    pub(super) submission: Vec<Door>,
}

impl MailIn {
    /// Listens as the configuration says.
    pub(super) fn listen(config: &SmtpConfig) -> Result<Self, CliError> {
        let door = |address: Option<_>, choose| address.map(|address| listen(address, choose)).transpose();
        Ok(Self {
            host: config.hostname.as_str().to_owned(),
            reports: door(config.reports, "[smtp] reports")?.into_iter().collect(),
            submission: door(config.submission, "[smtp] submission")?.into_iter().collect(),
        })
    }

    /// Serves until `stop`, each listener as a task.
    pub(super) fn serve(
        self,
        state: &Arc<State>,
        certificates: &CertificateFiles,
        stop: &Stop,
        tasks: &mut JoinSet<Option<Drained>>,
    ) {
        let tls = guard::tls::mail_server_config(Arc::clone(certificates.store()));
        let bounds = Bounds::from(&*state.limits);
        let Self { host, reports, submission } = self;
        if !reports.is_empty() {
            let (profile, stop) = (reports_profile(host.clone(), state), stop.clone());
            let postmaster = Reports::new(Arc::clone(state), host.clone());
            let server = SmtpServer::new(postmaster, profile, Some(Arc::clone(&tls)), bounds);
            tasks.spawn(async move {
                tell("reports", server.run(reports, &stop).await);
                None
            });
        }
        if !submission.is_empty() {
            let (profile, stop) = (submission_profile(host, state), stop.clone());
            let server = SmtpServer::new(Submission::new(Arc::clone(state)), profile, Some(tls), bounds);
            tasks.spawn(async move {
                tell("submission", server.run(submission, &stop).await);
                None
            });
        }
    }
}

/// Where mail comes in, for the ready file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    reports: Option<u16>,
    submission: Option<u16>,
}

impl Ports {
    /// Those that were found.
    pub(super) fn of(mail_in: &MailIn) -> Self {
        let port = |doors: &[Door]| doors.first().map(|door| door.address().port());
        Self { reports: port(&mail_in.reports), submission: port(&mail_in.submission) }
    }

    /// The ready file with them in it, below `host`.
    pub(super) fn told(self, ready: Ready, host: &str) -> Ready {
        let at = |port: Option<u16>| port.map(|port| format!("{host}:{port}"));
        Ready { smtp_submission: at(self.submission), smtp_reports: at(self.reports), ..ready }
    }
}

fn tell(of: &str, ended: Drained) {
    let Drained { finished, cut, took } = ended;
    tracing::info!(of, finished, cut, took_ms = took.as_millis(), "incoming mail stopped");
}
