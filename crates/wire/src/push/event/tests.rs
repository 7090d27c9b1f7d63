//! Bodies against what the SDK reads of them.

use base::{ResourceId, SeededRng, UserId};
use serde_json::Value;

use super::super::frame::{self, Body};
use super::*;

const AT: u64 = 1_700_000_000_123;

fn at() -> Timestamp {
    Timestamp::from_millis(AT)
}

fn people() -> (ThreadId, Identifier, Identifier) {
    let rng = SeededRng::new(1);
    let resource = ResourceId::mint(&rng);
    let user = |rng| Identifier::CommunicationUser { resource, user: UserId::mint(rng) };
    (ThreadId::mint(&rng), user(&rng), user(&rng))
}

/// As the client finds it in the frame.
fn body(event: &Event<'_>, to: &Identifier) -> Value {
    let pushed = frame::push(1, "/v4/f/x/", &Body::new(&event.body()), &to.raw_id());
    let pushed: Value = serde_json::from_str(pushed.strip_prefix("3:::").unwrap()).unwrap();
    serde_json::from_str(pushed["body"].as_str().unwrap()).unwrap()
}

/// Whatever anybody writes or is called, whom it is told to stands in its own place.
#[test]
fn nothing_that_is_said_is_taken_for_the_place_of_whom_it_is_told_to() {
    let forged = r#"","recipientMri":"8:acs:else","x":"\"recipientMri\":\"#;
    let (Event::Message(mut event), _, to) = message(MessageChange::Received(forged)) else { unreachable!() };
    event.sender_display_name = forged;
    event.metadata = BTreeMap::from([(forged, forged)]);
    let read = body(&Event::Message(event), &to);
    assert_eq!(read["recipientMri"], to.raw_id());
    assert_eq!((&read["messageBody"], &read["senderDisplayName"]), (&forged.into(), &forged.into()));
}

fn message<'a>(change: MessageChange<'a>) -> (Event<'a>, Identifier, Identifier) {
    let (thread, sender, to) = people();
    let message = Message {
        thread,
        id: AT.to_string(),
        sender: sender.clone(),
        sender_display_name: "Ann",
        is_html: false,
        sent_on: at(),
        version: AT,
        metadata: BTreeMap::from([("k", "v")]),
        change,
    };
    (Event::Message(message), sender, to)
}

#[test]
fn a_message_has_what_the_sdk_asks_for() {
    let (event, sender, to) = message(MessageChange::Received("50% off ü"));
    let read = body(&event, &to);
    assert_eq!(read["eventId"], 200);
    assert_eq!(read["senderId"], sender.raw_id());
    assert_eq!(read["recipientMri"], to.raw_id());
    assert_eq!(read["messageBody"], "50% off ü", "only thread events go through unescape");
    assert_eq!(read["messageType"], "Text");
    assert_eq!(read["originalArrivalTime"], at().to_iso());
    assert_eq!(read["version"], AT.to_string());
    assert_eq!(read["acsChatMessageMetadata"], r#"{"k":"v"}"#);
    assert!(read.get("edittime").is_none() && read.get("deletetime").is_none());

    let (event, _, to) = message(MessageChange::Edited("new", at()));
    let read = body(&event, &to);
    assert_eq!((&read["eventId"], &read["edittime"]), (&247.into(), &at().to_iso().into()));

    let (event, _, to) = message(MessageChange::Deleted(at()));
    let read = body(&event, &to);
    assert_eq!((&read["eventId"], &read["deletetime"]), (&248.into(), &at().to_iso().into()));
    assert!(read.get("messageBody").is_none() && read.get("acsChatMessageMetadata").is_none());
}

#[test]
fn typing_and_receipts() {
    let (thread, sender, to) = people();
    let typing = Event::Typing { thread, sender: sender.clone(), sender_display_name: "", at: at() };
    let read = body(&typing, &to);
    assert_eq!((&read["eventId"], &read["senderDisplayName"]), (&245.into(), &"".into()));
    let receipt = Event::Receipt { thread, reader: sender, message: 5, read_on: at() };
    let read = body(&receipt, &to);
    assert_eq!((&read["eventId"], &read["messageId"]), (&246.into(), &"5".into()));
    let said: Value = serde_json::from_str(read["messageBody"].as_str().unwrap()).unwrap();
    assert_eq!(said["consumptionhorizon"].as_str().unwrap().split(';').nth(1), Some(&*AT.to_string()));
}

/// What the legacy `unescape` of JavaScript makes of `%XX` and `%uXXXX`.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let hex = |from: usize, len: usize| {
            rest.get(at + from..at + from + len).and_then(|digits| u32::from_str_radix(digits, 16).ok())
        };
        let found = match rest.get(at + 1..at + 2) {
            Some("u") => hex(2, 4).map(|code| (code, 6)),
            _ => hex(1, 2).map(|code| (code, 3)),
        };
        let (letter, taken) = found.map_or(('%', 1), |(code, n)| (char::from_u32(code).unwrap(), n));
        out.push(letter);
        rest = &rest[at + taken..];
    }
    out + rest
}

#[test]
fn the_parts_of_thread_events_survive_unescape() {
    let (thread, sender, to) = people();
    let topic = "100%41 %u0041 50% off ü \"q\"";
    let member = |name| Member {
        who: sender.clone(),
        display_name: name,
        share_history_from: Some(at()),
        metadata: BTreeMap::from([("a%20", "b")]),
    };
    let properties =
        || Properties { topic, metadata: BTreeMap::from([("%", "%")]), delete_after_days: Some(30) };
    let event = |change| Event::Thread { thread, by: member("By %41"), at: at(), change };
    let part = |read: &Value, name: &str| -> Value {
        serde_json::from_str(&unescape(read[name].as_str().unwrap())).unwrap()
    };

    let read = body(
        &event(ThreadChange::Created { properties: properties(), members: vec![member("100%41")] }),
        &to,
    );
    assert_eq!((&read["eventId"], &read["createTime"]), (&257.into(), &at().to_iso().into()));
    assert_eq!(part(&read, "createdBy")["displayName"], "By %41");
    assert_eq!(part(&read, "members")[0]["displayName"], "100%41");
    assert_eq!(part(&read, "members")[0]["memberMetaData"], r#"{"a%20":"b"}"#);
    assert_eq!(part(&read, "properties")["topic"], topic);
    assert_eq!(part(&read, "properties")["acsChatThreadMetadata"], r#"{"%":"%"}"#);
    let policy: Value =
        serde_json::from_str(part(&read, "properties")["retentionPolicy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["executeAfter"], "30.00:00:00");

    let read = body(&event(ThreadChange::Updated(properties())), &to);
    assert_eq!((&read["eventId"], part(&read, "properties")["topic"].as_str()), (&258.into(), Some(topic)));
    let read = body(&event(ThreadChange::Deleted), &to);
    assert_eq!((&read["eventId"], &read["reason"]), (&259.into(), &"deletedByUser".into()));
    assert_eq!(part(&read, "deletedBy")["participantId"], sender.raw_id());
    let read = body(&event(ThreadChange::Added(vec![member("ü")])), &to);
    assert_eq!(
        (&read["eventId"], part(&read, "participantsAdded")[0]["displayName"].as_str()),
        (&260.into(), Some("ü"))
    );
    let read = body(&event(ThreadChange::Removed(vec![member("x")])), &to);
    assert_eq!(
        (&read["eventId"], part(&read, "removedBy")["shareHistoryTime"].as_str()),
        (&261.into(), Some(&*at().to_iso()))
    );
}
