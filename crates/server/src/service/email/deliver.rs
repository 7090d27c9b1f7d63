//! Delivery, from the side of what is kept: one destination's part of a mail is loaded, signed, and given its outcome.
//! Who carries it is not known here.

use std::collections::HashSet;
use std::sync::Arc;

use base::{MailId, Personal};
use post::mail::{DeliveryStatus, Verdict, Verp, classify};
use store::{Draft, Opened, StoreError};

use super::outcome::{Ending, Told};
use super::rows::{
    Chunks, MailRow, Mails, OperationRow, Operations, Reason, Recipients, State, Status, mail_scope,
};
use super::suppress::Cause;
use super::{MailDesk, MailError, retry, send};
use crate::channel::{MailOutcome, MailParcel, SmtpReply};
use crate::service::delivery::Errand;

/// In the place of a recipient: a mail that goes to several at once.
pub const SEVERAL: u8 = u8::MAX;
/// The meaning of the keyed hash that keeps bounces from being made up.
const VERP: &str = "mail return path";

/// One destination's part of a mail, ready to be carried.
pub struct Loaded {
    /// The mail.
    pub id: MailId,
    /// What is carried.
    pub parcel: MailParcel,
    row: Arc<MailRow>,
    /// The places of the parcel's recipients.
    places: Vec<u16>,
}

impl MailDesk<'_> {
    /// Loads and signs what `errand` is about; `None` when there is nothing left to carry, or nobody who may send it any
    /// more, and the errand has been ended.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn load(&self, errand: &Errand) -> Result<Option<Loaded>, StoreError> {
        let id = MailId::from_bytes(errand.row.id);
        let Some((row, message)) = self.mail(id).await? else {
            let mut draft = self.cell().draft(self.id()).await?;
            errand.finish(&mut draft);
            draft.commit().await?;
            return Ok(None);
        };
        let places = self.pending(errand, id, &row).await?;
        let domain = match self.domain_of_sender(&row.sender).await {
            Ok(domain) => domain,
            Err(MailError::Store(fault)) => return Err(fault),
            Err(_) => None,
        };
        let Some(domain) = domain else {
            let why = "The sender's domain is no longer verified.";
            self.settle_part(errand, id, &row, &places, &Settled::all_failed(&places, why)).await?;
            return Ok(None);
        };
        let name = domain.row.name.expose();
        let signed = domain.signers.sign(&message, name, domain.row.has_ed25519(), self.clock.now());
        let Ok(mut whole) = signed else {
            let why = "The message could not be signed.";
            self.settle_part(errand, id, &row, &places, &Settled::all_failed(&places, why)).await?;
            return Ok(None);
        };
        whole.reserve_exact(message.len());
        whole.extend_from_slice(&message);
        let part =
            row.parts.get(usize::from(errand.row.part)).ok_or(StoreError::Corrupt { keyspace: "mail" })?;
        let recipients =
            places.iter().filter_map(|at| row.recipients.get(usize::from(*at)).cloned()).collect();
        let parcel = MailParcel {
            id: errand.row.id,
            resource: self.id(),
            return_path: self.return_path(id, &places).await?,
            recipients,
            destination: part.destination.clone(),
            message: whole.into(),
        };
        Ok(Some(Loaded { id, parcel, row, places }))
    }

    /// The mail with its whole message, unsigned.
    async fn mail(&self, id: MailId) -> Result<Option<(Arc<MailRow>, Vec<u8>)>, StoreError> {
        let known = self.state.fresh().get_mut(&(self.id(), id)).map(|row| Arc::clone(row));
        if let Some(row) = known {
            let message = row.message.0.clone();
            return Ok(Some((row, message)));
        }
        let mut reader = self.reader().await?;
        let Some(Opened::Value(found)) = reader.try_get::<Mails>(&id).await? else { return Ok(None) };
        let message = send::whole(&mut reader, id, &found.value).await?;
        Ok(Some((Arc::new(found.value), message)))
    }

    /// The places of those of the part whose fate is open. The first attempt need not ask.
    async fn pending(&self, errand: &Errand, id: MailId, row: &MailRow) -> Result<Vec<u16>, StoreError> {
        let Some(part) = row.parts.get(usize::from(errand.row.part)) else { return Ok(Vec::new()) };
        if errand.row.attempts == 0 {
            return Ok(part.recipients.clone());
        }
        let keys: Vec<_> = part.recipients.iter().map(|at| (id, *at)).collect();
        let found = self.reader().await?.multi_get::<Recipients>(&keys).await?;
        let open = part.recipients.iter().zip(found).filter(|(_, found)| found.is_none());
        Ok(open.map(|(at, _)| *at).collect())
    }

    /// The envelope sender: where bounces of these recipients come to.
    async fn return_path(&self, id: MailId, places: &[u16]) -> Result<Personal<String>, StoreError> {
        let part = match places {
            [one] => u8::try_from(*one).unwrap_or(SEVERAL),
            _ => SEVERAL,
        };
        let verp = Verp { resource: *self.id().as_bytes(), mail: *id.as_bytes(), part };
        let code = self.cell().blind_index(self.id(), VERP, &verp.payload()).await?;
        Ok(verp.address(&code, &self.state.setup.hostname).into())
    }

    /// Whether an envelope sender of this resource was made here.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trusts(&self, verp: &Verp, code: &[u8]) -> Result<bool, StoreError> {
        let made = self.cell().blind_index(self.id(), VERP, &verp.payload()).await?;
        let same = guard::hash::same(made.get(..code.len()).unwrap_or_default(), code);
        Ok(verp.resource == *self.id().as_bytes() && !code.is_empty() && same)
    }

    /// Records what became of a part, one outcome for each recipient of its parcel, in order. What is open is tried again
    /// later, until its time is over.
    ///
    /// # Errors
    /// Those of the store; a conflict when this node does not hold the errand any more.
    pub async fn record(
        &self,
        errand: &Errand,
        loaded: &Loaded,
        outcomes: &[MailOutcome],
    ) -> Result<(), StoreError> {
        let settled = Settled::from(&loaded.places, outcomes, errand.is_over(self.clock.now()));
        self.settle_part(errand, loaded.id, &loaded.row, &loaded.places, &settled).await
    }

    async fn settle_part(
        &self,
        errand: &Errand,
        id: MailId,
        row: &MailRow,
        places: &[u16],
        settled: &Settled,
    ) -> Result<(), StoreError> {
        debug_assert!(settled.endings.len() + settled.open == places.len());
        let done = retry!(self, async { Ok(self.settle_once(errand, id, row, settled).await?) });
        match done {
            Ok(told) => {
                Told::done(told, self.events);
                Ok(())
            }
            Err(MailError::Store(fault)) => Err(fault),
            Err(_) => Err(StoreError::Conflict),
        }
    }

    async fn settle_once(
        &self,
        errand: &Errand,
        id: MailId,
        row: &MailRow,
        settled: &Settled,
    ) -> Result<Told, StoreError> {
        let mut draft = self.cell().draft(self.id()).await?;
        let mut operation = self.operation(errand, id, row, &mut draft).await?;
        let before = operation;
        if settled.heard && operation.state == State::Running {
            operation.state = State::Succeeded;
        }
        if settled.open > 0 {
            let now = self.clock.now();
            let at = now.plus(errand.backoff(None, self.rng)).min(errand.row.deadline.max(now));
            errand.again(&mut draft, at)?;
        } else {
            errand.finish(&mut draft);
            operation.open = operation.open.saturating_sub(1);
        }
        let is_final = operation.open == 0;
        if is_final {
            self.forget_mail(&mut draft, id, row);
            if operation.state == State::Running {
                operation.state = State::Dropped;
            }
        }
        if operation != before {
            draft.put_in_resource::<Operations>(&id, &operation, &[])?;
        }
        self.suppress_bounced(&mut draft, id, row, &settled.endings).await?;
        let told = self.end(&mut draft, id, row, &settled.endings).await?;
        draft.commit().await?;
        if is_final {
            self.state.fresh().remove(&(self.id(), id));
        }
        Ok(told)
    }

    /// How far the mail is. Of a mail in one part nobody else can change that while this node holds the errand.
    async fn operation(
        &self,
        errand: &Errand,
        id: MailId,
        row: &MailRow,
        draft: &mut Draft,
    ) -> Result<OperationRow, StoreError> {
        if row.parts.len() == 1 && errand.row.attempts == 0 {
            return Ok(OperationRow { accepted: row.accepted, state: State::Running, open: 1 });
        }
        let found = self.reader().await?.get::<Operations>(&id).await?;
        let found = found.ok_or(StoreError::Corrupt { keyspace: "mail_operation" })?;
        draft.expect_version::<Operations>(&id, found.version);
        Ok(found.value)
    }

    /// What the mail says goes for good: first its key.
    fn forget_mail(&self, draft: &mut Draft, id: MailId, row: &MailRow) {
        draft.destroy_scope_key(&mail_scope(id));
        draft.delete::<Mails>(&id);
        (1..=row.chunks).for_each(|number| draft.delete::<Chunks>(&(id, number)));
    }

    async fn suppress_bounced(
        &self,
        draft: &mut Draft,
        id: MailId,
        row: &MailRow,
        endings: &[Ending],
    ) -> Result<(), StoreError> {
        for ending in endings.iter().filter(|ending| ending.status == Status::Bounced) {
            let Some(address) = row.recipients.get(usize::from(ending.place)) else { continue };
            let cause = Cause {
                reason: Reason::HardBounce,
                sender: None,
                detail: Some(ending.detail.clone()),
                mail: Some(id),
                until: Some(self.first_lease()),
            };
            self.put_suppression(draft, address, cause).await?;
        }
        Ok(())
    }
}

/// What the outcomes of a part come to.
struct Settled {
    endings: Vec<Ending>,
    /// How many are to be tried again.
    open: usize,
    /// Whether any server said what becomes of a recipient.
    heard: bool,
}

impl Settled {
    fn from(places: &[u16], outcomes: &[MailOutcome], over: bool) -> Self {
        let mut settled = Self { endings: Vec::new(), open: 0, heard: false };
        let mut outcomes = outcomes.iter();
        for place in places {
            match outcomes.next() {
                Some(MailOutcome::Accepted(reply)) => settled.hear(*place, reply, Status::Delivered),
                Some(MailOutcome::Refused(reply)) => settled.hear(*place, reply, Status::Failed),
                Some(MailOutcome::Later { reply, reason }) if over => {
                    let detail = reply.as_ref().map_or_else(|| reason.clone().into(), words);
                    let host = reply.as_ref().map(|reply| reply.host.clone());
                    settled.endings.push(Ending { place: *place, status: Status::Failed, detail, host });
                }
                Some(MailOutcome::Later { .. }) => settled.open += 1,
                // A channel that says less than it was asked: what was not said is not known.
                None if over => settled.endings.push(Ending {
                    place: *place,
                    status: Status::Failed,
                    detail: "The channel gave no outcome.".to_owned().into(),
                    host: None,
                }),
                None => settled.open += 1,
            }
        }
        // One recipient may have been told twice by a case that differs; each address is once in a mail.
        debug_assert!(
            settled.endings.iter().map(|one| one.place).collect::<HashSet<_>>().len()
                == settled.endings.len()
        );
        settled
    }

    fn all_failed(places: &[u16], why: &str) -> Self {
        let ending = |place: &u16| Ending {
            place: *place,
            status: Status::Failed,
            detail: why.to_owned().into(),
            host: None,
        };
        Self { endings: places.iter().map(ending).collect(), open: 0, heard: false }
    }

    /// `otherwise` is what holds when the reply does not say what its kind should.
    fn hear(&mut self, place: u16, reply: &SmtpReply, otherwise: Status) {
        self.heard = true;
        let status = match classify(reply.code, reply.enhanced.as_deref(), reply.text.expose()) {
            Verdict::Final(status) => of_reply(status),
            Verdict::Again => otherwise,
        };
        let host = Some(reply.host.clone()).filter(|host| !host.is_empty());
        self.endings.push(Ending { place, status, detail: words(reply), host });
    }
}

/// The reply as one line.
fn words(reply: &SmtpReply) -> Personal<String> {
    let enhanced = reply.enhanced.as_deref().map(|code| format!("{code} ")).unwrap_or_default();
    format!("{} {enhanced}{}", reply.code, reply.text.expose()).trim_end().to_owned().into()
}

const fn of_reply(status: DeliveryStatus) -> Status {
    match status {
        DeliveryStatus::Delivered => Status::Delivered,
        DeliveryStatus::Bounced => Status::Bounced,
        DeliveryStatus::Failed => Status::Failed,
        DeliveryStatus::FilteredSpam => Status::FilteredSpam,
        DeliveryStatus::Quarantined => Status::Quarantined,
        DeliveryStatus::Suppressed => Status::Suppressed,
        DeliveryStatus::Expanded => Status::Expanded,
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
