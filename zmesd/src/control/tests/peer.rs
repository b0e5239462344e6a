//! The other end of the control socket.

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The other end of the control socket.
pub(super) struct Peer {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Peer {
    pub(super) async fn connect(socket: &Path) -> Self {
        let (reader, writer) = UnixStream::connect(socket).await.unwrap().into_split();
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    pub(super) async fn send(&mut self, line: &str) {
        self.send_raw(format!("{line}\n").as_bytes()).await;
    }

    pub(super) async fn send_raw(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    /// Reads one line; without a deadline of its own, so that paused time cannot pass it: the test runner has one.
    pub(super) async fn read(&mut self) -> Value {
        let line = self.lines.next_line().await.unwrap().expect("the daemon has closed the connection");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Reads until an item of that type comes and returns it.
    pub(super) async fn item(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.read().await;
            if frame["item"]["type"] == kind {
                return frame["item"].clone();
            }
            assert!(frame.get("item").is_some(), "no {kind}, but {frame}");
        }
    }

    /// Says whether the daemon has closed the connection.
    pub(super) async fn is_closed(&mut self) -> bool {
        !matches!(self.lines.next_line().await, Ok(Some(_)))
    }
}
