//! The demo's own app: it logs in over TLS like any other and prints each alarm with its delay.
//!
//! Owns: one WebSocket connection, opened again whenever it ends. Receives: alarm frames. Sends: lines for people.
//! Ends: on its token, or when its output is closed. Knows only the daemon's address.

use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jiff::tz::TimeZone;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;
use zmes_shared::EventId;

use super::database::{ADMIN, Database};
use super::push_proxy::Ring;
use super::shot;
use crate::ports::Clock;
use crate::telemetry::log::Chain;

const LOGIN_DEADLINE: Duration = Duration::from_secs(10);
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);
/// The push token of its phone; not issued by any provider.
const PHONE: &str = "demo-phone-of-nobody";
const SHOT_DEADLINE: Duration = Duration::from_secs(10);
/// Maximum number of pictures loaded at once.
const SHOTS: usize = 8;
const RETRY: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

#[derive(Debug)]
pub struct Client {
    pub(super) address: SocketAddr,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) database: Arc<Database>,
    pub(super) clock: Arc<dyn Clock>,
    /// Receives the pushes for its phone.
    pub(super) rings: mpsc::Receiver<Ring>,
    /// Where to save the last picture of each camera.
    pub(super) pictures: PathBuf,
}

/// Why the app is not logged in, or no longer.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error("cannot connect to {0}")]
    Connect(SocketAddr, #[source] io::Error),
    #[error("TLS handshake")]
    Tls(#[source] io::Error),
    #[error("WebSocket")]
    WebSocket(#[from] tungstenite::Error),
    #[error("login refused: {0}")]
    Refused(String),
    #[error("no answer within {} s", LOGIN_DEADLINE.as_secs())]
    Timeout,
    #[error("connection closed: {0}")]
    Closed(String),
}

enum End {
    Stopped,
    Lost(ClientError),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    event: String,
    status: String,
    reason: String,
    late: Option<String>,
    events: Vec<FrameEvent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FrameEvent {
    event_id: String,
    name: String,
    cause: String,
    picture: Option<String>,
}

impl Client {
    /// Prints alarms to `out` until `stop`; fails only when `out` does.
    pub async fn run(mut self, out: &mut (dyn Write + Send), stop: CancellationToken) -> io::Result<()> {
        loop {
            let lost = match self.session(out, &stop).await? {
                End::Stopped => return Ok(()),
                End::Lost(error) => error,
            };
            self.say(out, &format!("{}; trying again", Chain(&lost)))?;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Logs in and prints alarms until the connection ends or `stop`.
    async fn session(&mut self, out: &mut (dyn Write + Send), stop: &CancellationToken) -> io::Result<End> {
        let login = tokio::select! {
            () = stop.cancelled() => return Ok(End::Stopped),
            login = timeout(LOGIN_DEADLINE, self.log_in()) => login,
        };
        let mut socket = match login {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return Ok(End::Lost(error)),
            Err(_) => return Ok(End::Lost(ClientError::Timeout)),
        };
        self.say(out, &format!("logged in as {ADMIN} over WSS, waiting for alarms"))?;
        let mut shots: JoinSet<String> = JoinSet::new();
        loop {
            let frame = tokio::select! {
                () = stop.cancelled() => {
                    // Whether the daemon receives it does not matter: both are stopping.
                    timeout(CLOSE_DEADLINE, socket.close(None)).await.ok();
                    return Ok(End::Stopped);
                }
                Some(ring) = self.rings.recv() => {
                    self.print_ring(out, &ring)?;
                    continue;
                }
                Some(shot) = shots.join_next() => {
                    // An error means that the task was aborted: the app is ending.
                    if let Ok(line) = shot {
                        self.say(out, &line)?;
                    }
                    continue;
                }
                frame = next_frame(&mut socket) => frame,
            };
            match frame {
                Ok(frame) => {
                    self.print_alarms(out, &frame, Instant::now())?;
                    for event in frame.events {
                        if let Some(shot) = self.shot(event).filter(|_| shots.len() < SHOTS) {
                            shots.spawn(shot);
                        }
                    }
                }
                // When both stop, the daemon closes first.
                Err(_) if stop.is_cancelled() => return Ok(End::Stopped),
                Err(error) => return Ok(End::Lost(error)),
            }
        }
    }

    async fn log_in(&self) -> Result<Socket, ClientError> {
        let address = reachable(self.address);
        let tcp =
            TcpStream::connect(address).await.map_err(|source| ClientError::Connect(address, source))?;
        let name = ServerName::from(address.ip());
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await;
        let url = format!("wss://{address}/");
        let (mut socket, _) = tokio_tungstenite::client_async(url, tls.map_err(ClientError::Tls)?).await?;
        let auth = json!({"event": "auth", "data": {"user": ADMIN, "password": ADMIN, "appversion": "demo"}});
        socket.send(Message::text(auth.to_string())).await?;
        loop {
            let frame = next_frame(&mut socket).await?;
            match (frame.event.as_str(), frame.status.as_str()) {
                ("auth", "Success") => {
                    let phone =
                        json!({"type": "token", "platform": "ios", "token": PHONE, "state": "enabled"});
                    let register = json!({"event": "push", "data": phone});
                    socket.send(Message::text(register.to_string())).await?;
                    return Ok(socket);
                }
                ("auth", _) => return Err(ClientError::Refused(frame.reason)),
                _ => {}
            }
        }
    }

    fn print_alarms(&self, out: &mut (dyn Write + Send), frame: &Frame, arrived: Instant) -> io::Result<()> {
        if frame.event != "alarm" {
            return Ok(());
        }
        for event in &frame.events {
            let delay = if frame.late.is_some() {
                "late".to_owned()
            } else {
                self.delay(event.event_id.parse().ok(), arrived)
            };
            let FrameEvent { event_id, name, cause, .. } = event;
            self.say(out, &format!("alarm  {name:<12} event {event_id:<6} {cause:<12} {delay}"))?;
        }
        Ok(())
    }

    /// Returns a future that opens the link of an alarm as an app does, and describes the result.
    fn shot(&self, event: FrameEvent) -> Option<impl Future<Output = String> + Send + 'static> {
        let FrameEvent { event_id, name, picture, .. } = event;
        let (address, tls) = (reachable(self.address), Arc::clone(&self.tls));
        // The names of the demo's cameras are valid file names.
        let file = self.pictures.join(format!("{name}.jpg"));
        let link = picture?;
        Some(async move {
            let head = format!("picture {name:<11} event {event_id:<6}");
            let loaded = timeout(SHOT_DEADLINE, shot::load(&link, address, tls)).await;
            let loaded = loaded.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
            let saved = loaded.and_then(|bytes| std::fs::write(&file, &bytes).map(|()| bytes.len()));
            match saved {
                Ok(size) => format!("{head} {size} bytes, saved as {}", file.display()),
                Err(error) => format!("{head} no picture: {error}"),
            }
        })
    }

    fn print_ring(&self, out: &mut (dyn Write + Send), ring: &Ring) -> io::Result<()> {
        let Ring { device, alert, badge, arrived } = ring;
        let event = alert.rsplit_once('(').and_then(|(_, rest)| rest.split(')').next()?.parse().ok());
        let badge = badge.map_or_else(String::new, |badge| format!("badge {badge}"));
        self.say(out, &format!("push   {alert:<25} {device:<4} {badge:<9} {}", self.delay(event, *arrived)))
    }

    /// Returns how long after the simulation's alarm something arrived.
    fn delay(&self, event: Option<EventId>, arrived: Instant) -> String {
        let Some(alarmed) = event.and_then(|event| self.database.alarmed(event)) else {
            return "not from the simulation".to_owned();
        };
        let delay = arrived.saturating_duration_since(alarmed);
        format!("{:.1} ms after ZoneMinder's ALARM", delay.as_secs_f64() * 1000.0)
    }

    fn say(&self, out: &mut (dyn Write + Send), line: &str) -> io::Result<()> {
        let time = self.clock.now().to_zoned(TimeZone::system());
        writeln!(out, "{}  {line}", time.strftime("%H:%M:%S%.3f"))?;
        out.flush()
    }
}

/// Returns the next text frame that is an object of the expected shape; pings are answered automatically.
async fn next_frame(socket: &mut Socket) -> Result<Frame, ClientError> {
    loop {
        let Some(message) = socket.next().await else {
            return Err(ClientError::Closed("without a word".to_owned()));
        };
        match message? {
            Message::Text(text) => {
                if let Ok(frame) = serde_json::from_str(&text) {
                    return Ok(frame);
                }
            }
            Message::Close(frame) => {
                let why = frame.map_or_else(|| "without a code".to_owned(), |frame| frame.to_string());
                return Err(ClientError::Closed(why));
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

/// Returns an address to connect to, given one to listen on: an unspecified address becomes the loopback one.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    if !listen.ip().is_unspecified() {
        return listen;
    }
    let loopback = if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(loopback, listen.port())
}
