//! Follows the stream of `watch` over restarts of the daemon.

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

/// Maximum number of lines waiting to be handled. Beyond that the daemon waits, and reports how many were missed.
const LINES: usize = 64;
/// The first and the longest pause before an attempt to connect.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(10)];
/// After a connection that lasted at least this long, the next pause is short again.
const GOOD: Duration = Duration::from_secs(10);
/// Shown for `lagged` without a number: the record does not reach back to the requested start.
pub(super) const GAP: &str = "earlier events are not recorded, or not all of them";

/// An item of the stream.
#[derive(Debug)]
pub(super) enum Followed {
    /// The request was sent; what the daemon has recorded comes next.
    Connected,
    Line(Box<WatchEvent>),
    /// A line of a newer daemon, unchanged.
    Newer(Value),
    /// The stream has ended, or could not be opened. Nothing follows until [`Follower::resume`].
    Lost(CliError),
}

/// Reads the stream in a separate task, because reading a line cannot be interrupted. One connection at a time.
#[derive(Debug)]
pub(super) struct Follower {
    socket: PathBuf,
    filter: WatchFilter,
    task: JoinSet<()>,
    lines: mpsc::Receiver<Followed>,
    pause: Duration,
    connected: Option<Instant>,
    /// This is not the first stream.
    resumed: bool,
}

impl Follower {
    /// Connects for the first time. Returns an error if that fails.
    pub(super) async fn open(context: &Context, filter: WatchFilter) -> Result<Self, CliError> {
        let stream = context.connect().await?.watch(filter.clone()).await?;
        let (sender, lines) = mpsc::channel(LINES);
        let mut task = JoinSet::new();
        task.spawn(read(stream, sender));
        let socket = context.socket().to_owned();
        let connected = Some(Instant::now());
        Ok(Self { socket, filter, task, lines, pause: PAUSES[0], connected, resumed: false })
    }

    /// Returns the next item. Cancel-safe.
    pub(super) async fn next(&mut self) -> Followed {
        let followed = self.lines.recv().await.unwrap_or(Followed::Lost(ClientError::Closed.into()));
        if matches!(followed, Followed::Connected) {
            self.connected = Some(Instant::now());
        }
        followed
    }

    /// Returns whether waiting is pointless. What the daemon refuses on the first request it will not grant later; but
    /// one that has just restarted may not know its monitors and users yet.
    pub(super) fn gives_up(&self, error: &CliError) -> bool {
        !passes(error) || (!self.resumed && matches!(error, CliError::Daemon(_)))
    }

    /// Connects again after a pause, and requests what was recorded after `since`.
    pub(super) fn resume(&mut self, since: Since) {
        self.resumed = true;
        if self.connected.take().is_some_and(|connected| connected.elapsed() >= GOOD) {
            self.pause = PAUSES[0];
        }
        let filter = WatchFilter { since: Some(since), ..self.filter.clone() };
        // A new channel: what was left in the old stream comes again from the record.
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

/// Returns whether an error may resolve by itself. A version mismatch does not.
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
