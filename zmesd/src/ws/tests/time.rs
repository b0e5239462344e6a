//! Deadlines, on a paused clock and a pipe instead of a socket.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::settings;
use super::world::{Heard, ScriptedLogin, parts};
use crate::route::{CloseReason, Outgoing, SessionOpening};
use crate::ws::meter::Metered;
use crate::ws::pump::Pump;
use crate::ws::upgrade::frame_limits;
use crate::ws::{ServerSettings, WsContext};

struct Pipe {
    app: WebSocketStream<DuplexStream>,
    opening: SessionOpening,
    heard: mpsc::Receiver<Heard>,
    login: Arc<ScriptedLogin>,
}

/// A session that is not running yet, on one end of a pipe.
struct Resting {
    pump: Pump<DuplexStream>,
    opening: SessionOpening,
    kick: oneshot::Receiver<CloseReason>,
    heard: mpsc::Receiver<Heard>,
    login: Arc<ScriptedLogin>,
}

async fn rest_on(stream: DuplexStream, auth_timeout: Duration) -> Resting {
    let settings = ServerSettings { auth_timeout, ..settings() };
    let (parts, _, login, heard) = parts();
    let context = WsContext::new(parts, settings.clone());
    let address: std::net::SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let place = context.limits.slot(address.ip(), true, &settings).unwrap();
    let stream = Metered::new(stream);
    let websocket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(frame_limits())).await;
    let (pump, opening, kick) = Pump::new(websocket, address, place, context, Arc::new(settings));
    Resting { pump, opening, kick, heard, login }
}

async fn pipe_with(auth_timeout: Duration) -> Pipe {
    let (near, far) = tokio::io::duplex(4096);
    let Resting { pump, opening, kick, heard, login } = rest_on(near, auth_timeout).await;
    TaskTracker::new().spawn(pump.run(kick, CancellationToken::new()));
    let app = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
    Pipe { app, opening, heard, login }
}

/// Returns a pipe to an app that may delay its credentials.
async fn pipe() -> Pipe {
    pipe_with(Duration::from_hours(1)).await
}

const SLOW: &str = r#"{"event":"auth","data":{"user":"slow","password":"secret"}}"#;

#[tokio::test(start_paused = true)]
async fn the_time_for_credentials_does_not_run_while_the_daemon_is_slow() {
    let mut pipe = pipe_with(Duration::from_secs(20)).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    pipe.app.send(Message::text(SLOW)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    pipe.login.release.notify_one();
    let Some(Ok(Message::Text(text))) = pipe.app.next().await else { panic!("no answer") };
    assert!(text.contains("Success"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_verdict_that_does_not_come_is_1013_and_no_badauth() {
    let mut pipe = pipe().await;
    let start = Instant::now();
    pipe.app.send(Message::text(SLOW)).await.unwrap();
    let Some(Ok(Message::Close(Some(frame)))) = pipe.app.next().await else { panic!("no close frame") };
    assert_eq!((u16::from(frame.code), start.elapsed().as_secs()), (1013, 15));
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
async fn an_app_that_pings_and_never_reads_is_given_up_after_10_seconds() {
    let mut pipe = pipe().await;
    let start = Instant::now();
    // More pongs than the pipe holds. Each ping is a sign of life, so only the write deadline can end the session.
    for _ in 0..50 {
        pipe.app.send(Message::Ping(vec![b'p'; 125].into())).await.unwrap();
    }
    assert_eq!(pipe.heard.recv().await, Some(Heard::Closed("does not read")));
    assert_eq!(start.elapsed().as_secs(), 10);
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
async fn an_app_that_reads_late_is_pinged_before_it_is_given_up() {
    let mut pipe = pipe().await;
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(15)).await;
    pipe.opening.outbox.try_send(Outgoing::Frame("x".repeat(50_000).into())).unwrap();
    // Meanwhile, at 20 s, a ping is due, which would be stuck behind the frame.
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert!(matches!(pipe.app.next().await, Some(Ok(Message::Text(_)))));
    assert!(matches!(pipe.app.next().await, Some(Ok(Message::Ping(_)))));
    assert_eq!(start.elapsed().as_secs(), 40);
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
    let Resting { pump, kick, .. } = rest_on(near, Duration::from_secs(20)).await;
    let over_a_pipe = size_of_val(&pump.run(kick, CancellationToken::new()));
    let over_tls = over_a_pipe - size_of::<DuplexStream>()
        + size_of::<tokio_rustls::server::TlsStream<tokio::net::TcpStream>>();
    assert!(over_tls < 4096, "{over_tls} bytes over TLS, {over_a_pipe} over a pipe");
}
