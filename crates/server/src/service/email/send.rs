//! Acceptance: one commit, in which a mail is known by its id, waits for delivery, and is counted nowhere else.

use std::sync::Arc;

use base::{MailId, Personal};
use store::{Draft, KeyRange, Reader, StoreError, key_bytes};

use super::blob::Blob;
use super::check::Prepared;
use super::outcome::{Ending, Told};
use super::rows::{
    Chunks, Expiries, Hash, MailRow, Mails, OperationRow, Operations, PartRow, State, Status, Suppressions,
    day, mail_scope,
};
use super::suppress::{ADDRESS, Standing};
use super::{FRESH_BYTES, MailDesk, MailError, NewMail, retry};
use crate::service::delivery::{DeliveryRow, Kind, Queued};

/// How much of a message one row holds, in bytes: what fits a record beside the envelope.
const CHUNK: usize = 512 * 1024;

/// A mail that was accepted, now or by an earlier request with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id, and that of the operation that sends it.
    pub id: MailId,
    /// Where that stands.
    pub state: State,
}

/// What the commit rests on.
enum Ground {
    /// Nothing was read: nobody is suppressed and the id is new, or the commit fails.
    Hoped,
    /// What was read of each recipient.
    Read(Vec<Standing>),
}

impl MailDesk<'_> {
    /// Accepts a mail. With an id that a mail was accepted under already, nothing happens and the answer is that mail's.
    ///
    /// The first attempt reads nothing: it is conditional on the domain being as this node knows it, on no recipient
    /// being suppressed, and on the id being new. Only when that fails is anything looked up.
    ///
    /// # Errors
    /// What is wrong with the mail; [`MailError::Store`].
    pub async fn send(&self, mail: &NewMail, id: Option<MailId>) -> Result<Accepted, MailError> {
        let id = id.unwrap_or_else(|| MailId::mint(self.rng));
        let mut hoped = true;
        retry!(self, async {
            let first = std::mem::take(&mut hoped);
            if !first {
                if let Some(known) = self.known(id).await? {
                    return Ok(known);
                }
                self.forget_domain(mail);
            }
            let prepared = self.prepare(mail, id).await?;
            self.accept(prepared, id, first).await
        })
    }

    async fn known(&self, id: MailId) -> Result<Option<Accepted>, MailError> {
        let found = self.reader().await?.get::<Operations>(&id).await?;
        Ok(found.map(|row| Accepted { id, state: row.value.state }))
    }

    async fn accept(&self, mail: Prepared, id: MailId, hoped: bool) -> Result<Accepted, MailError> {
        let mut hashes = Vec::with_capacity(mail.recipients.len());
        for one in &mail.recipients {
            hashes.push(self.hash(ADDRESS, &one.folded).await?);
        }
        let (mut draft, ground) = if hoped {
            (self.cell().draft(self.id()).await?, Ground::Hoped)
        } else {
            let mut reader = self.reader().await?;
            let standings = self.standings(&mut reader, &hashes, &mail.sender).await?;
            (reader.draft(), Ground::Read(standings))
        };
        draft.expect_absent::<Operations>(&id);
        mail.domain.expect(&mut draft);
        let suppressed = self.settle(&mut draft, &hashes, ground)?;
        let (row, chunks) = self.envelope(&mail, &suppressed);
        let told = self.tell_suppressed(&mut draft, id, &row, &suppressed).await?;
        let state = if row.parts.is_empty() { State::Suppressed } else { State::Running };
        let open = u16::try_from(row.parts.len()).unwrap_or(u16::MAX);
        let operation = OperationRow { accepted: row.accepted, state, open };
        draft.put_in_resource::<Operations>(&id, &operation, &[])?;
        draft.put_in_resource::<Expiries>(&(day(row.accepted), id), &(), &[])?;
        let queued = if row.parts.is_empty() { Vec::new() } else { self.put(&mut draft, id, &row, &chunks)? };
        draft.commit().await?;
        if !row.parts.is_empty() && chunks.is_empty() && row.message.0.len() <= FRESH_BYTES {
            self.state.fresh().insert((self.id(), id), Arc::new(row));
        }
        queued.into_iter().for_each(Queued::committed);
        told.done(self.events);
        Ok(Accepted { id, state })
    }

    /// Makes the commit rest on nobody's standing changing, and says who is suppressed, by place.
    fn settle(&self, draft: &mut Draft, hashes: &[Hash], ground: Ground) -> Result<Vec<u16>, StoreError> {
        let mut suppressed = Vec::new();
        match ground {
            Ground::Hoped => {
                for hash in hashes {
                    draft.expect_last::<Suppressions>(key_bytes(hash), None);
                }
            }
            Ground::Read(standings) => {
                for (at, (hash, standing)) in hashes.iter().zip(standings).enumerate() {
                    if self.rest_on(draft, *hash, standing)? {
                        suppressed.push(u16::try_from(at).unwrap_or(u16::MAX));
                    }
                }
            }
        }
        Ok(suppressed)
    }

    /// What is kept of the mail: its envelope, and the chunks of its message past the first.
    fn envelope(&self, mail: &Prepared, suppressed: &[u16]) -> (MailRow, Vec<Blob>) {
        let mut parts: Vec<PartRow> = Vec::new();
        let geography = self.cell().geography();
        for (at, one) in mail.recipients.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            if suppressed.contains(&at) {
                continue;
            }
            let destination = (self.state.setup.route)(geography, &one.domain);
            match parts.iter_mut().find(|part| *part.destination.expose() == destination) {
                Some(part) => part.recipients.push(at),
                None => parts.push(PartRow { destination: destination.into(), recipients: vec![at] }),
            }
        }
        let (first, rest) = mail.message.split_at(mail.message.len().min(CHUNK));
        let chunks: Vec<Blob> = rest.chunks(CHUNK).map(|chunk| Blob(chunk.to_vec())).collect();
        let row = MailRow {
            accepted: mail.accepted,
            sender: mail.sender.clone(),
            domain: mail.domain.hash,
            message_id: mail.message_id.clone().into(),
            recipients: mail.recipients.iter().map(|one| one.address.clone()).collect(),
            parts,
            tracking: mail.tracking,
            message: Blob(first.to_vec()),
            chunks: u16::try_from(chunks.len()).unwrap_or(u16::MAX),
        };
        (row, chunks)
    }

    fn put(
        &self,
        draft: &mut Draft,
        id: MailId,
        row: &MailRow,
        chunks: &[Blob],
    ) -> Result<Vec<Queued>, StoreError> {
        let scope = draft.new_scope_key(mail_scope(id))?;
        draft.put::<Mails>(&id, row, &[], &scope)?;
        for (number, chunk) in (1_u16..).zip(chunks) {
            draft.put::<Chunks>(&(id, number), chunk, &[], &scope)?;
        }
        let mut queued = Vec::with_capacity(row.parts.len());
        for (part, one) in (0_u16..).zip(&row.parts) {
            let waiting = DeliveryRow {
                kind: Kind::Mail,
                id: *id.as_bytes(),
                part,
                destination: one.destination.clone(),
                attempts: 0,
                accepted: row.accepted,
                deadline: row.accepted.plus(self.limits.mail_deadline()),
                held: false,
            };
            queued.push(self.delivery.enqueue(draft, self.resource, waiting, self.clock, self.rng)?);
        }
        Ok(queued)
    }

    /// Records at once what becomes of those who are suppressed.
    async fn tell_suppressed(
        &self,
        draft: &mut Draft,
        id: MailId,
        row: &MailRow,
        suppressed: &[u16],
    ) -> Result<Told, MailError> {
        let endings: Vec<Ending> = suppressed
            .iter()
            .map(|at| Ending {
                place: *at,
                status: Status::Suppressed,
                detail: Personal::new("The recipient is on a suppression list.".to_owned()),
                host: None,
            })
            .collect();
        Ok(self.end(draft, id, row, &endings).await?)
    }
}

/// Reads the whole message of a mail.
pub(super) async fn whole(reader: &mut Reader, id: MailId, row: &MailRow) -> Result<Vec<u8>, StoreError> {
    let mut message = row.message.0.clone();
    if row.chunks > 0 {
        let rows = reader
            .scan::<Chunks>(KeyRange::prefix(&id), store::Direction::Forward, usize::from(row.chunks))
            .await?;
        for (_, chunk) in rows {
            let chunk = chunk.value().ok_or(StoreError::Shredded)?;
            message.extend_from_slice(&chunk.value.0);
        }
    }
    Ok(message)
}
