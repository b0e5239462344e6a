//! Clients that stop halfway or send what no library would: bytes over TCP and TLS.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::app_client::{Endpoint, Stream};
use crate::wait::within;

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// Size of the receive buffer in bytes; the kernel doubles it.
const NARROW: u32 = 4096;
/// Bit of a frame's second byte: the payload is masked.
const MASKED: u8 = 0x80;
/// Bit of a frame's first byte: the message ends here.
const FIN: u8 = 0x80;

/// Opens a TCP connection without sending anything.
pub async fn tcp(address: SocketAddr) -> Result<TcpStream> {
    Ok(within("TCP connection", TcpStream::connect(address)).await??)
}

/// Returns the first bytes of a TLS connection.
pub fn client_hello(config: &Arc<ClientConfig>) -> Result<Vec<u8>> {
    let mut connection = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
    let mut hello = Vec::new();
    connection.write_tls(&mut hello)?;
    Ok(hello)
}

/// A connection after TLS, under the test's control.
pub struct HalfOpen {
    stream: Box<dyn Stream>,
}

impl fmt::Debug for HalfOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HalfOpen").finish_non_exhaustive()
    }
}

impl HalfOpen {
    /// Finishes TLS and sends nothing more.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self { stream: endpoint.open().await? })
    }

    /// Finishes TLS and the WebSocket upgrade.
    pub async fn upgraded(endpoint: &Endpoint) -> Result<Self> {
        Self::connect(endpoint).await?.upgrade().await
    }

    /// As [`Self::upgraded`], with a small receive buffer, so that the peer soon notices that nothing is read.
    pub async fn upgraded_narrow(endpoint: &Endpoint) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(NARROW)?;
        let tcp = within("TCP connection", socket.connect(endpoint.address)).await??;
        Self { stream: endpoint.encrypt(tcp).await? }.upgrade().await
    }

    async fn upgrade(mut self) -> Result<Self> {
        self.write(UPGRADE.as_bytes()).await?;
        let head = self.read_head().await?;
        ensure!(head.starts_with("HTTP/1.1 101"), "{head}");
        Ok(self)
    }

    /// Reads the head of an HTTP answer, with the empty line at its end.
    pub async fn read_head(&mut self) -> Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("the answer to the upgrade", self.stream.read_u8()).await??);
        }
        Ok(String::from_utf8(head)?)
    }

    /// Requests a path as a browser does. Returns the answer until the connection ends: its head and its body.
    pub async fn get(endpoint: &Endpoint, path: &str) -> Result<(String, Vec<u8>)> {
        Self::ask(endpoint, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    /// Posts an empty form.
    pub async fn post(endpoint: &Endpoint, path: &str) -> Result<(String, Vec<u8>)> {
        let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0";
        Self::ask(endpoint, &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{form}\r\n\r\n")).await
    }

    /// Sends a whole request, and returns the answer until the connection ends: its head and its body.
    pub async fn ask(endpoint: &Endpoint, request: &str) -> Result<(String, Vec<u8>)> {
        let mut client = Self::connect(endpoint).await?;
        client.write(request.as_bytes()).await?;
        let head = client.read_head().await?;
        let mut body = Vec::new();
        within("the end of the answer", client.stream.read_to_end(&mut body)).await??;
        Ok((head, body))
    }

    /// Returns the whole HTTP upgrade request, so that a test can send part of it.
    pub fn request() -> &'static [u8] {
        UPGRADE.as_bytes()
    }

    /// Writes bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        within("write", async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await?
        .context("write")
    }

    /// Writes until the peer accepts no more. Returns how often `bytes` was sent before the peer stalled or closed.
    pub async fn write_until_stuck(&mut self, bytes: &[u8], most: usize) -> usize {
        for written in 0..most {
            let write = self.stream.write_all(bytes);
            let patience = std::time::Duration::from_millis(500);
            if !matches!(tokio::time::timeout(patience, write).await, Ok(Ok(()))) {
                return written;
            }
        }
        most
    }

    /// Returns a complete text frame with `payload`, masked with zeros.
    pub fn text_frame(payload: &[u8]) -> Vec<u8> {
        Self::frame(FIN | 0x1, true, payload)
    }

    /// Returns a frame; `first` is its first byte: FIN bit, reserved bits and opcode.
    pub fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let length = payload.len();
        let mut frame = vec![first];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => frame.push(mask | short),
            (_, Ok(medium)) => {
                frame.push(mask | 0x7E);
                frame.extend(medium.to_be_bytes());
            }
            _ => {
                frame.push(mask | 0x7F);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            frame.extend([0; 4]);
        }
        frame.extend(payload);
        frame
    }

    /// Reads one frame from the server. Returns its opcode and payload, or `None` at the end of the connection.
    pub async fn read_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        within("a frame", async {
            let Ok(first) = self.stream.read_u8().await else { return Ok(None) };
            let length = match self.stream.read_u8().await? {
                126 => usize::from(self.stream.read_u16().await?),
                127 => usize::try_from(self.stream.read_u64().await?)?,
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.stream.read_exact(&mut payload).await?;
            Ok(Some((first & 0xF, payload)))
        })
        .await?
    }

    /// Reads until the server closes. Returns the code of its close frame, or `None` if it only hung up.
    pub async fn closed(&mut self) -> Result<Option<u16>> {
        while let Some((opcode, payload)) = self.read_frame().await? {
            if opcode == 0x8 {
                return Ok(payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
            }
        }
        Ok(None)
    }
}
