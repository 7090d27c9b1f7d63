//! What a browser's client sends: frames alone and packed. What is read of a packed body is what was packed into it. And the
//! id that a stream is resumed from: what is read is what would be written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::push::cursor::Cursor;
use wire::push::frame::{ClientFrame, MAX_CLIENT_FRAME};
use wire::push::{pack, unpack};

fuzz_target!(|text: &str| {
    let read = ClientFrame::parse(text);
    assert!(read.is_err() || text.len() <= MAX_CLIENT_FRAME);
    if let Some(cursor) = Cursor::parse(text) {
        assert_eq!(cursor.format().as_deref(), Some(text));
    }
    let frames: Vec<String> = unpack(text).map_while(Result::ok).map(str::to_owned).collect();
    if frames.iter().all(|frame| !frame.is_empty() && !frame.contains('\u{fffd}')) {
        let again: Vec<String> = unpack(&pack(&frames)).map_while(Result::ok).map(str::to_owned).collect();
        assert_eq!(again, frames);
    }
});
