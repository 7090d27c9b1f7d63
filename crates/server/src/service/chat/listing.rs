//! Pages of messages, newest first, stable while messages arrive.
//!
//! A page token names the last message given, so what arrives later stands before the first page and disturbs none.
//! With a start time the listing has two parts: what was written since, then what is older and was edited or deleted
//! since, by the instant of that change.

use base::{MessageId, ThreadId, Timestamp};
use store::{Direction, KeyRange, Opened, Reader, StoreError};

use super::access::Standing;
use super::rows::{Body, Changes, Hint, MessageRow, Messages};
use super::view::MessageView;
use super::{ChatError, Desk};

/// Rows read for one page at most; a page that would need more ends early and says where to go on.
const MAX_ROWS_PER_PAGE: usize = 10_000;

/// Where a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageCursor {
    /// Among the messages in the order they were written: before this one.
    Written(MessageId),
    /// Among the older ones that were changed: before this change of this message.
    Changed(Timestamp, MessageId),
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct MessageQuery {
    /// Messages of one page.
    pub page_size: usize,
    /// Only what was written, edited or deleted at or after this.
    pub start: Option<Timestamp>,
    /// Where the page before ended.
    pub cursor: Option<MessageCursor>,
}

/// One page.
#[derive(Clone, Debug)]
pub struct MessagePage {
    /// The messages, newest first.
    pub messages: Vec<MessageView>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<MessageCursor>,
}

type Row = (MessageId, Hint, MessageRow);

/// A page being filled.
struct Filling {
    rows: Vec<Row>,
    wanted: usize,
    budget: usize,
}

impl Filling {
    fn is_full(&self) -> bool {
        self.rows.len() >= self.wanted
    }

    /// How many rows to read next: what is missing and one more, to see whether the page is the last; and no fewer than
    /// were read so far, else a short page would go through a long stretch of erased messages in very many steps.
    fn next_read(&self) -> usize {
        let read = MAX_ROWS_PER_PAGE - self.budget;
        (self.wanted - self.rows.len() + 1).max(read).min(self.budget)
    }
}

/// What one stretch of rows left: the end of it, or where to go on.
enum Left {
    Nothing,
    From(MessageCursor),
}

impl Desk<'_> {
    /// One page of what the caller may see of `thread`.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] to who never was a participant.
    pub async fn list_messages(
        &self,
        thread: ThreadId,
        query: MessageQuery,
    ) -> Result<MessagePage, ChatError> {
        let mut reader = self.reader().await?;
        let standing = self.standing(&mut reader, thread).await?;
        let mut page =
            Filling { rows: Vec::new(), wanted: query.page_size.max(1), budget: MAX_ROWS_PER_PAGE };
        let start = query.start.map_or(0, Timestamp::as_millis);
        let mut next = None;
        let before = match query.cursor {
            None => Some(u64::MAX),
            Some(MessageCursor::Written(id)) => Some(id.0),
            Some(MessageCursor::Changed(..)) => None,
        };
        let mut changes_before = match query.cursor {
            Some(MessageCursor::Changed(at, id)) => Some((at, id)),
            _ => None,
        };
        if let Some(before) = before {
            match self.written(&mut reader, &standing, start, before, &mut page).await? {
                Left::From(cursor) => next = Some(cursor),
                Left::Nothing if query.start.is_some() => {
                    changes_before = Some((LATEST, MessageId(u64::MAX)));
                }
                Left::Nothing => {}
            }
        }
        if let (None, Some(below)) = (next, changes_before)
            && let Left::From(cursor) = self.changed(&mut reader, &standing, start, below, &mut page).await?
        {
            next = Some(cursor);
        }
        let messages = self.views(&mut reader, &standing, page.rows).await?;
        Ok(MessagePage { messages, next })
    }

    /// Fills `page` with what was written in `start..before`, newest first.
    async fn written(
        &self,
        reader: &mut Reader,
        standing: &Standing,
        start: u64,
        before: u64,
        page: &mut Filling,
    ) -> Result<Left, ChatError> {
        for period in standing.participant.periods.iter().rev() {
            let low = start.max(period.from);
            let mut high = before.min(period.until.unwrap_or(u64::MAX));
            while low < high {
                if page.is_full() || page.budget == 0 {
                    return Ok(Left::From(MessageCursor::Written(MessageId(high))));
                }
                let asked = page.next_read();
                let range = KeyRange::all()
                    .starting_at(&(standing.thread, MessageId(low)))
                    .before(&(standing.thread, MessageId(high)));
                let rows = reader.scan::<Messages>(range, Direction::Backward, asked).await?;
                page.budget -= rows.len();
                let exhausted = rows.len() < asked;
                for ((_, id), opened) in rows {
                    if page.is_full() {
                        return Ok(Left::From(MessageCursor::Written(MessageId(id.0 + 1))));
                    }
                    high = id.0;
                    page.rows.extend(readable(standing, id, opened)?);
                }
                if exhausted {
                    break;
                }
            }
        }
        Ok(Left::Nothing)
    }

    /// Fills `page` with messages from before `start` that were changed since, latest change first.
    async fn changed(
        &self,
        reader: &mut Reader,
        standing: &Standing,
        start: u64,
        below: (Timestamp, MessageId),
        page: &mut Filling,
    ) -> Result<Left, ChatError> {
        let thread = standing.thread;
        let mut below = below;
        loop {
            if page.is_full() || page.budget == 0 {
                return Ok(Left::From(MessageCursor::Changed(below.0, below.1)));
            }
            let asked = page.next_read();
            let range = KeyRange::all()
                .starting_at(&(thread, Timestamp::from_millis(start)))
                .before(&(thread, below.0, below.1));
            let changes = reader.scan_keys::<Changes>(range, Direction::Backward, asked).await?;
            page.budget -= changes.len();
            let exhausted = changes.len() < asked;
            // What was written since the start stands in the first part.
            let is_older = |id: MessageId| id.0 < start;
            let keys: Vec<_> = changes
                .iter()
                .filter(|((_, _, id), ..)| is_older(*id))
                .map(|((_, _, id), ..)| (thread, *id))
                .collect();
            let mut rows = reader.multi_get::<Messages>(&keys).await?.into_iter();
            for ((_, at, id), ..) in changes {
                if page.is_full() {
                    return Ok(Left::From(MessageCursor::Changed(below.0, below.1)));
                }
                below = (at, id);
                if is_older(id)
                    && let Some(row) = rows.next().flatten()
                {
                    page.rows.extend(readable(standing, id, row)?);
                }
            }
            if exhausted {
                return Ok(Left::Nothing);
            }
        }
    }
}

/// After every change.
const LATEST: Timestamp = Timestamp::from_millis(u64::MAX);

/// The row, if the caller may see it and its key still exists.
fn readable(
    standing: &Standing,
    id: MessageId,
    opened: Opened<MessageRow>,
) -> Result<Option<Row>, ChatError> {
    let Opened::Value(found) = opened else { return Ok(None) };
    if found.value.body == Body::Erased || !standing.sees(id, found.value.changed_on()) {
        return Ok(None);
    }
    let hint = Hint::parse(&found.hint).ok_or(StoreError::Corrupt { keyspace: "chat_message" })?;
    Ok(Some((id, hint, found.value)))
}
