//! One run of the command: starts it, writes its input, watches it, and ends it with everything that it has started.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;

use super::picture::RunPictures;

/// How long a command has to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long the kernel has to end it after SIGKILL.
const KILLED: Duration = Duration::from_secs(2);
/// How long to wait for the rest of the error output.
const DRAIN: Duration = Duration::from_millis(200);
/// How often to check whether a process group is empty: the first pause, and the longest.
const LOOKS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];
/// How many bytes of the error output are kept, from its end.
const TAIL: usize = 2048;
/// The environment variables of a run.
const VARIABLES: [&str; 7] = [
    "ZMES_EVENT",
    "ZMES_MONITOR",
    "ZMES_MONITOR_NAME",
    "ZMES_CAUSE",
    "ZMES_PHASE",
    "ZMES_ID",
    "ZMES_PICTURE_FILE",
];

/// What to run.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Also pass the arguments that hook scripts of the old server expect.
    pub(super) es_arguments: bool,
    pub(super) limit: Duration,
    /// Runs get the picture of their event, too.
    pub(super) pictures: Option<RunPictures>,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum RunEnd {
    Exited(i32),
    Signalled(i32),
    /// It exceeded its time limit and was ended.
    TimedOut,
    /// The hook was told twice to stop.
    Stopped,
    NotStarted(io::Error),
}

/// A finished run.
#[derive(Debug)]
pub(super) struct RunReport {
    pub(super) message: MachineMessage,
    pub(super) end: RunEnd,
    pub(super) took: Duration,
    /// The end of its error output.
    pub(super) stderr: String,
    /// Why its picture could not be given to it.
    pub(super) no_picture: Option<String>,
}

/// Runs the command for a message. Returns when the command and all processes of its group have ended, including those
/// in the background. `hurry` becomes true when runs must end now.
pub(super) async fn run(
    invocation: &Invocation,
    message: MachineMessage,
    mut hurry: watch::Receiver<bool>,
) -> RunReport {
    let pictured = async {
        match &invocation.pictures {
            Some(pictures) => pictures.of(&message).await,
            None => Ok(None),
        }
    };
    let pictured = tokio::select! {
        pictured = pictured => pictured,
        _ = hurry.wait_for(|hurry| *hurry) => Ok(None),
    };
    let (picture, no_picture) = match pictured {
        Ok(picture) => (picture, None),
        Err(why) => (None, Some(why)),
    };
    let begun = Instant::now();
    let mut child = match command(invocation, &message, picture.as_deref()).spawn() {
        Ok(child) => child,
        Err(error) => {
            let (end, stderr) = (RunEnd::NotStarted(error), String::new());
            return RunReport { message, end, took: begun.elapsed(), stderr, no_picture };
        }
    };
    let tail = Mutex::new(Tail::default());
    let end = follow(&mut child, &message, &tail, invocation.limit, hurry).await;
    let stderr = tail.into_inner().unwrap_or_else(PoisonError::into_inner).text();
    RunReport { message, end, took: begun.elapsed(), stderr, no_picture }
}

/// Writes the input of a run, reads its output, and waits for its end.
async fn follow(
    child: &mut Child,
    message: &MachineMessage,
    tail: &Mutex<Tail>,
    limit: Duration,
    hurry: watch::Receiver<bool>,
) -> RunEnd {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let streams = async { tokio::join!(feed(stdin, message), keep(stderr, tail)) };
    let life = live(child, limit, hurry);
    tokio::pin!(streams, life);
    let mut open = true;
    let end = loop {
        tokio::select! {
            end = &mut life => break end,
            _ = &mut streams, if open => open = false,
        }
    };
    if open {
        // A process that has left the group may keep the pipe open forever.
        timeout(DRAIN, streams).await.ok();
    }
    end
}

fn command(invocation: &Invocation, message: &MachineMessage, picture: Option<&Path>) -> Command {
    let mut command = Command::new(&invocation.program);
    command.args(&invocation.arguments);
    let monitor = message.monitor.as_ref();
    let id = |id: Option<u64>| id.unwrap_or_default().to_string();
    if invocation.es_arguments {
        command.arg(id(message.event.map(|event| event.0)));
        command.arg(id(monitor.map(|monitor| monitor.id.0.into())));
        command.arg(monitor.map_or("", |monitor| &monitor.name));
        command.arg(&message.cause);
    }
    for name in VARIABLES {
        command.env_remove(name);
    }
    if let Some(event) = message.event {
        command.env("ZMES_EVENT", event.to_string());
    }
    if let Some(monitor) = monitor {
        command.env("ZMES_MONITOR", monitor.id.to_string()).env("ZMES_MONITOR_NAME", &monitor.name);
    }
    if let Some(picture) = picture {
        command.env("ZMES_PICTURE_FILE", picture);
    }
    command
        .env("ZMES_CAUSE", &message.cause)
        .env("ZMES_PHASE", phase(message.event_type))
        .env("ZMES_ID", &message.id)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Returns the value of `ZMES_PHASE`. Test alarms have their own, so that scripts need not sound a siren.
fn phase(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::AlarmStart => "start",
        MachineKind::AlarmUpdate => "update",
        MachineKind::AlarmEnd => "end",
        MachineKind::Trouble
        | MachineKind::Resolved
        | MachineKind::Test
        | MachineKind::SnoozeEnd
        | MachineKind::Unknown => kind.word(),
    }
}

/// Writes the message to standard input and closes it. It fits into the pipe, so a command that does not read blocks
/// nothing.
async fn feed(stdin: Option<ChildStdin>, message: &MachineMessage) {
    let Some(mut stdin) = stdin else { return };
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    // The command may have closed it, or have ended.
    stdin.write_all(&line).await.ok();
}

/// Reads the error output until it closes, so that a verbose command does not block, and keeps the end of it.
async fn keep(stderr: Option<ChildStderr>, tail: &Mutex<Tail>) {
    let Some(mut stderr) = stderr else { return };
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        let read = chunk.get(..count).unwrap_or_default();
        tail.lock().unwrap_or_else(PoisonError::into_inner).add(read);
        tokio::task::yield_now().await;
    }
}

/// Waits for the end of a run, and ends it if it takes too long.
async fn live(child: &mut Child, limit: Duration, mut hurry: watch::Receiver<bool>) -> RunEnd {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let gone = async {
        let status = child.wait().await;
        let mut pause = LOOKS[0];
        while group.is_some_and(|group| killpg(group, None) != Err(Errno::ESRCH)) {
            sleep(pause).await;
            pause = (pause * 2).min(LOOKS[1]);
        }
        status
    };
    tokio::pin!(gone);
    let hurried = async {
        // The sender lives as long as the hook.
        while !*hurry.borrow_and_update() {
            if hurry.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let early = tokio::select! {
        biased;
        status = &mut gone => return ended(status),
        () = hurried => RunEnd::Stopped,
        () = sleep(limit) => RunEnd::TimedOut,
    };
    for (signal, patience) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, KILLED)] {
        if let Some(group) = group {
            // Fails only if all processes have just ended.
            killpg(group, signal).ok();
        }
        if timeout(patience, &mut gone).await.is_ok() {
            break;
        }
    }
    early
}

fn ended(status: io::Result<ExitStatus>) -> RunEnd {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => RunEnd::Exited(code),
            (None, signal) => RunEnd::Signalled(signal.unwrap_or_default()),
        },
        Err(error) => RunEnd::NotStarted(error),
    }
}

/// The last bytes of an output.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let extra = self.0.len().saturating_sub(TAIL);
        self.0.drain(..extra);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_printed_is_kept() {
        let mut tail = Tail::default();
        tail.add(&[b'x'; 5000]);
        tail.add(b"the end\n");
        let text = tail.text();
        assert!(text.ends_with("xthe end") && text.len() == TAIL - 1, "{text}");
        let mut tail = Tail::default();
        tail.add(b"\xff\xfe");
        assert_eq!(tail.text(), "\u{fffd}\u{fffd}");
    }
}
