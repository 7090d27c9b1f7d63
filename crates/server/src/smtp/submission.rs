//! Mail that programs submit by SMTP: who logs in sends by the same path as who calls the API, and is told in the words of
//! ACS why not (ACS behaviour, section 3).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base::limits::{MAX_MAIL_ATTACHMENTS, MAX_MAIL_HEADERS};
use base::{Personal, Secret};
use post::mail::submitted::{self, File, Named, Submitted};
use post::smtp::{Letter, Question, Reply};
use store::StoreError;
use wire::operation::by_name;

use super::{desk, not_now};
use crate::channel::postmaster::{Answer, Postmaster};
use crate::http::State;
use crate::http::failures::Failures;
use crate::service::email::{Login, Logins, MailError, NewAttachment, NewMail, NewMailbox};

/// The wait after the first wrong password of an address within a minute; it doubles with each one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait after a wrong password.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Takes mail that programs submit.
pub struct Submission {
    state: Arc<State>,
    logins: Logins,
    failures: Failures,
}

/// One session.
pub struct Visit {
    peer: IpAddr,
    login: Option<Login>,
}

impl Submission {
    /// For all resources of this node.
    #[must_use]
    pub fn new(state: Arc<State>) -> Self {
        let failures = Failures::new(state.limits.auth_failures_per_minute);
        Self { logins: Logins::new(&*state.rng), failures, state }
    }

    /// Lets a good password in whatever its address did before, as the API does; slows the others down.
    async fn credentials(
        &self,
        visit: &mut Visit,
        name: &Personal<String>,
        password: Secret<String>,
    ) -> Answer {
        match self.logins.check(&self.state.directory, name, password).await {
            Ok(Some(login)) if login.resource.admits(visit.peer) => {
                visit.login = Some(login);
                Reply::welcome().into()
            }
            Ok(_) => {
                let (failures, _) = self.failures.fail(visit.peer, self.state.clock.now());
                Answer { reply: Reply::not_authenticated(), after: wait(failures) }
            }
            Err(fault) => not_now(&fault).into(),
        }
    }

    async fn sender(&self, visit: &Visit, from: &Personal<String>) -> Result<Reply, MailError> {
        let Some(login) = &visit.login else { return Ok(Reply::not_authenticated()) };
        let desk = desk(&self.state, &login.resource);
        if !desk.still_in(login).await? {
            return Ok(Reply::not_authenticated());
        }
        desk.may_send(from).await?;
        Ok(Reply::new(250, "2.1.0", "OK"))
    }

    async fn letter(&self, visit: &Visit, letter: Letter) -> Result<Reply, MailError> {
        let Some(login) = &visit.login else { return Ok(Reply::not_authenticated()) };
        let resource = &login.resource;
        let now = self.state.clock.now();
        let counted = by_name("email.send")
            .map_or(Ok(()), |row| self.state.rates.count(row, resource.id(), None, None, now));
        if let Err(limit) = counted {
            let wait = limit.retry_after().unwrap_or(1);
            return Ok(Reply::new(450, "4.7.1", format!("Too many requests; try again in {wait} seconds")));
        }
        let Some(read) = submitted::read(letter.message.expose()) else {
            return Ok(Reply::new(554, "5.6.0", "The message has no header"));
        };
        let mail = new_mail(read, letter.from, letter.to);
        self.within_limits(&mail)?;
        let accepted = desk(&self.state, resource).send(&mail, None).await?;
        Ok(Reply::new(250, "2.0.0", format!("OK {}", accepted.id)))
    }
}

impl Submission {
    /// As many of each as the API takes.
    fn within_limits(&self, mail: &NewMail) -> Result<(), MailError> {
        let most = self.state.limits.mail_recipients;
        let counts = [
            ("headers", mail.headers.len(), MAX_MAIL_HEADERS),
            ("attachments", mail.attachments.len(), MAX_MAIL_ATTACHMENTS),
            ("replyTo", mail.reply_to.len(), most),
        ];
        let over = counts.into_iter().find(|(_, count, most)| count > most);
        over.map_or(Ok(()), |(what, _, _)| Err(MailError::Property(what.to_owned())))
    }
}

/// How long an address waits for the answer to its `failures`-th wrong password of this minute.
fn wait(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

/// What the client is told when a mail is not taken.
fn refusal(error: &MailError) -> Reply {
    match error {
        MailError::DomainNotLinked => {
            Reply::new(501, "5.1.7", "The specified sender domain has not been linked.")
        }
        MailError::SenderUnknown => Reply::new(
            550,
            "5.1.7",
            "Invalid email sender username. Please use a username from the list of valid usernames configured by your admin.",
        ),
        MailError::Address(path) => {
            Reply::new(501, "5.1.3", format!("Invalid format for email address: {path}"))
        }
        MailError::Property(path) => Reply::new(554, "5.6.0", format!("The message breaks a rule: {path}")),
        MailError::Store(StoreError::TooLarge) => Reply::new(552, "5.3.4", "The message is too large"),
        MailError::Store(fault) => not_now(fault),
        MailError::NotFound(_) | MailError::TooMany { .. } | MailError::Managed | MailError::NoKey => {
            Reply::new(554, "5.3.0", "The message cannot be sent")
        }
    }
}

/// The mail that was submitted, to those whom the envelope names: who of them is in `To` or `Cc` is shown there, who is in
/// neither is hidden, and whom the envelope does not name gets nothing and is not shown.
fn new_mail(read: Submitted, from: Personal<String>, to: Vec<Personal<String>>) -> NewMail {
    let mut hidden = to;
    let mut shown = |named: Vec<Named>| {
        let mut kept = Vec::new();
        for one in named {
            let same = |known: &Personal<String>| known.expose().eq_ignore_ascii_case(one.address.expose());
            if let Some(at) = hidden.iter().position(same) {
                hidden.swap_remove(at);
                kept.push(mailbox(one));
            }
        }
        kept
    };
    let (to, cc) = (shown(read.to), shown(read.cc));
    let mut headers = read.headers;
    if let Some(id) = read.message_id {
        headers.push(("Message-ID".to_owned().into(), format!("<{}>", id.expose()).into()));
    }
    NewMail {
        from: read.from.map_or_else(|| NewMailbox { address: from, name: None }, mailbox),
        to,
        cc,
        bcc: hidden.into_iter().map(|address| NewMailbox { address, name: None }).collect(),
        reply_to: read.reply_to.into_iter().map(mailbox).collect(),
        subject: read.subject,
        plain: read.text,
        html: read.html,
        headers: once_each(headers),
        attachments: read.files.into_iter().map(attachment).collect(),
        tracking_disabled: false,
    }
}

/// The API takes each header once; of one that comes more often the first counts.
fn once_each(
    headers: Vec<(Personal<String>, Personal<String>)>,
) -> Vec<(Personal<String>, Personal<String>)> {
    let mut seen = std::collections::HashSet::new();
    headers.into_iter().filter(|(name, _)| seen.insert(name.expose().to_ascii_lowercase())).collect()
}

fn mailbox(one: Named) -> NewMailbox {
    NewMailbox { address: one.address, name: one.name }
}

fn attachment(one: File) -> NewAttachment {
    NewAttachment {
        name: one.name,
        content_type: one.content_type,
        content: one.content,
        content_id: one.content_id,
    }
}

impl Postmaster for Submission {
    type Visit = Visit;

    fn welcome(&self, peer: IpAddr) -> Visit {
        Visit { peer, login: None }
    }

    async fn answer(&self, visit: &mut Visit, question: Question) -> Answer {
        let result = match question {
            Question::Credentials { name, password } => {
                return self.credentials(visit, &name, password).await;
            }
            Question::Sender(from) => self.sender(visit, &from).await,
            Question::Recipient(address) => match post::mail::Address::parse(address.expose()) {
                Ok(_) => Ok(Reply::new(250, "2.1.5", "OK")),
                Err(_) => Ok(Reply::new(501, "5.1.3", "Invalid format for email address")),
            },
            Question::Letter(letter) => self.letter(visit, letter).await,
        };
        result.unwrap_or_else(|error| refusal(&error)).into()
    }
}

#[cfg(test)]
mod tests;
