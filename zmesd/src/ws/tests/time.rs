//! Deadlines, on a paused clock and a pipe instead of a socket.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::settings;
use super::world::{Heard, parts};
use crate::route::{CloseReason, Outgoing, SessionOpening};
use crate::ws::pump::Pump;
use crate::ws::upgrade::frame_limits;
use crate::ws::{Context, ServerSettings};

struct Pipe {
    app: WebSocketStream<DuplexStream>,
    opening: SessionOpening,
    heard: mpsc::Receiver<Heard>,
}

async fn pump_on(
    stream: DuplexStream,
) -> (Pump<DuplexStream>, SessionOpening, oneshot::Receiver<CloseReason>, mpsc::Receiver<Heard>) {
    // An app that never shows credentials would end these tests early.
    let settings = ServerSettings { auth_timeout: Duration::from_hours(1), ..settings() };
    let (parts, _, _, heard) = parts();
    let context = Context::new(parts, settings.clone());
    let seat = context.admission.seat(&settings).unwrap();
    let websocket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(frame_limits())).await;
    let address = "192.0.2.7:4711".parse().unwrap();
    let (pump, opening, kick) = Pump::new(websocket, address, seat, context, &settings);
    (pump, opening, kick, heard)
}

async fn pipe() -> Pipe {
    let (near, far) = tokio::io::duplex(4096);
    let (pump, opening, kick, heard) = pump_on(near).await;
    TaskTracker::new().spawn(pump.run(kick, CancellationToken::new()));
    let app = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    Pipe { app, opening, heard }
}

#[tokio::test(start_paused = true)]
async fn a_silent_app_is_pinged_and_lives() {
    let mut pipe = pipe().await;
    let start = Instant::now();
    for round in 1..=3 {
        assert!(matches!(pipe.app.next().await, Some(Ok(Message::Ping(_)))));
        assert_eq!(start.elapsed().as_secs(), round * 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_app_is_given_up_after_twice_20_seconds() {
    let mut pipe = pipe().await;
    let start = Instant::now();
    assert_eq!(pipe.heard.recv().await, Some(Heard::Closed("no pong")));
    assert_eq!(start.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_does_not_leave_in_10_seconds_ends_the_session() {
    let mut pipe = pipe().await;
    let start = Instant::now();
    let big: Utf8Bytes = "x".repeat(100_000).into();
    pipe.opening.outbox.try_send(Outgoing::Frame(big)).unwrap();
    assert_eq!(pipe.heard.recv().await, Some(Heard::Closed("does not read")));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_is_gone_ends_the_session() {
    let mut pipe = pipe().await;
    drop(pipe.opening);
    let Some(Ok(Message::Close(Some(frame)))) = pipe.app.next().await else { panic!("no close frame") };
    assert_eq!(u16::from(frame.code), 1001);
}

#[tokio::test]
async fn a_session_at_rest_is_small() {
    let (near, _far) = tokio::io::duplex(64);
    let (pump, _, kick, _heard) = pump_on(near).await;
    let over_a_pipe = size_of_val(&pump.run(kick, CancellationToken::new()));
    let over_tls = over_a_pipe - size_of::<DuplexStream>()
        + size_of::<tokio_rustls::server::TlsStream<tokio::net::TcpStream>>();
    assert!(over_tls < 4096, "{over_tls} bytes over TLS, {over_a_pipe} over a pipe");
}
