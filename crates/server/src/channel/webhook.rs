//! Webhooks: one HTTP/1.1 request over TLS to one place, and what came of it. No redirect is followed, an answer is read
//! up to a limit, and all of it must be over within a time.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Request, Uri, header};
use bytes::Bytes;
use guard::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Dial, Stream};

/// From the first look at the name to the end of the answer (Event Grid: 30 s).
pub const LONGEST: Duration = Duration::from_secs(30);
/// How much of an answer is read, in bytes; the rest is left where it is.
pub const MAX_ANSWER: usize = 64 * 1024;

/// One request to a webhook.
#[derive(Clone, Debug)]
pub struct HookRequest {
    /// The method, in capitals.
    pub method: &'static str,
    /// Where to: `https`, or `http` where that is allowed.
    pub url: base::Personal<String>,
    /// Its headers, but for those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// Its body, which is content.
    pub body: base::Personal<Bytes>,
}

/// What a webhook answered.
#[derive(Clone, Debug)]
pub struct HookAnswer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The first [`MAX_ANSWER`] bytes of the body.
    pub body: base::Personal<Bytes>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookFault {
    /// Not within [`LONGEST`].
    TimedOut,
    /// The name leads nowhere.
    Resolution,
    /// It cannot be reached, its certificate is not trusted, or it speaks no HTTP.
    Socket,
    /// Its address, or a scheme without TLS, is not allowed by the operator.
    NotAllowed,
}

/// Carries requests to webhooks.
pub trait HookChannel: Send + Sync + 'static {
    /// Sends one request and waits for its answer.
    fn send(&self, request: HookRequest) -> BoxFuture<'_, Result<HookAnswer, HookFault>>;
}

/// Webhooks over the connections of a [`Dial`].
pub struct Webhook {
    dial: Arc<dyn Dial>,
    tls: Arc<ClientConfig>,
    allows_plain: bool,
    longest: Duration,
}

impl Webhook {
    /// A channel over `dial` that trusts whom `tls` trusts. `allows_plain`: whether `http` is taken too.
    #[must_use]
    pub fn new(dial: Arc<dyn Dial>, tls: Arc<ClientConfig>, allows_plain: bool) -> Self {
        Self { dial, tls, allows_plain, longest: LONGEST }
    }

    /// The same with another time limit, for tests.
    #[must_use]
    pub fn within(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    async fn exchange(&self, request: HookRequest) -> Result<HookAnswer, HookFault> {
        let target: Uri = request.url.expose().parse().map_err(|_| HookFault::Resolution)?;
        let authority = target.authority().ok_or(HookFault::Resolution)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_tls = match target.scheme_str() {
            Some("https") => true,
            Some("http") if self.allows_plain => false,
            _ => return Err(HookFault::NotAllowed),
        };
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = self.dial.connect(host, port).await.map_err(|fault| reached(&fault))?;
        let stream: Box<dyn Stream> = if is_tls {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| HookFault::Resolution)?;
            let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
            Box::new(tls.map_err(|_| HookFault::Socket)?)
        } else {
            stream
        };
        let request = built(&target, request)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_| HookFault::Socket)?;
        let mut answer = pin!(async move {
            let answer = sender.send_request(request).await.map_err(|_| HookFault::Socket)?;
            read(answer).await
        });
        let mut connection = pin!(connection);
        let mut is_open = true;
        loop {
            tokio::select! {
                biased;
                done = &mut answer => return done,
                _ = &mut connection, if is_open => is_open = false,
            }
        }
    }
}

fn reached(fault: &io::Error) -> HookFault {
    match fault.kind() {
        io::ErrorKind::PermissionDenied => HookFault::NotAllowed,
        io::ErrorKind::NotFound => HookFault::Resolution,
        io::ErrorKind::TimedOut => HookFault::TimedOut,
        _ => HookFault::Socket,
    }
}

fn built(target: &Uri, request: HookRequest) -> Result<Request<Full<Bytes>>, HookFault> {
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let authority = target.authority().map_or("", |authority| authority.as_str());
    let mut built = Request::builder()
        .method(request.method)
        .uri(path)
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, concat!("chancery/", env!("CARGO_PKG_VERSION")));
    for (name, value) in request.headers {
        built = built.header(name, value);
    }
    built.body(Full::new(request.body.into_inner())).map_err(|_| HookFault::Socket)
}

/// Reads an answer as far as the limit. One that breaks off after its head has been answered all the same.
async fn read(answer: ::http::Response<hyper::body::Incoming>) -> Result<HookAnswer, HookFault> {
    let (parts, mut body) = answer.into_parts();
    let mut held = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        let room = MAX_ANSWER - held.len();
        held.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() >= room {
            break;
        }
    }
    let body = base::Personal::new(Bytes::from(held));
    Ok(HookAnswer { status: parts.status.as_u16(), headers: parts.headers, body })
}

impl HookChannel for Webhook {
    fn send(&self, request: HookRequest) -> BoxFuture<'_, Result<HookAnswer, HookFault>> {
        Box::pin(async move {
            let exchange = self.exchange(request);
            tokio::time::timeout(self.longest, exchange).await.unwrap_or(Err(HookFault::TimedOut))
        })
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
