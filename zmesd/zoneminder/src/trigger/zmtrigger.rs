//! A client of ZoneMinder's `zmtrigger.pl`, which runs as ZoneMinder's own user and so may write its memory.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zmes_shared::MonitorId;

use crate::TriggerCommand;

/// Name of the socket in `ZM_PATH_SOCKS`.
pub(super) const SOCKET_NAME: &str = "zmtrigger.sock";

/// `zmtrigger.pl` comes round every 0.25 s, and longer where it has to read its monitors again.
const DEADLINE: Duration = Duration::from_secs(3);

/// The most that is read of what `zmtrigger.pl` tells of other alarms meanwhile.
const MAX_CHATTER: u64 = 64 * 1024;

/// Why `zmtrigger.pl` did not take a command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SendError {
    /// It does not run, or the daemon may not talk to it.
    #[error("{0}")]
    Away(String),
    /// It runs, but did not take it.
    #[error("zmtrigger.pl: {0}")]
    Failed(String),
}

/// Sends one command and returns once it has been taken.
///
/// `zmtrigger.pl` answers nothing; but it works off what it has read before it closes its end of a connection that
/// the other side has finished writing.
pub(super) async fn send(
    socket: &Path,
    monitor: MonitorId,
    command: &TriggerCommand,
) -> Result<(), SendError> {
    let late = |_| SendError::Failed(format!("did not take the command within {} s", DEADLINE.as_secs()));
    timeout(DEADLINE, converse(socket, &line(monitor, command))).await.map_err(late)?
}

async fn converse(socket: &Path, line: &str) -> Result<(), SendError> {
    let mut stream = UnixStream::connect(socket).await.map_err(|error| SendError::Away(error.to_string()))?;
    let failed = |error: io::Error| SendError::Failed(error.to_string());
    stream.write_all(line.as_bytes()).await.map_err(failed)?;
    stream.shutdown().await.map_err(failed)?;
    tokio::io::copy(&mut (&mut stream).take(MAX_CHATTER), &mut tokio::io::sink()).await.map_err(failed)?;
    Ok(())
}

fn line(monitor: MonitorId, command: &TriggerCommand) -> String {
    match command {
        TriggerCommand::On { score, cause, text } => format!("{monitor}|on|{score}|{cause}|{text}|\n"),
        TriggerCommand::Cancel => format!("{monitor}|cancel\n"),
    }
}
