//! The way of a node to its database, which can be cut, or fall silent as a network does that vanished.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineState {
    /// It arrives.
    Whole,
    /// It waits on its way, in both directions. Nothing is closed, and connections are made.
    Silent,
    /// Connections are closed, and new ones, too.
    Cut,
}

/// A socket that passes everything to the database's.
#[derive(Debug)]
pub struct DatabaseLine {
    path: PathBuf,
    state: watch::Sender<LineState>,
    // Ends all connections when dropped.
    _serving: JoinSet<()>,
}

impl DatabaseLine {
    /// Listens on the socket `path`, which passes everything to the socket `to`.
    pub fn start(path: &Path, to: &Path) -> Result<Self> {
        let listener = UnixListener::bind(path).with_context(|| path.display().to_string())?;
        let (state, seen) = watch::channel(LineState::Whole);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, to.to_path_buf(), seen));
        Ok(Self { path: path.to_path_buf(), state, _serving: serving })
    }

    /// Returns the socket to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes what happens from now on, also on connections that exist.
    pub fn set(&self, state: LineState) {
        self.state.send_replace(state);
    }
}

async fn serve(listener: UnixListener, to: PathBuf, state: watch::Receiver<LineState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                connections.spawn(carry(client, to.clone(), state.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: UnixStream, to: PathBuf, mut state: watch::Receiver<LineState>) {
    if *state.borrow() == LineState::Cut {
        return;
    }
    let Ok(server) = UnixStream::connect(to).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (there, back) = (state.clone(), state.clone());
    tokio::select! {
        () = pass(from_client, to_server, there) => {}
        () = pass(from_server, to_client, back) => {}
        _ = state.wait_for(|state| *state == LineState::Cut) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<LineState>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or_default();
        let moves = state.wait_for(|state| *state != LineState::Silent).await.is_ok();
        if read == 0 || !moves || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
