//! The picture of an alarm for a run: the daemon reads it, and it lies in a file of the hook's user until the run has ended.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::{Builder, TempPath};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zmes_shared::EventId;
use zmes_shared::client::{ClientError, ControlClient, TIMEOUT};
use zmes_shared::control::Request;
use zmes_shared::machine::MachineMessage;
use zmes_shared::views::PictureRead;
use zmes_shared::words::MachineKind;

use crate::context::Context;
use crate::error::CliError;

/// Where pictures of runs come from. There are as many files as runs, each with at most one picture.
#[derive(Debug)]
pub(super) struct RunPictures {
    socket: PathBuf,
    /// How long a run waits for its picture.
    wait: Duration,
    /// Each question is a connection, and those of one user are counted.
    asking: Semaphore,
}

/// Runs that ask at the same time. Others wait for their turn, as long as for an answer.
const ASKING: usize = 4;

impl RunPictures {
    /// Asks the daemon whether it would answer, so that a missing permission is known before the first alarm.
    pub(super) async fn open(context: &Context, wait: Duration) -> Result<Self, CliError> {
        let pictures = Self { socket: context.socket().to_owned(), wait, asking: Semaphore::new(ASKING) };
        match pictures.ask(Request::PicturesRead { event: EventId(0), at: None, wait_ms: 0 }).await {
            Err(refused @ ClientError::Refused(_)) => Err(refused.into()),
            // Whether the daemon is there, its stream tells.
            Ok(_) | Err(_) => Ok(pictures),
        }
    }

    /// Returns the file with the picture; `None`: there is none, or none in time, and the daemon's log says why. The file
    /// is removed when it is dropped.
    ///
    /// # Errors
    ///
    /// Why there is no file though there may be a picture.
    pub(super) async fn of(&self, message: &MachineMessage) -> Result<Option<TempPath>, String> {
        let Some(request) = request(message, self.wait) else { return Ok(None) };
        let read = self.ask(request).await.map_err(|error| error.to_string())?;
        let Some(jpeg) = read.jpeg else { return Ok(None) };
        let written = tokio::task::spawn_blocking(move || write(&jpeg)).await;
        written.map_err(|error| error.to_string())?.map(Some)
    }

    async fn ask(&self, request: Request) -> Result<PictureRead, ClientError> {
        let limit = self.wait + TIMEOUT;
        let asked = timeout(limit, async {
            // It is never closed.
            let _turn = self.asking.acquire().await.ok();
            let mut client = ControlClient::connect_within(&self.socket, limit).await?;
            client.request(request).await
        });
        asked.await.unwrap_or(Err(ClientError::Timeout { limit }))
    }
}

/// Returns what is asked of the daemon; `None`: the message is not about an event of ZoneMinder.
fn request(message: &MachineMessage, wait: Duration) -> Option<Request> {
    // In a long event a picture may show an earlier alarm. What was found late has its pictures already.
    let at = match message.event_type {
        MachineKind::AlarmStart => (!message.late).then_some(message.at),
        MachineKind::AlarmUpdate | MachineKind::AlarmEnd => None,
        MachineKind::Trouble
        | MachineKind::Resolved
        | MachineKind::Test
        | MachineKind::SnoozeEnd
        | MachineKind::Unknown => return None,
    };
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Some(Request::PicturesRead { event: message.event?, at, wait_ms })
}

/// Writes a picture into a new file, which only this user can read.
fn write(jpeg: &str) -> Result<TempPath, String> {
    let bytes =
        STANDARD.decode(jpeg).map_err(|error| format!("the answer of zmesd is not understood: {error}"))?;
    let file = Builder::new().prefix("zmes-hook-").suffix(".jpg").tempfile();
    let written = file.and_then(|mut file| file.write_all(&bytes).map(|()| file.into_temp_path()));
    written.map_err(|error| format!("cannot write it to {}: {error}", std::env::temp_dir().display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use jiff::Timestamp;
    use zmes_shared::MonitorId;
    use zmes_shared::machine::MachineAlarm;

    use super::*;

    fn message(kind: MachineKind, late: bool) -> MachineMessage {
        MachineMessage::of_alarm(MachineAlarm {
            kind,
            at: Timestamp::UNIX_EPOCH,
            late,
            monitor: MonitorId(1),
            name: "Garage",
            event: Some(EventId(7)),
            cause: "Motion",
            lasted: None,
        })
    }

    #[test]
    fn alarms_of_zoneminder_have_pictures_and_tests_have_none() {
        let asked = |kind, late| request(&message(kind, late), Duration::from_secs(2));
        let of = |at| Some(Request::PicturesRead { event: EventId(7), at, wait_ms: 2000 });
        assert_eq!(asked(MachineKind::AlarmStart, false), of(Some(Timestamp::UNIX_EPOCH)));
        assert_eq!(asked(MachineKind::AlarmStart, true), of(None));
        assert_eq!(asked(MachineKind::AlarmEnd, false), of(None));
        assert_eq!(asked(MachineKind::Test, false), None);
    }

    #[test]
    fn the_file_is_readable_by_its_user_alone_and_vanishes() {
        let path = write("/9j/2Q==").unwrap();
        assert_eq!(fs::read(&path).unwrap(), [0xff, 0xd8, 0xff, 0xd9]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = path.to_path_buf();
        drop(path);
        assert!(!kept.exists());
        assert!(write("?").unwrap_err().contains("not understood"));
    }
}
