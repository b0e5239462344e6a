//! A connection's own task until its session begins: PROXY header, TLS, HTTP upgrade, each under a deadline.
//!
//! Owns the socket and its place among the handshakes. Ends by handing the WebSocket to a [`Pump`] in a task of its
//! own: this task's future is ten times as big, and nothing of it should outlive the handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::admission::{Full, HandshakePermit, Seat};
use super::context::Context;
use super::proxy::{self, ProxyError};
use super::pump::Pump;
use super::settings::ServerSettings;
use super::upgrade::{UpgradeError, upgrade};
use crate::route::Busy;

/// Time for the PROXY header and for TLS, each.
const TLS_DEADLINE: Duration = Duration::from_secs(5);
/// Time for the HTTP request and its answer.
const UPGRADE_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes that TLS keeps of what a slow client does not take; the pump's write deadline ends it soon after.
const TLS_BUFFER: usize = 16 * 1024;
/// Bytes that the kernel keeps of what a peer does not take (`TCP_NOTSENT_LOWAT`), beside what is on its way.
///
/// Without it a socket's buffer grows to 4 MB (`tcp_wmem`), and a client that never reads fills it. `SO_SNDBUF` would
/// bound what is on its way too, and with it the speed over long lines: 64 KiB at 300 ms are 200 KB a second.
const UNSENT: u32 = 64 * 1024;

/// Somebody at the door.
pub(super) struct Arrival {
    /// What all share.
    pub(super) context: Arc<Context>,
    /// The settings when it came.
    pub(super) settings: Arc<ServerSettings>,
    /// How TLS is spoken, if it is.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Its place in the house.
    pub(super) seat: Seat,
    /// Its place among the handshakes.
    pub(super) permit: HandshakePermit,
    /// Ends it.
    pub(super) stop: CancellationToken,
    /// Where its session will live.
    pub(super) tracker: TaskTracker,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    #[error(transparent)]
    Full(#[from] Full),
    #[error("no TLS: {0}")]
    Tls(#[source] std::io::Error),
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    #[error("nothing heard in time: {0}")]
    Timeout(&'static str),
    #[error("others waited")]
    Crowded,
}

impl Arrival {
    /// Leads somebody in, or not.
    pub(super) async fn receive(self, tcp: TcpStream, peer: SocketAddr) {
        let Self { context, settings, tls, seat, mut permit, stop, tracker } = self;
        let counters = Arc::clone(&context.parts.counters);
        let _inside = counters.handshakes.enter();
        let hall = Hall { context, settings, stop: stop.clone(), tracker };
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = permit.crowded_out() => Err(Failure::Crowded),
            outcome = hall.lead_in(tcp, peer, tls, seat) => outcome,
        };
        if let Err(failure) = outcome {
            counters.rejected.increment();
            debug!(address = %peer, reason = %failure, "Rejecting {} - no handshake", peer.ip());
        }
    }
}

/// Where a session will live.
struct Hall {
    context: Arc<Context>,
    settings: Arc<ServerSettings>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Hall {
    async fn lead_in(
        self,
        mut tcp: TcpStream,
        peer: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        mut seat: Seat,
    ) -> Result<(), Failure> {
        // Frames are small and must not wait for each other. A socket that refuses is about to break anyway.
        tcp.set_nodelay(true).ok();
        SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT).ok();
        let mut client = peer;
        if self.settings.trusts(peer.ip()) {
            let header = timeout(TLS_DEADLINE, proxy::read_header(&mut tcp)).await;
            if let Some(proxied) = header.map_err(|_| Failure::Timeout("PROXY header"))?? {
                client = proxied;
            }
            if !self.settings.trusts(client.ip()) {
                seat.claim(client.ip(), &self.settings)?;
            }
        }
        let Some(tls) = tls else { return self.begin(tcp, client, seat).await };
        let accept = TlsAcceptor::from(tls)
            .accept_with(tcp, |connection| connection.set_buffer_limit(Some(TLS_BUFFER)));
        let stream = timeout(TLS_DEADLINE, accept)
            .await
            .map_err(|_| Failure::Timeout("TLS"))?
            .map_err(Failure::Tls)?;
        self.begin(stream, client, seat).await
    }

    async fn begin<S>(self, stream: S, client: SocketAddr, mut seat: Seat) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let upgraded = timeout(UPGRADE_DEADLINE, upgrade(stream, client, &self.settings, &mut seat)).await;
        let (websocket, client) = upgraded.map_err(|_| Failure::Timeout("HTTP request"))??;
        let router = self.context.parts.router.clone();
        let (pump, opening, kick) = Pump::new(websocket, client, seat, self.context, &self.settings);
        match router.open(opening).await {
            Ok(()) => self.tracker.spawn(pump.run(kick, self.stop)),
            Err(Busy) => self.tracker.spawn(pump.refuse()),
        };
        Ok(())
    }
}
