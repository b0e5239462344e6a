//! An app: a WebSocket client that sends literal text, or raw bytes where text is not hostile enough.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::world::{PATIENCE, WsWorld};

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub(super) struct App {
    pub(super) websocket: WebSocketStream<Box<dyn Stream>>,
}

pub(super) const AUTH: &str = r#"{"event":"auth","data":{"user":"amy","password":"secret"}}"#;
pub(super) const VERSION: &str = r#"{"event":"control","data":{"type":"version"}}"#;

/// Allows both versions of TLS, or only one.
pub(super) fn client_config(
    world: &WsWorld,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(world.root.clone().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Opens a TLS connection.
pub(super) async fn tls(world: &WsWorld, config: Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(world.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    timeout(PATIENCE, TlsConnector::from(config).connect(name, tcp)).await.unwrap()
}

/// Returns an upgrade request as apps send it, plus these headers.
pub(super) fn request(headers: &[(&'static str, &'static str)]) -> Request {
    let mut request = "ws://localhost/any/path".into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    request
}

impl App {
    /// Connects as apps do.
    pub(super) async fn connect(world: &WsWorld) -> Self {
        Self::try_connect(world, request(&[])).await.unwrap()
    }

    /// Connects with a custom request.
    pub(super) async fn try_connect(world: &WsWorld, request: Request) -> Result<Self, Error> {
        let stream: Box<dyn Stream> = if world.root.is_some() {
            let config = client_config(world, rustls::ALL_VERSIONS);
            Box::new(tls(world, config).await.map_err(Error::Io)?)
        } else {
            Box::new(TcpStream::connect(world.address).await.unwrap())
        };
        Self::upgrade(stream, request).await
    }

    /// Turns a stream into a WebSocket.
    pub(super) async fn upgrade(stream: Box<dyn Stream>, request: Request) -> Result<Self, Error> {
        let (websocket, _) = timeout(PATIENCE, client_async(request, stream)).await.expect("no upgrade")?;
        Ok(Self { websocket })
    }

    /// Connects and logs in.
    pub(super) async fn logged_in(world: &WsWorld) -> Self {
        let mut app = Self::connect(world).await;
        app.say(AUTH).await;
        assert_eq!(app.json().await["status"], "Success");
        app
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.websocket.send(Message::text(text)).await.unwrap();
    }

    pub(super) async fn raw(&mut self, bytes: &[u8]) {
        self.websocket.get_mut().write_all(bytes).await.unwrap();
        self.websocket.get_mut().flush().await.unwrap();
    }

    pub(super) async fn next(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.websocket.next()).await.expect("the server says nothing")
    }

    /// Returns the next text frame as JSON.
    pub(super) async fn json(&mut self) -> Value {
        match self.next().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("instead of a text: {other:?}"),
        }
    }

    /// Returns `reason` from the next text frame.
    pub(super) async fn reason(&mut self) -> String {
        self.json().await["reason"].as_str().unwrap().to_owned()
    }

    /// Returns code and reason of the next frame, which must be a close frame.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Some(Ok(Message::Close(Some(frame)))) => (frame.code.into(), frame.reason.to_string()),
            other => panic!("instead of a close frame: {other:?}"),
        }
    }
}
