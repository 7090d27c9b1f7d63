//! Request bodies: no bytes panic, nothing passes that a second reader could see otherwise (keys twice, depth, text
//! after the end), and an error never quotes what was sent.

#![no_main]

use base::Limits;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wire::chat::{
    AddParticipants, CreateThread, KNOWS_THREAD_METADATA, ReadReceiptRequest, RemoveParticipant, SendMessage,
    Typing, UpdateMessage, UpdateThread,
};
use wire::identity::{CreateIdentity, IssueToken};

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether a number in it is a fraction: reading those is exact only to the last digits.
fn rounds(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(rounds),
        Value::Object(members) => members.values().any(rounds),
        _ => false,
    }
}

fuzz_target!(|data: &[u8]| {
    match wire::json::parse::<Value>(data) {
        Ok(value) => {
            assert!(depth(&value) <= base::limits::MAX_JSON_DEPTH);
            let again: Value =
                serde_json::from_slice(data).expect("a lenient reader accepts what a strict one does");
            assert_eq!(value, again);
            let written = wire::json::write(&value);
            let back = wire::json::parse::<Value>(&written).ok();
            assert!(back.is_some_and(|back| back == value || rounds(&value)), "what is written reads back");
        }
        Err(error) => {
            assert_eq!(error.status(), 400);
            let sent = data.windows(12).find(|w| w.iter().all(u8::is_ascii_digit));
            assert!(
                sent.is_none_or(|w| !error.to_body().windows(12).any(|x| x == w)),
                "an error quotes the body"
            );
        }
    }
    let limits = Limits::default();
    if let Ok(message) = SendMessage::parse(data, &limits) {
        assert!(message.content.expose().len() + message.metadata.bytes() <= limits.message_bytes);
    }
    if let Ok(thread) = CreateThread::parse(data, KNOWS_THREAD_METADATA, &limits) {
        assert!(thread.topic.expose().chars().count() <= limits.topic_chars);
        assert!(thread.participants.len() <= limits.participants_per_request);
    }
    let _ = UpdateThread::parse(data, KNOWS_THREAD_METADATA, &limits);
    let _ = UpdateMessage::parse(data, &limits);
    let _ = AddParticipants::parse(data, KNOWS_THREAD_METADATA, &limits);
    let _ = RemoveParticipant::parse(data);
    let _ = ReadReceiptRequest::parse(data);
    let _ = Typing::parse(data, &limits);
    let _ = CreateIdentity::parse(data);
    let _ = IssueToken::parse(data);
});
