//! What the daemon reports to systemd.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait::wait_until;

/// The other end of `NOTIFY_SOCKET`.
#[derive(Debug)]
pub struct NotifySocket {
    path: PathBuf,
    socket: UnixDatagram,
}

impl NotifySocket {
    /// Binds it at `path`.
    pub fn bind(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path).with_context(|| path.display().to_string())?;
        socket.set_read_timeout(Some(Duration::from_millis(10)))?;
        Ok(Self { path: path.to_path_buf(), socket })
    }

    /// Returns its path, for the environment.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for a message with a line that equals or begins with `line`.
    pub async fn expect(&self, line: &str) -> Result<String> {
        wait_until(&format!("systemd is told {line}"), async || {
            let mut buffer = [0; 4096];
            let Ok(length) = self.socket.recv(&mut buffer) else { return Ok(None) };
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            Ok(message.lines().any(|said| said.starts_with(line)).then_some(message))
        })
        .await
    }
}
