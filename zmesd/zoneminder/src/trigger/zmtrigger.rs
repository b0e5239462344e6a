//! A client of ZoneMinder's `zmtrigger.pl`, which runs as ZoneMinder's own user and so may write its memory.

use std::io;
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

/// Sends one command and returns once it has been taken.
///
/// `zmtrigger.pl` answers nothing; but it works off what it has read before it closes its end of a connection that
/// the other side has finished writing.
pub(super) async fn send(
    mut stream: UnixStream,
    monitor: MonitorId,
    command: &TriggerCommand,
) -> io::Result<()> {
    let converse = async {
        stream.write_all(line(monitor, command).as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(MAX_CHATTER), &mut tokio::io::sink()).await
    };
    let late = |_| io::Error::other(format!("did not take the command within {} s", DEADLINE.as_secs()));
    timeout(DEADLINE, converse).await.map_err(late)?.map(drop)
}

fn line(monitor: MonitorId, command: &TriggerCommand) -> String {
    match command {
        TriggerCommand::On { score, cause, text } => format!("{monitor}|on|{score}|{cause}|{text}|\n"),
        TriggerCommand::Cancel => format!("{monitor}|cancel\n"),
    }
}
