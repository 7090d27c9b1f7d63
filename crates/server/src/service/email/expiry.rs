//! What became of mails is forgotten after some days: first the key of a whole day, then the rows.

use base::{Limits, MailId, ResourceId, Timestamp};
use store::{Cell, Direction, KeyRange, StoreError};

use super::rows::{Day, Expiries, Operations, Recipients, day, day_scope};

/// How many mails are looked at for one commit.
const BATCH: usize = 256;
/// How many rows are removed in one commit, give or take those of one mail.
const STEPS: usize = 2_048;

/// Forgets the mails of a resource that are older than is remembered. Returns how many.
///
/// # Errors
/// Those of the store; what was not forgotten is the next time.
pub async fn sweep(
    cell: &Cell,
    resource: ResourceId,
    limits: &Limits,
    now: Timestamp,
) -> Result<usize, StoreError> {
    // A day is forgotten when its last mail is old enough.
    let today = day(now.minus(limits.mail_retention()));
    let mut forgotten = 0;
    loop {
        let mut reader = cell.read(resource).await?;
        let range = KeyRange::all().before(&(today, MailId::from_bytes([0; 16])));
        let due = reader.scan_keys::<Expiries>(range, Direction::Forward, BATCH).await?;
        if due.is_empty() {
            return Ok(forgotten);
        }
        let mut draft = reader.draft();
        let mut days: Vec<Day> = Vec::new();
        let mut steps = 0;
        for ((day, mail), _, _) in &due {
            if steps >= STEPS {
                break;
            }
            if !days.contains(day) {
                days.push(*day);
                draft.destroy_scope_key(&day_scope(*day));
            }
            let rows = reader
                .scan_keys::<Recipients>(KeyRange::prefix(mail), Direction::Forward, store::MAX_SCAN)
                .await?;
            rows.iter().for_each(|(key, _, _)| draft.delete::<Recipients>(key));
            draft.delete::<Operations>(mail);
            draft.delete::<Expiries>(&(*day, *mail));
            steps += rows.len() + 2;
            forgotten += 1;
        }
        drop(reader);
        draft.commit().await?;
    }
}
