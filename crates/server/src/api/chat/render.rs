//! From what the chat answers to what is written on the wire.

use std::collections::BTreeMap;

use base::{Personal, ResourceId, Timestamp, UserId};
use wire::Identifier;
use wire::chat::{self, MessageContent, Metadata, RetentionPolicy, TextKind};

use crate::service::chat::ThreadItem;
use crate::service::chat::view::{
    ContentView, MessageView, ParticipantView, ReceiptView, Retention, ThreadView,
};

pub(super) fn user(resource: ResourceId, user: UserId) -> Identifier {
    Identifier::CommunicationUser { resource, user }
}

pub(super) fn metadata(pairs: Vec<(Personal<String>, Personal<String>)>) -> Metadata {
    Metadata::new(
        pairs.into_iter().map(|(k, v)| (k.into_inner(), v.into_inner())).collect::<BTreeMap<_, _>>(),
    )
}

pub(super) fn pairs(metadata: &Metadata) -> Vec<(Personal<String>, Personal<String>)> {
    metadata.pairs().iter().map(|(k, v)| (k.clone().into(), v.clone().into())).collect()
}

pub(super) fn retention(policy: RetentionPolicy) -> Retention {
    match policy {
        RetentionPolicy::None => Retention::Keep,
        RetentionPolicy::ThreadCreationDate { days } => Retention::DeleteAfterDays(days),
    }
}

pub(super) fn thread(resource: ResourceId, view: ThreadView) -> chat::Thread {
    chat::Thread {
        id: view.id,
        topic: view.topic,
        created_on: view.created_on,
        created_by: user(resource, view.created_by),
        deleted_on: None,
        metadata: metadata(view.metadata),
        retention: view.retention.map(|retention| match retention {
            Retention::Keep => RetentionPolicy::None,
            Retention::DeleteAfterDays(days) => RetentionPolicy::ThreadCreationDate { days },
        }),
    }
}

pub(super) fn thread_item(item: ThreadItem) -> chat::ThreadItem {
    chat::ThreadItem {
        id: item.id,
        topic: item.topic,
        deleted_on: None,
        last_message_received_on: item.last_message_received_on,
    }
}

pub(super) fn participant(resource: ResourceId, view: ParticipantView) -> chat::Participant {
    chat::Participant {
        identifier: user(resource, view.user),
        display_name: view.display_name,
        share_history_time: view.share_history_from,
        metadata: metadata(view.metadata),
    }
}

pub(super) fn receipt(resource: ResourceId, view: ReceiptView) -> chat::ReadReceipt {
    chat::ReadReceipt { sender: user(resource, view.reader), message: view.message, read_on: view.read_on }
}

pub(super) fn message(resource: ResourceId, view: MessageView) -> chat::Message {
    let is_deleted = view.deleted_on.is_some();
    let text = |kind, said| MessageContent::Text(kind, (!is_deleted).then_some(said));
    let content = match view.content {
        ContentView::Text(said) => text(TextKind::Text, said),
        ContentView::Html(said) => text(TextKind::Html, said),
        ContentView::TopicUpdated(topic, by) => {
            MessageContent::TopicUpdated { topic, initiator: Some(user(resource, by)) }
        }
        ContentView::ParticipantsAdded(added, by) => MessageContent::ParticipantAdded {
            participants: added.into_iter().map(|one| participant(resource, one)).collect(),
            initiator: Some(user(resource, by)),
        },
        ContentView::ParticipantRemoved(removed, by) => MessageContent::ParticipantRemoved {
            participants: vec![participant(resource, removed)],
            initiator: Some(user(resource, by)),
        },
    };
    chat::Message {
        id: view.id,
        sequence: u64::from(view.sequence),
        version: view.version,
        content,
        sender_display_name: view.sender_display_name,
        sender: view.author.map(|author| user(resource, author)),
        created_on: Timestamp::from_millis(view.id.0),
        edited_on: view.edited_on,
        deleted_on: view.deleted_on,
        metadata: metadata(view.metadata),
    }
}

#[cfg(test)]
mod tests {
    use base::{MessageId, SeededRng};

    use super::*;

    fn view(content: ContentView) -> MessageView {
        MessageView {
            id: MessageId(1_795_420_800_123),
            sequence: 3,
            version: 1_795_420_800_123,
            author: None,
            content,
            sender_display_name: None,
            metadata: Vec::new(),
            edited_on: None,
            deleted_on: None,
        }
    }

    #[test]
    fn a_deleted_message_has_no_text() {
        let resource = ResourceId::mint(&SeededRng::new(1));
        let mut deleted = view(ContentView::Text("gone".to_owned().into()));
        deleted.deleted_on = Some(Timestamp::from_millis(1_795_420_900_000));
        let written = message(resource, deleted);
        assert_eq!(written.content, MessageContent::Text(TextKind::Text, None));
        let kept = message(resource, view(ContentView::Html("<b>x</b>".to_owned().into())));
        assert_eq!(kept.content, MessageContent::Text(TextKind::Html, Some("<b>x</b>".to_owned().into())));
        assert_eq!(kept.created_on.as_millis(), 1_795_420_800_123);
    }

    #[test]
    fn metadata_goes_both_ways() {
        let one = vec![("k".to_owned().into(), "v".to_owned().into())];
        assert_eq!(pairs(&metadata(one.clone())), one);
    }

    #[test]
    fn retention_goes_both_ways() {
        assert_eq!(retention(RetentionPolicy::None), Retention::Keep);
        assert_eq!(
            retention(RetentionPolicy::ThreadCreationDate { days: 30 }),
            Retention::DeleteAfterDays(30)
        );
    }
}
