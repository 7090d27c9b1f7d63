//! From a request to a WebSocket (RFC 6455, section 4.2).

use std::pin::Pin;

use ::http::{HeaderMap, HeaderName, StatusCode, header};
use wire::ApiError;

use super::reply::Reply;
use crate::net::{Socket, Takeover, accept_key};

/// A request for a WebSocket of version 13, which nothing was done about yet.
pub struct Upgrade {
    accept: String,
}

impl Upgrade {
    /// The one that these headers ask for.
    ///
    /// # Errors
    /// 400 when they ask for none.
    pub fn asked(headers: &HeaderMap) -> Result<Self, ApiError> {
        let asks = has_word(headers, &header::UPGRADE, "websocket")
            && has_word(headers, &header::CONNECTION, "upgrade");
        let mut versions = headers.get_all(header::SEC_WEBSOCKET_VERSION).iter();
        let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
        match (versions.next(), versions.next(), keys.next(), keys.next()) {
            (Some(version), None, Some(key), None) if asks && version == "13" => {
                Ok(Self { accept: accept_key(key.as_bytes()) })
            }
            _ => Err(ApiError::bad_request("The request does not open a WebSocket of version 13.")),
        }
    }

    /// The answer to it, after which `serve` has the connection.
    #[must_use]
    pub fn answer<F>(self, serve: F) -> Reply
    where
        F: FnOnce(Socket) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static,
    {
        let mut reply = Reply::empty(StatusCode::SWITCHING_PROTOCOLS)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "Upgrade")
            .header(header::SEC_WEBSOCKET_ACCEPT, &self.accept);
        reply.takeover = Some(Takeover::by(Box::new(serve)));
        reply
    }
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(changed: &[(&'static str, &str)]) -> Result<Reply, ApiError> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(changed)
        {
            headers.insert(*name, value.parse().unwrap());
        }
        Upgrade::asked(&headers).map(|asked| asked.answer(|_| Box::pin(async {})))
    }

    #[test]
    fn answers_as_the_example_of_the_rfc() {
        let reply = asked(&[]).unwrap();
        assert_eq!(reply.status, 101);
        let accept = reply.headers.iter().find(|(name, _)| name == header::SEC_WEBSOCKET_ACCEPT);
        assert_eq!(accept.unwrap().1, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(reply.takeover.is_some());
    }

    #[test]
    fn refuses_what_opens_none() {
        for wrong in [("upgrade", "h2c"), ("connection", "close"), ("sec-websocket-version", "8")] {
            assert_eq!(asked(&[wrong]).unwrap_err().status(), 400, "{wrong:?}");
        }
    }
}
