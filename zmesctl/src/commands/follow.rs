//! The stream of `watch` over restarts of the daemon.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use zmes_shared::client::{ClientError, ControlClient, TIMEOUT, WatchItem, WatchStream};
use zmes_shared::control::{ErrorCode, Since, WatchEvent, WatchFilter};

use crate::context::Context;
use crate::error::CliError;

/// Lines that wait to be handled; beyond that the daemon waits, and says how much was missed.
const LINES: usize = 64;
/// The pauses before attempts to connect: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(10)];
/// A connection that lasted this long was a good one: the next pause is short again.
const GOOD: Duration = Duration::from_secs(10);
/// What `lagged` without a number means: the record does not reach back to the start that was asked for.
pub(super) const GAP: &str = "earlier events are not recorded, or not all of them";

/// What comes of a stream.
#[derive(Debug)]
pub(super) enum Followed {
    /// The daemon has been asked; what it has recorded comes next.
    Connected,
    Line(Box<WatchEvent>),
    /// A line of a newer daemon, as it was sent.
    Newer(Value),
    /// The stream is over, or there was none. Nothing comes until [`Follower::resume`].
    Lost(CliError),
}

/// Reads the stream in a task of its own, because reading a line cannot be broken off. One connection at a time.
#[derive(Debug)]
pub(super) struct Follower {
    socket: PathBuf,
    filter: WatchFilter,
    task: JoinSet<()>,
    lines: mpsc::Receiver<Followed>,
    pause: Duration,
    connected: Option<Instant>,
    /// The stream is not the first one.
    resumed: bool,
}

impl Follower {
    /// Connects for the first time, and fails where that fails.
    pub(super) async fn open(context: &Context, filter: WatchFilter) -> Result<Self, CliError> {
        let stream = context.connect().await?.watch(filter.clone()).await?;
        let (sender, lines) = mpsc::channel(LINES);
        let mut task = JoinSet::new();
        task.spawn(read(stream, sender));
        let socket = context.socket().to_owned();
        let connected = Some(Instant::now());
        Ok(Self { socket, filter, task, lines, pause: PAUSES[0], connected, resumed: false })
    }

    /// Returns what comes next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Followed {
        let followed = self.lines.recv().await.unwrap_or(Followed::Lost(ClientError::Closed.into()));
        if matches!(followed, Followed::Connected) {
            self.connected = Some(Instant::now());
        }
        followed
    }

    /// Says whether waiting does not help. What the daemon refuses at first it does not grant later; one that has just
    /// restarted may not know its monitors and users yet.
    pub(super) fn gives_up(&self, error: &CliError) -> bool {
        !passes(error) || (!self.resumed && matches!(error, CliError::Daemon(_)))
    }

    /// Connects again after a pause, and asks for what was recorded since then.
    pub(super) fn resume(&mut self, since: Since) {
        self.resumed = true;
        if self.connected.take().is_some_and(|connected| connected.elapsed() >= GOOD) {
            self.pause = PAUSES[0];
        }
        let filter = WatchFilter { since: Some(since), ..self.filter.clone() };
        // A new channel: what the old stream still had comes again from the record.
        let (sender, lines) = mpsc::channel(LINES);
        self.lines = lines;
        self.task = JoinSet::new();
        let (socket, pause) = (self.socket.clone(), self.pause);
        self.pause = (self.pause * 2).min(PAUSES[1]);
        self.task.spawn(async move {
            sleep(pause).await;
            match connect(socket, filter).await {
                Ok(stream) => read(stream, sender).await,
                Err(error) => drop(sender.send(Followed::Lost(error)).await),
            }
        });
    }
}

/// Says that the daemon is away, and why.
pub(super) fn away(reason: &str) -> String {
    format!("zmesd is away, waiting until it is back: {reason}")
}

/// Says whether an error may pass by itself. That the daemon is of another version does not.
fn passes(error: &CliError) -> bool {
    if let CliError::Daemon(error) = error {
        return !matches!(error.code, ErrorCode::Unsupported | ErrorCode::BadRequest);
    }
    matches!(
        error,
        CliError::Ended { .. }
            | CliError::Denied { .. }
            | CliError::Client(
                ClientError::Unreachable { .. }
                    | ClientError::Broken(_)
                    | ClientError::Closed
                    | ClientError::Timeout { .. },
            )
    )
}

async fn connect(socket: PathBuf, filter: WatchFilter) -> Result<WatchStream, CliError> {
    Ok(ControlClient::connect_within(&socket, TIMEOUT).await?.watch(filter).await?)
}

async fn read(mut stream: WatchStream, sender: mpsc::Sender<Followed>) {
    let mut followed = Followed::Connected;
    loop {
        let over = matches!(followed, Followed::Lost(_));
        if sender.send(followed).await.is_err() || over {
            return;
        }
        followed = match stream.next().await {
            Ok(WatchItem::Event(event)) => Followed::Line(event),
            Ok(WatchItem::Newer(value)) => Followed::Newer(value),
            Ok(WatchItem::End { reason }) => Followed::Lost(CliError::Ended { reason }),
            Err(error) => Followed::Lost(error.into()),
        };
    }
}

#[cfg(test)]
mod tests {
    use zmes_shared::EventId;
    use zmes_shared::control::ControlError;

    use super::*;

    const SINCE: Since = Since::Event(EventId(1));

    fn follower() -> Follower {
        let (_, lines) = mpsc::channel(1);
        let (socket, filter, task) = ("/nowhere/control.sock".into(), WatchFilter::default(), JoinSet::new());
        Follower { socket, filter, task, lines, pause: PAUSES[0], connected: None, resumed: false }
    }

    #[tokio::test]
    async fn a_refusal_after_a_restart_is_waited_out_and_one_at_the_start_is_not() {
        let busy = CliError::Daemon(ControlError::new(ErrorCode::Busy, "too many connections"));
        let unsupported = CliError::Daemon(ControlError::new(ErrorCode::Unsupported, "no such request"));
        let mut follower = follower();
        assert!(follower.gives_up(&busy) && follower.gives_up(&unsupported));
        assert!(!follower.gives_up(&ClientError::Closed.into()));
        follower.resume(SINCE);
        assert!(!follower.gives_up(&busy) && follower.gives_up(&unsupported));
    }

    #[tokio::test]
    async fn after_a_good_connection_the_pause_is_short_however_it_has_ended() {
        let connected = Instant::now().checked_sub(GOOD);
        let mut follower = Follower { pause: PAUSES[1], connected, ..follower() };
        follower.resume(SINCE);
        assert_eq!(follower.pause, PAUSES[0] * 2);
        follower.resume(SINCE);
        assert_eq!(follower.pause, PAUSES[0] * 4);
    }
}
