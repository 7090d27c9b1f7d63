//! What a user was not told of yet, over all threads: where each stands, and how the user's part in it ended.

use base::{MessageId, ThreadId, Timestamp, UserId};
use store::{Direction, KeyRange, Opened, Reader, StoreError};

use super::follow::{self, Happening, Position};
use super::rows::{Body, Memberships, MessageRow, Messages, Participants, ThreadRow, Threads};
use super::view::ParticipantView;

/// How a user stands to a thread that the user is or was in.
#[derive(Debug)]
pub enum Standing {
    /// In it; it reaches so far.
    Present(Position),
    /// Removed from it by this message.
    Removed(MessageId),
    /// It was deleted then.
    Deleted(Timestamp),
}

/// The threads of `user`, of the first `most` that the user is or was in.
///
/// # Errors
/// Those of the store.
pub async fn standings(
    reader: &mut Reader,
    user: UserId,
    most: usize,
) -> Result<Vec<(ThreadId, Standing)>, StoreError> {
    let found = reader.scan_keys::<Memberships>(KeyRange::prefix(&user), Direction::Forward, most).await?;
    let keys: Vec<_> = found.into_iter().map(|((_, thread), ..)| (thread, user)).collect();
    let parts = reader.multi_get::<Participants>(&keys).await?;
    let mut standings = Vec::with_capacity(keys.len());
    for ((thread, _), part) in keys.into_iter().zip(parts) {
        let standing = match part.and_then(Opened::value).map(|row| row.value) {
            Some(part) if part.is_current() => Standing::Present(follow::end(reader, thread).await?),
            Some(part) => match part.periods.last().and_then(|last| last.until) {
                Some(until) => Standing::Removed(MessageId(until)),
                None => continue,
            },
            // What the thread's deletion took with it.
            None => match reader.try_get::<Threads>(&thread).await?.and_then(Opened::value) {
                Some(row) => match row.value {
                    ThreadRow::Deleted { on } => Standing::Deleted(on),
                    ThreadRow::Live(_) => continue,
                },
                None => continue,
            },
        };
        standings.push((thread, standing));
    }
    Ok(standings)
}

/// That `user` was removed by message `with`, as it is told to that user; `None` when the message is not there any more.
///
/// # Errors
/// Those of the store.
pub async fn removal(
    reader: &mut Reader,
    thread: ThreadId,
    user: UserId,
    with: MessageId,
) -> Result<Option<Happening>, StoreError> {
    let row = reader.try_get::<Messages>(&(thread, with)).await?.and_then(Opened::value);
    let Some(MessageRow { body: Body::ParticipantRemoved { participant, initiator }, .. }) =
        row.map(|row| row.value)
    else {
        return Ok(None);
    };
    if participant != user {
        return Ok(None);
    }
    let found = reader.multi_get::<Participants>(&[(thread, initiator), (thread, user)]).await?;
    let mut views = [initiator, user].into_iter().zip(found).map(|(user, row)| {
        let part = row.and_then(Opened::value).map(|row| row.value).unwrap_or_default();
        ParticipantView {
            user,
            display_name: part.display_name,
            share_history_from: None,
            metadata: part.metadata,
        }
    });
    let (Some(by), Some(who)) = (views.next(), views.next()) else { return Ok(None) };
    Ok(Some(Happening::Removed(by, who, Timestamp::from_millis(with.0))))
}
