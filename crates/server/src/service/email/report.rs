//! What comes back after a mail was handed over: bounces, complaints, people who want no more. Each is believed only
//! when it names a mail that this resource sent, to that recipient, not longer ago than is remembered.

use base::{MailId, Personal};
use store::{Direction, KeyRange};

use super::outcome::Told;
use super::rows::{Operations, Reason, RecipientRow, Recipients, Status, day};
use super::suppress::{Cause, folded};
use super::{MailDesk, MailError, retry};

/// Which recipient of a mail is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one at this place, as the envelope sender says.
    Place(u16),
    /// The one of this address, as a report says.
    Address(Personal<String>),
}

/// What a mail server reports of a mail that it, or another one, had taken (RFC 3464).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// What becomes of the recipient. [`Status::Bounced`] suppresses the address.
    pub status: Status,
    /// What the report says: code and words.
    pub detail: Personal<String>,
    /// The server that reports.
    pub host: Option<String>,
}

struct Found {
    day: u32,
    place: u16,
    version: u64,
    row: RecipientRow,
}

impl MailDesk<'_> {
    /// A mail came back. `false`: it is none of ours, or long forgotten, and nothing happened. The same report twice is as
    /// good as once.
    ///
    /// # Errors
    /// [`MailError::Store`]: then the report must be brought again.
    pub async fn bounced(&self, mail: MailId, which: &Which, bounce: &Bounce) -> Result<bool, MailError> {
        retry!(self, async {
            let Some(found) = self.find(mail, which).await? else { return Ok(false) };
            if found.row.status == bounce.status {
                return Ok(true);
            }
            let mut draft = self.cell().draft(self.id()).await?;
            draft.expect_version::<Recipients>(&(mail, found.place), found.version);
            if bounce.status == Status::Bounced {
                let cause = Cause {
                    reason: Reason::HardBounce,
                    sender: None,
                    detail: Some(bounce.detail.clone()),
                    mail: Some(mail),
                    until: Some(self.first_lease()),
                };
                self.put_suppression(&mut draft, &found.row.address, cause).await?;
            }
            let row = RecipientRow {
                status: bounce.status,
                detail: bounce.detail.clone(),
                host: bounce.host.clone(),
                at: self.clock.now(),
                ..found.row
            };
            let told = self.put_recipients(&mut draft, mail, found.day, &[(found.place, row)]).await?;
            draft.commit().await?;
            Told::done(told, self.events);
            Ok(true)
        })
    }

    /// The recipient called a mail spam (RFC 5965): no mail of this resource is sent there any more, until somebody takes
    /// the address off the list. `false` as with [`Self::bounced`].
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn complained(&self, mail: MailId, which: &Which) -> Result<bool, MailError> {
        self.leave_alone(mail, which, Reason::Complaint).await
    }

    /// The recipient asked for no more mail of the one who sent this (RFC 8058). `false` as with [`Self::bounced`].
    ///
    /// # Errors
    /// [`MailError::Store`].
    pub async fn unsubscribed(&self, mail: MailId, which: &Which) -> Result<bool, MailError> {
        self.leave_alone(mail, which, Reason::Unsubscribed).await
    }

    async fn leave_alone(&self, mail: MailId, which: &Which, reason: Reason) -> Result<bool, MailError> {
        retry!(self, async {
            let Some(found) = self.find(mail, which).await? else { return Ok(false) };
            let mut draft = self.cell().draft(self.id()).await?;
            let sender = (reason == Reason::Unsubscribed).then_some(&found.row.sender);
            let cause = Cause { reason, sender, detail: None, mail: Some(mail), until: None };
            self.put_suppression(&mut draft, &found.row.address, cause).await?;
            draft.commit().await?;
            Ok(true)
        })
    }

    /// The recipient of a mail that was handed over.
    async fn find(&self, mail: MailId, which: &Which) -> Result<Option<Found>, MailError> {
        let mut reader = self.reader().await?;
        let Some(operation) = reader.get::<Operations>(&mail).await? else { return Ok(None) };
        let day = day(operation.value.accepted);
        let rows =
            reader.scan::<Recipients>(KeyRange::prefix(&mail), Direction::Forward, store::MAX_SCAN).await?;
        for ((_, place), opened) in rows {
            let Some(found) = opened.value() else { continue };
            let meant = match which {
                Which::Place(asked) => *asked == place,
                Which::Address(address) => folded(address) == folded(&found.value.address),
            };
            // What was never handed over cannot come back.
            if meant && found.value.status != Status::Suppressed {
                return Ok(Some(Found { day, place, version: found.version, row: found.value }));
            }
        }
        Ok(None)
    }
}
