//! Accepts connections.
//!
//! A [`Listener`] owns one listening socket. It starts a task for each new connection before reading a byte of it, and
//! ends with the stop token; open connections end with the same token.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::context::{WsContext, canonical};
use super::handshake::{NewConnection, refuse};
use super::refusal::HandshakeFailure;
use crate::sockets::{self, AcceptPause, BindError};

/// Maximum number of connections waiting to be accepted: thousands of phones reconnect at once after an outage.
const BACKLOG: i32 = 4096;

#[derive(Debug, thiserror::Error)]
#[error("cannot accept connections on {address}")]
pub struct AcceptError {
    pub address: SocketAddr,
    #[source]
    pub source: io::Error,
}

#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    context: Arc<WsContext>,
}

pub fn bind(addresses: &[SocketAddr]) -> Result<Vec<StdTcpListener>, BindError> {
    sockets::bind_all(addresses, "server.listen", BACKLOG)
}

impl Listener {
    /// Takes a bound socket ([`super::bind()`], or one inherited from systemd). Without TLS it serves `ws://`.
    pub fn new(
        socket: StdTcpListener,
        tls: Option<Arc<ServerConfig>>,
        context: Arc<WsContext>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, tls, context })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. Connections run on `tracker`; each of them ends with `stop`, too, within a few seconds.
    pub async fn run(self, stop: CancellationToken, tracker: TaskTracker) -> Result<(), AcceptError> {
        self.announce();
        let counters = Arc::clone(&self.context.parts.counters);
        let _serving = counters.listeners.enter();
        let mut pause = AcceptPause::new(&self.address);
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    pause.accepted();
                    self.receive(tcp, canonical(peer), &stop, &tracker);
                }
                Err(source) if sockets::is_broken(&source) => {
                    return Err(AcceptError { address: self.address, source });
                }
                Err(source) => pause.failed(&source).await,
            }
        }
    }

    fn receive(&self, tcp: TcpStream, peer: SocketAddr, stop: &CancellationToken, tracker: &TaskTracker) {
        let settings = self.context.settings();
        let limits = &self.context.limits;
        // A proxy's own address says nothing about the client, which is counted once its address is known.
        let known = !settings.trusts(peer.ip());
        let (slot, eviction) = match limits.slot(peer.ip(), known, &settings) {
            Ok(taken) => taken,
            Err(full) => return refuse(&self.context, peer.ip(), &HandshakeFailure::Full(full)),
        };
        let connections = limits.taken();
        debug!(address = %peer, connections, "got a websocket connection from {} ({connections}) active connections", peer.ip());
        let arrival = NewConnection {
            context: Arc::clone(&self.context),
            settings,
            tls: self.tls.clone(),
            slot,
            eviction,
            stop: stop.clone(),
            tracker: tracker.clone(),
        };
        tracker.spawn(arrival.receive(tcp, peer));
    }

    fn announce(&self) {
        if self.tls.is_some() {
            info!("Secure WS(WSS) is enabled...");
        } else {
            info!("Secure WS is disabled...");
        }
        let port = self.address.port();
        info!(address = %self.address, "Web Socket Event Server listening on port {port}");
    }
}
