//! Paging tokens and the queries that carry them: no text panics, what is accepted is a value in range that reads back,
//! and a token of one kind of list is none of another.

#![no_main]

use base::limits::MAX_PAGE_TOKEN;
use base::{Limits, ThreadId, Timestamp};
use libfuzzer_sys::fuzz_target;
use wire::Query;
use wire::page::{MessageCursor, MessagePhase, PageToken, ThreadCursor};

fn agrees(token: PageToken) {
    let text = token.format();
    assert!(text.len() <= MAX_PAGE_TOKEN);
    assert_eq!(PageToken::parse(&text).ok(), Some(token), "a token reads back");
    let (messages, threads) = (PageToken::parse_messages(&text), PageToken::parse_threads(&text));
    assert_eq!(messages.is_ok(), matches!(token, PageToken::Messages(_)));
    assert_eq!(threads.is_ok(), matches!(token, PageToken::Threads(_)));
}

fn number(data: &[u8], at: usize) -> u64 {
    data.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}

fuzz_target!(|data: &[u8]| {
    let start_time =
        (data.first().is_some_and(|b| b & 1 == 1)).then(|| Timestamp::from_millis(number(data, 1)));
    let phase =
        if data.first().is_some_and(|b| b & 2 == 2) { MessagePhase::Changed } else { MessagePhase::Received };
    agrees(PageToken::Messages(MessageCursor {
        phase,
        position: number(data, 9),
        start_time,
        bound: number(data, 17),
    }));
    agrees(PageToken::Threads(ThreadCursor {
        as_of: Timestamp::from_millis(number(data, 9)),
        start_time,
        activity: Timestamp::from_millis(number(data, 17)),
        thread: ThreadId::from_bytes(data.get(..16).and_then(|b| b.try_into().ok()).unwrap_or_default()),
    }));

    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(token) = PageToken::parse(text) {
        agrees(token);
    }
    let Ok(query) = Query::parse(Some(text)) else { return };
    let limits = Limits::default();
    assert!(
        query.page_size(&limits).is_ok_and(|size| (1..=limits.page_size).contains(&size))
            || query.page_size(&limits).is_err()
    );
    let _ = query.skip();
    let _ = query.start_time();
    if let Ok(Some(token)) = query.page_token() {
        let _ = PageToken::parse(token);
    }
});
