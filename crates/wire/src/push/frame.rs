//! Frames as socket.io 0.9 writes them: `type:id[+]:endpoint[:data]`, one to a WebSocket text message. The endpoint is
//! always empty here.

use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;

/// The longest frame that a client may send, in bytes; past it the connection ends. A client's longest says what became of
/// one push, in some hundred bytes.
pub const MAX_CLIENT_FRAME: usize = 16 * 1024;
/// The most digits of a frame's id.
const MAX_ID_DIGITS: usize = 10;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// `0::`: it goes.
    Disconnect,
    /// `2::`: it lives.
    Heartbeat,
    /// `3:::{...}`: what became of a push.
    Outcome(Outcome),
    /// `5:...`: an event of its own.
    Event {
        /// The id to acknowledge, where it asks for that.
        id: Option<u64>,
        /// What it is called.
        name: String,
    },
    /// `1`, `4`, `6`, `7` and `8`: nothing is to be done about it.
    Other,
}

/// What a client says became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Outcome {
    /// The id of the push.
    pub id: u64,
    /// 200 when it was taken, 404 when the application did not want it, 504 when it took too long.
    pub status: u16,
}

/// Why something is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Longer than [`MAX_CLIENT_FRAME`].
    #[error("a frame has at most {MAX_CLIENT_FRAME} bytes")]
    TooLong,
    /// Not of the form of one.
    #[error("this is not a frame of socket.io 0.9")]
    Malformed,
}

impl ClientFrame {
    /// Reads one frame.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is to end then.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        if text.len() > MAX_CLIENT_FRAME {
            return Err(FrameError::TooLong);
        }
        let mut parts = text.splitn(4, ':');
        let mut next = || parts.next().ok_or(FrameError::Malformed);
        let (kind, id) = (next()?, next()?);
        // The bare `6:::2` and `2::` have an endpoint; some clients leave the last colon out.
        let _endpoint = parts.next();
        let data = parts.next().unwrap_or_default();
        match kind {
            "0" => Ok(Self::Disconnect),
            "2" => Ok(Self::Heartbeat),
            "3" => serde_json::from_str(data).map(Self::Outcome).map_err(|_| FrameError::Malformed),
            "5" => {
                let read: Event = serde_json::from_str(data).map_err(|_| FrameError::Malformed)?;
                Ok(Self::Event { id: ack_id(id)?, name: read.name })
            }
            "1" | "4" | "6" | "7" | "8" => Ok(Self::Other),
            _ => Err(FrameError::Malformed),
        }
    }
}

/// An event as far as it is read. The arguments need to be JSON and no more.
#[derive(Deserialize)]
struct Event {
    name: String,
    #[serde(default, rename = "args")]
    _args: IgnoredAny,
}

/// `17+` or `17`: the id of an event that is to be acknowledged; nothing where none is.
fn ack_id(text: &str) -> Result<Option<u64>, FrameError> {
    let digits = text.strip_suffix('+').unwrap_or(text);
    if digits.is_empty() && text.is_empty() {
        return Ok(None);
    }
    if digits.is_empty() || digits.len() > MAX_ID_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(FrameError::Malformed);
    }
    digits.parse().map(Some).map_err(|_| FrameError::Malformed)
}

/// The first frame of a connection.
pub const CONNECT: &str = "1::";
/// A heartbeat.
pub const HEARTBEAT: &str = "2::";
/// The connection ends; the client connects anew.
pub const DISCONNECT: &str = "0::";
/// The token holds no more; the client asks its credential for another and connects anew.
pub const UNAUTHORIZED: &str = r#"0:::{"reason":"unauthorized"}"#;
/// The client is to open another connection, which may lead to another node, before this one ends.
pub const RECONNECT: &str = r#"5:::{"name":"trouter.reconnect","args":[{"target":"global"}]}"#;

/// What makes a client connected: `ttl` in seconds.
#[must_use]
pub fn connected(ttl: u64) -> String {
    format!(r#"5:::{{"name":"trouter.connected","args":[{{"ttl":"{ttl}","dur":"0"}}]}}"#)
}

/// The answer to an event that asked for one.
#[must_use]
pub fn ack(id: u64) -> String {
    format!(r#"6:::{id}+["pong"]"#)
}

/// Tells that pushes were lost, by a tag that differs for each loss. The client confirms it.
#[must_use]
pub fn message_loss(etag: u64) -> String {
    format!(
        r#"5:::{{"name":"trouter.message_loss","args":[{{"droppedIndicators":[{{"tag":"messaging","etag":"{etag}"}}]}}]}}"#
    )
}

/// The body of a push, ready to be put into as many frames as there are who are told.
#[derive(Debug)]
pub struct Body {
    /// In quotes; up to the place of whom it is told to, where it has one.
    before: String,
    after: Option<String>,
}

impl Body {
    /// Of the JSON of an event ([`super::event::Event::body`]).
    #[must_use]
    pub fn new(event: &str) -> Self {
        const PLACE: &str = r#"\"recipientMri\":\""#;
        let mut before = String::with_capacity(event.len() + event.len() / 4);
        quote(event, &mut before);
        let after = before.find(PLACE).map(|at| before.split_off(at + PLACE.len()));
        Self { before, after }
    }

    fn len(&self) -> usize {
        self.before.len() + self.after.as_ref().map_or(0, String::len)
    }
}

/// A push: `id` is of this connection, `path` what the allocation called `url`, `recipient` the raw id of whom it is told to.
#[must_use]
pub fn push(id: u64, path: &str, body: &Body, recipient: &str) -> String {
    let mut text = String::with_capacity(body.len() + recipient.len() + path.len() + 80);
    text.push_str(r#"3:::{"id":"#);
    text.push_str(&id.to_string());
    text.push_str(r#","method":"POST","url":"#);
    quote(path, &mut text);
    text.push_str(r#","headers":{},"body":"#);
    text.push_str(&body.before);
    if let Some(after) = &body.after {
        text.push_str(recipient);
        text.push_str(after);
    }
    text.push('}');
    text
}

fn quote(value: &str, out: &mut String) {
    // A string is always written, whatever is in it.
    out.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "\"\"".to_owned()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(id: Option<u64>, name: &str) -> ClientFrame {
        ClientFrame::Event { id, name: name.to_owned() }
    }

    #[test]
    fn reads_what_the_sdk_sends() {
        let parse = |text| ClientFrame::parse(text).unwrap();
        assert_eq!(parse("0::"), ClientFrame::Disconnect);
        assert_eq!(parse("2::"), ClientFrame::Heartbeat);
        assert_eq!(parse(r#"5:2+::{"name":"ping"}"#), event(Some(2), "ping"));
        assert_eq!(
            parse(r#"5:1+::{"name":"user.activity","args":[{"state":"active","cv":"a.b"}]}"#),
            event(Some(1), "user.activity")
        );
        assert_eq!(parse(r#"5:::{"name":"x","args":[]}"#), event(None, "x"));
        let taken = parse(r#"3:::{"id":7,"status":200,"headers":{"trouter-client":"{\"cd\":2}"},"body":""}"#);
        assert_eq!(taken, ClientFrame::Outcome(Outcome { id: 7, status: 200 }));
        for idle in ["1::", "4:::{}", "6:::2", "7:::1+0", "8::"] {
            assert_eq!(parse(idle), ClientFrame::Other, "{idle}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for bad in [
            "",
            "0",
            "9::",
            ":",
            "x:1::",
            "5:x+::{\"name\":\"ping\"}",
            "5:+::{\"name\":\"ping\"}",
            "5:1+::",
            "5:1+::{}",
            "3:::",
            "3:::{\"id\":\"x\",\"status\":200}",
            "5:12345678901+::{\"name\":\"ping\"}",
            "3:::{\"id\":1}",
        ] {
            assert_eq!(ClientFrame::parse(bad), Err(FrameError::Malformed), "{bad}");
        }
    }

    #[test]
    fn frames_have_a_longest() {
        let padded = |length: usize| {
            let frame = r#"5:::{"name":""}"#;
            frame.replace("\"\"", &format!("\"{}\"", "a".repeat(length - frame.len())))
        };
        assert!(ClientFrame::parse(&padded(MAX_CLIENT_FRAME)).is_ok());
        assert_eq!(ClientFrame::parse(&padded(MAX_CLIENT_FRAME + 1)), Err(FrameError::TooLong));
    }

    #[test]
    fn writes_what_the_sdk_reads() {
        assert_eq!(
            connected(86_400),
            r#"5:::{"name":"trouter.connected","args":[{"ttl":"86400","dur":"0"}]}"#
        );
        assert_eq!(ack(2), r#"6:::2+["pong"]"#);
        let pushed = push(3, "/v4/f/x/", &Body::new(r#"{"a":"\u00e9\"ü"}"#), "8:acs:x");
        let data: serde_json::Value = serde_json::from_str(pushed.strip_prefix("3:::").unwrap()).unwrap();
        assert_eq!(data["id"], 3);
        assert_eq!(data["url"], "/v4/f/x/");
        let body: serde_json::Value = serde_json::from_str(data["body"].as_str().unwrap()).unwrap();
        assert_eq!(body["a"], "é\"ü");
        for text in [RECONNECT.to_owned(), message_loss(4)] {
            let data: serde_json::Value = serde_json::from_str(text.strip_prefix("5:::").unwrap()).unwrap();
            assert!(data["name"].as_str().unwrap().starts_with("trouter."), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[0-9:+{}\"a-z\\[\\],é]{0,64}") {
            let _ = ClientFrame::parse(&text);
        }
    }
}
