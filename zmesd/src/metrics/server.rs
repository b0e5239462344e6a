//! The task that serves metrics; a reload moves it to another port or socket.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::Parts;
use super::answer::answer;
use super::bind::{Bound, KEY, MetricsPeer};
use super::gauges::CensusCache;
use crate::config::{MetricsConfig, MetricsListen};
use crate::sockets::{AcceptPause, BindError, BindFault};

/// Connections at a time. A further one closes the oldest, so that stalled clients cannot lock out others.
const CONNECTIONS: usize = 16;
/// Time for the head of a request.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(10);
/// Longest head of a request, in bytes.
const HEAD_MAX: usize = 16 * 1024;
/// Moves that may wait; a further reload is refused.
const MOVES: usize = 4;

#[derive(Debug)]
pub struct Switch(mpsc::Sender<Option<Bound>>);

/// A prepared move: the new socket is bound, and the old one still open.
#[derive(Debug)]
pub struct Move<'a>(Option<(mpsc::Permit<'a, Option<Bound>>, Option<Bound>)>);

/// Returns both ends of the channel that moves the server.
pub fn switch() -> (Switch, mpsc::Receiver<Option<Bound>>) {
    let (places, moves) = mpsc::channel(MOVES);
    (Switch(places), moves)
}

impl Switch {
    /// Binds the socket of `new`, if it differs from that of `old`. Nothing changes until [`Move::make`].
    pub fn prepare(&self, old: &MetricsConfig, new: &MetricsConfig) -> Result<Move<'_>, BindError> {
        if old == new {
            return Ok(Move(None));
        }
        let Some(listen) = new.listen.clone().or_else(|| old.listen.clone()) else { return Ok(Move(None)) };
        let bound = new.listen.as_ref().map(Bound::open).transpose()?;
        let busy = |_| busy(&listen);
        let permit = self.0.try_reserve().map_err(busy)?;
        Ok(Move(Some((permit, bound))))
    }
}

impl Move<'_> {
    pub fn make(self) {
        if let Some((permit, bound)) = self.0 {
            permit.send(bound);
        }
    }
}

/// Serves until `stop`.
///
/// Owns: the listening socket, the connections. Receives: connections, moves. Sends: questions to the router. Ends: when
/// told to; requests under way are dropped.
pub async fn serve(
    mut place: Option<Bound>,
    mut moves: mpsc::Receiver<Option<Bound>>,
    parts: Parts,
    stop: CancellationToken,
) {
    let shared = Arc::new((parts, CensusCache::default()));
    let mut connections = Connections::default();
    let mut pause = AcceptPause::new(&"metrics");
    announce(place.as_ref());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(next) = moves.recv() => {
                // The new one is open already; the old one closes here.
                place = next;
                announce(place.as_ref());
                continue;
            }
            Some(_) = connections.running.join_next() => continue,
            accepted = accept(place.as_ref()) => accepted,
        };
        match accepted {
            Ok(peer) => {
                pause.accepted();
                connections.receive(peer, &shared);
            }
            Err(error) => pause.failed(&error).await,
        }
    }
}

fn busy(listen: &MetricsListen) -> BindError {
    let source = io::ErrorKind::ResourceBusy.into();
    match listen {
        MetricsListen::Port(address) => BindError::port(*address, KEY, source),
        MetricsListen::Socket(path) => BindError::socket(path, KEY, BindFault::Refused(source)),
    }
}

/// Accepts the next connection; never returns while metrics are off. Cancel-safe.
async fn accept(place: Option<&Bound>) -> io::Result<MetricsPeer> {
    match place {
        Some(bound) => bound.accept().await,
        None => std::future::pending().await,
    }
}

fn announce(place: Option<&Bound>) {
    match place.map(Bound::listen) {
        Some(MetricsListen::Port(address)) => info!("Serving metrics on http://{address}/metrics"),
        Some(MetricsListen::Socket(path)) => info!("Serving metrics on {}", path.display()),
        None => debug!("metrics are off"),
    }
}

#[derive(Debug, Default)]
struct Connections {
    running: JoinSet<()>,
    order: VecDeque<AbortHandle>,
}

impl Connections {
    fn receive(&mut self, peer: MetricsPeer, shared: &Arc<(Parts, CensusCache)>) {
        self.order.retain(|connection| !connection.is_finished());
        if self.order.len() >= CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let shared = Arc::clone(shared);
        self.order.push_back(self.running.spawn(converse(peer, shared)));
    }
}

/// Answers one request, then closes: scrapes are seconds apart.
async fn converse(peer: MetricsPeer, shared: Arc<(Parts, CensusCache)>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&request, &shared.0, &shared.1).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(peer), service);
    // Clients that hang up, stall or send nonsense are not logged.
    timeout(DEADLINE, served).await.ok();
}
