//! What is answered without TLS, at port 80: the challenges of an authority (RFC 8555, section 8.3), and where else the rest is.

use std::sync::Arc;

use ::http::request::Parts;
use ::http::{HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use store::Cell;

use crate::net::{Peer, Refusal, Response, Service};
use crate::service::acme;

/// What the paths of challenges begin with.
const CHALLENGES: &str = "/.well-known/acme-challenge/";
/// The longest token that is looked for; those of authorities have 43 characters.
const MAX_TOKEN: usize = 128;
/// The longest body that is read away.
const UNREAD_BODY: usize = 1024;

/// The answers at port 80.
pub struct Challenges {
    cell: Cell,
    /// The names that are served; nobody is sent to another.
    names: Vec<String>,
    /// The port of HTTPS.
    port: u16,
}

impl Challenges {
    /// For these names, whose challenges are in `cell`, and whose pages are at that port.
    #[must_use]
    pub const fn new(cell: Cell, names: Vec<String>, port: u16) -> Self {
        Self { cell, names, port }
    }

    /// Where the same is with TLS, when the name is one of ours.
    fn elsewhere(&self, head: &Parts) -> Option<HeaderValue> {
        let host = head.headers.get(header::HOST)?.to_str().ok()?;
        let host = host.split(':').next().unwrap_or_default();
        let name = self.names.iter().find(|name| name.eq_ignore_ascii_case(host))?;
        let port = if self.port == 443 { String::new() } else { format!(":{}", self.port) };
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        HeaderValue::from_str(&format!("https://{name}{port}{target}")).ok()
    }
}

fn answer(status: StatusCode, text: &str) -> Response {
    let mut answer = Response::new(Full::new(Bytes::from(text.to_owned())));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

impl Service for Challenges {
    type Routed = String;

    fn route(&self, head: &Parts, _: &Peer) -> Result<(String, usize), Response> {
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        let token = head.uri.path().strip_prefix(CHALLENGES);
        match token {
            Some(token) if is_read && (1..=MAX_TOKEN).contains(&token.len()) => {
                Ok((token.to_owned(), UNREAD_BODY))
            }
            Some(_) => Err(answer(StatusCode::NOT_FOUND, "There is no such challenge.\n")),
            None => Err(match self.elsewhere(head) {
                Some(location) => {
                    let mut moved =
                        answer(StatusCode::PERMANENT_REDIRECT, "This is served with TLS alone.\n");
                    moved.headers_mut().insert(header::LOCATION, location);
                    moved
                }
                None => answer(StatusCode::NOT_FOUND, "Nothing is served here.\n"),
            }),
        }
    }

    async fn respond(&self, token: String, _: Parts, _: Bytes, _: Arc<Peer>) -> Response {
        match acme::answer(&self.cell, &token).await {
            Ok(Some(text)) => answer(StatusCode::OK, text.expose()),
            Ok(None) => answer(StatusCode::NOT_FOUND, "There is no such challenge.\n"),
            Err(fault) => {
                tracing::warn!(%fault, "the answer to a challenge cannot be read");
                answer(StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment.\n")
            }
        }
    }

    fn refuse(&self, refusal: Refusal, _: Option<&Parts>) -> Response {
        let status = match refusal {
            Refusal::HeadTimeout | Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refusal::UriTooLong => StatusCode::URI_TOO_LONG,
            Refusal::Malformed => StatusCode::BAD_REQUEST,
            Refusal::Overloaded | Refusal::TooSlow => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        };
        answer(status, "This was not answered.\n")
    }
}

#[cfg(test)]
mod tests {
    use base::Personal;
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::testing::TestApp;

    async fn ask(it: &Challenges, method: &str, host: &str, target: &str) -> (u16, String, String) {
        let request = ::http::Request::builder().method(method).uri(target).header("host", host);
        let head = request.body(()).unwrap().into_parts().0;
        let peer = Peer::at([192, 0, 2, 1].into());
        let answer = match it.route(&head, &peer) {
            Ok((token, _)) => it.respond(token, head, Bytes::new(), Arc::new(peer)).await,
            Err(refused) => refused,
        };
        let (parts, body) = answer.into_parts();
        let location = parts.headers.get("location").map(|to| to.to_str().unwrap().to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), location.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn open_challenges_are_answered_and_the_rest_is_elsewhere() {
        let test = TestApp::new().await;
        let cell = test.resource().cell();
        acme::post(cell, "abc-_1", Some(&Personal::new("abc-_1.thumbprint".to_owned()))).await.unwrap();
        let it = Challenges::new(cell.clone(), vec!["a.example".to_owned()], 8443);
        let known = ask(&it, "GET", "a.example", "/.well-known/acme-challenge/abc-_1").await;
        assert_eq!((known.0, known.2.as_str()), (200, "abc-_1.thumbprint"));
        for (method, target) in [
            ("GET", "/.well-known/acme-challenge/other"),
            ("GET", "/.well-known/acme-challenge/"),
            ("POST", "/.well-known/acme-challenge/abc-_1"),
        ] {
            assert_eq!(ask(&it, method, "a.example", target).await.0, 404, "{method} {target}");
        }
        let at = |len: usize| format!("/.well-known/acme-challenge/{}", "x".repeat(len));
        let longest = it.route(&head(&at(MAX_TOKEN)), &Peer::at([192, 0, 2, 1].into()));
        assert!(
            longest.is_ok() && it.route(&head(&at(MAX_TOKEN + 1)), &Peer::at([192, 0, 2, 1].into())).is_err()
        );
        let moved = ask(&it, "GET", "A.example:80", "/chat/threads?x=1").await;
        assert_eq!((moved.0, moved.1.as_str()), (308, "https://a.example:8443/chat/threads?x=1"));
        let usual = Challenges::new(cell.clone(), vec!["a.example".to_owned()], 443);
        assert_eq!(ask(&usual, "GET", "a.example", "/").await.1, "https://a.example/");
        assert_eq!(ask(&it, "GET", "evil.example", "/").await.0, 404, "nobody is sent elsewhere");
    }

    fn head(target: &str) -> Parts {
        ::http::Request::builder().uri(target).body(()).unwrap().into_parts().0
    }
}
