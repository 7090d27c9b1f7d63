//! Accepts connections up to the limit, gives each its TLS handshake, and stops them all within a stated time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Limits};
use tokio::io::{AsyncRead, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::Service;
use super::connection::{self, Shared};
use super::door::{Arrival, Door, Way};
use super::peer::{Entrance, Peer};
use super::progress::Timeouts;
use super::proxy::{self, Balancers};
use super::stop::{Stop, StopStage};

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
    reception: Arc<Reception<S>>,
    places: Arc<Semaphore>,
}

/// What each connection needs until it is served.
struct Reception<S> {
    shared: Shared<S>,
    tls: TlsAcceptor,
    /// For the operator's listener.
    operator_tls: TlsAcceptor,
    /// The balancers that tell whose connection they hand on.
    balancers: Balancers,
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
        let tls = TlsAcceptor::from(tls);
        let shared = Shared::new(service, clock, timeouts);
        let operator_tls = tls.clone();
        let reception = Reception { shared, tls, operator_tls, balancers: Balancers::default() };
        let places = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
        Self { reception: Arc::new(reception), places }
    }

    /// The same, with another configuration at the operator's listener, and behind these balancers.
    ///
    /// # Panics
    /// When it runs already.
    #[must_use]
    pub fn with(mut self, operator_tls: Option<Arc<rustls::ServerConfig>>, balancers: Balancers) -> Self {
        let reception = Arc::get_mut(&mut self.reception).expect("it does not run yet");
        if let Some(tls) = operator_tls {
            reception.operator_tls = TlsAcceptor::from(tls);
        }
        reception.balancers = balancers;
        self
    }

    /// Serves until `stop` is raised, then drains: waits for requests under way for as long as the limits say, and
    /// cuts the rest.
    pub async fn run(&self, ways: Vec<Way>, stop: &Stop) -> Drained {
        let mut accepting = JoinSet::new();
        for way in ways {
            let (reception, places) = (Arc::clone(&self.reception), Arc::clone(&self.places));
            accepting.spawn(accept(way, reception, places, stop.clone()));
        }
        let mut connections = Vec::new();
        while let Some(ended) = accepting.join_next().await {
            match ended {
                Ok(open) => connections.push(open),
                Err(fault) => tracing::error!(panicked = fault.is_panic(), "a listener ended"),
            }
        }
        drain(connections, stop, self.reception.shared.timeouts.drain).await
    }
}

/// Accepts until a stop; gives back the connections that are still open.
async fn accept<S: Service>(
    way: Way,
    reception: Arc<Reception<S>>,
    places: Arc<Semaphore>,
    stop: Stop,
) -> JoinSet<()> {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stop.begun() => return open,
            Some(ended) = open.join_next() => note(ended),
            next = next_connection(&way, &places) => {
                let (place, arrival) = next;
                let (reception, stop) = (Arc::clone(&reception), stop.clone());
                open.spawn(async move {
                    receive(&reception, arrival, &stop).await;
                    drop(place);
                });
            }
        }
    }
}

/// Waits for a free place, then for who wants it. A place that is not used is given back by dropping it.
async fn next_connection(way: &Way, places: &Arc<Semaphore>) -> (Option<OwnedSemaphorePermit>, Arrival) {
    // The semaphore is never closed; should it be, connections are no longer counted rather than no longer served.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let arrival = way.next().await;
    (place, arrival)
}

/// Hears who it is, agrees on how to speak, and serves.
async fn receive<S: Service>(reception: &Reception<S>, arrival: Arrival, stop: &Stop) {
    let Reception { shared, .. } = reception;
    match arrival {
        Arrival::Unix(mut stream) => {
            let told = match reception.balancers.at_sockets {
                true => {
                    timeout(shared.timeouts.handshake, told(&mut stream, "a socket")).await.ok().flatten()
                }
                false => Some(None),
            };
            if let Some(address) = told {
                let peer = Peer::of_this_machine(address);
                connection::serve(shared, BufStream::new(stream), peer, stop.signal()).await;
            }
        }
        Arrival::Tcp(mut stream, from, Entrance::Plain) => {
            let told = timeout(shared.timeouts.handshake, reception.client_of(&mut stream, from)).await;
            if let Ok(Some(address)) = told {
                let peer = Peer::in_the_open(address);
                connection::serve(shared, BufStream::new(stream), peer, stop.signal()).await;
            }
        }
        Arrival::Tcp(stream, from, entrance) => {
            let secured = timeout(shared.timeouts.handshake, reception.secure(stream, from, entrance)).await;
            if let Ok(Some((stream, address))) = secured {
                let peer = Peer::secured(address, entrance, stream.get_ref().1);
                connection::serve(shared, stream, peer, stop.signal()).await;
            }
        }
    }
}

impl<S> Reception<S> {
    /// Whose connection it is; `None` when a balancer does not say so as it must.
    async fn client_of(&self, stream: &mut TcpStream, from: IpAddr) -> Option<IpAddr> {
        match self.balancers.include(from) {
            true => told(stream, &from.to_string()).await.map(|told| told.unwrap_or(from)),
            false => Some(from),
        }
    }

    /// The balancer's word and the TLS handshake; `None` when they failed, which is the client's affair.
    async fn secure(
        &self,
        mut stream: TcpStream,
        from: IpAddr,
        entrance: Entrance,
    ) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, IpAddr)> {
        let _ = stream.set_nodelay(true);
        let address = self.client_of(&mut stream, from).await?;
        let mut first = [0; 1];
        if stream.peek(&mut first).await.ok()? == 1 && first[0] != TLS_HANDSHAKE {
            speak_https(stream, first[0]).await;
            return None;
        }
        let tls = if entrance == Entrance::Operator { &self.operator_tls } else { &self.tls };
        let secured = tls.accept(stream).await;
        let secured = secured.inspect_err(|fault| tracing::debug!(kind = ?fault.kind(), "no handshake"));
        Some((secured.ok()?, address))
    }
}

/// What a balancer tells of its client; `None` when it does not say it as it must.
async fn told<IO: AsyncRead + Unpin>(stream: &mut IO, balancer: &str) -> Option<Option<IpAddr>> {
    let told = proxy::read_header(stream).await;
    told.inspect_err(|fault| tracing::warn!(balancer, kind = ?fault.kind(), "no PROXY header of version 2"))
        .ok()
}

/// The next connection at `door`.
pub(super) async fn accept_one(door: &Door) -> (TcpStream, SocketAddr) {
    door.next().await
}

pub(super) fn note(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|fault| fault.is_panic()) {
        tracing::error!("a connection's task panicked");
    }
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
