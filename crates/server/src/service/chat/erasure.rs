//! Erasure: the keys die in the commit that deletes, the bytes follow here.
//!
//! [`forget_user`] adds to the deletion of an identity the destruction of every key under which that person's part in a
//! chat rests. [`sweep`] then removes what those keys sealed: whole threads row by row; of a person the messages (each
//! replaced by an empty one, which keeps the numbering), receipts, memberships and names. It works in small commits,
//! may be stopped anywhere and begun again, and does nothing twice.

use base::{ResourceId, ThreadId, Timestamp, UserId};
use store::{Cell, Direction, Draft, KeyCodec, KeyRange, Keyspace, Opened, Reader, StoreError};

use super::ChatError;
use super::rows::{
    Body, Changes, ErasureRow, Erasures, HINT_RESOURCE, Hint, Memberships, MessageRow, Messages,
    Participants, Receipts, Repeats, author_scope, thread_scope,
};
use super::threads::memberships;

/// Rows handled in one commit.
const AT_ONCE: usize = 256;
/// Keys destroyed in one commit, well within what a commit may hold.
pub(super) const KEYS_AT_ONCE: usize = 2_000;

/// Destroys the keys of what `user` wrote and was called in the chats of the resource, in the commit of `draft`, which
/// deletes the identity. Returns the threads it was done for: of someone in very many threads not all fit, and in the
/// meantime the user may be added to more. [`forget_rest`] does the others once `draft` is durable, when nobody can add
/// the user any more; should it not come to that, the sweep does.
///
/// # Errors
/// Those of the store.
pub async fn forget_user(
    reader: &mut Reader,
    draft: &mut Draft,
    user: UserId,
) -> Result<Vec<ThreadId>, StoreError> {
    let mut threads = memberships(reader, user).await?;
    threads.truncate(KEYS_AT_ONCE);
    threads.iter().for_each(|thread| draft.destroy_scope_key(&author_scope(*thread, user)));
    let key = (Timestamp::EPOCH, *user.as_bytes());
    draft.put_in_resource::<Erasures>(&key, &ErasureRow::User(user), HINT_RESOURCE)?;
    Ok(threads)
}

/// Destroys the keys that the deletion of `user` left, which must be durable.
///
/// # Errors
/// Those of the store; the rest is then done by the sweep.
pub async fn forget_rest(
    cell: &Cell,
    resource: ResourceId,
    user: UserId,
    done: &[ThreadId],
) -> Result<(), StoreError> {
    let mut reader = cell.read(resource).await?;
    let mut left = memberships(&mut reader, user).await?;
    drop(reader);
    // Both ascend, as keys do.
    left.retain(|thread| done.binary_search(thread).is_err());
    for threads in left.chunks(KEYS_AT_ONCE) {
        let mut draft = cell.draft(resource).await?;
        threads.iter().for_each(|thread| draft.destroy_scope_key(&author_scope(*thread, user)));
        draft.commit().await?;
    }
    Ok(())
}

/// Removes the bytes of everything in `resource` whose keys were destroyed. Returns how many deletions it completed.
///
/// # Errors
/// Those of the store; what was done stays done, and the rest is done by the next call. One that cannot be completed,
/// because a row of it is damaged or somebody else changes it, does not keep the others from it.
pub async fn sweep(cell: &Cell, resource: ResourceId) -> Result<usize, ChatError> {
    let (mut completed, mut failed) = (0, None);
    let mut range = KeyRange::all();
    loop {
        let mut reader = cell.read(resource).await?;
        let due = reader.scan::<Erasures>(range.clone(), Direction::Forward, 1).await?;
        drop(reader);
        let Some((key, row)) = due.into_iter().next() else { return failed.map_or(Ok(completed), Err) };
        range = range.after(&key);
        let Opened::Value(row) = row else { continue };
        let swept = match row.value {
            ErasureRow::Thread(thread) => sweep_thread(cell, resource, thread).await,
            ErasureRow::User(user) => sweep_user(cell, resource, user).await,
        };
        match swept {
            Ok(()) => {}
            Err(error @ ChatError::Store(StoreError::Corrupt { .. } | StoreError::Conflict)) => {
                failed = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        }
        let mut draft = cell.draft(resource).await?;
        draft.delete::<Erasures>(&key);
        draft.commit().await?;
        completed += 1;
    }
}

/// Removes all rows of a deleted thread, but for its tombstone and the fact of who was in it. First the keys that the
/// deletion could not destroy in its own commit, with the rows that say whose they are.
async fn sweep_thread(cell: &Cell, resource: ResourceId, thread: ThreadId) -> Result<(), ChatError> {
    let author = |draft: &mut Draft, (thread, user): &(ThreadId, UserId)| {
        draft.destroy_scope_key(&author_scope(*thread, *user));
    };
    clear::<Participants>(cell, resource, &thread, author).await?;
    clear::<Messages>(cell, resource, &thread, |_, _| {}).await?;
    clear::<Changes>(cell, resource, &thread, |_, _| {}).await?;
    clear::<Receipts>(cell, resource, &thread, |_, _| {}).await
}

/// Deletes every row of a keyspace whose key begins with `prefix`, and does `also` in the same commit.
async fn clear<K: Keyspace>(
    cell: &Cell,
    resource: ResourceId,
    prefix: &(impl KeyCodec + Sync),
    also: impl Fn(&mut Draft, &K::Key) + Send + Sync,
) -> Result<(), ChatError> {
    loop {
        let mut reader = cell.read(resource).await?;
        let rows = reader.scan_keys::<K>(KeyRange::prefix(prefix), Direction::Forward, AT_ONCE).await?;
        drop(reader);
        if rows.is_empty() {
            return Ok(());
        }
        let mut draft = cell.draft(resource).await?;
        for (key, ..) in &rows {
            draft.delete::<K>(key);
            also(&mut draft, key);
        }
        draft.commit().await?;
    }
}

/// Removes what a deleted person left in each thread, and what it created threads with.
async fn sweep_user(cell: &Cell, resource: ResourceId, user: UserId) -> Result<(), ChatError> {
    clear::<Repeats>(cell, resource, &user, |_, _| {}).await?;
    let mut reader = cell.read(resource).await?;
    let threads = memberships(&mut reader, user).await?;
    drop(reader);
    for thread in threads {
        sweep_author(cell, resource, thread, user).await?;
        let mut draft = cell.draft(resource).await?;
        // Once more, for a deletion that ended before it came to this key.
        draft.destroy_scope_key(&author_scope(thread, user));
        draft.delete::<Receipts>(&(thread, user));
        draft.delete::<Participants>(&(thread, user));
        draft.delete::<Memberships>(&(user, thread));
        draft.commit().await?;
    }
    Ok(())
}

/// Empties the messages that `user` wrote in `thread`.
async fn sweep_author(
    cell: &Cell,
    resource: ResourceId,
    thread: ThreadId,
    user: UserId,
) -> Result<(), ChatError> {
    let mut range = KeyRange::prefix(&thread);
    loop {
        let mut reader = cell.read(resource).await?;
        let rows = reader.scan_keys::<Messages>(range.clone(), Direction::Forward, AT_ONCE).await?;
        let Some((last, ..)) = rows.last() else { return Ok(()) };
        range = range.after(last);
        let Some(key) = reader.scope_key(&thread_scope(thread)).await? else { return Ok(()) };
        drop(reader);
        let mut draft = cell.draft(resource).await?;
        let mut found = false;
        for (row, version, hint) in rows {
            let hint = Hint::parse(&hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?;
            if hint.author == Some(user) {
                let hint = Hint { author: None, sequence: hint.sequence }.to_bytes();
                // A thread that is deleted in this moment must not have a row put back.
                draft.expect_version::<Messages>(&row, version);
                draft.put::<Messages>(&row, &MessageRow::new(Body::Erased), &hint, &key)?;
                found = true;
            }
        }
        if found {
            draft.commit().await?;
        }
    }
}
