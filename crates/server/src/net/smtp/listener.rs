//! Accepts connections within the limits, and stops them all within a stated time.

use std::net::SocketAddr;
use std::sync::Arc;

use post::smtp::{Profile, Reply, Session};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::Bounds;
use super::places::{Place, Places};
use super::talk::{Pause, Talk};
use crate::channel::postmaster::Postmaster;
use crate::net::Door;
use crate::net::listener::{self, Drained};
use crate::net::stop::Stop;

/// A server of SMTP: one product behind any number of listeners.
pub struct SmtpServer<P> {
    host: Arc<Host<P>>,
    places: Arc<Places>,
}

/// What all its connections share.
pub(super) struct Host<P> {
    pub(super) postmaster: P,
    pub(super) profile: Profile,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) bounds: Bounds,
}

impl<P: Postmaster> SmtpServer<P> {
    /// Of `postmaster`. STARTTLS is offered when there is a configuration for it, whatever the profile says.
    #[must_use]
    pub fn new(
        postmaster: P,
        mut profile: Profile,
        tls: Option<Arc<rustls::ServerConfig>>,
        bounds: Bounds,
    ) -> Self {
        profile.tls = tls.is_some();
        let tls = tls.map(TlsAcceptor::from);
        let places = Places::new(bounds.connections, bounds.per_address);
        Self { host: Arc::new(Host { postmaster, profile, tls, bounds }), places }
    }

    /// Serves until `stop` is raised, then drains: sessions between mails are told to come again, those in the middle of
    /// one may finish it for as long as the limits say.
    pub async fn run(&self, doors: Vec<Door>, stop: &Stop) -> Drained {
        let mut accepting = JoinSet::new();
        for door in doors {
            accepting.spawn(accept(door, Arc::clone(&self.host), Arc::clone(&self.places), stop.clone()));
        }
        let mut connections = Vec::new();
        while let Some(ended) = accepting.join_next().await {
            match ended {
                Ok(open) => connections.push(open),
                Err(fault) => tracing::error!(panicked = fault.is_panic(), "a listener of SMTP ended"),
            }
        }
        listener::drain(connections, stop, self.host.bounds.drain).await
    }
}

/// Accepts until a stop; gives back the connections that are still open.
async fn accept<P: Postmaster>(
    door: Door,
    host: Arc<Host<P>>,
    places: Arc<Places>,
    stop: Stop,
) -> JoinSet<()> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.begun() => return open,
            Some(ended) = open.join_next() => listener::note(ended),
            (stream, peer) = listener::accept_one(&door) => match places.take(peer.ip()) {
                None => send_away(stream).await,
                Some(place) => {
                    let (host, stop) = (Arc::clone(&host), stop.clone());
                    open.spawn(async move { serve(&host, stream, peer, place, stop).await });
                }
            },
        }
    }
}

/// Says that there is no place, without waiting for anything: it fits what the system sends for us.
async fn send_away(mut stream: TcpStream) {
    let mut out = Vec::new();
    Reply::too_many_connections().write(&mut out);
    if stream.try_write(&out).is_ok() {
        let _ = stream.shutdown().await;
    }
}

async fn serve<P: Postmaster>(host: &Host<P>, stream: TcpStream, peer: SocketAddr, place: Place, stop: Stop) {
    let _ = stream.set_nodelay(true);
    let visit = host.postmaster.welcome(peer.ip().to_canonical());
    converse(host, stream, visit, stop).await;
    drop(place);
}

/// One session over `io`, in the clear at first.
pub(super) async fn converse<P, IO>(host: &Host<P>, mut io: IO, visit: P::Visit, stop: Stop)
where
    P: Postmaster,
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = Vec::new();
    let session = Session::new(host.profile.clone(), &mut out);
    let until = Instant::now() + host.bounds.session;
    let mut talk =
        Talk { session, visit, postmaster: &host.postmaster, bounds: host.bounds, stop, until, out };
    if talk.hold(&mut io).await == Pause::StartTls
        && let Some(tls) = &host.tls
        && let Ok(Ok(mut secure)) = timeout(host.bounds.handshake, tls.accept(io)).await
    {
        talk.session.secured();
        // Once is enough: the session refuses a second STARTTLS.
        let _ = talk.hold(&mut secure).await;
    }
}
