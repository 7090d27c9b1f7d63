//! Read receipts and typing. Both are for small threads: above a limit they are accepted and nothing comes of them.

use base::{MessageId, Personal, ThreadId};
use store::{Direction, KeyRange, Opened, Reader, Versioned};

use super::access::Standing;
use super::rows::{Body, MessageRow, Messages, ReceiptRow, Receipts};
use super::view::ReceiptView;
use super::{ChatError, Desk, tell};
use crate::service::live::Passing;

impl Desk<'_> {
    /// The caller has read up to `message`. A receipt never moves back.
    ///
    /// # Errors
    /// [`ChatError::MessageUnknown`] for a message the caller may not see.
    pub async fn send_receipt(&self, thread: ThreadId, message: MessageId) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let (member, standing) = self.member(&mut reader, thread).await?;
            match reader.try_get::<Messages>(&(thread, message)).await? {
                Some(Opened::Value(row)) if is_visible(&standing, message, &row.value) => {}
                _ => return Err(ChatError::MessageUnknown),
            }
            if !self.is_small(&mut reader, thread).await? {
                return Ok(());
            }
            let before = reader.get::<Receipts>(&(thread, self.user())).await?;
            if before.as_ref().is_some_and(|row| row.value.message >= message) {
                return Ok(());
            }
            let key = self.author_key(&mut reader, thread).await?;
            let row = ReceiptRow { message, read_on: self.clock.now() };
            let mut draft = reader.draft();
            drop(reader);
            self.expect(&mut draft, &member);
            match before {
                Some(Versioned { version, .. }) => {
                    draft.expect_version::<Receipts>(&(thread, self.user()), version);
                }
                None => draft.expect_absent::<Receipts>(&(thread, self.user())),
            }
            draft.put::<Receipts>(&(thread, self.user()), &row, &[], &key)?;
            draft.commit().await?;
            let receipt = ReceiptView { reader: self.user(), message, read_on: row.read_on };
            self.state.live.pass(self.cell, self.key(thread), Passing::Read(receipt));
            Ok(())
        })
    }

    /// The latest receipt of each present participant, for messages that the caller may see; `skip` of them passed
    /// over, at most `limit` of them, and whether more follow.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant now.
    pub async fn list_receipts(
        &self,
        thread: ThreadId,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<ReceiptView>, bool), ChatError> {
        let mut reader = self.reader().await?;
        let (_, standing) = self.member(&mut reader, thread).await?;
        let present = self.participants(&mut reader, thread).await?;
        let rows =
            reader.scan::<Receipts>(KeyRange::prefix(&thread), Direction::Forward, store::MAX_SCAN).await?;
        let mut found = rows.into_iter().filter_map(|((_, user), row)| {
            let Opened::Value(Versioned { value: ReceiptRow { message, read_on }, .. }) = row else {
                return None;
            };
            let at = present.binary_search_by_key(&user, |known| known.user).ok()?;
            let shown = present.get(at)?.row.is_current() && standing.participant.sees(message);
            shown.then_some(ReceiptView { reader: user, message, read_on })
        });
        let page = found.by_ref().skip(skip).take(limit).collect();
        let more = found.next().is_some();
        Ok((page, more))
    }

    /// The caller is typing and wants to be called `name`. Nothing is kept of it but, where somebody listens to such
    /// events, the event.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who is not a participant now.
    pub async fn send_typing(
        &self,
        thread: ThreadId,
        name: Option<&Personal<String>>,
    ) -> Result<(), ChatError> {
        retry!(self, thread, _lost, {
            let mut reader = self.reader().await?;
            let (member, _) = self.member(&mut reader, thread).await?;
            let hearers = self.hearers_in(&mut reader, thread, tell::TYPING).await?;
            let is_heard = hearers.is_some() || self.state.live.is_followed(self.cell, self.key(thread));
            if !is_heard || !self.is_small(&mut reader, thread).await? {
                return Ok(());
            }
            let passing = Passing::Typing(self.user(), name.cloned(), self.clock.now());
            let Some(hearers) = hearers else {
                self.state.live.pass(self.cell, self.key(thread), passing);
                return Ok(());
            };
            let key = self.author_key(&mut reader, thread).await?;
            let mut draft = reader.draft();
            drop(reader);
            self.expect(&mut draft, &member);
            let told = self.told_typing(thread, name, self.clock.now());
            self.announce(&mut draft, &hearers, told, &key)?;
            draft.commit().await?;
            self.events.wake();
            self.state.live.pass(self.cell, self.key(thread), passing);
            Ok(())
        })
    }

    /// Whether the thread is small enough for receipts and typing.
    async fn is_small(&self, reader: &mut Reader, thread: ThreadId) -> Result<bool, ChatError> {
        let present = self.participants(reader, thread).await?;
        Ok(present.iter().filter(|p| p.row.is_current()).count() <= self.limits.receipts_participants)
    }
}

fn is_visible(standing: &Standing, id: MessageId, row: &MessageRow) -> bool {
    row.body != Body::Erased && standing.sees(id, row.changed_on())
}
