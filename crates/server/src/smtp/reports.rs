//! Bounces and complaints: mail to the addresses that our own mail came from. Nothing else is taken, so that nothing needs
//! to be sent back.

use std::net::IpAddr;
use std::sync::Arc;

use base::{MailId, Personal};
use post::mail::report::{self, Action, Complaint, ComplaintKind, RecipientStatus, Report};
use post::mail::{Address, DeliveryStatus, Verdict, Verp, classify};
use post::smtp::{Letter, Question, Reply};
use store::StoreError;

use super::{desk, not_now};
use crate::channel::postmaster::{Answer, Postmaster};
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::email::{Bounce, MailError, SEVERAL, Status, Which};

/// Where mailbox providers send complaints, beside the addresses of bounces: the operator registers it with them.
const COMPLAINTS: [&str; 2] = ["complaints", "abuse"];
/// Said to who sends to [`COMPLAINTS`] what is no complaint.
const ONLY_COMPLAINTS: &str = "Only complaints in the form of RFC 5965 are taken here";
/// The longest words of a server that are kept, in characters.
const MAX_DETAIL: usize = 500;

/// Takes reports.
pub struct Reports {
    state: Arc<State>,
    host: String,
}

/// One mail of ours.
struct Ours {
    resource: Arc<ResourceEntry>,
    mail: MailId,
    /// Which recipient, when it went to one.
    place: Option<u16>,
}

impl Reports {
    /// For the mail server called `host`.
    #[must_use]
    pub const fn new(state: Arc<State>, host: String) -> Self {
        Self { state, host }
    }

    /// The mail that an address of ours names; `None` when it was not made here.
    async fn ours(&self, address: &str) -> Result<Option<Ours>, StoreError> {
        let Some(local) = self.local(address) else { return Ok(None) };
        let Some((verp, code)) = Verp::parse(local) else { return Ok(None) };
        let all = self.state.directory.resources();
        let Some(resource) = all.iter().find(|one| *one.id().as_bytes() == verp.resource) else {
            return Ok(None);
        };
        if !desk(&self.state, resource).trusts(&verp, &code).await? {
            return Ok(None);
        }
        let place = (verp.part != SEVERAL).then(|| u16::from(verp.part));
        Ok(Some(Ours { resource: Arc::clone(resource), mail: MailId::from_bytes(verp.mail), place }))
    }

    /// The local part of an address at this server.
    fn local<'a>(&self, address: &'a str) -> Option<&'a str> {
        let address = Address::parse(address).ok()?;
        address.domain().eq_ignore_ascii_case(&self.host).then(|| address.local())
    }

    fn is_for_complaints(&self, address: &str) -> bool {
        self.local(address).is_some_and(|local| COMPLAINTS.iter().any(|one| one.eq_ignore_ascii_case(local)))
    }

    async fn recipient(&self, address: &Personal<String>) -> Result<Reply, StoreError> {
        let taken = self.is_for_complaints(address.expose()) || self.ours(address.expose()).await?.is_some();
        Ok(if taken { Reply::new(250, "2.1.5", "OK") } else { Reply::no_such_recipient() })
    }

    /// Heeds a letter; everything it led to is durable when this returns.
    async fn letter(&self, letter: &Letter) -> Result<Reply, MailError> {
        let report = report::read(letter.message.expose());
        for address in &letter.to {
            match (self.ours(address.expose()).await?, &report) {
                (Some(ours), Some(Report::Delivery(status))) => {
                    for one in &status.recipients {
                        self.delivery(&ours, one, status.reporting_mta.as_deref()).await?;
                    }
                }
                (Some(ours), Some(Report::Complaint(complaint))) => self.complaint(&ours, complaint).await?,
                // Somebody's absence is told to the same address; it is of no use to anybody.
                (Some(_), None) => tracing::debug!("a mail that is no report came back and is dropped"),
                (None, Some(Report::Complaint(complaint))) => self.forwarded(complaint).await?,
                (None, _) => return Ok(Reply::new(550, "5.6.0", ONLY_COMPLAINTS)),
            }
        }
        Ok(Reply::taken())
    }

    async fn delivery(
        &self,
        ours: &Ours,
        one: &RecipientStatus,
        reporter: Option<&str>,
    ) -> Result<(), MailError> {
        let Some(status) = status_of(one) else { return Ok(()) };
        let address = one.original.as_ref().or(one.recipient.as_ref());
        let which = match (ours.place, address) {
            (Some(place), _) => Which::Place(place),
            (None, Some(address)) => Which::Address(address.clone()),
            (None, None) => return Ok(()),
        };
        let host = one.remote_mta.as_deref().or(reporter).map(str::to_owned);
        let bounce = Bounce { status, detail: detail(one), host };
        let known = desk(&self.state, &ours.resource).bounced(ours.mail, &which, &bounce).await?;
        tracing::info!(known, status = ?bounce.status, code = %one.precise(), "a mail was reported on");
        Ok(())
    }

    async fn complaint(&self, ours: &Ours, complaint: &Complaint) -> Result<(), MailError> {
        if complaint.kind == ComplaintKind::NotSpam {
            return Ok(());
        }
        let desk = desk(&self.state, &ours.resource);
        let each: Vec<Which> = match ours.place {
            Some(place) => vec![Which::Place(place)],
            None => complaint.recipients.iter().cloned().map(Which::Address).collect(),
        };
        for which in &each {
            let known = desk.complained(ours.mail, which).await?;
            tracing::info!(known, kind = ?complaint.kind, "a mail was complained about");
        }
        Ok(())
    }

    /// A complaint that came to the operator's address: it quotes the envelope sender of the mail.
    async fn forwarded(&self, complaint: &Complaint) -> Result<(), MailError> {
        let Some(from) = &complaint.mail_from else { return Ok(()) };
        match self.ours(from.expose()).await? {
            Some(ours) => self.complaint(&ours, complaint).await,
            None => Ok(()),
        }
    }
}

/// What a report makes of a recipient; `None` when it changes nothing.
fn status_of(one: &RecipientStatus) -> Option<Status> {
    match one.action {
        Action::Delayed | Action::Relayed | Action::Delivered => None,
        Action::Expanded => Some(Status::Expanded),
        Action::Failed => {
            let code = one.smtp_code().unwrap_or(if one.status.class == 4 { 450 } else { 550 });
            let precise = one.precise().to_string();
            let words = one.diagnostic.as_ref().map_or("", |text| text.expose());
            // "Permanent, otherwise undefined" says no more than nothing.
            let enhanced = Some(precise.as_str()).filter(|code| !code.ends_with(".0.0"));
            Some(match classify(code, enhanced, words) {
                Verdict::Final(DeliveryStatus::Bounced) => Status::Bounced,
                Verdict::Final(DeliveryStatus::FilteredSpam) => Status::FilteredSpam,
                Verdict::Final(DeliveryStatus::Quarantined) => Status::Quarantined,
                // Given up on, whatever the last word of the other side was.
                Verdict::Final(_) | Verdict::Again => Status::Failed,
            })
        }
    }
}

fn detail(one: &RecipientStatus) -> Personal<String> {
    let words = one.diagnostic.as_ref().map_or("", |text| text.expose());
    let text =
        if words.is_empty() { one.precise().to_string() } else { words.chars().take(MAX_DETAIL).collect() };
    text.into()
}

impl Postmaster for Reports {
    type Visit = ();

    fn welcome(&self, _peer: IpAddr) -> Self::Visit {}

    async fn answer(&self, _visit: &mut (), question: Question) -> Answer {
        let reply = match question {
            // The session does not offer it here.
            Question::Credentials { .. } => Reply::not_authenticated(),
            Question::Sender(_) => Reply::new(250, "2.1.0", "OK"),
            Question::Recipient(address) => {
                self.recipient(&address).await.unwrap_or_else(|fault| not_now(&fault))
            }
            Question::Letter(letter) => match self.letter(&letter).await {
                Ok(reply) => reply,
                Err(MailError::Store(fault)) => not_now(&fault),
                Err(_) => Reply::later(),
            },
        };
        reply.into()
    }
}

#[cfg(test)]
mod tests;
