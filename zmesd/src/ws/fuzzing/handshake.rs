//! The bytes before the first frame: PROXY header, then the HTTP request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::ports::{NoAnswer, PictureAnswer, PictureDoor};
use crate::protocol::ServerIdentity;
use crate::ws::connection_limits::ConnectionLimits;
use crate::ws::proxy;
use crate::ws::settings::ServerSettings;
use crate::ws::upgrade::{MAX_MESSAGE, UpgradeError, Upgraded, frame_limits, upgrade};

/// Maximum length in bytes of the answer to a request that is no upgrade.
const LONGEST_ANSWER: usize = 1024;
/// Maximum length of a PROXY header in bytes: version 2, with as many bytes after the addresses as are skipped.
const LONGEST_HEADER: usize = 16 + 4096;

/// A handshake never takes longer once the peer has hung up: nothing is waited for.
const LONGEST: Duration = Duration::from_secs(2);

thread_local! {
    /// A refusal lingers under a deadline, which needs a clock.
    static RUNTIME: Option<Runtime> = Builder::new_current_thread().enable_time().build().ok();
}

/// Accepts every link, and has no picture.
#[derive(Debug)]
struct OpenDoor;

#[async_trait]
impl PictureDoor for OpenDoor {
    fn is_open(&self) -> bool {
        true
    }

    async fn picture(&self, _link: &str, _client: IpAddr) -> Result<PictureAnswer, NoAnswer> {
        Err(NoAnswer::None)
    }
}

/// Runs a request, with the frames after it, from a trusted proxy and from an untrusted peer.
pub(crate) fn http_upgrade(bytes: &[u8]) {
    // The handshake reads nothing beyond the request, so the peer pauses there.
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let (request, sent) = bytes.split_at(end);
    let stranger = SocketAddr::from(([192, 0, 2, 7], 4711));
    let client = handshake(request, stranger);
    assert!(client.is_none_or(|client| client == stranger), "a stranger speaks for {client:?}");
    if handshake(request, SocketAddr::from(([10, 0, 0, 1], 4711))).is_some() {
        frames(sent);
    }
}

fn handshake(request: &[u8], from: SocketAddr) -> Option<SocketAddr> {
    let settings = settings();
    let limits = Arc::new(ConnectionLimits::default());
    let (mut slot, _eviction) = limits.slot(from.ip(), !settings.trusts(from.ip()), &settings).ok()?;
    let mut client = from;
    // A peer that has sent everything and hung up.
    let mut peer = tokio::io::join(request, Vec::new());
    let upgraded = upgrade(&mut peer, from, &settings, &mut slot, &mut client, &OpenDoor);
    let outcome = RUNTIME.with(|runtime| {
        runtime.as_ref().map(|runtime| runtime.block_on(async { timeout(LONGEST, upgraded).await }))
    })?;
    assert!(outcome.is_ok(), "the handshake waits for a peer that has hung up");
    let outcome = outcome.ok()?.map(|upgraded| matches!(upgraded, Upgraded::WebSocket(_)).then_some(client));
    let said = String::from_utf8_lossy(peer.writer());
    assert!(said.len() <= LONGEST_ANSWER, "{said}");
    let expected = match &outcome {
        Ok(Some(_)) => "HTTP/1.1 101 ".to_owned(),
        Err(UpgradeError::Origin(_)) => "HTTP/1.1 403 ".to_owned(),
        Err(UpgradeError::Full(_)) => "HTTP/1.1 429 ".to_owned(),
        Err(UpgradeError::NotWebSocket) => "HTTP/1.1 426 ".to_owned(),
        // A request for a picture is answered later.
        Ok(None) | Err(_) => String::new(),
    };
    assert!(said.starts_with(&expected), "{outcome:?} was answered with {said:?}");
    outcome.ok().flatten()
}

/// Reads a client's frames after the handshake: messages keep the limit, and nothing follows the end.
fn frames(sent: &[u8]) {
    let peer = tokio::io::join(sent, Vec::new());
    let limits = Some(frame_limits());
    let Some(mut socket) = WebSocketStream::from_raw_socket(peer, Role::Server, limits).now_or_never() else {
        return;
    };
    // Each message takes at least two bytes; after the last one comes an error or the end.
    for _ in 0..=sent.len() {
        let next = socket.next().now_or_never();
        assert!(next.is_some(), "the socket waits for a peer that has hung up");
        let Some(Some(Ok(message))) = next else { return };
        assert!(message.len() <= MAX_MESSAGE, "a message of {} bytes", message.len());
    }
}

/// Reads the PROXY header before the first byte: to its end, and not a byte further.
pub(crate) fn proxy_header(bytes: &[u8]) {
    let mut rest = bytes;
    let Some(header) = proxy::header(&mut rest, bytes.first().copied()).now_or_never() else { return };
    let taken = bytes.len() - rest.len();
    let line = bytes.first() == Some(&b'P');
    let binary = bytes.first() == Some(&b'\r');
    assert!(line || binary || taken == 0, "what is no header was taken");
    if let Ok(Some(client)) = header {
        assert!(client.ip() == client.ip().to_canonical(), "{client} is not canonical");
        assert!(!line || bytes.get(taken - 1) == Some(&b'\n'), "a line was read beyond its end");
    }
    assert!(taken <= LONGEST_HEADER, "{taken} bytes were taken");
}

fn settings() -> ServerSettings {
    ServerSettings {
        identity: Arc::new(ServerIdentity { version: "7.0.0".to_owned(), server: "zmesd/0.0.0".to_owned() }),
        max_clients: 10,
        max_clients_per_address: 10,
        trusted_proxies: "10.0.0.0/8".parse().into_iter().collect(),
        allowed_origins: vec!["https://zm.example.org".to_owned()],
        push: true,
        auth_timeout: Duration::from_secs(20),
    }
}
