//! From HTTP to WebSocket: the client's address, the page's origin, the connection limits.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::server::{Request, write_response};
use tokio_tungstenite::tungstenite::http::header::UPGRADE;
use tokio_tungstenite::tungstenite::http::{Method, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::authority::HostAuthority;
use super::connection_limits::{ConnectionSlot, LimitReached};
use super::meter::Metered;
use super::picture::PictureAsked;
use super::request::Incoming;
use super::settings::ServerSettings;
use super::snooze::SnoozeAsked;
use super::{origin, picture, proxy, request, snooze};
use crate::ports::PictureDoor;

/// Maximum length of an app's message in bytes: the protocol's limit. Longer ones end the session with 1009.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
/// Size of an idle session's read buffer: the largest share of its memory, and enough for what apps send.
const READ_BUFFER: usize = 1024;
/// Maximum size of a session's write buffer in bytes: far more than one replayed frame.
const MAX_WRITE_BUFFER: usize = 256 * 1024;
/// How long a refused peer may take to close: closing a socket with unread data resets the connection, and the peer
/// might never see the answer.
const LINGER: Duration = Duration::from_secs(1);
/// How many bytes of a refused peer are read and discarded.
const SCRAP: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    /// A valid request from a web page that may not connect; answered with 403.
    #[error("origin not allowed: {0:?}")]
    Origin(String),
    /// A connection limit is reached; answered with 429.
    #[error("refused: {0}")]
    Full(LimitReached),
    /// The peer closed the connection without sending a byte of a request.
    #[error("no request")]
    Silent,
    /// HTTP, but no upgrade, or an upgrade to another version; answered with 426.
    #[error("not a WebSocket request")]
    NotWebSocket,
    /// Violates HTTP or WebSocket; answered with 400 and the reason.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// Larger than any client's request; answered with 431.
    #[error("request too long")]
    TooLong,
    #[error("no HTTP request: {0}")]
    Broken(#[source] Box<Error>),
}

impl From<Error> for UpgradeError {
    fn from(error: Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

impl UpgradeError {
    /// Returns the whole answer, or `None` if the peer has closed the connection.
    fn answer(&self) -> Option<String> {
        let (status, headers, body) = match self {
            Self::Origin(_) => (StatusCode::FORBIDDEN, "", String::new()),
            Self::Full(_) => (StatusCode::TOO_MANY_REQUESTS, "", String::new()),
            Self::NotWebSocket => (
                StatusCode::UPGRADE_REQUIRED,
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                "This port speaks WebSocket.\n".to_owned(),
            ),
            Self::BadRequest(reason) => (StatusCode::BAD_REQUEST, "", format!("{reason}\n")),
            Self::TooLong => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "", String::new()),
            Self::Silent | Self::Broken(_) => return None,
        };
        // RFC 9110 7.8: a sender of `Upgrade` also lists it in `Connection`.
        let connection = if headers.is_empty() { "close" } else { "Upgrade, close" };
        let length = body.len();
        Some(format!(
            "HTTP/1.1 {status}\r\n{headers}Connection: {connection}\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

pub(super) fn frame_limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// The purpose of a connection.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum Upgraded<S> {
    WebSocket(WebSocketStream<Metered<S>>),
    Link(S, LinkAsked),
}

/// What a link is opened for.
#[derive(Debug)]
pub(super) enum LinkAsked {
    Picture(PictureAsked),
    Snooze(SnoozeAsked),
}

/// Turns a byte stream into a WebSocket and finds the client's true address. The caller must set a deadline.
pub(super) async fn upgrade<S>(
    mut stream: S,
    peer: SocketAddr,
    settings: &ServerSettings,
    slot: &mut ConnectionSlot,
    client: &mut SocketAddr,
    pictures: &dyn PictureDoor,
) -> Result<Upgraded<S>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    *client = peer;
    match shake_hands(&mut stream, settings, slot, client, pictures).await {
        Ok(Some(asked)) => Ok(Upgraded::Link(stream, asked)),
        Ok(None) => {
            let stream = Metered::new(stream);
            let websocket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(frame_limits()));
            Ok(Upgraded::WebSocket(websocket.await))
        }
        Err(refusal) => {
            refuse(stream, &refusal).await;
            Err(refusal)
        }
    }
}

/// Reads the request and grants it, or returns which link it opens; `client` is the peer, then the client that a
/// trusted proxy names. Path and sub-protocols do not matter: old servers took any and answered none.
async fn shake_hands<S>(
    stream: &mut S,
    settings: &ServerSettings,
    slot: &mut ConnectionSlot,
    client: &mut SocketAddr,
    pictures: &dyn PictureDoor,
) -> Result<Option<LinkAsked>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Incoming { mut request, posted } = request::read(stream).await?;
    if let Some(asked) = link(&request, posted).filter(|_| pictures.is_open()) {
        *client = proxy::forwarded(texts(&request, "x-forwarded-for"), *client, settings);
        slot.claim(client.ip(), settings).map_err(UpgradeError::Full)?;
        return Ok(Some(asked));
    }
    if posted {
        return Err(UpgradeError::NotWebSocket);
    }
    let response = request::grant(&mut request)?;
    let peer = *client;
    *client = proxy::forwarded(texts(&request, "x-forwarded-for"), peer, settings);
    let foreign = texts(&request, "origin").find(|page| {
        let own = own_names(&request, peer, settings);
        !origin::is_allowed(page, &settings.allowed_origins, &own)
    });
    if let Some(page) = foreign {
        return Err(UpgradeError::Origin(page.to_owned()));
    }
    slot.claim(client.ip(), settings).map_err(UpgradeError::Full)?;
    let mut answer = Vec::new();
    write_response(&mut answer, &response)?;
    let answered = async {
        stream.write_all(&answer).await?;
        stream.flush().await
    };
    answered.await.map_err(|error| UpgradeError::from(Error::from(error)))?;
    Ok(None)
}

/// Returns the link that a request opens; `None`: it asks for something else. A POST is read as a GET.
fn link(request: &Request, posted: bool) -> Option<LinkAsked> {
    if request.method() != Method::GET || request.headers().contains_key(UPGRADE) {
        return None;
    }
    let path = request.uri().path();
    match picture::asked(path).filter(|_| !posted) {
        Some(asked) => Some(LinkAsked::Picture(asked)),
        None => snooze::asked(path, posted).map(LinkAsked::Snooze),
    }
}

/// A trusted proxy may name this server differently, and then forwards the client's name.
fn own_names(request: &Request, peer: SocketAddr, settings: &ServerSettings) -> Vec<HostAuthority> {
    let forwarded = texts(request, "x-forwarded-host").filter(|_| settings.trusts(peer.ip()));
    let forwarded = forwarded.flat_map(|names| names.split(',')).filter_map(HostAuthority::parse);
    request::authority(request).into_iter().chain(forwarded).collect()
}

fn texts<'a>(request: &'a Request, name: &'static str) -> impl DoubleEndedIterator<Item = &'a str> {
    request.headers().get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default())
}

/// Sends the reason to the peer, and waits briefly until it has been read.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, refusal: &UpgradeError) {
    let answered = async {
        if let Some(answer) = refusal.answer() {
            stream.write_all(answer.as_bytes()).await?;
        }
        std::io::Result::Ok(())
    };
    // A peer that does not read the answer has disconnected.
    if matches!(timeout(LINGER, answered).await, Ok(Ok(()))) {
        hang_up(stream).await;
    }
}

/// Closes a connection once the peer has read what was written, or after a moment.
pub(super) async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let closed = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(SCRAP), &mut tokio::io::sink()).await
    };
    timeout(LINGER, closed).await.ok();
}
