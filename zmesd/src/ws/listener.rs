//! Accepting connections.
//!
//! A [`Listener`] owns one listening socket. It receives connections, sends each into a task of its own before
//! reading a byte of it, and ends with the stop token; connections that are open then end by the same token.

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info};

use super::context::{Context, canonical};
use super::handshake::{Arrival, refuse};
use super::refusal::Failure;

/// Pause after the system had no room for another connection.
const OUT_OF_ROOM_PAUSE: Duration = Duration::from_millis(200);

/// The listening socket is broken.
#[derive(Debug, thiserror::Error)]
#[error("cannot accept connections on {address}")]
pub struct AcceptError {
    /// Which address and port.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// One listening socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    context: Arc<Context>,
}

/// What to do about an error of `accept`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// That connection is gone, the next one may be fine.
    Ignore,
    /// The system has no room now.
    Pause,
    /// The socket is broken.
    Fatal,
}

impl Listener {
    /// Takes a bound socket ([`super::bind()`], or one inherited from systemd). Without TLS it speaks `ws://`.
    pub fn new(
        socket: StdTcpListener,
        tls: Option<Arc<ServerConfig>>,
        context: Arc<Context>,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, tls, context })
    }

    /// Returns the address and port that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`. Connections live on `tracker`; each of them ends by `stop` too, within a few seconds.
    pub async fn run(self, stop: CancellationToken, tracker: TaskTracker) -> Result<(), AcceptError> {
        self.announce();
        let counters = Arc::clone(&self.context.parts.counters);
        let _serving = counters.listeners.enter();
        let mut suffering = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    if std::mem::take(&mut suffering) {
                        info!(address = %self.address, "accepting connections again");
                    }
                    self.receive(tcp, canonical(peer), &stop, &tracker);
                }
                Err(source) => match classify(&source) {
                    Verdict::Ignore => {
                        debug!(error = %source, "a connection was gone before it was accepted");
                    }
                    Verdict::Pause => {
                        self.note_suffering(&mut suffering, &source);
                        tokio::time::sleep(OUT_OF_ROOM_PAUSE).await;
                    }
                    Verdict::Fatal => return Err(AcceptError { address: self.address, source }),
                },
            }
        }
    }

    fn receive(&self, tcp: TcpStream, peer: SocketAddr, stop: &CancellationToken, tracker: &TaskTracker) {
        let settings = self.context.settings();
        let admission = &self.context.admission;
        // A proxy's own address says nothing about the client; it is counted when the true one is known.
        let known = !settings.trusts(peer.ip());
        let (seat, eviction) = match admission.seat(peer.ip(), known, &settings) {
            Ok(seated) => seated,
            Err(full) => return refuse(&self.context, peer.ip(), &Failure::Full(full)),
        };
        let connections = admission.taken();
        debug!(address = %peer, connections, "got a websocket connection from {} ({connections}) active connections", peer.ip());
        let arrival = Arrival {
            context: Arc::clone(&self.context),
            settings,
            tls: self.tls.clone(),
            seat,
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

    fn note_suffering(&self, suffering: &mut bool, source: &io::Error) {
        if !std::mem::replace(suffering, true) {
            error!(
                address = %self.address,
                error = source as &dyn std::error::Error,
                "no room for another connection; raise LimitNOFILE= of the service or lower server.max-clients"
            );
        }
    }
}

/// Sorts the errors of `accept(2)`: Linux also hands over errors that the new connection already had.
fn classify(error: &io::Error) -> Verdict {
    let Some(code) = error.raw_os_error() else { return Verdict::Fatal };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "errno has 130 values; what is not named is a broken socket"
    )]
    match Errno::from_raw(code) {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS => Verdict::Pause,
        Errno::ECONNABORTED
        | Errno::ECONNRESET
        | Errno::EINTR
        | Errno::EAGAIN
        | Errno::EPERM
        | Errno::EPROTO
        | Errno::ETIMEDOUT
        | Errno::ENOPROTOOPT
        | Errno::EOPNOTSUPP
        | Errno::ENETDOWN
        | Errno::ENETUNREACH
        | Errno::EHOSTDOWN
        | Errno::EHOSTUNREACH
        | Errno::ENONET => Verdict::Ignore,
        _ => Verdict::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_accept_are_told_apart() {
        let verdict = |errno: Errno| classify(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(verdict(Errno::EMFILE), Verdict::Pause);
        assert_eq!(verdict(Errno::ECONNABORTED), Verdict::Ignore);
        assert_eq!(verdict(Errno::EHOSTUNREACH), Verdict::Ignore);
        assert_eq!(verdict(Errno::EBADF), Verdict::Fatal);
    }
}
