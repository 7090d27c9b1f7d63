//! Accepts connections up to the limit, gives each its TLS handshake, and stops them all within a stated time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Limits};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::Service;
use super::connection::{self, Shared};
use super::progress::Timeouts;
use super::stop::{Stop, StopStage};

/// How many connections the system holds for us while the limit is reached.
const BACKLOG: u32 = 4096;
/// How long accepting rests after a failure of the machine (no file handles left, say).
const REST: Duration = Duration::from_millis(100);
/// After the time for draining is over: for the last answers to go out.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The first byte of a TLS record that carries a handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// What a client gets that speaks plain HTTP to the TLS port.
const SPEAK_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: text/plain; charset=utf-8\r\n\
    content-length: 49\r\n\
    connection: close\r\n\
    \r\n\
    This port speaks HTTPS. Use an https:// address.\n";

/// An address that is listened at. Connections wait in the system's queue until a server runs on it.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Where it is, with the port that was found.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens at `address`; port 0 takes a free one. Call it within a Tokio runtime.
///
/// # Errors
/// When the address is taken, not of this machine, or not permitted.
pub fn bind(address: SocketAddr) -> io::Result<Door> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    Ok(Door { address: listener.local_addr()?, listener })
}

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that ended by themselves within the time.
    pub finished: usize,
    /// Connections that had to be cut.
    pub cut: usize,
    /// How long it took.
    pub took: Duration,
}

/// A server: one service behind any number of listeners.
pub struct Server<S> {
    shared: Arc<Shared<S>>,
    tls: TlsAcceptor,
    places: Arc<Semaphore>,
}

impl<S: Service> Server<S> {
    /// Of `service`, with the timeouts and the number of connections of `limits`.
    #[must_use]
    pub fn new(
        service: Arc<S>,
        tls: Arc<rustls::ServerConfig>,
        clock: Arc<dyn Clock>,
        limits: &Limits,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            shared: Arc::new(Shared::new(service, clock, timeouts)),
            tls: TlsAcceptor::from(tls),
            places: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Serves until `stop` is raised, then drains: waits for requests under way for as long as the limits say, and
    /// cuts the rest.
    pub async fn run(&self, doors: Vec<Door>, stop: &Stop) -> Drained {
        let mut accepting = JoinSet::new();
        for door in doors {
            accepting.spawn(accept(
                door.listener,
                Arc::clone(&self.shared),
                self.tls.clone(),
                Arc::clone(&self.places),
                stop.clone(),
            ));
        }
        let mut connections = Vec::new();
        while let Some(ended) = accepting.join_next().await {
            match ended {
                Ok(open) => connections.push(open),
                Err(fault) => tracing::error!(panicked = fault.is_panic(), "a listener ended"),
            }
        }
        drain(connections, stop, self.shared.timeouts.drain).await
    }
}

/// Accepts until a stop; gives back the connections that are still open.
async fn accept<S: Service>(
    listener: TcpListener,
    shared: Arc<Shared<S>>,
    tls: TlsAcceptor,
    places: Arc<Semaphore>,
    stop: Stop,
) -> JoinSet<()> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.begun() => return open,
            Some(ended) = open.join_next() => note(ended),
            next = next_connection(&listener, &places) => {
                let (place, stream, peer) = next;
                let (shared, tls, signal) = (Arc::clone(&shared), tls.clone(), stop.signal());
                open.spawn(async move {
                    if let Some(stream) = secure(stream, tls, shared.timeouts.handshake).await {
                        connection::serve(&*shared, stream, peer.ip(), signal).await;
                    }
                    drop(place);
                });
            }
        }
    }
}

/// Waits for a free place, then for who wants it. A place that is not used is given back by dropping it.
async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (Option<OwnedSemaphorePermit>, TcpStream, SocketAddr) {
    // The semaphore is never closed; should it be, connections are no longer counted rather than no longer served.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, peer) = accepted(listener).await;
    (place, stream, peer)
}

/// The next connection at `door`.
pub(super) async fn accept_one(door: &Door) -> (TcpStream, SocketAddr) {
    accepted(&door.listener).await
}

async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(fault) => {
                tracing::warn!(kind = ?fault.kind(), "cannot accept a connection");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

pub(super) fn note(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|fault| fault.is_panic()) {
        tracing::error!("a connection's task panicked");
    }
}

/// The TLS handshake; `None` when it failed or took too long, which is the client's affair.
async fn secure(
    stream: TcpStream,
    tls: TlsAcceptor,
    time: Duration,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let _ = stream.set_nodelay(true);
    timeout(time, async move {
        let mut first = [0; 1];
        if stream.peek(&mut first).await.ok()? == 1 && first[0] != TLS_HANDSHAKE {
            speak_https(stream, first[0]).await;
            return None;
        }
        tls.accept(stream)
            .await
            .inspect_err(|fault| tracing::debug!(kind = ?fault.kind(), "no handshake"))
            .ok()
    })
    .await
    .ok()
    .flatten()
}

/// Tells who begins with a letter, as every HTTP request does, that this port speaks HTTPS; others get nothing.
async fn speak_https(mut stream: TcpStream, first: u8) {
    if first.is_ascii_uppercase() && stream.write_all(SPEAK_HTTPS).await.is_ok() {
        let _ = stream.shutdown().await;
        let mut sink = [0; 512];
        // Read until the client closes, so that it gets the answer; the handshake's time bounds it.
        while matches!(tokio::io::AsyncReadExt::read(&mut stream, &mut sink).await, Ok(1..)) {}
    }
}

/// Waits for `connections` to end, for `time` or until a stop is to be a cut; cuts what is left then.
pub(super) async fn drain(connections: Vec<JoinSet<()>>, stop: &Stop, time: Duration) -> Drained {
    let begun = Instant::now();
    let total: usize = connections.iter().map(JoinSet::len).sum();
    let mut open = connections;
    tokio::select! {
        _ = timeout_at(begun + time, all_ended(&mut open)) => {}
        () = stop.reached(StopStage::Cut) => {}
    }
    let cut = open.iter().map(JoinSet::len).sum();
    if cut > 0 {
        stop.cut();
        let _ = timeout(LAST_WORDS, all_ended(&mut open)).await;
        for set in &mut open {
            set.shutdown().await;
        }
    }
    Drained { finished: total - cut, cut, took: begun.elapsed() }
}

async fn all_ended(open: &mut [JoinSet<()>]) {
    for set in open {
        while let Some(ended) = set.join_next().await {
            note(ended);
        }
    }
}
