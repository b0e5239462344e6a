//! Many light apps in one process: small buffers, one task each, and a note of when each frame came.

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use zmes_tests::{DEADLINE, Endpoint, within};

/// Logins at the same time: below the daemon's limit of handshakes.
const AT_ONCE: usize = 64;
/// Buffer of one app, in bytes; a frame is a few hundred.
const READ_BUFFER: usize = 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
type Socket = WebSocketStream<Box<dyn Stream>>;

/// Apps that wait for alarms.
pub(crate) struct Crowd {
    count: usize,
    arrivals: mpsc::Receiver<Instant>,
    // Ends the apps when dropped.
    apps: JoinSet<()>,
}

impl Crowd {
    /// Logs `count` apps in.
    pub(crate) async fn gather(endpoint: &Endpoint, count: usize) -> Result<Self> {
        let (arrived, arrivals) = mpsc::channel(count);
        let mut apps = JoinSet::new();
        let logins = futures_util::stream::iter((0..count).map(|_| log_in(endpoint)));
        let mut sockets = logins.buffer_unordered(AT_ONCE);
        while let Some(socket) = sockets.try_next().await? {
            apps.spawn(note_arrivals(socket, arrived.clone()));
        }
        Ok(Self { count, arrivals, apps })
    }

    /// Waits until every app has one more frame; returns when the last of them came.
    pub(crate) async fn last_arrival(&mut self) -> Result<Instant> {
        let mut last = None;
        for missing in (0..self.count).rev() {
            let arrival = timeout(DEADLINE, self.arrivals.recv()).await;
            let arrival = arrival.with_context(|| format!("{} apps got no frame", missing + 1))?;
            last = last.max(arrival);
        }
        ensure!(self.apps.try_join_next().is_none(), "an app was disconnected");
        last.context("no app is connected")
    }

    /// Says how many they are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

async fn log_in(endpoint: &Endpoint) -> Result<Socket> {
    let tcp = within("TCP connection", TcpStream::connect(endpoint.address)).await??;
    tcp.set_nodelay(true)?;
    let (scheme, stream): (_, Box<dyn Stream>) = match &endpoint.tls {
        None => ("ws", Box::new(tcp)),
        Some(tls) => {
            let connect =
                TlsConnector::from(std::sync::Arc::clone(tls)).connect("localhost".try_into()?, tcp);
            ("wss", Box::new(within("TLS handshake", connect).await??))
        }
    };
    let request = format!("{scheme}://localhost:{}/", endpoint.address.port()).into_client_request()?;
    let buffers = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
    let upgrade = client_async_with_config(request, stream, Some(buffers));
    let (mut socket, _) = within("WebSocket upgrade", upgrade).await??;
    let auth = json!({"event": "auth", "data": {"user": "admin", "password": "adminpass"}});
    socket.send(Message::text(auth.to_string())).await?;
    let answer = within("login", socket.next()).await?.context("closed")??;
    let answer: Value = serde_json::from_str(answer.to_text()?)?;
    ensure!(answer["status"] == "Success", "{answer}");
    Ok(socket)
}

/// Notes when each alarm comes, until the connection ends; pings are answered underneath.
async fn note_arrivals(mut socket: Socket, arrived: mpsc::Sender<Instant>) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() && arrived.send_timeout(Instant::now(), DEADLINE).await.is_err() {
            return;
        }
    }
}
