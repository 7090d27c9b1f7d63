//! The requests of Azure Communication Services that a run needs, outside the measured loop, and their answers. It knows
//! the documented wire and nothing of what the server does behind it.

use std::sync::Arc;

use base::{Clock, SystemClock};
use guard::signature::{AccessKey, sign_request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::client::{Answer, Connection, Endpoint};
use super::http1::decimal;
use super::request::{Method, build, path_and_query, segment};
use crate::error::{Error, Result};

/// The version of the chat operations.
pub(crate) const CHAT_VERSION: &str = "2025-03-15";
/// The version of the identity operations.
pub(crate) const IDENTITY_VERSION: &str = "2023-10-01";
/// The greatest page.
pub(crate) const PAGE: usize = 200;

/// A resource of the server: where it is, and its key.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Its own host name.
    pub(crate) endpoint: Endpoint,
    /// Signs requests for it.
    pub(crate) key: Arc<AccessKey>,
}

/// A communication user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    /// `8:acs:...`
    pub(crate) id: String,
    /// The `Authorization` header: `Bearer ` and the token.
    pub(crate) bearer: String,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    /// Its items.
    pub(crate) value: Vec<T>,
    /// Where the next page is, if there is one.
    #[serde(default)]
    pub(crate) next_link: Option<String>,
}

/// A message as listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageItem {
    /// Unique in its thread.
    pub(crate) id: String,
    /// `text`, or one of the system types.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Counts 1, 2, 3 in each thread.
    pub(crate) sequence_id: String,
    /// What it says; none once it is deleted.
    #[serde(default)]
    pub(crate) content: Option<Content>,
    /// Who sent it; none for a system message.
    #[serde(default)]
    pub(crate) sender_communication_identifier: Option<Identifier>,
    /// When it was edited.
    #[serde(default)]
    pub(crate) edited_on: Option<String>,
    /// When it was deleted.
    #[serde(default)]
    pub(crate) deleted_on: Option<String>,
}

/// The content of a message.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Content {
    /// Of a text.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Of `topicUpdated`.
    #[serde(default)]
    pub(crate) topic: Option<String>,
    /// Of `participantAdded` and `participantRemoved`.
    #[serde(default)]
    pub(crate) participants: Vec<Participant>,
}

/// A participant of a thread.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Participant {
    /// Who.
    pub(crate) communication_identifier: Identifier,
}

/// Somebody.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identifier {
    #[serde(default)]
    raw_id: Option<String>,
    #[serde(default)]
    communication_user: Option<Named>,
}

/// Something with an id.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Named {
    /// The id.
    pub(crate) id: String,
}

impl Identifier {
    /// The raw id, whichever of the two places holds it.
    pub(crate) fn raw(&self) -> Option<&str> {
        self.raw_id.as_deref().or_else(|| Some(self.communication_user.as_ref()?.id.as_str()))
    }
}

/// A thread: an item of a list, or its properties.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThreadItem {
    /// `19:...@thread.v2`
    pub(crate) id: String,
    /// Its topic.
    #[serde(default)]
    pub(crate) topic: String,
    /// When it was deleted.
    #[serde(default)]
    pub(crate) deleted_on: Option<String>,
}

/// A connection and the host it speaks to.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    host: String,
}

impl Session {
    /// Opens a connection to `endpoint`.
    pub(crate) async fn open(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self { connection: endpoint.connect().await?, host: endpoint.host.clone() })
    }

    /// Any request of a user; the answer whatever its status.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        target: &str,
        by: &User,
        body: Option<&Value>,
    ) -> Result<Answer<'_>> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = [("authorization", by.bearer.as_str())];
        self.connection.exchange(&build(method, target, &self.host, &headers, body.as_bytes())).await
    }

    /// Creates a user with a token for chat.
    pub(crate) async fn create_user(&mut self, resource: &Resource) -> Result<User> {
        let target = format!("/identities?api-version={IDENTITY_VERSION}");
        let body = json!({ "createTokenWithScopes": ["chat"], "expiresInMinutes": 1440 }).to_string();
        let signed =
            sign_request(&resource.key, "POST", &target, &self.host, SystemClock.now(), body.as_bytes());
        let headers = [
            ("x-ms-date", signed.date.as_str()),
            ("x-ms-content-sha256", signed.content_sha256.as_str()),
            ("authorization", signed.authorization.as_str()),
        ];
        let doing = "create a user";
        let request = build(Method::Post, &target, &self.host, &headers, body.as_bytes());
        let created: Created = read(doing, self.connection.exchange(&request).await?.expect(doing, 201)?)?;
        Ok(User { id: created.identity.id, bearer: format!("Bearer {}", created.access_token.token) })
    }

    /// Creates a thread; its id.
    pub(crate) async fn create_thread(&mut self, by: &User, topic: &str, with: &[&str]) -> Result<String> {
        let doing = "create a thread";
        let answer = self.ask(Method::Post, &threads(), by, Some(&new_thread(topic, with))).await?;
        created_thread(answer.expect(doing, 201)?)
    }

    /// Every message of a thread, newest first, page by page.
    pub(crate) async fn messages(&mut self, by: &User, thread: &str) -> Result<Vec<MessageItem>> {
        let first = format!("{}&maxPageSize={PAGE}", messages(thread));
        self.all("list messages", by, first).await
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all<T: DeserializeOwned>(
        &mut self,
        doing: &'static str,
        by: &User,
        first: String,
    ) -> Result<Vec<T>> {
        let (mut items, mut next) = (Vec::new(), Some(first));
        while let Some(target) = next {
            let page: Page<T> = self.get(doing, by, &target).await?;
            next = following(page.next_link.as_deref(), doing)?;
            if next.as_ref() == Some(&target) {
                return Err(Error::Answer { doing, missing: "an end: the next page is the same page" });
            }
            items.extend(page.value);
        }
        Ok(items)
    }

    /// One thing, as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(
        &mut self,
        doing: &'static str,
        by: &User,
        target: &str,
    ) -> Result<T> {
        let answer = self.ask(Method::Get, target, by, None).await?;
        read(doing, answer.expect(doing, 200)?)
    }

    /// The connection, for requests built beforehand.
    pub(crate) const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    identity: Named,
    access_token: Token,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Reads JSON.
pub(crate) fn read<T: DeserializeOwned>(doing: &'static str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|_| Error::Answer { doing, missing: "the documented form" })
}

/// Path and query of the next page.
pub(crate) fn following(link: Option<&str>, doing: &'static str) -> Result<Option<String>> {
    let Some(link) = link else { return Ok(None) };
    let target = path_and_query(link).ok_or(Error::Answer { doing, missing: "a usable nextLink" })?;
    Ok(Some(target.to_owned()))
}

/// The id of a thread just created.
pub(crate) fn created_thread(body: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Made {
        chat_thread: Named,
    }
    Ok(read::<Made>("create a thread", body)?.chat_thread.id)
}

/// The number that is a message's id, straight from the answer `{"id":"..."}` without parsing all of it.
pub(crate) fn created_message(body: &[u8]) -> Option<u64> {
    let at = body.windows(4).position(|w| w == b"\"id\"")? + 4;
    let rest = body[at..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().position(|b| *b == b'"')?;
    u64::try_from(decimal(&rest[..end])?).ok()
}

/// The threads of a user.
pub(crate) fn threads() -> String {
    format!("/chat/threads?api-version={CHAT_VERSION}")
}

/// One thread, or with `below` a path beneath it.
pub(crate) fn thread(id: &str, below: &str) -> String {
    format!("/chat/threads/{}{below}?api-version={CHAT_VERSION}", segment(id))
}

/// The messages of a thread.
pub(crate) fn messages(id: &str) -> String {
    thread(id, "/messages")
}

/// One message.
pub(crate) fn message(thread_id: &str, id: u64) -> String {
    thread(thread_id, &format!("/messages/{id}"))
}

/// The body that creates a thread.
pub(crate) fn new_thread(topic: &str, with: &[&str]) -> Value {
    json!({ "topic": topic, "participants": with.iter().map(|id| participant(id)).collect::<Vec<_>>() })
}

/// A participant who sees the whole history.
pub(crate) fn participant(id: &str) -> Value {
    json!({ "communicationIdentifier": identifier(id), "shareHistoryTime": "1970-01-01T00:00:00Z" })
}

/// A communication user by id.
pub(crate) fn identifier(id: &str) -> Value {
    json!({ "rawId": id, "communicationUser": { "id": id } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_straight_from_the_answer() {
        assert_eq!(created_message(b"{\"id\":\"1795420800123\"}"), Some(1_795_420_800_123));
        assert_eq!(created_message(b"{ \"id\" : \"7\" , \"x\":1}"), Some(7));
        for bad in ["", "{}", "{\"id\":7}", "{\"id\":\"a\"}", "{\"id\":\"", "{\"id\"", "{\"id\":\"\"}"] {
            assert_eq!(created_message(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_message_as_documented() {
        let text = r#"{"id":"5","type":"text","sequenceId":"3","version":"5","content":{"message":"hi"},
            "senderDisplayName":"x","createdOn":"2026-11-23T08:00:00Z",
            "senderCommunicationIdentifier":{"rawId":"8:acs:a_b","communicationUser":{"id":"8:acs:a_b"}}}"#;
        let item: MessageItem = read("t", text.as_bytes()).unwrap();
        assert_eq!((item.id.as_str(), item.sequence_id.as_str(), item.kind.as_str()), ("5", "3", "text"));
        assert_eq!(item.content.unwrap().message.as_deref(), Some("hi"));
        assert_eq!(item.sender_communication_identifier.unwrap().raw(), Some("8:acs:a_b"));
        assert!(item.edited_on.is_none() && item.deleted_on.is_none());
    }

    #[test]
    fn a_user_without_raw_id() {
        let id: Identifier =
            read("t", br#"{"kind":"communicationUser","communicationUser":{"id":"8:acs:x"}}"#).unwrap();
        assert_eq!(id.raw(), Some("8:acs:x"));
        let nobody: Identifier = read("t", b"{}").unwrap();
        assert_eq!(nobody.raw(), None);
    }

    #[test]
    fn pages_follow_links_on_the_same_server() {
        assert_eq!(following(None, "t").unwrap(), None);
        assert_eq!(following(Some("https://h/a?b=c"), "t").unwrap().as_deref(), Some("/a?b=c"));
        assert!(following(Some("nowhere"), "t").is_err());
    }

    #[test]
    fn targets() {
        assert_eq!(
            message("19:a@thread.v2", 9),
            "/chat/threads/19%3Aa%40thread.v2/messages/9?api-version=2025-03-15"
        );
        assert_eq!(created_thread(br#"{"chatThread":{"id":"19:x","topic":"t"}}"#).unwrap(), "19:x");
        assert!(created_thread(b"{}").is_err());
    }
}
