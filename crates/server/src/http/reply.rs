//! What a handler gives back: a status, perhaps a JSON body, perhaps headers. The stack adds the rest.

use ::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use wire::ApiError;

use crate::net::{Feed, Pieces, Takeover};

/// A successful answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status: normally the operation's `success`.
    pub status: StatusCode,
    /// The body, JSON unless a `Content-Type` header is given; none sends an empty one.
    pub body: Option<Vec<u8>>,
    /// Headers of the operation's own.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Who takes the connection over once this is out; with 101 alone.
    pub takeover: Option<Takeover>,
    /// The body, where it comes in pieces.
    pub feed: Option<Feed>,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, body: None, headers: Vec::new(), takeover: None, feed: None }
    }

    /// An answer with a body that is JSON already.
    #[must_use]
    pub const fn body(status: StatusCode, body: Vec<u8>) -> Self {
        Self { status, body: Some(body), headers: Vec::new(), takeover: None, feed: None }
    }

    /// An answer with `value` as its JSON body.
    ///
    /// # Errors
    /// 500 when `value` cannot be written as JSON, which no response type allows.
    pub fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_vec(value).map_err(|_| ApiError::internal())?;
        Ok(Self::body(status, body))
    }

    /// An answer whose body comes in these pieces, of this media type.
    #[must_use]
    pub fn pieces(media_type: &'static str, pieces: Pieces) -> Self {
        let mut reply = Self::empty(StatusCode::OK).header(header::CONTENT_TYPE, media_type);
        reply.feed = Some(Feed::of(pieces));
        reply
    }

    /// The same answer with one more header; a value that is no legal header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The same answer with a `Location`.
    #[must_use]
    pub fn location(self, url: &str) -> Self {
        self.header(header::LOCATION, url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_json_and_headers() {
        let reply = Reply::json(StatusCode::CREATED, &serde_json::json!({"id": "1"}))
            .unwrap()
            .location("https://localhost/chat/threads/19%3Ax");
        assert_eq!(reply.status, StatusCode::CREATED);
        assert_eq!(reply.body.as_deref(), Some(&br#"{"id":"1"}"#[..]));
        assert_eq!(reply.headers.len(), 1);
        assert_eq!(reply.headers[0].0, header::LOCATION);
    }

    #[test]
    fn a_value_that_would_split_the_head_is_left_out() {
        let reply = Reply::empty(StatusCode::OK).location("https://localhost/\r\nset-cookie: x");
        assert!(reply.headers.is_empty());
        assert_eq!(reply.body, None);
    }
}
