//! Erasure: the keys die in the commit that deletes, the bytes follow here.
//!
//! [`forget_user`] adds to the deletion of an identity the destruction of every key under which that person's part in a
//! chat rests. [`sweep`] then removes what those keys sealed: whole threads row by row; of a person the messages (each
//! replaced by an empty one, which keeps the numbering), receipts, memberships and names. It works in small commits,
//! may be stopped anywhere and begun again, and does nothing twice.

use base::{ResourceId, ThreadId, Timestamp, UserId};
use store::{Cell, Direction, Draft, KeyRange, Keyspace, Opened, Reader, StoreError};

use super::ChatError;
use super::rows::{
    Body, Changes, ErasureRow, Erasures, HINT_RESOURCE, Hint, Memberships, MessageRow, Messages,
    Participants, Receipts, author_scope, thread_scope,
};
use super::threads::memberships;

/// Rows handled in one commit.
const AT_ONCE: usize = 256;
/// Keys destroyed in one commit, well within what a commit may hold.
const KEYS_AT_ONCE: usize = 2_000;

/// Destroys the keys of all that `user` wrote and was called in the chats of the resource, in the commit of `draft`, which
/// deletes the identity. Of someone in very many threads all but the last of them go in commits before: the deletion is
/// done when `draft` is durable, and one that fails before can be asked for again.
///
/// # Errors
/// Those of the store.
pub async fn forget_user(
    cell: &Cell,
    reader: &mut Reader,
    draft: &mut Draft,
    user: UserId,
) -> Result<(), StoreError> {
    let threads = memberships(reader, user).await?;
    let mut chunks = threads.chunks(KEYS_AT_ONCE).peekable();
    while let Some(chunk) = chunks.next() {
        if chunks.peek().is_none() {
            chunk.iter().for_each(|thread| draft.destroy_scope_key(&author_scope(*thread, user)));
        } else {
            let mut before = cell.draft(reader.resource()).await?;
            chunk.iter().for_each(|thread| before.destroy_scope_key(&author_scope(*thread, user)));
            before.commit().await?;
        }
    }
    let key = (Timestamp::EPOCH, *user.as_bytes());
    draft.put_in_resource::<Erasures>(&key, &ErasureRow::User(user), HINT_RESOURCE)
}

/// Removes the bytes of everything in `resource` whose keys were destroyed. Returns how many deletions it completed.
///
/// # Errors
/// Those of the store; what was done stays done, and the rest is done by the next call.
pub async fn sweep(cell: &Cell, resource: ResourceId) -> Result<usize, ChatError> {
    let mut completed = 0;
    loop {
        let mut reader = cell.read(resource).await?;
        let due = reader.scan::<Erasures>(KeyRange::all(), Direction::Forward, 1).await?;
        drop(reader);
        let Some((key, Opened::Value(row))) = due.into_iter().next() else { return Ok(completed) };
        match row.value {
            ErasureRow::Thread(thread) => sweep_thread(cell, resource, thread).await?,
            ErasureRow::User(user) => sweep_user(cell, resource, user).await?,
        }
        let mut draft = cell.draft(resource).await?;
        draft.delete::<Erasures>(&key);
        draft.commit().await?;
        completed += 1;
    }
}

/// Removes all rows of a deleted thread, but for its tombstone and the fact of who was in it.
async fn sweep_thread(cell: &Cell, resource: ResourceId, thread: ThreadId) -> Result<(), ChatError> {
    clear::<Messages>(cell, resource, &thread).await?;
    clear::<Changes>(cell, resource, &thread).await?;
    clear::<Receipts>(cell, resource, &thread).await?;
    clear::<Participants>(cell, resource, &thread).await
}

/// Deletes every row of a keyspace that belongs to `thread`.
async fn clear<K: Keyspace>(cell: &Cell, resource: ResourceId, thread: &ThreadId) -> Result<(), ChatError> {
    loop {
        let mut reader = cell.read(resource).await?;
        let rows = reader.scan_keys::<K>(KeyRange::prefix(thread), Direction::Forward, AT_ONCE).await?;
        drop(reader);
        if rows.is_empty() {
            return Ok(());
        }
        let mut draft = cell.draft(resource).await?;
        for (key, ..) in &rows {
            draft.delete::<K>(key);
        }
        draft.commit().await?;
    }
}

/// Removes what a deleted person left in each thread.
async fn sweep_user(cell: &Cell, resource: ResourceId, user: UserId) -> Result<(), ChatError> {
    let mut reader = cell.read(resource).await?;
    let threads = memberships(&mut reader, user).await?;
    drop(reader);
    for thread in threads {
        sweep_author(cell, resource, thread, user).await?;
        let mut draft = cell.draft(resource).await?;
        // Once more for a thread that the person was added to while the identity was being deleted.
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
