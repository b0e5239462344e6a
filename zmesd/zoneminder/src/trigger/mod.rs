//! The alarm trigger: into shared memory where that may be written, else through `zmtrigger.pl`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zmes_shared::MonitorId;

use crate::shm::trigger::{bounded, write};
use crate::shm::{layout, path_of};
use crate::{AlarmTrigger, TriggerCommand, TriggerError, TriggerVia};

/// Deadline of a write: on tmpfs it takes microseconds, but `ZM_PATH_MAP` may be on a slower disk.
const WRITE_DEADLINE: Duration = Duration::from_secs(2);

/// Name of the socket in `ZM_PATH_SOCKS`.
const SOCKET_NAME: &str = "zmtrigger.sock";
/// `zmtrigger.pl` reads its sockets every 0.25 s, and later if it has to read its monitors again.
const ZMTRIGGER_DEADLINE: Duration = Duration::from_secs(3);

/// Maximum number of bytes read of other alarms that `zmtrigger.pl` reports meanwhile.
const MAX_CHATTER: u64 = 64 * 1024;

/// Forces and cancels alarms of the monitors of this machine.
#[derive(Debug, Clone)]
pub struct LocalTrigger {
    path_map: PathBuf,
    path_socks: Option<PathBuf>,
}

impl LocalTrigger {
    /// Takes the directory of `zm.mmap.N` and, where it is known, that of `zmtrigger.sock`.
    pub fn new(path_map: PathBuf, path_socks: Option<PathBuf>) -> Self {
        Self { path_map, path_socks }
    }

    async fn write(&self, monitor: MonitorId, command: TriggerCommand) -> Result<(), TriggerError> {
        let path = path_of(&self.path_map, monitor);
        let task = tokio::task::spawn_blocking(move || write(&path, monitor, &command));
        let detail = match timeout(WRITE_DEADLINE, task).await {
            Ok(Ok(result)) => return result,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the shared memory could not be written in time".to_owned(),
        };
        Err(TriggerError::Failed { monitor, detail })
    }

    async fn ask_zmtrigger(
        &self,
        monitor: MonitorId,
        command: &TriggerCommand,
        denied: &str,
    ) -> Result<TriggerVia, TriggerError> {
        let Some(directory) = &self.path_socks else {
            return Err(TriggerError::NotPermitted(format!(
                "{denied}, and the place of zmtrigger.sock (ZM_PATH_SOCKS) is not known; run zmesd as the user of zmc"
            )));
        };
        let socket = directory.join(SOCKET_NAME);
        // A connection to a socket whose queue is full is not refused: it waits.
        let connected = timeout(ZMTRIGGER_DEADLINE, UnixStream::connect(&socket)).await;
        let stream = connected.unwrap_or_else(|late| Err(late.into())).map_err(|why| {
            TriggerError::NotPermitted(format!(
                "{denied}, and zmtrigger.pl cannot be reached at {} ({why}); run zmesd as the user of zmc, \
                 or turn on OPT_TRIGGERS in ZoneMinder",
                socket.display()
            ))
        })?;
        match ask(stream, monitor, command).await {
            Ok(()) => Ok(TriggerVia::Zmtrigger),
            Err(error) => Err(TriggerError::Failed { monitor, detail: error.to_string() }),
        }
    }
}

#[async_trait]
impl AlarmTrigger for LocalTrigger {
    async fn set(&self, monitor: MonitorId, command: TriggerCommand) -> Result<TriggerVia, TriggerError> {
        let command = harmless(command);
        match self.write(monitor, command.clone()).await {
            Ok(()) => Ok(TriggerVia::SharedMemory),
            Err(TriggerError::NotPermitted(denied)) => self.ask_zmtrigger(monitor, &command, &denied).await,
            Err(error) => Err(error),
        }
    }
}

/// Sends one command to `zmtrigger.pl`, which runs as ZoneMinder's own user and so may write its memory; returns once it
/// has been taken.
///
/// `zmtrigger.pl` does not answer. It carries out what it has read before it closes a connection whose other side has
/// shut down writing.
async fn ask(mut stream: UnixStream, monitor: MonitorId, command: &TriggerCommand) -> io::Result<()> {
    let converse = async {
        stream.write_all(line(monitor, command).as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(MAX_CHATTER), &mut tokio::io::sink()).await
    };
    let late =
        |_| io::Error::other(format!("did not take the command within {} s", ZMTRIGGER_DEADLINE.as_secs()));
    timeout(ZMTRIGGER_DEADLINE, converse).await.map_err(late)?.map(drop)
}

fn line(monitor: MonitorId, command: &TriggerCommand) -> String {
    match command {
        TriggerCommand::On { score, cause, text } => format!("{monitor}|on|{score}|{cause}|{text}|\n"),
        TriggerCommand::Cancel => format!("{monitor}|cancel\n"),
    }
}

/// Removes what ZoneMinder does not escape (`'` breaks its INSERT) and what ends a field or line of zmtrigger.
fn harmless(command: TriggerCommand) -> TriggerCommand {
    let clean = |text: &str, length: usize| {
        let text = text.replace(|c: char| c.is_control() || matches!(c, '\'' | '"' | '|' | '\\'), " ");
        bounded(&text, length - 1).trim().to_owned()
    };
    match command {
        TriggerCommand::On { score, cause, text } => TriggerCommand::On {
            score: score.max(1),
            cause: clean(&cause, layout::trigger::CAUSE_LEN),
            text: clean(&text, layout::trigger::TEXT_LEN),
        },
        TriggerCommand::Cancel => TriggerCommand::Cancel,
    }
}

#[cfg(test)]
mod tests;
