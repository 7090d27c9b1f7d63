//! Looking at everything after a restart, over the wire, as the users see it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::task::JoinSet;

use super::model::{Model, Who};
use super::seen::{Listed, Seen, SeenBody, SeenMessage, SeenThread};
use crate::error::{Error, Result};
use crate::net::api::{self, Identifier, MessageItem, PAGE, Participant, Session, ThreadItem, User};
use crate::net::client::Endpoint;
use crate::net::request::Method;

/// Sessions that look at once.
const LOOKING: usize = 8;
/// How many of the threads deleted last are asked for again.
const DROPPED: usize = 16;

/// The users of the run.
#[derive(Debug)]
pub(crate) struct Cast {
    /// By number.
    pub(crate) users: Vec<User>,
    numbers: HashMap<String, Who>,
}

impl Cast {
    /// Of these users.
    pub(crate) fn new(users: Vec<User>) -> Self {
        let numbers = users.iter().enumerate().map(|(who, user)| (user.id.clone(), who)).collect();
        Self { users, numbers }
    }

    fn who(&self, identifier: &Identifier) -> Option<Who> {
        self.numbers.get(identifier.raw()?).copied()
    }

    fn all(&self, participants: &[Participant]) -> Vec<Who> {
        participants.iter().filter_map(|p| self.who(&p.communication_identifier)).collect()
    }

    fn message(&self, item: MessageItem) -> Result<SeenMessage> {
        let number = |text: &str, missing| {
            text.parse::<u64>().map_err(|_| Error::Answer { doing: "list messages", missing })
        };
        let content = item.content.unwrap_or_default();
        let body = match item.kind.as_str() {
            "text" => SeenBody::Text {
                author: item.sender_communication_identifier.as_ref().and_then(|sender| self.who(sender)),
                content: content.message,
                edited: item.edited_on.is_some(),
                deleted: item.deleted_on.is_some(),
            },
            "topicUpdated" => SeenBody::Topic(content.topic.unwrap_or_default()),
            "participantAdded" => SeenBody::Added(self.all(&content.participants)),
            "participantRemoved" => SeenBody::Removed(self.all(&content.participants)),
            _ => SeenBody::Other(item.kind),
        };
        let sequence = number(&item.sequence_id, "a numeric sequenceId")?;
        Ok(SeenMessage { id: number(&item.id, "a numeric id")?, sequence, body })
    }
}

/// Looks at every user's list, every thread the model knows or a list names, and some of those deleted.
pub(crate) async fn observe(endpoint: &Endpoint, cast: &Arc<Cast>, model: &Model) -> Result<Seen> {
    let lists: BTreeMap<_, _> = lists(endpoint, cast).await?.into_iter().collect();
    let mut readers: BTreeMap<String, Who> = BTreeMap::new();
    // The lowest number first: that is somebody who is in the thread from its beginning.
    for (who, list) in lists.iter().rev() {
        readers.extend(list.iter().filter(|(_, l)| !l.deleted).map(|(id, _)| (id.clone(), *who)));
    }
    readers.extend(model.threads.iter().map(|(id, thread)| (id.clone(), thread.creator)));
    for id in model.dropped.iter().rev().take(DROPPED) {
        readers.entry(id.clone()).or_insert(0);
    }
    let threads = threads(endpoint, cast, readers.into_iter().collect()).await?;
    Ok(Seen { lists, threads: threads.into_iter().collect() })
}

type List = (Who, BTreeMap<String, Listed>);

async fn lists(endpoint: &Endpoint, cast: &Arc<Cast>) -> Result<Vec<List>> {
    let mut looking = JoinSet::new();
    for first in 0..LOOKING {
        let (endpoint, cast) = (endpoint.clone(), Arc::clone(cast));
        looking.spawn(async move {
            let (mut session, mut found) = (Session::open(&endpoint).await?, Vec::new());
            for (who, user) in cast.users.iter().enumerate().skip(first).step_by(LOOKING) {
                let target = format!("{}&maxPageSize={PAGE}", api::threads());
                let items: Vec<ThreadItem> = session.all("list threads", user, target).await?;
                let listed =
                    |t: ThreadItem| (t.id, Listed { topic: t.topic, deleted: t.deleted_on.is_some() });
                found.push((who, items.into_iter().map(listed).collect()));
            }
            Ok(found)
        });
    }
    gather(looking).await
}

type Found = (String, Option<SeenThread>);

async fn threads(endpoint: &Endpoint, cast: &Arc<Cast>, all: Vec<(String, Who)>) -> Result<Vec<Found>> {
    let (mut looking, all) = (JoinSet::new(), Arc::new(all));
    for first in 0..LOOKING {
        let (endpoint, cast, all) = (endpoint.clone(), Arc::clone(cast), Arc::clone(&all));
        looking.spawn(async move {
            let (mut session, mut found) = (Session::open(&endpoint).await?, Vec::new());
            for (id, reader) in all.iter().skip(first).step_by(LOOKING) {
                found.push((id.clone(), thread(&mut session, &cast, id, *reader).await?));
            }
            Ok(found)
        });
    }
    gather(looking).await
}

async fn thread(session: &mut Session, cast: &Cast, id: &str, reader: Who) -> Result<Option<SeenThread>> {
    let by = &cast.users[reader];
    let answer = session.ask(Method::Get, &api::thread(id, ""), by, None).await?;
    // What does not exist may answer like what one may not know of.
    if matches!(answer.status, 403 | 404) {
        return Ok(None);
    }
    let properties: ThreadItem = api::read("get a thread", answer.expect("get a thread", 200)?)?;
    let target = format!("{}&maxPageSize={PAGE}", api::thread(id, "/participants"));
    let participants: Vec<Participant> = session.all("list participants", by, target).await?;
    let messages = session.messages(by, id).await?;
    let known = cast.all(&participants);
    Ok(Some(SeenThread {
        topic: properties.topic,
        strangers: participants.len() - known.len(),
        participants: known.into_iter().collect::<BTreeSet<_>>(),
        messages: messages.into_iter().map(|item| cast.message(item)).collect::<Result<_>>()?,
    }))
}

async fn gather<T: 'static>(mut looking: JoinSet<Result<Vec<T>>>) -> Result<Vec<T>> {
    let mut all = Vec::new();
    while let Some(found) = looking.join_next().await {
        all.extend(found.map_err(|e| Error::Server(e.to_string()))??);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast() -> Cast {
        let user = |id: &str| User { id: id.into(), bearer: String::new() };
        Cast::new(vec![user("8:acs:a"), user("8:acs:b")])
    }

    fn message(text: &str) -> Result<SeenMessage> {
        cast().message(api::read("t", text.as_bytes()).unwrap())
    }

    #[test]
    fn messages_in_the_terms_of_the_model() {
        let text = r#"{"id":"9","type":"text","sequenceId":"3","version":"9","createdOn":"x","editedOn":"y",
            "content":{"message":"hi"},"senderCommunicationIdentifier":{"rawId":"8:acs:b"}}"#;
        let body =
            SeenBody::Text { author: Some(1), content: Some("hi".into()), edited: true, deleted: false };
        assert_eq!(message(text).unwrap(), SeenMessage { id: 9, sequence: 3, body });
        let gone = r#"{"id":"9","type":"text","sequenceId":"3","deletedOn":"y",
            "senderCommunicationIdentifier":{"rawId":"8:acs:z"}}"#;
        let body = SeenBody::Text { author: None, content: None, edited: false, deleted: true };
        assert_eq!(message(gone).unwrap().body, body);
    }

    #[test]
    fn system_messages() {
        let of = |kind: &str, content: &str| {
            message(&format!(r#"{{"id":"1","type":"{kind}","sequenceId":"1","content":{content}}}"#))
                .unwrap()
                .body
        };
        let people = r#"{"participants":[{"communicationIdentifier":{"rawId":"8:acs:b"}},
            {"communicationIdentifier":{"communicationUser":{"id":"8:acs:a"}}}]}"#;
        assert_eq!(of("participantAdded", people), SeenBody::Added(vec![1, 0]));
        assert_eq!(of("participantRemoved", people), SeenBody::Removed(vec![1, 0]));
        assert_eq!(of("topicUpdated", r#"{"topic":"t"}"#), SeenBody::Topic("t".into()));
        assert_eq!(of("party", "{}"), SeenBody::Other("party".into()));
    }

    #[test]
    fn ids_are_numbers() {
        assert!(message(r#"{"id":"x","type":"text","sequenceId":"1"}"#).is_err());
        assert!(message(r#"{"id":"1","type":"text","sequenceId":""}"#).is_err());
    }
}
