//! The form of every answer: the headers that all of them carry, and how an error looks.

use ::http::header::{
    ALLOW, CONTENT_TYPE, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, StatusCode};
use base::Rng;
use bytes::Bytes;
use http_body_util::Full;
use wire::ApiError;

use super::reply::Reply;
use crate::net::Response;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// A year, for this name alone: what an operator runs below it is not ours to bind.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const CORRELATION_VECTOR: HeaderName = HeaderName::from_static("ms-cv");
const SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// The longest client request id that is sent back, in bytes; a UUID has 36.
const MAX_CLIENT_REQUEST_ID: usize = 256;

/// What the headers of an answer depend on.
pub(crate) struct Stamp {
    id: [u8; 16],
    client_request_id: Option<HeaderValue>,
    supported_versions: Option<HeaderValue>,
    challenge: Option<HeaderValue>,
    public_name: bool,
}

impl Stamp {
    /// Of an answer to `head`; without one when there is no head to look at.
    pub(crate) fn new(rng: &dyn Rng, head: Option<&Parts>) -> Self {
        let client_request_id =
            head.and_then(|head| head.headers.get(CLIENT_REQUEST_ID)).filter(|id| is_sane(id));
        let host = head.and_then(super::host::of).and_then(super::host::normal);
        Self {
            id: rng.id(),
            client_request_id: client_request_id.cloned(),
            supported_versions: None,
            challenge: None,
            public_name: host.is_some_and(|host| !super::host::is_local_or_address(&host)),
        }
    }

    /// The operation's versions, and what it would have as a credential.
    pub(crate) fn operation(
        mut self,
        versions: Option<&HeaderValue>,
        challenge: Option<HeaderValue>,
    ) -> Self {
        self.supported_versions = versions.cloned();
        self.challenge = challenge;
        self
    }

    /// The id of the request, for a line in the log that leads to it.
    pub(crate) fn request_id(&self) -> String {
        uuid(self.id)
    }

    /// The whole answer to a request that went well.
    pub(crate) fn reply(self, reply: Reply) -> Response {
        let has_body = reply.body.is_some();
        let mut response = self.bare(reply.status, reply.body.unwrap_or_default());
        let headers = response.headers_mut();
        if has_body {
            headers.insert(CONTENT_TYPE, JSON);
        }
        for (name, value) in reply.headers {
            headers.insert(name, value);
        }
        if let Some(takeover) = reply.takeover {
            response.extensions_mut().insert(takeover);
        }
        if let Some(feed) = reply.feed {
            response.extensions_mut().insert(feed);
        }
        response
    }

    /// The whole answer to a request that did not.
    pub(crate) fn error(mut self, error: &ApiError) -> Response {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = self.challenge.take().filter(|_| status == StatusCode::UNAUTHORIZED);
        if status.is_server_error() {
            tracing::warn!(
                request_id = self.request_id(),
                code = error.code(),
                "answered with a server error"
            );
        }
        let mut response = self.bare(status, error.to_body());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ERROR_CODE, HeaderValue::from_static(error.code()));
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = error.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(Ok(allow)) = error.allow().map(HeaderValue::from_str) {
            headers.insert(ALLOW, allow);
        }
        response
    }

    fn bare(self, status: StatusCode, body: Vec<u8>) -> Response {
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.reserve(12);
        headers.insert(REQUEST_ID, ascii(&uuid(self.id)));
        headers.insert(CORRELATION_VECTOR, ascii(&correlation_vector(self.id)));
        headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if let Some(id) = self.client_request_id {
            headers.insert(CLIENT_REQUEST_ID, id);
        }
        if let Some(versions) = self.supported_versions {
            headers.insert(SUPPORTED_VERSIONS, versions);
        }
        if self.public_name {
            headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        }
        response
    }
}

/// Whether a client's own request id may be sent back: visible ASCII, no longer than any real one.
fn is_sane(id: &HeaderValue) -> bool {
    !id.is_empty() && id.len() <= MAX_CLIENT_REQUEST_ID && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// The bytes as a random UUID (RFC 9562, version 4).
fn uuid(mut id: [u8; 16]) -> String {
    id[6] = id[6] & 0x0F | 0x40;
    id[8] = id[8] & 0x3F | 0x80;
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The same bytes as the base of a correlation vector, version 2: 22 characters of base64, then the first element.
fn correlation_vector(id: [u8; 16]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut rest = u128::from_be_bytes(id);
    let mut digits = [0_u8; 22];
    for slot in digits.iter_mut().rev() {
        *slot = rest.to_le_bytes()[0] & 63;
        rest >>= 6;
    }
    let mut text = String::with_capacity(24);
    text.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    text.push_str(".0");
    text
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = ::http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn stamp(headers: &[(&str, &str)]) -> Stamp {
        Stamp::new(&SeededRng::new(1), Some(&head(headers)))
    }

    #[test]
    fn every_answer_has_an_id_of_its_own() {
        let rng = SeededRng::new(2);
        let answer = || Stamp::new(&rng, None).reply(Reply::empty(StatusCode::NO_CONTENT));
        let (first, second) = (answer(), answer());
        assert_ne!(first.headers()["x-ms-request-id"], second.headers()["x-ms-request-id"]);
        let id = first.headers()["x-ms-request-id"].to_str().unwrap();
        assert!(id.len() == 36 && &id[14..15] == "4", "{id}");
        let vector = first.headers()["MS-CV"].to_str().unwrap();
        assert!(vector.len() == 24 && vector.ends_with(".0"), "{vector}");
        assert_eq!(first.headers()["x-content-type-options"], "nosniff");
        for absent in ["server", "content-type", "x-ms-error-code", "strict-transport-security"] {
            assert!(!first.headers().contains_key(absent), "{absent}");
        }
    }

    #[test]
    fn a_clients_id_is_sent_back_only_if_it_is_harmless() {
        let longest = "x".repeat(256);
        for good in ["0f6b5fb2-5f5b-4b0a-8e5b-1f2e3d4c5b6a", "a", &longest] {
            let answer = stamp(&[("x-ms-client-request-id", good)]).reply(Reply::empty(StatusCode::OK));
            assert_eq!(answer.headers()["x-ms-client-request-id"], *good);
        }
        let too_long = "x".repeat(257);
        for bad in ["", "a b", "a\tb", "\u{e9}", &too_long] {
            let answer = stamp(&[("x-ms-client-request-id", bad)]).reply(Reply::empty(StatusCode::OK));
            assert!(!answer.headers().contains_key("x-ms-client-request-id"), "{bad}");
        }
    }

    #[test]
    fn browsers_are_told_to_insist_on_tls_for_real_names_only() {
        let hsts = |host| {
            let answer = stamp(&[("host", host)]).reply(Reply::empty(StatusCode::OK));
            answer.headers().contains_key("strict-transport-security")
        };
        assert!(hsts("chat.example.org") && hsts("chat.example.org:8443"));
        assert!(
            !hsts("localhost:8443") && !hsts("contoso.localhost") && !hsts("127.0.0.1") && !hsts("[::1]:1")
        );
    }

    #[test]
    fn errors_carry_what_belongs_to_them() {
        let answer = stamp(&[]).error(&ApiError::too_many_requests(7));
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.headers()["x-ms-error-code"], "TooManyRequests");
        assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
        let answer = stamp(&[]).error(&ApiError::method_not_allowed("GET, POST".into()));
        assert_eq!(answer.headers()["allow"], "GET, POST");
        let challenged = |error| {
            let answer = stamp(&[]).operation(None, Some(HeaderValue::from_static("Bearer"))).error(&error);
            answer.headers().get("www-authenticate").cloned()
        };
        assert_eq!(challenged(ApiError::unauthorized()).unwrap(), "Bearer");
        assert_eq!(challenged(ApiError::forbidden()), None);
    }

    #[test]
    fn a_handlers_headers_come_through() {
        let reply = Reply::body(StatusCode::CREATED, b"{}".to_vec()).location("https://h/x");
        let answer = stamp(&[]).operation(Some(&HeaderValue::from_static("1, 2")), None).reply(reply);
        assert_eq!(answer.headers()["location"], "https://h/x");
        assert_eq!(answer.headers()["api-supported-versions"], "1, 2");
        assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    }
}
