//! Identifiers of people and threads, as raw ids and as models: no text panics, what is accepted reads back as itself,
//! and nothing but a well-formed id of our own names a user of ours.

#![no_main]

use base::{MessageId, ThreadId, UserId};
use libfuzzer_sys::fuzz_target;
use wire::identifier::{Identifier, IdentifierModel, MAX_RAW_ID, parse_raw};
use wire::thread_id;

fn agrees(identifier: &Identifier) {
    let raw = identifier.raw_id();
    assert_eq!(parse_raw(&raw).as_ref(), Ok(identifier), "a raw id reads back");
    assert_eq!(Identifier::from_model(&identifier.to_model()).as_ref(), Ok(identifier), "a model reads back");
    if let Identifier::CommunicationUser { resource, user } = identifier {
        assert_eq!(raw, format!("8:acs:{resource}_{user}"));
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_raw(text) {
        Ok(identifier) => agrees(&identifier),
        Err(_) => assert!(text.is_empty() || text.len() > MAX_RAW_ID || text.chars().any(char::is_control)),
    }
    if let Ok(model) = wire::json::parse::<IdentifierModel>(data)
        && let Ok(identifier) = Identifier::from_model(&model)
    {
        let _ = parse_raw(&identifier.raw_id());
        let _ = identifier.to_model();
    }
    if let Some(thread) = thread_id::parse(text) {
        assert_eq!(thread_id::format(thread), text, "one form a thread");
    }
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string(), text, "one form a message");
    }
    if let Ok(id) = ThreadId::from_hex(text) {
        assert_eq!(id.to_hex(), text);
    }
    if let Ok(id) = text.parse::<UserId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
});
