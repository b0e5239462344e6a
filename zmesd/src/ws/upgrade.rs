//! From HTTP to WebSocket: who really asks, whether the page may, whether there is room.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::{Callback, ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{CONNECTION, CONTENT_LENGTH};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::admission::{Full, Seat};
use super::meter::Metered;
use super::settings::ServerSettings;
use super::{origin, proxy};

/// Longest message of an app, in bytes: the protocol's limit. Longer ones end the session with 1009.
pub(super) const MAX_MESSAGE: usize = 64 * 1024;
/// Size of the read buffer of a session at rest: the largest share of its memory, and enough for what apps send.
const READ_BUFFER: usize = 1024;
/// Bytes that may wait in a session's write buffer: one replayed frame never comes near.
const MAX_WRITE_BUFFER: usize = 256 * 1024;

/// What a browser or a health check that strays in is told.
const NOT_HTTP: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade, close\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 28\r\n\
    \r\n\
    This port speaks WebSocket.\n";

/// Why there is no WebSocket.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpgradeError {
    /// A valid request that is refused; the peer was told 403 or 429.
    #[error("refused: origin {origin:?}, {full:?}")]
    Refused {
        /// The web page that wanted to connect.
        origin: Option<String>,
        /// There is no room; else it is the page.
        full: Option<Full>,
    },
    /// The peer hung up without a byte of a request.
    #[error("no request")]
    Silent,
    /// HTTP, but no upgrade; the peer was told 426.
    #[error("not a WebSocket request")]
    NotWebSocket,
    /// Not even HTTP, or the connection broke.
    #[error("no HTTP request: {0}")]
    Broken(#[source] Box<Error>),
}

/// Returns how frames are read and written.
pub(super) fn frame_limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// Makes a WebSocket of a byte stream and finds out the client's true address. Needs a deadline around it.
pub(super) async fn upgrade<S>(
    mut stream: S,
    peer: SocketAddr,
    settings: &ServerSettings,
    seat: &mut Seat,
    client: &mut SocketAddr,
) -> Result<WebSocketStream<Metered<S>>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut refused = (None, None);
    *client = peer;
    let doorman = Doorman { settings, seat, client, refused: &mut refused };
    let shaken = accept_hdr_async_with_config(&mut stream, doorman, Some(frame_limits())).await;
    if let Err(error) = shaken {
        let refusal = classify(error, refused);
        if matches!(refusal, UpgradeError::NotWebSocket) {
            stream.write_all(NOT_HTTP).await.ok();
        }
        stream.shutdown().await.ok();
        return Err(refusal);
    }
    // The handshake refuses bytes beyond the request, so the borrowed WebSocket holds nothing that would be lost.
    let stream = Metered::new(stream);
    Ok(WebSocketStream::from_raw_socket(stream, Role::Server, Some(frame_limits())).await)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "foreign enums: what is left is not HTTP")]
fn classify(error: Error, (origin, full): (Option<String>, Option<Full>)) -> UpgradeError {
    match error {
        Error::Http(_) => UpgradeError::Refused { origin, full },
        Error::Protocol(ProtocolError::HandshakeIncomplete) => UpgradeError::Silent,
        Error::Protocol(
            ProtocolError::WrongHttpMethod
            | ProtocolError::WrongHttpVersion
            | ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader
            | ProtocolError::MissingSecWebSocketKey
            | ProtocolError::InvalidSecWebSocketKey,
        ) => UpgradeError::NotWebSocket,
        other => UpgradeError::Broken(Box::new(other)),
    }
}

/// Looks at a valid upgrade request before it is granted. Path and sub-protocols do not matter: old servers took any.
struct Doorman<'a> {
    settings: &'a ServerSettings,
    seat: &'a mut Seat,
    client: &'a mut SocketAddr,
    /// Why it was not granted.
    refused: &'a mut (Option<String>, Option<Full>),
}

impl Callback for Doorman<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let texts =
            |name| request.headers().get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        *self.client = proxy::forwarded(texts("x-forwarded-for"), *self.client, self.settings);
        if !texts("origin").all(|page| origin::welcome(page, &self.settings.allowed_origins)) {
            self.refused.0 = texts("origin").next().map(ToOwned::to_owned);
            return Err(refusal(StatusCode::FORBIDDEN));
        }
        if let Err(full) = self.seat.claim(self.client.ip(), self.settings) {
            self.refused.1 = Some(full);
            return Err(refusal(StatusCode::TOO_MANY_REQUESTS));
        }
        Ok(response)
    }
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
