//! Events of a session's socket, as one cancel-safe future.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

#[derive(Debug)]
pub(super) enum SocketEvent {
    /// Pending output was written, or the write failed.
    Flushed(Result<(), Error>),
    Frame(Option<Result<Message, Error>>),
}

/// Waits until a started write is complete (`writing`) or a frame has arrived (`reading`).
///
/// One future polls both, because both need the socket mutably. Dropping it loses nothing: a partly written or partly
/// read frame stays in the WebSocket's buffer.
pub(super) async fn event<S>(websocket: &mut WebSocketStream<S>, writing: bool, reading: bool) -> SocketEvent
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| {
        let mut websocket = std::pin::Pin::new(&mut *websocket);
        if writing && let Poll::Ready(result) = websocket.as_mut().poll_flush(cx) {
            return Poll::Ready(SocketEvent::Flushed(result));
        }
        if reading && let Poll::Ready(frame) = websocket.as_mut().poll_next(cx) {
            return Poll::Ready(SocketEvent::Frame(frame));
        }
        Poll::Pending
    })
    .await
}
