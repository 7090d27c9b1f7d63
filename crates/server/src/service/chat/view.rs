//! What the chat answers with: values that hold what one caller may see, ready to be written in the API's form.

use std::collections::{BTreeMap, HashMap};

use base::{MessageId, Personal, ThreadId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Opened, Reader};

use super::access::Standing;
use super::rows::{Body, Hint, MessageRow, Metadata, Participants};
use super::{ChatError, Desk};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// Its id, which is also the instant it was written.
    pub id: MessageId,
    /// Its number within the thread.
    pub sequence: u32,
    /// The instant of its latest version, in milliseconds: equal to the id until it is edited or deleted.
    pub version: u64,
    /// Who wrote it; `None` for the service.
    pub author: Option<UserId>,
    /// What it says.
    pub content: ContentView,
    /// What the author wanted to be called.
    pub sender_display_name: Option<Personal<String>>,
    /// Pairs that programs attached.
    pub metadata: Vec<(Personal<String>, Personal<String>)>,
    /// When it was last edited.
    pub edited_on: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_on: Option<Timestamp>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentView {
    /// Plain text.
    Text(Personal<String>),
    /// HTML, cleaned.
    Html(Personal<String>),
    /// The thread was given this topic by this user.
    TopicUpdated(Personal<String>, UserId),
    /// These were added by this user.
    ParticipantsAdded(Vec<ParticipantView>, UserId),
    /// This one was removed by this user.
    ParticipantRemoved(ParticipantView, UserId),
}

/// One participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantView {
    /// Who.
    pub user: UserId,
    /// What the participant is called in the thread.
    pub display_name: Option<Personal<String>>,
    /// From when on the participant sees the history; `None` for all of it.
    pub share_history_from: Option<Timestamp>,
    /// Pairs that programs attached.
    pub metadata: Vec<(Personal<String>, Personal<String>)>,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadView {
    /// Its id.
    pub id: ThreadId,
    /// What it is about.
    pub topic: Personal<String>,
    /// When it was created.
    pub created_on: Timestamp,
    /// Who created it.
    pub created_by: UserId,
    /// Pairs that programs attached.
    pub metadata: Vec<(Personal<String>, Personal<String>)>,
    /// What was said about how long it is kept, if anything was.
    pub retention: Option<Retention>,
}

/// How long a thread is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retention {
    /// Until it is deleted.
    Keep,
    /// So many days from its creation.
    DeleteAfterDays(u8),
}

/// One read receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptView {
    /// Who read.
    pub reader: UserId,
    /// The last message read.
    pub message: MessageId,
    /// When it was said to be read.
    pub read_on: Timestamp,
}

/// Pairs as events tell them.
#[must_use]
pub fn pairs(metadata: &[(Personal<String>, Personal<String>)]) -> BTreeMap<String, String> {
    metadata.iter().map(|(name, value)| (name.expose().clone(), value.expose().clone())).collect()
}

/// How a participant's beginning is shown: nothing where all is shared.
pub(super) fn shared_from(at: Timestamp) -> Option<Timestamp> {
    (at > Timestamp::EPOCH).then_some(at)
}

impl Desk<'_> {
    /// Turns rows into views. The names of those whom system messages speak of are looked up now, so that a person
    /// whose identity was deleted is not named by an old message; who was removed is not told a name given since.
    pub(super) async fn views(
        &self,
        reader: &mut Reader,
        standing: &Standing,
        rows: Vec<(MessageId, Hint, MessageRow)>,
    ) -> Result<Vec<MessageView>, ChatError> {
        let mut spoken_of: Vec<UserId> = rows.iter().flat_map(|(_, _, row)| spoken_of(&row.body)).collect();
        spoken_of.sort_unstable();
        spoken_of.dedup();
        let mut known = HashMap::new();
        if !spoken_of.is_empty() {
            let keys: Vec<_> = spoken_of.iter().map(|user| (standing.thread, *user)).collect();
            let found = reader.multi_get::<Participants>(&keys).await?;
            for (user, row) in spoken_of.into_iter().zip(found) {
                if let Some(Opened::Value(row)) = row
                    && standing.participant.knows_name_of(row.value.named_at)
                {
                    known.insert(user, (row.value.display_name, row.value.metadata));
                }
            }
        }
        Ok(rows.into_iter().filter_map(|(id, hint, row)| view(id, hint, row, &known)).collect())
    }
}

pub(super) fn spoken_of(body: &Body) -> Vec<UserId> {
    match body {
        Body::ParticipantsAdded { participants, .. } => participants.iter().map(|(user, _)| *user).collect(),
        Body::ParticipantRemoved { participant, .. } => vec![*participant],
        _ => Vec::new(),
    }
}

pub(super) type Known = HashMap<UserId, (Option<Personal<String>>, Metadata)>;

pub(super) fn view(id: MessageId, hint: Hint, row: MessageRow, known: &Known) -> Option<MessageView> {
    let named = |user: UserId, share_history_from: Option<Timestamp>| ParticipantView {
        user,
        display_name: known.get(&user).and_then(|(name, _)| name.clone()),
        share_history_from,
        metadata: known.get(&user).map(|(_, metadata)| metadata.clone()).unwrap_or_default(),
    };
    let version = row.changed_on().map_or(id.0, Timestamp::as_millis);
    let content = match row.body {
        Body::Text(text) => ContentView::Text(text),
        Body::Html(html) => ContentView::Html(html),
        Body::TopicUpdated { topic, initiator } => ContentView::TopicUpdated(topic, initiator),
        Body::ParticipantsAdded { participants, initiator } => ContentView::ParticipantsAdded(
            participants.into_iter().map(|(user, from)| named(user, shared_from(from))).collect(),
            initiator,
        ),
        Body::ParticipantRemoved { participant, initiator } => {
            ContentView::ParticipantRemoved(named(participant, None), initiator)
        }
        Body::Erased => return None,
    };
    Some(MessageView {
        id,
        sequence: hint.sequence,
        version,
        author: hint.author,
        content,
        sender_display_name: row.sender_display_name,
        metadata: row.metadata,
        edited_on: row.edited_on,
        deleted_on: row.deleted_on,
    })
}
