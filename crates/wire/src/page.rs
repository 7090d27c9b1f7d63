//! Paging: opaque tokens, and the `nextLink` that carries them. A token is no secret and grants nothing: it says where
//! a list was left, and what it names is checked against the caller's rights again. Its check sum finds damage, not
//! forgery; whatever is decoded is a value in range, so a forged token can only name another place in the same list.

use base::limits::MAX_PAGE_TOKEN;
use base::{ThreadId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ApiError;

/// The query parameter that carries a token, as the ACS chat service names it.
pub const TOKEN_PARAMETER: &str = "syncState";

const VERSION: u8 = 1;
const KIND_MESSAGES: u8 = 1;
const KIND_THREADS: u8 = 2;

/// What stays as it is in a query (RFC 3986 unreserved).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which part of a message list is being read. With a start time a list is the messages received since then, and after
/// them the older ones that were edited or deleted since then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagePhase {
    /// Messages by the time they were received.
    Received,
    /// Older messages that changed since the start time.
    Changed,
}

/// Where a list of messages was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageCursor {
    /// In which part.
    pub phase: MessagePhase,
    /// The key of the last item shown (a message id or a sequence number: the lister's choice).
    pub position: u64,
    /// The start time the list began with.
    pub start_time: Option<Timestamp>,
    /// The newest position the first page saw: later pages show nothing newer.
    pub bound: u64,
}

/// Where a list of threads was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadCursor {
    /// When the first page was read: threads active since then may have moved to pages already shown.
    pub as_of: Timestamp,
    /// The start time the list began with.
    pub start_time: Option<Timestamp>,
    /// The latest activity of the last thread shown.
    pub activity: Timestamp,
    /// The last thread shown.
    pub thread: ThreadId,
}

/// A place in a list, as it travels in a `nextLink`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageToken {
    /// In a list of messages.
    Messages(MessageCursor),
    /// In a list of threads.
    Threads(ThreadCursor),
}

impl PageToken {
    /// The token's text: base64url without padding.
    #[must_use]
    pub fn format(&self) -> String {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        match self {
            Self::Messages(cursor) => {
                bytes.push(KIND_MESSAGES);
                bytes.push(match cursor.phase {
                    MessagePhase::Received => 0,
                    MessagePhase::Changed => 1,
                });
                bytes.extend(cursor.position.to_be_bytes());
                bytes.extend(cursor.bound.to_be_bytes());
                put_time(&mut bytes, cursor.start_time);
            }
            Self::Threads(cursor) => {
                bytes.push(KIND_THREADS);
                bytes.extend(cursor.as_of.as_millis().to_be_bytes());
                bytes.extend(cursor.activity.as_millis().to_be_bytes());
                bytes.extend(cursor.thread.as_bytes());
                put_time(&mut bytes, cursor.start_time);
            }
        }
        bytes.extend(check_sum(&bytes).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token's text.
    ///
    /// # Errors
    /// 400 when it is longer than [`MAX_PAGE_TOKEN`], damaged, or of another version.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        if text.len() > MAX_PAGE_TOKEN {
            return Err(invalid());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        read(&bytes).ok_or_else(invalid)
    }

    /// The place in a list of messages.
    ///
    /// # Errors
    /// 400 when the text is no token of such a list.
    pub fn parse_messages(text: &str) -> Result<MessageCursor, ApiError> {
        match Self::parse(text)? {
            Self::Messages(cursor) => Ok(cursor),
            Self::Threads(_) => Err(invalid()),
        }
    }

    /// The place in a list of threads.
    ///
    /// # Errors
    /// 400 when the text is no token of such a list.
    pub fn parse_threads(text: &str) -> Result<ThreadCursor, ApiError> {
        match Self::parse(text)? {
            Self::Threads(cursor) => Ok(cursor),
            Self::Messages(_) => Err(invalid()),
        }
    }
}

fn invalid() -> ApiError {
    ApiError::validation(TOKEN_PARAMETER, "The paging token is not valid: begin the list anew.")
}

fn put_time(bytes: &mut Vec<u8>, time: Option<Timestamp>) {
    bytes.push(u8::from(time.is_some()));
    bytes.extend(time.unwrap_or_default().as_millis().to_be_bytes());
}

fn read(bytes: &[u8]) -> Option<PageToken> {
    let (payload, sum) = bytes.split_last_chunk::<4>()?;
    if check_sum(payload).to_be_bytes() != *sum {
        return None;
    }
    let mut rest = payload.strip_prefix(&[VERSION])?;
    let [kind] = take(&mut rest)?;
    let token = match kind {
        KIND_MESSAGES => PageToken::Messages(MessageCursor {
            phase: match take(&mut rest)? {
                [0] => MessagePhase::Received,
                [1] => MessagePhase::Changed,
                _ => return None,
            },
            position: u64::from_be_bytes(take(&mut rest)?),
            bound: u64::from_be_bytes(take(&mut rest)?),
            start_time: take_time(&mut rest)?,
        }),
        KIND_THREADS => PageToken::Threads(ThreadCursor {
            as_of: instant(take(&mut rest)?)?,
            activity: instant(take(&mut rest)?)?,
            thread: ThreadId::from_bytes(take(&mut rest)?),
            start_time: take_time(&mut rest)?,
        }),
        _ => return None,
    };
    rest.is_empty().then_some(token)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// A token has one form only, so an instant past the calendar is not one we wrote.
fn instant(bytes: [u8; 8]) -> Option<Timestamp> {
    let millis = u64::from_be_bytes(bytes);
    let time = Timestamp::from_millis(millis);
    (time.as_millis() == millis).then_some(time)
}

fn take_time(rest: &mut &[u8]) -> Option<Option<Timestamp>> {
    let [some] = take(rest)?;
    let time = instant(take(rest)?)?;
    match some {
        0 if time == Timestamp::EPOCH => Some(None),
        1 => Some(Some(time)),
        _ => None,
    }
}

/// FNV-1a, folded to 32 bits: finds damage.
fn check_sum(bytes: &[u8]) -> u32 {
    let mut sum = 0xCBF2_9CE4_8422_2325_u64;
    for byte in bytes {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    let [a, b, c, d, e, f, g, h] = sum.to_be_bytes();
    u32::from_be_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

/// The absolute URL of the next page. `base_url` is scheme and host as the caller asked (`https://host:port`), `path`
/// is the path as the caller sent it (still percent-encoded), `query` is encoded here, in its order.
#[must_use]
pub fn next_link(base_url: &str, path: &str, query: &[(&str, &str)]) -> String {
    let mut link = String::with_capacity(base_url.len() + path.len() + 160);
    link.push_str(base_url.trim_end_matches('/'));
    link.push_str(path);
    for (i, (name, value)) in query.iter().enumerate() {
        link.push(if i == 0 { '?' } else { '&' });
        link.extend(utf8_percent_encode(name, QUERY));
        link.push('=');
        link.extend(utf8_percent_encode(value, QUERY));
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;
    use proptest::prelude::*;

    fn message_token() -> PageToken {
        PageToken::Messages(MessageCursor {
            phase: MessagePhase::Changed,
            position: 1_795_420_800_123,
            start_time: Some(Timestamp::from_millis(1_795_420_000_000)),
            bound: u64::MAX,
        })
    }

    fn thread_token() -> PageToken {
        PageToken::Threads(ThreadCursor {
            as_of: Timestamp::from_millis(1_795_420_800_123),
            start_time: None,
            activity: Timestamp::from_millis(1_795_420_000_000),
            thread: ThreadId::from_bytes([9; 16]),
        })
    }

    #[test]
    fn tokens_round_trip_and_are_short() {
        for token in [message_token(), thread_token()] {
            let text = token.format();
            assert_eq!(PageToken::parse(&text), Ok(token));
            assert!(text.len() < 100, "{}", text.len());
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        }
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let (messages, threads) = (message_token().format(), thread_token().format());
        assert!(PageToken::parse_messages(&messages).is_ok() && PageToken::parse_threads(&threads).is_ok());
        for error in [
            PageToken::parse_messages(&threads).unwrap_err(),
            PageToken::parse_threads(&messages).unwrap_err(),
        ] {
            assert_eq!((error.status(), error.target()), (400, Some("syncState")));
        }
    }

    #[test]
    fn any_single_changed_character_is_found() {
        for token in [message_token().format(), thread_token().format()] {
            for at in 0..token.len() {
                for with in ["A", "B", "-", "_", "=", " ", "é", ""] {
                    let mut text = token.clone();
                    text.replace_range(at..=at, with);
                    assert!(text == token || PageToken::parse(&text).is_err(), "{at} {with}");
                }
            }
            assert!(PageToken::parse(&format!("{token}A")).is_err());
            assert!(PageToken::parse(&format!("{token}==")).is_err(), "padding is another form");
        }
    }

    #[test]
    fn unknown_versions_kinds_and_lengths_are_refused() {
        let seal = |payload: &[u8]| {
            let mut bytes = payload.to_vec();
            bytes.extend(check_sum(payload).to_be_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        };
        for payload in [
            &[][..],
            &[1],
            &[2, 1, 0],
            &[1, 3],
            &[1, 1, 2],
            &[1, 1, 0, 0],
            &[&[1, 1, 0][..], &[0; 16], &[2], &[0; 8]].concat(),
            &[&[1, 1, 0][..], &[0; 16], &[0], &[0; 7], &[1]].concat(),
            &[&[1, 1, 0][..], &[0; 16], &[1], &[255; 8]].concat(),
            &[&[1, 1, 0][..], &[0; 16], &[1], &[0; 9]].concat(),
        ] {
            assert!(PageToken::parse(&seal(payload)).is_err(), "{payload:?}");
        }
        assert!(PageToken::parse(&seal(&[&[1, 1, 0][..], &[0; 16], &[1], &[0; 8]].concat())).is_ok());
        assert!(PageToken::parse("").is_err());
        assert!(PageToken::parse(&"A".repeat(MAX_PAGE_TOKEN + 1)).is_err());
    }

    #[test]
    fn links_carry_every_parameter_through() {
        let path = "/chat/threads/19%3Aab%40thread.v2/messages";
        let pairs = [
            ("api-version", "2025-03-15"),
            ("maxPageSize", "2"),
            ("startTime", "2026-11-23T08:00:00.123+01:00"),
            ("syncState", "a_b-c"),
            ("odd name", "a&b=c#d%20é"),
        ];
        let link = next_link("https://contoso.example:8443/", path, &pairs);
        assert!(
            link.starts_with(
                "https://contoso.example:8443/chat/threads/19%3Aab%40thread.v2/messages?api-version=2025-03-15&maxPageSize=2&startTime=2026-11-23T08%3A00%3A00.123%2B01%3A00&syncState=a_b-c&odd%20name="
            ),
            "{link}"
        );
        let (_, query) = link.split_once('?').unwrap();
        let read = Query::parse(Some(query)).unwrap();
        for (name, value) in pairs {
            assert_eq!(read.get(name), Some(value));
        }
        assert_eq!(next_link("https://h", "/p", &[]), "https://h/p");
    }

    proptest! {
        #[test]
        fn every_cursor_round_trips(phase: bool, position: u64, bound: u64, start: Option<u64>, millis: u64, id: [u8; 16]) {
            let start_time = start.map(Timestamp::from_millis);
            let phase = if phase { MessagePhase::Received } else { MessagePhase::Changed };
            let messages = PageToken::Messages(MessageCursor { phase, position, start_time, bound });
            prop_assert_eq!(PageToken::parse(&messages.format()), Ok(messages));
            let as_of = Timestamp::from_millis(millis);
            let activity = Timestamp::from_millis(position);
            let threads = PageToken::Threads(ThreadCursor { as_of, start_time, activity, thread: ThreadId::from_bytes(id) });
            prop_assert_eq!(PageToken::parse(&threads.format()), Ok(threads));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), base64 in "[A-Za-z0-9_-]{0,120}") {
            let _ = PageToken::parse(&text);
            if let Ok(token) = PageToken::parse(&base64) {
                prop_assert_eq!(token.format(), base64, "one token, one text");
            }
        }
    }
}
