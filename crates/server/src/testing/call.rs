//! Requests as clients make them, and what comes back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Method, Request, header};
use base::{Clock, Timestamp, TlsVersion};
use bytes::Bytes;
use guard::signature::sign_request;
use http_body_util::BodyExt;
use serde_json::Value;

use super::{TestApp, TestUser};
use crate::directory::ResourceEntry;
use crate::net::{Feed, Peer, Pieces, Response, Service};

enum Credential {
    None,
    Key(Arc<ResourceEntry>, usize),
    Token(String),
}

/// A request being built.
pub struct Call<'a> {
    app: &'a TestApp,
    method: String,
    target: String,
    host: String,
    headers: HeaderMap,
    body: Bytes,
    credential: Credential,
    peer: Peer,
    version: Option<String>,
    announced: bool,
    signed_at: Option<Timestamp>,
}

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl<'a> Call<'a> {
    pub(super) fn new(app: &'a TestApp, method: &str, target: &str) -> Self {
        Self {
            app,
            method: method.to_owned(),
            target: target.to_owned(),
            host: format!("{}.localhost:8443", app.resource().name()),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            credential: Credential::None,
            peer: Peer::at(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
            version: newest_version(&method.parse().unwrap_or_default(), target),
            announced: true,
            signed_at: None,
        }
    }

    /// Signs with the first access key of the resource under test.
    #[must_use]
    pub fn signed(self) -> Self {
        let resource = Arc::clone(self.app.resource());
        self.signed_by(&resource, 0)
    }

    /// Signs with access key `index` of `resource`.
    #[must_use]
    pub fn signed_by(mut self, resource: &Arc<ResourceEntry>, index: usize) -> Self {
        self.credential = Credential::Key(Arc::clone(resource), index);
        self
    }

    /// As `user`, with the user's token.
    #[must_use]
    pub fn by(self, user: &TestUser) -> Self {
        self.bearer(&user.token)
    }

    /// As whoever runs the server.
    #[must_use]
    pub fn operator(self) -> Self {
        self.bearer(super::OPERATOR)
    }

    /// With this token.
    #[must_use]
    pub fn bearer(mut self, token: &str) -> Self {
        self.credential = Credential::Token(token.to_owned());
        self
    }

    /// To this host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// From this address.
    #[must_use]
    pub fn from(mut self, peer: &str) -> Self {
        self.peer.address = peer.parse().expect("an address");
        self
    }

    /// Over this version of TLS.
    #[must_use]
    pub const fn over(mut self, version: TlsVersion) -> Self {
        self.peer.tls = Some(version);
        self
    }

    /// As this peer.
    #[must_use]
    pub fn as_peer(mut self, peer: Peer) -> Self {
        self.peer = peer;
        self
    }

    /// In this API version, where it would be the newest otherwise; none with `""`.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = (!version.is_empty()).then(|| version.to_owned());
        self
    }

    /// With one more header.
    ///
    /// # Panics
    /// When it is no header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_str(value).expect("a header value"));
        self
    }

    /// With this JSON as its body: a merge patch when the method is `PATCH`.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        let media = if self.method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.body(body.to_string().into_bytes(), media)
    }

    /// With these bytes as its body.
    ///
    /// # Panics
    /// When the media type is no header value.
    #[must_use]
    pub fn body(mut self, body: Vec<u8>, media: &str) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(media).expect("a media type"));
        self.body = body.into();
        self
    }

    /// Signed now, whenever it is sent.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.signed_at = Some(self.app.clock.now());
        self
    }

    /// Without an announced length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.announced = false;
        self
    }

    /// Goes through the whole stack, as a request does that came in by a socket.
    ///
    /// # Panics
    /// When what was built is no request.
    pub async fn send(self) -> Answer {
        let (parts, body) = self.through().await.into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Goes through the whole stack as [`Self::send`] does, and takes the pieces of its body as they come.
    ///
    /// # Panics
    /// When the answer is none that comes in pieces.
    pub async fn open(self) -> Pieces {
        let response = self.through().await;
        assert_eq!(response.status(), 200, "an answer that comes in pieces");
        let feed = response.extensions().get::<Feed>().and_then(Feed::take);
        feed.expect("an answer that comes in pieces")
    }

    async fn through(self) -> Response {
        let target = match &self.version {
            None => self.target.clone(),
            Some(version) => {
                let join = if self.target.contains('?') { '&' } else { '?' };
                format!("{}{join}api-version={version}", self.target)
            }
        };
        let mut request = Request::builder().method(self.method.as_str()).uri(&target);
        let headers = request.headers_mut().expect("a request line");
        headers.extend(self.headers);
        headers.insert(header::HOST, HeaderValue::from_str(&self.host).expect("a host"));
        if !self.announced {
            headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        } else if !self.body.is_empty() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        match &self.credential {
            Credential::None => {}
            Credential::Token(token) => {
                let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token");
                headers.append(header::AUTHORIZATION, value);
            }
            Credential::Key(resource, index) => {
                let set = resource.access_keys().current();
                let key = &set.keys()[*index];
                let now = self.signed_at.unwrap_or_else(|| self.app.clock.now());
                let signed = sign_request(key, &self.method, &target, &self.host, now, &self.body);
                for (name, value) in [
                    ("x-ms-date", signed.date),
                    ("x-ms-content-sha256", signed.content_sha256),
                    ("authorization", signed.authorization),
                ] {
                    headers.append(name, HeaderValue::from_str(&value).expect("a header value"));
                }
            }
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let stack = &self.app.app;
        match stack.route(&head, &self.peer) {
            Ok((routed, _)) => stack.respond(routed, head, self.body, Arc::new(self.peer)).await,
            Err(refused) => refused,
        }
    }
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The error code of the body, empty when there is none.
    #[must_use]
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// One header as text, empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The same answer again and again, but for the ids that every answer has of its own.
    #[must_use]
    pub fn without_ids(mut self) -> Self {
        self.headers.remove("x-ms-request-id");
        self.headers.remove("ms-cv");
        self
    }

    /// Checks the status and gives the answer on.
    ///
    /// # Panics
    /// When it is another one.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// The newest version of the operation at `target`.
fn newest_version(method: &Method, target: &str) -> Option<String> {
    let path = target.split('?').next().unwrap_or_default();
    match wire::route(method, path) {
        wire::Route::Found { operation, .. } => operation.versions.last().map(|v| (*v).to_owned()),
        wire::Route::MethodNotAllowed { .. } | wire::Route::NotFound => None,
    }
}
