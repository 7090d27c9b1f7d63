//! What is known of a mail after it was accepted.

use base::{MailId, Personal, Timestamp};
use store::{Direction, KeyRange};

use super::rows::{Operations, Recipients, State, Status};
use super::{MailDesk, MailError, audit};

/// How far a mail came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where its sending stands.
    pub state: State,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// How many destinations are still to be served.
    pub open: u16,
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Who.
    pub address: Personal<String>,
    /// What.
    pub status: Status,
    /// What the other side said.
    pub detail: Personal<String>,
    /// The server that said it.
    pub host: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl MailDesk<'_> {
    /// How far a mail came.
    ///
    /// # Errors
    /// [`MailError::NotFound`] when there is no such mail, or it was forgotten; [`MailError::Store`].
    pub async fn progress(&self, id: MailId) -> Result<Progress, MailError> {
        let found = self.reader().await?.get::<Operations>(&id).await?;
        let row = found.ok_or(MailError::NotFound("operation"))?.value;
        Ok(Progress { state: row.state, accepted: row.accepted, open: row.open })
    }

    /// What became of each recipient of a mail whose fate is known.
    ///
    /// # Errors
    /// [`MailError::NotFound`]; [`MailError::Store`].
    pub async fn fates(&self, id: MailId) -> Result<(Progress, Vec<Fate>), MailError> {
        let mut reader = self.reader().await?;
        let found = reader.get::<Operations>(&id).await?;
        let row = found.ok_or(MailError::NotFound("mail"))?.value;
        let rows =
            reader.scan::<Recipients>(KeyRange::prefix(&id), Direction::Forward, store::MAX_SCAN).await?;
        let mut draft = reader.draft();
        drop(reader);
        audit(self, &mut draft)?;
        draft.commit().await?;
        let fates = rows.into_iter().filter_map(|(_, opened)| opened.value()).map(|row| Fate {
            address: row.value.address,
            status: row.value.status,
            detail: row.value.detail,
            host: row.value.host,
            at: row.value.at,
        });
        let progress = Progress { state: row.state, accepted: row.accepted, open: row.open };
        Ok((progress, fates.collect()))
    }
}
