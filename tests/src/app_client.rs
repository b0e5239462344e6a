//! An app: literal JSON text over a real WebSocket, over real TLS with a verified certificate.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::json::{alarm, includes};
use crate::wait::within;

/// A TCP or a TLS stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Where apps connect.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificate to trust; `None` for plain text.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Endpoint {
    /// Opens TCP, and TLS if configured.
    pub(crate) async fn open(&self) -> Result<Box<dyn Stream>> {
        self.encrypt(within("TCP connection", TcpStream::connect(self.address)).await??).await
    }

    /// Does the TLS handshake, if configured.
    pub(crate) async fn encrypt(&self, tcp: TcpStream) -> Result<Box<dyn Stream>> {
        let Some(tls) = &self.tls else { return Ok(Box::new(tcp)) };
        let name = ServerName::try_from("localhost")?;
        let connect = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
        Ok(Box::new(within("TLS handshake", connect).await?.context("TLS handshake")?))
    }
}

/// A message from the server, or the end of the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A text frame with JSON.
    Json(Value),
    /// A close frame with its code, or the end of the connection without one.
    Closed(Option<u16>),
}

/// One connected app.
pub struct AppClient {
    socket: WebSocketStream<Box<dyn Stream>>,
}

impl fmt::Debug for AppClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppClient").finish_non_exhaustive()
    }
}

impl AppClient {
    /// Connects without sending anything.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self> {
        Self::connect_with(endpoint, &[]).await
    }

    /// Connects from an address of the loopback network.
    pub async fn connect_from(endpoint: &Endpoint, source: &str) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source.parse()?, 0))?;
        let tcp = within("TCP connection", socket.connect(endpoint.address)).await??;
        Self::upgrade(endpoint, endpoint.encrypt(tcp).await?, &[]).await
    }

    /// Connects with additional HTTP headers, such as a browser's `Origin`.
    pub async fn connect_with(endpoint: &Endpoint, headers: &[(&str, &str)]) -> Result<Self> {
        Self::upgrade(endpoint, endpoint.open().await?, headers).await
    }

    async fn upgrade(endpoint: &Endpoint, stream: Box<dyn Stream>, headers: &[(&str, &str)]) -> Result<Self> {
        let scheme = if endpoint.tls.is_some() { "wss" } else { "ws" };
        let mut request =
            format!("{scheme}://localhost:{}/", endpoint.address.port()).into_client_request()?;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            request.headers_mut().insert(name, HeaderValue::from_str(value)?);
        }
        let (socket, _) =
            within("WebSocket upgrade", client_async(request, stream)).await?.context("WebSocket upgrade")?;
        Ok(Self { socket })
    }

    /// Sends any text as one text frame.
    pub async fn send_text(&mut self, text: &str) -> Result<()> {
        self.send_message(Message::text(text)).await
    }

    /// Sends one JSON value.
    pub async fn send(&mut self, value: &Value) -> Result<()> {
        self.send_text(&value.to_string()).await
    }

    /// Sends any message: binary, ping, close.
    pub async fn send_message(&mut self, message: Message) -> Result<()> {
        Ok(within("send", self.socket.send(message)).await??)
    }

    /// Returns the next message; pings are answered meanwhile.
    pub async fn next(&mut self) -> Result<Incoming> {
        within("a frame", self.next_frame()).await?
    }

    async fn next_frame(&mut self) -> Result<Incoming> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let value = serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
                    return Ok(Incoming::Json(value));
                }
                Some(Ok(Message::Close(close))) => {
                    return Ok(Incoming::Closed(close.map(|close| close.code.into())));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Binary(bytes))) => bail!("a binary frame of {} bytes", bytes.len()),
                None | Some(Err(Error::ConnectionClosed | Error::Io(_) | Error::Protocol(_))) => {
                    return Ok(Incoming::Closed(None));
                }
                Some(Err(error)) => return Err(error).context("WebSocket"),
            }
        }
    }

    /// Returns the next frame, which must be JSON.
    pub async fn next_json(&mut self) -> Result<Value> {
        match self.next().await? {
            Incoming::Json(value) => Ok(value),
            Incoming::Closed(code) => bail!("closed with {code:?} instead of a frame"),
        }
    }

    /// Reads the next frame, which must have all members of `expected`, and returns it.
    pub async fn expect(&mut self, expected: &Value) -> Result<Value> {
        let actual = self.next_json().await.with_context(|| format!("expected {expected}"))?;
        ensure!(includes(&actual, expected), "got      {actual}\nexpected {expected}");
        Ok(actual)
    }

    /// Reads the next frame, which must be the alarm of this event on this monitor, and returns it.
    pub async fn expect_alarm(&mut self, event: u64, monitor: u32) -> Result<Value> {
        self.expect(&alarm(event, monitor)).await
    }

    /// Expects that the server closes the connection next, with `code`.
    pub async fn expect_close(&mut self, code: u16) -> Result<()> {
        match self.next().await? {
            Incoming::Closed(found) => {
                ensure!(found == Some(code), "closed with {found:?} instead of {code}");
                Ok(())
            }
            Incoming::Json(value) => bail!("a frame instead of close {code}: {value}"),
        }
    }

    /// Sends credentials and nothing else.
    pub async fn send_auth(&mut self, user: &str, password: &str) -> Result<()> {
        self.send(&json!({"event": "auth", "data": {"user": user, "password": password}})).await
    }

    /// Authenticates; anything but success is an error.
    pub async fn authenticate(&mut self, user: &str, password: &str) -> Result<Value> {
        self.send_auth(user, password).await?;
        self.expect(&json!({"event": "auth", "type": "", "status": "Success", "reason": ""})).await
    }

    /// Sets the filter; success is silent.
    pub async fn filter(&mut self, monitors: &str, intervals: &str) -> Result<()> {
        self.send(&json!({"event": "control", "data": {"type": "filter", "monlist": monitors, "intlist": intervals}}))
            .await
    }

    /// Requests the version and reads the answer: then everything sent before has been handled.
    ///
    /// Frames of one socket are handled in order, so this also shows that the earlier frames got no answer.
    pub async fn sync(&mut self) -> Result<()> {
        self.send(&json!({"event": "control", "data": {"type": "version"}})).await?;
        self.expect(&json!({"event": "control", "type": "version", "status": "Success"})).await?;
        Ok(())
    }
}
