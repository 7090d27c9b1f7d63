//! The envelopes: how an event is written for a webhook, in the Event Grid schema or as CloudEvents 1.0, and how a
//! webhook is asked whether it wants them.

use base::{Personal, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::chat::named;
use super::{EventSchema, PREFIX, ThreadParticipant};
use crate::Identifier;

/// The type of the event that asks a webhook whether it wants events.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// One event as it is told.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// Its id.
    pub id: &'a str,
    /// The resource it happened in, as an Azure resource id.
    pub topic: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its type without [`PREFIX`].
    pub kind: &'a str,
    /// Its data, a JSON object; anything else is told as an empty one.
    pub data: &'a [u8],
    /// Put into the data under `participants`, where they are known only now.
    pub participants: Option<&'a [ThreadParticipant]>,
    /// To whom it is told, of the events that are told to each user.
    pub recipient: Option<&'a Identifier>,
    /// When it happened.
    pub at: Timestamp,
}

/// Why an event was given up, beside the event itself.
#[derive(Clone, Debug)]
pub struct DeadLetter<'a> {
    /// Such as `MaxDeliveryAttemptsExceeded`.
    pub reason: &'a str,
    /// How often it was tried.
    pub attempts: u16,
    /// What came of the last attempt, such as `NotFound`.
    pub outcome: &'a str,
    /// When it was published.
    pub published: Timestamp,
    /// When it was last tried, if it was.
    pub last_attempt: Option<Timestamp>,
}

fn data(event: &Envelope<'_>) -> Value {
    let mut data: Map<String, Value> = serde_json::from_slice(event.data).unwrap_or_default();
    if let Some(participants) = event.participants {
        data.insert("participants".to_owned(), json!(participants));
    }
    if let Some(recipient) = event.recipient {
        data.insert("recipientCommunicationIdentifier".to_owned(), json!(named(recipient)));
    }
    Value::Object(data)
}

fn object(event: &Envelope<'_>, schema: EventSchema) -> Map<String, Value> {
    let kind = format!("{PREFIX}{}", event.kind);
    let value = match schema {
        EventSchema::EventGrid => json!({
            "id": event.id,
            "topic": event.topic,
            "subject": event.subject,
            "data": data(event),
            "eventType": kind,
            "dataVersion": "1.0",
            "metadataVersion": "1",
            "eventTime": event.at.to_iso(),
        }),
        EventSchema::CloudEvents => json!({
            "specversion": "1.0",
            "id": event.id,
            "source": event.topic,
            "subject": event.subject,
            "type": kind,
            "time": event.at.to_iso(),
            "datacontenttype": "application/json",
            "data": data(event),
        }),
    };
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// The body that tells `event`: a list of one in the Event Grid schema, the event itself as CloudEvent.
#[must_use]
pub fn envelope(event: &Envelope<'_>, schema: EventSchema) -> Vec<u8> {
    let object = Value::Object(object(event, schema));
    let body = match schema {
        EventSchema::EventGrid => json!([object]),
        EventSchema::CloudEvents => object,
    };
    body.to_string().into_bytes()
}

/// The CloudEvent that tells `event` with this `data` in the place of its own, as JSON on one line. `cursor` is an extension
/// attribute: from where what comes after it is told.
#[must_use]
pub fn cloud_event(event: &Envelope<'_>, mut data: Value, cursor: Option<&str>) -> String {
    if let (Some(recipient), Some(data)) = (event.recipient, data.as_object_mut()) {
        data.insert("recipientCommunicationIdentifier".to_owned(), json!(named(recipient)));
    }
    let mut object = object(event, EventSchema::CloudEvents);
    object.insert("data".to_owned(), data);
    if let Some(cursor) = cursor {
        object.insert("cursor".to_owned(), json!(cursor));
    }
    Value::Object(object).to_string()
}

/// A dead letter: the event with what became of it. CloudEvents have attribute names of lower case only.
#[must_use]
pub fn dead_letter(event: &Envelope<'_>, schema: EventSchema, dead: &DeadLetter<'_>) -> Value {
    let mut object = object(event, schema);
    let fields = [
        ("deadLetterReason", json!(dead.reason)),
        ("deliveryAttempts", json!(dead.attempts)),
        ("lastDeliveryOutcome", json!(dead.outcome)),
        ("publishTime", json!(dead.published.to_iso())),
        ("lastDeliveryAttemptTime", json!(dead.last_attempt.map(Timestamp::to_iso))),
    ];
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_null()) {
        let name = match schema {
            EventSchema::EventGrid => name.to_owned(),
            EventSchema::CloudEvents => name.to_ascii_lowercase(),
        };
        object.insert(name, value);
    }
    Value::Object(object)
}

/// The question to a webhook of the Event Grid schema.
#[derive(Clone, Debug)]
pub struct ValidationRequest<'a> {
    /// The id of the question.
    pub id: &'a str,
    /// The resource whose events are offered.
    pub topic: &'a str,
    /// What the webhook must say to agree.
    pub code: &'a str,
    /// What may be fetched to agree instead.
    pub url: &'a str,
    /// When it is asked.
    pub at: Timestamp,
}

/// The body of the question.
#[must_use]
pub fn validation(ask: &ValidationRequest<'_>) -> Vec<u8> {
    let body = json!([{
        "id": ask.id,
        "topic": ask.topic,
        "subject": "",
        "data": { "validationCode": ask.code, "validationUrl": ask.url },
        "eventType": VALIDATION,
        "eventTime": ask.at.to_iso(),
        "metadataVersion": "1",
        "dataVersion": "2",
    }]);
    body.to_string().into_bytes()
}

/// The code in the answer to the question, whatever the answer is.
#[must_use]
pub fn validation_answer(body: &[u8]) -> Option<Personal<String>> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(alias = "ValidationResponse", rename = "validationResponse")]
        code: String,
    }
    serde_json::from_slice::<Answer>(body).ok().map(|answer| answer.code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_795_420_800_123);

    fn event(data: &'static [u8]) -> Envelope<'static> {
        let (id, topic, subject, kind) = ("i", "/subscriptions/s", "thread/t", "ChatThreadDeleted");
        Envelope { id, topic, subject, kind, data, participants: None, recipient: None, at: AT }
    }

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn the_event_grid_schema_is_a_list_of_one() {
        let want = json!([{
            "id": "i", "topic": "/subscriptions/s", "subject": "thread/t", "data": { "a": 1 },
            "eventType": "Microsoft.Communication.ChatThreadDeleted", "dataVersion": "1.0",
            "metadataVersion": "1", "eventTime": "2026-11-23T08:00:00.1230000Z",
        }]);
        assert_eq!(read(&envelope(&event(br#"{"a":1}"#), EventSchema::EventGrid)), want);
    }

    #[test]
    fn who_is_told_and_who_takes_part_are_put_in_when_it_is_told() {
        let user = base::UserId::from_bytes([2; 16]);
        let who = Identifier::CommunicationUser { resource: base::ResourceId::CELL, user };
        let one =
            ThreadParticipant { display_name: None, participant: who.clone(), metadata: Default::default() };
        let event = Envelope { participants: Some(&[one]), recipient: Some(&who), ..event(br#"{"a":1}"#) };
        let said = &read(&envelope(&event, EventSchema::EventGrid))[0]["data"];
        let id = json!({ "rawId": who.raw_id(), "communicationUser": { "id": who.raw_id() } });
        let want = json!({
            "a": 1, "recipientCommunicationIdentifier": id, "participants": [{ "participantCommunicationIdentifier": id }],
        });
        assert_eq!(*said, want);
    }

    #[test]
    fn a_cloud_event_stands_alone() {
        let said = read(&envelope(&event(br#"{"a":1}"#), EventSchema::CloudEvents));
        let want = json!({
            "specversion": "1.0", "id": "i", "source": "/subscriptions/s", "subject": "thread/t", "data": { "a": 1 },
            "type": "Microsoft.Communication.ChatThreadDeleted", "time": "2026-11-23T08:00:00.1230000Z",
            "datacontenttype": "application/json",
        });
        assert_eq!(said, want);
    }

    #[test]
    fn data_that_is_no_object_is_told_as_an_empty_one() {
        for bad in [&b""[..], b"[]", b"{", b"\xff"] {
            let event = Envelope { data: bad, ..event(b"") };
            assert_eq!(read(&envelope(&event, EventSchema::EventGrid))[0]["data"], json!({}));
        }
    }

    #[test]
    fn dead_letters_say_what_became_of_them() {
        let dead = DeadLetter {
            reason: "MaxDeliveryAttemptsExceeded",
            attempts: 30,
            outcome: "NotFound",
            published: AT,
            last_attempt: Some(AT),
        };
        let said = dead_letter(&event(b"{}"), EventSchema::EventGrid, &dead);
        assert_eq!((&said["deadLetterReason"], &said["deliveryAttempts"]), (&json!(dead.reason), &json!(30)));
        assert_eq!(said["lastDeliveryAttemptTime"], "2026-11-23T08:00:00.1230000Z");
        let never = DeadLetter { last_attempt: None, ..dead };
        let said = dead_letter(&event(b"{}"), EventSchema::CloudEvents, &never);
        assert_eq!(
            (&said["lastdeliveryoutcome"], &said["publishtime"]),
            (&json!("NotFound"), &json!(AT.to_iso()))
        );
        assert!(said.get("lastdeliveryattempttime").is_none() && said.get("deadLetterReason").is_none());
    }

    #[test]
    fn the_question_and_its_answer() {
        let ask =
            ValidationRequest { id: "i", topic: "/t", code: "c0de", url: "https://localhost/x", at: AT };
        let asked = &read(&validation(&ask))[0];
        assert_eq!(asked["eventType"], "Microsoft.EventGrid.SubscriptionValidationEvent");
        assert_eq!(
            asked["data"],
            json!({ "validationCode": "c0de", "validationUrl": "https://localhost/x" })
        );
        let answered = |body: &[u8]| validation_answer(body).map(Personal::into_inner);
        assert_eq!(answered(br#"{"validationResponse":"c0de"}"#).as_deref(), Some("c0de"));
        assert_eq!(
            answered(br#"{"ValidationResponse":"c0de"}"#).as_deref(),
            Some("c0de"),
            "as .NET samples write it"
        );
        for bad in [&b""[..], b"ok", b"{}", b"[]", br#"{"validationResponse":1}"#] {
            assert_eq!(answered(bad), None);
        }
    }
}
