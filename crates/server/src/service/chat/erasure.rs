//! Erasure: the keys die in the commit that deletes, the bytes follow here.
//!
//! [`forget_user`] adds to the deletion of an identity the destruction of every key under which that person's part in a
//! chat rests. [`sweep`] then removes what those keys sealed: whole threads row by row; of a person the messages (each
//! replaced by an empty one, which keeps the numbering), receipts, memberships and names. It works in small commits,
//! may be stopped anywhere and begun again, and does nothing twice.

use base::{ResourceId, ThreadId, Timestamp, UserId};
use store::{Cell, Direction, Draft, KeyCodec, KeyRange, Keyspace, Opened, Reader, StoreError, Versioned};

use super::ChatError;
use super::rows::{
    Body, Changes, ErasureRow, Erasures, HINT_RESOURCE, Hint, Memberships, MessageRow, Messages,
    Participants, Receipts, Repeats, author_scope, thread_scope,
};
use super::threads::memberships;
use crate::service::audit::Target;
use crate::service::receipts::{self, Order, ReceiptKeys};
use crate::service::resources::ResourceError;

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
    order: Order,
) -> Result<Vec<ThreadId>, StoreError> {
    let mut threads = memberships(reader, user).await?;
    threads.truncate(KEYS_AT_ONCE);
    threads.iter().for_each(|thread| draft.destroy_scope_key(&author_scope(*thread, user)));
    let key = (Timestamp::EPOCH, *user.as_bytes());
    draft.put_in_resource::<Erasures>(&key, &ErasureRow::UserOf(user, order), HINT_RESOURCE)?;
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
        let work = Work { cell, resource, key };
        let (target, swept) = match row.value {
            ErasureRow::Thread(thread) | ErasureRow::ThreadOf(thread, _) => {
                (Target::Thread(thread), work.thread(thread).await)
            }
            ErasureRow::User(user) | ErasureRow::UserOf(user, _) => {
                (Target::User(user), work.user(user).await)
            }
        };
        match swept {
            Ok(()) => {}
            Err(error @ ChatError::Store(StoreError::Corrupt { .. } | StoreError::Conflict)) => {
                failed = Some(error);
                continue;
            }
            Err(error) => return Err(error),
        }
        work.complete(target).await?;
        completed += 1;
    }
}

/// One deletion that is being completed.
struct Work<'a> {
    cell: &'a Cell,
    resource: ResourceId,
    /// Of its row in [`Erasures`].
    key: (Timestamp, [u8; 16]),
}

impl Work<'_> {
    /// Removes all rows of a deleted thread, but for its tombstone and the fact of who was in it. First the keys that the
    /// deletion could not destroy in its own commit, with the rows that say whose they are.
    async fn thread(&self, thread: ThreadId) -> Result<(), ChatError> {
        let author = |draft: &mut Draft, (thread, user): &(ThreadId, UserId)| {
            draft.destroy_scope_key(&author_scope(*thread, *user));
            1
        };
        self.clear::<Participants>(&thread, author).await?;
        self.clear::<Messages>(&thread, |_, _| 0).await?;
        self.clear::<Changes>(&thread, |_, _| 0).await?;
        self.clear::<Receipts>(&thread, |_, _| 0).await
    }

    /// Deletes every row of a keyspace whose key begins with `prefix`, and does `also` in the same commit.
    async fn clear<K: Keyspace>(
        &self,
        prefix: &(impl KeyCodec + Sync),
        also: impl Fn(&mut Draft, &K::Key) -> u64 + Send + Sync,
    ) -> Result<(), ChatError> {
        loop {
            let mut reader = self.cell.read(self.resource).await?;
            let rows = reader.scan_keys::<K>(KeyRange::prefix(prefix), Direction::Forward, AT_ONCE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let order = reader.get::<Erasures>(&self.key).await?;
            let mut draft = reader.draft();
            drop(reader);
            let mut keys = 0;
            for (key, ..) in &rows {
                draft.delete::<K>(key);
                keys += also(&mut draft, key);
            }
            self.count(order, &mut draft, keys, rows.len())?;
            draft.commit().await?;
        }
    }

    /// Adds to what the receipt will say, in the commit that does it: after a stop anywhere it is right. When another node
    /// does the same work, one of the two commits does not happen.
    fn count(
        &self,
        order: Option<Versioned<ErasureRow>>,
        draft: &mut Draft,
        keys: u64,
        rows: usize,
    ) -> Result<(), StoreError> {
        let Some(found) = order else { return Ok(()) };
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        let next = match &found.value {
            ErasureRow::ThreadOf(thread, order) => ErasureRow::ThreadOf(*thread, order.further(keys, rows)),
            ErasureRow::UserOf(user, order) => ErasureRow::UserOf(*user, order.further(keys, rows)),
            ErasureRow::Thread(_) | ErasureRow::User(_) => return Ok(()),
        };
        draft.expect_version::<Erasures>(&self.key, found.version);
        draft.put_in_resource::<Erasures>(&self.key, &next, HINT_RESOURCE)
    }

    async fn keep(&self, target: Target, order: &Order) -> Result<(), StoreError> {
        let kept = receipts::keep(self.cell, self.resource, target, order).await;
        kept.map_err(|fault| match fault {
            ResourceError::Store(fault) => fault,
            other => {
                tracing::error!(fault = %other, "the receipt of a deletion cannot be signed");
                StoreError::Corrupt { keyspace: ReceiptKeys::DEF.name }
            }
        })
    }

    /// Keeps the receipt, and takes the deletion off the list.
    async fn complete(&self, target: Target) -> Result<(), ChatError> {
        let mut reader = self.cell.read(self.resource).await?;
        let Some(found) = reader.get::<Erasures>(&self.key).await? else { return Ok(()) };
        drop(reader);
        match found.value {
            // Besides those of who took part, the thread's own.
            ErasureRow::ThreadOf(_, order) => {
                self.keep(target, &order.further(1, 0)).await?;
            }
            ErasureRow::UserOf(_, order) => {
                self.keep(target, &order).await?;
            }
            ErasureRow::Thread(_) | ErasureRow::User(_) => {}
        }
        let mut draft = self.cell.draft(self.resource).await?;
        draft.delete::<Erasures>(&self.key);
        draft.commit().await?;
        Ok(())
    }

    /// Removes what a deleted person left in each thread, and what it created threads with.
    async fn user(&self, user: UserId) -> Result<(), ChatError> {
        self.clear::<Repeats>(&user, |_, _| 0).await?;
        let mut reader = self.cell.read(self.resource).await?;
        let threads = memberships(&mut reader, user).await?;
        drop(reader);
        for thread in threads {
            self.author(thread, user).await?;
            let mut reader = self.cell.read(self.resource).await?;
            let read = KeyRange::prefix(&(thread, user));
            let read = reader.scan_keys::<Receipts>(read, Direction::Forward, 1).await?.len();
            let order = reader.get::<Erasures>(&self.key).await?;
            let mut draft = reader.draft();
            drop(reader);
            // Once more, for a deletion that ended before it came to this key.
            draft.destroy_scope_key(&author_scope(thread, user));
            draft.delete::<Receipts>(&(thread, user));
            draft.delete::<Participants>(&(thread, user));
            draft.delete::<Memberships>(&(user, thread));
            self.count(order, &mut draft, 1, 2 + read)?;
            draft.commit().await?;
        }
        Ok(())
    }

    /// Empties the messages that `user` wrote in `thread`.
    async fn author(&self, thread: ThreadId, user: UserId) -> Result<(), ChatError> {
        let mut range = KeyRange::prefix(&thread);
        loop {
            let mut reader = self.cell.read(self.resource).await?;
            let rows = reader.scan_keys::<Messages>(range.clone(), Direction::Forward, AT_ONCE).await?;
            let Some((last, ..)) = rows.last() else { return Ok(()) };
            range = range.after(last);
            let Some(key) = reader.scope_key(&thread_scope(thread)).await? else { return Ok(()) };
            let order = reader.get::<Erasures>(&self.key).await?;
            let mut draft = reader.draft();
            drop(reader);
            let mut found = 0;
            for (row, version, hint) in rows {
                let hint = Hint::parse(&hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?;
                if hint.author == Some(user) {
                    let hint = Hint { author: None, sequence: hint.sequence }.to_bytes();
                    // A thread that is deleted in this moment must not have a row put back.
                    draft.expect_version::<Messages>(&row, version);
                    draft.put::<Messages>(&row, &MessageRow::new(Body::Erased), &hint, &key)?;
                    found += 1;
                }
            }
            if found > 0 {
                self.count(order, &mut draft, 0, found)?;
                draft.commit().await?;
            }
        }
    }
}
