//! From what happened to what the SDK is told of it.

use std::collections::BTreeMap;

use base::{Personal, ResourceId, ThreadId, Timestamp, UserId};
use wire::Identifier;
use wire::push::event::{Event, Member, Message, MessageChange, Properties, ThreadChange};
use wire::push::frame::Body;

use crate::service::chat::follow::Happening;
use crate::service::chat::view::{ContentView, MessageView, ParticipantView, Retention, ThreadView};

/// The body of the pushes that tell of it. `None` for what the SDK has no event for.
pub(super) fn body(resource: ResourceId, thread: ThreadId, what: &Happening) -> Option<Body> {
    let changed = |by: &ParticipantView, at, change| {
        Event::Thread { thread, by: member(resource, by), at, change }.body()
    };
    let body = match what {
        Happening::Received(view) | Happening::Changed(view) => {
            Event::Message(message(resource, thread, view)?).body()
        }
        Happening::Typing(by, name, at) => {
            let sender_display_name = text(name.as_ref());
            Event::Typing { thread, sender: user(resource, *by), sender_display_name, at: *at }.body()
        }
        Happening::Read(receipt) => {
            let (reader, message) = (user(resource, receipt.reader), receipt.message.0);
            Event::Receipt { thread, reader, message, read_on: receipt.read_on }.body()
        }
        Happening::Created(view, by, who) => {
            let (properties, members) = (properties(view), members(resource, who));
            changed(by, view.created_on, ThreadChange::Created { properties, members })
        }
        Happening::Updated(view, by, at) => changed(by, *at, ThreadChange::Updated(properties(view))),
        Happening::Ended(by, at) => changed(by.as_ref()?, *at, ThreadChange::Deleted),
        Happening::Added(by, who, at) => changed(by, *at, ThreadChange::Added(members(resource, who))),
        Happening::Removed(by, who, at) => {
            changed(by, *at, ThreadChange::Removed(vec![member(resource, who)]))
        }
    };
    Some(Body::new(&body))
}

fn user(resource: ResourceId, user: UserId) -> Identifier {
    Identifier::CommunicationUser { resource, user }
}

fn text(of: Option<&Personal<String>>) -> &str {
    of.map_or("", |text| text.expose())
}

fn pairs(metadata: &[(Personal<String>, Personal<String>)]) -> BTreeMap<&str, &str> {
    metadata.iter().map(|(name, value)| (name.expose().as_str(), value.expose().as_str())).collect()
}

fn member(resource: ResourceId, view: &ParticipantView) -> Member<'_> {
    Member {
        who: user(resource, view.user),
        display_name: text(view.display_name.as_ref()),
        share_history_from: view.share_history_from,
        metadata: pairs(&view.metadata),
    }
}

fn members(resource: ResourceId, views: &[ParticipantView]) -> Vec<Member<'_>> {
    views.iter().map(|view| member(resource, view)).collect()
}

fn properties(view: &ThreadView) -> Properties<'_> {
    Properties {
        topic: view.topic.expose(),
        metadata: pairs(&view.metadata),
        delete_after_days: match view.retention {
            Some(Retention::DeleteAfterDays(days)) => Some(days),
            Some(Retention::Keep) | None => None,
        },
    }
}

fn message(resource: ResourceId, thread: ThreadId, view: &MessageView) -> Option<Message<'_>> {
    let (said, is_html) = match &view.content {
        ContentView::Text(said) => (said.expose().as_str(), false),
        ContentView::Html(said) => (said.expose().as_str(), true),
        _ => return None,
    };
    Some(Message {
        thread,
        id: view.id.to_string(),
        sender: user(resource, view.author?),
        sender_display_name: text(view.sender_display_name.as_ref()),
        is_html,
        sent_on: Timestamp::from_millis(view.id.0),
        version: view.version,
        metadata: pairs(&view.metadata),
        change: match (view.deleted_on, view.edited_on) {
            (Some(at), _) => MessageChange::Deleted(at),
            (None, Some(at)) => MessageChange::Edited(said, at),
            (None, None) => MessageChange::Received(said),
        },
    })
}
