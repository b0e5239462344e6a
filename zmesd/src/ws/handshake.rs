//! Runs a connection until its session begins: PROXY header, TLS, HTTP upgrade, each with a deadline.
//!
//! Owns the socket and its turn. Ends by handing the WebSocket to a [`Pump`] in a separate task: this task's future is
//! ten times as big and should not outlive the handshake.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::connection_limits::{ConnectionSlot, Eviction, UNDISTURBED};
use super::context::WsContext;
use super::meter::Metered;
use super::picture;
use super::proxy;
use super::pump::Pump;
use super::refusal::{HandshakeFailure, TlsStage};
use super::settings::ServerSettings;
use super::snooze;
use super::upgrade::{LinkAsked, UpgradeError, Upgraded, upgrade};
use crate::ports::covers;
use crate::route::Busy;
use crate::telemetry::Refusal;

/// How long to wait for a turn.
const TURN_DEADLINE: Duration = Duration::from_secs(5);
/// Deadline for the PROXY header, and for TLS.
const TLS_DEADLINE: Duration = Duration::from_secs(5);
/// Deadline for the HTTP request and its answer.
const UPGRADE_DEADLINE: Duration = Duration::from_secs(5);
/// How many bytes TLS buffers for a slow client; the pump's write deadline ends the session soon after.
const TLS_BUFFER: usize = 16 * 1024;
/// How many unsent bytes the kernel buffers per socket (`TCP_NOTSENT_LOWAT`), in addition to those in flight.
///
/// Without it, a socket's buffer grows to 4 MB (`tcp_wmem`), and a client that never reads fills it. `SO_SNDBUF` would
/// also limit the bytes in flight, and with them the speed over long distances: 64 KiB at 300 ms are 200 KB a second.
const UNSENT: u32 = 64 * 1024;
/// The first byte of a TLS connection: a handshake record (RFC 8446 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// The answer to plain HTTP on a TLS port.
const USE_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Connection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 34\r\n\
    \r\n\
    This port speaks TLS: use wss://.\n";

pub(super) struct NewConnection {
    pub(super) context: Arc<WsContext>,
    pub(super) settings: Arc<ServerSettings>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) slot: ConnectionSlot,
    pub(super) eviction: Eviction,
    pub(super) stop: CancellationToken,
    pub(super) tracker: TaskTracker,
}

/// The stream of a connection that does not speak WebSocket.
trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
enum OpenSocket {
    Secure(WebSocketStream<Metered<TlsStream<TcpStream>>>),
    Plain(WebSocketStream<Metered<TcpStream>>),
    Link(Box<dyn ByteStream>, LinkAsked),
}

impl NewConnection {
    pub(super) async fn receive(mut self, tcp: TcpStream, peer: SocketAddr) {
        let counters = Arc::clone(&self.context.parts.counters);
        let _inside = counters.handshakes.enter();
        let tls = self.tls.take();
        let mut handshake = Handshake {
            context: &self.context,
            settings: &self.settings,
            client: peer,
            slot: &mut self.slot,
        };
        let outcome = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            () = self.eviction.told() => Err(HandshakeFailure::Displaced),
            outcome = handshake.run(tcp, tls) => outcome,
        };
        let client = handshake.client;
        match outcome {
            Ok(OpenSocket::Secure(websocket)) => self.start(websocket, client).await,
            Ok(OpenSocket::Plain(websocket)) => self.start(websocket, client).await,
            Ok(OpenSocket::Link(stream, asked)) => self.show(stream, &asked, client.ip()).await,
            Err(failure) => refuse(&self.context, client.ip(), &failure),
        }
    }

    /// Answers who opens a link. The turn at the handshakes has ended, the place among the connections has not.
    async fn show(self, stream: Box<dyn ByteStream>, asked: &LinkAsked, client: IpAddr) {
        let Self { context, slot: _slot, mut eviction, stop, .. } = self;
        let (pictures, snoozes) = (&*context.parts.pictures, &*context.parts.snoozes);
        let served = async {
            match asked {
                LinkAsked::Picture(asked) => picture::serve(stream, asked, client, pictures).await,
                LinkAsked::Snooze(asked) => snooze::serve(stream, asked, client, snoozes).await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = eviction.told() => {}
            () = served => {}
        }
    }

    async fn start<S>(self, websocket: WebSocketStream<Metered<S>>, client: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { context, settings, slot, eviction, stop, tracker, .. } = self;
        let router = context.parts.router.clone();
        let (pump, opening, kick) = Pump::new(websocket, client, (slot, eviction), context, settings);
        match router.open(opening).await {
            Ok(()) => tracker.spawn(pump.run(kick, stop)),
            Err(Busy) => tracker.spawn(pump.refuse()),
        };
    }
}

pub(super) fn refuse(context: &WsContext, address: IpAddr, failure: &HandshakeFailure) {
    let names = || context.parts.certificate.summary().map_or_else(Vec::new, |summary| summary.sans);
    let Some((reason, detail)) = failure.reason(|name| covers(&names(), name)) else {
        debug!(%address, reason = %failure, "a connection ended before its session began");
        return;
    };
    debug!(%address, reason = %failure, "Rejecting {address} - no handshake");
    let refusal = Refusal::new(address, reason).detail(detail);
    context.parts.counters.refuse(refusal, context.parts.clock.now());
}

struct Handshake<'a> {
    context: &'a WsContext,
    settings: &'a ServerSettings,
    client: SocketAddr,
    slot: &'a mut ConnectionSlot,
}

impl Handshake<'_> {
    /// Waits for the first byte, then for a turn, so that silent connections delay no others, not even at the same
    /// address.
    async fn run(
        &mut self,
        mut tcp: TcpStream,
        tls: Option<Arc<ServerConfig>>,
    ) -> Result<OpenSocket, HandshakeFailure> {
        // Frames are small and must not wait for each other. If the socket refuses, it is about to break anyway.
        tcp.set_nodelay(true).ok();
        SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT).ok();
        if self.settings.trusts(self.client.ip()) {
            let header = timeout(TLS_DEADLINE, proxy::read_header(&mut tcp)).await;
            if let Some(proxied) = header.map_err(|_| HandshakeFailure::Timeout("PROXY header"))?? {
                self.client = proxied;
            }
            if !self.settings.trusts(self.client.ip()) {
                self.slot.claim(self.client.ip(), self.settings)?;
            }
        }
        let first = timeout(TLS_DEADLINE, first_byte(&tcp)).await;
        let first =
            first.map_err(|_| HandshakeFailure::Timeout("the first byte"))?.ok_or(HandshakeFailure::Left)?;
        self.slot.pass(self.settings)?;
        let known = !self.settings.trusts(self.client.ip());
        let turn = self.context.limits.handshake(self.client, known);
        let turn = timeout(TURN_DEADLINE, turn).await.map_err(|_| HandshakeFailure::Displaced)??;
        tokio::select! {
            biased;
            // This handshake takes long, and other connections are waiting.
            () = turn.give_way(UNDISTURBED) => Err(HandshakeFailure::Displaced),
            outcome = self.shake(tcp, tls, first) => outcome,
        }
    }

    async fn shake(
        &mut self,
        mut tcp: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        first: u8,
    ) -> Result<OpenSocket, HandshakeFailure> {
        match tls {
            None if first == TLS_HANDSHAKE => Err(HandshakeFailure::Encrypted),
            None => Ok(match self.upgrade(tcp, None).await? {
                Upgraded::WebSocket(websocket) => OpenSocket::Plain(websocket),
                Upgraded::Link(tcp, asked) => OpenSocket::Link(Box::new(tcp), asked),
            }),
            Some(_) if first.is_ascii_uppercase() => {
                tcp.write_all(USE_TLS).await.ok();
                tcp.shutdown().await.ok();
                Err(HandshakeFailure::Plain)
            }
            Some(tls) => {
                let shaken = timeout(TLS_DEADLINE, secure(tcp, tls)).await;
                let (stream, asked) = shaken.map_err(|_| HandshakeFailure::Timeout("TLS"))??;
                Ok(match self.upgrade(stream, asked).await? {
                    Upgraded::WebSocket(websocket) => OpenSocket::Secure(websocket),
                    Upgraded::Link(stream, asked) => OpenSocket::Link(Box::new(stream), asked),
                })
            }
        }
    }

    async fn upgrade<S>(&mut self, stream: S, asked: Option<String>) -> Result<Upgraded<S>, HandshakeFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let peer = self.client;
        let pictures = &*self.context.parts.pictures;
        let upgraded = upgrade(stream, peer, self.settings, self.slot, &mut self.client, pictures);
        let upgraded = timeout(UPGRADE_DEADLINE, upgraded).await;
        match upgraded.map_err(|_| HandshakeFailure::Timeout("HTTP request"))? {
            Ok(upgraded) => Ok(upgraded),
            Err(UpgradeError::Silent) => Err(HandshakeFailure::Silent(asked)),
            Err(error) => Err(HandshakeFailure::Upgrade(error)),
        }
    }
}

/// Peeks at the first byte; `None` if the client hung up without sending one.
async fn first_byte(tcp: &TcpStream) -> Option<u8> {
    let mut first = [0];
    match tcp.peek(&mut first).await {
        Ok(1..) => Some(first[0]),
        Ok(0) | Err(_) => None,
    }
}

async fn secure(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
) -> Result<(TlsStream<TcpStream>, Option<String>), HandshakeFailure> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), tcp).await;
    let hello = hello.map_err(|error| HandshakeFailure::Tls { stage: TlsStage::Hello, error })?;
    let asked = hello.client_hello().server_name().map(ToOwned::to_owned);
    let accept = hello.into_stream_with(tls, |connection| connection.set_buffer_limit(Some(TLS_BUFFER)));
    match accept.await {
        Ok(stream) => Ok((stream, asked)),
        Err(error) => Err(HandshakeFailure::Tls { stage: TlsStage::Shown(asked), error }),
    }
}
