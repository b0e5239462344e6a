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
}

impl Follower {
    /// Connects for the first time, and fails where that fails.
    pub(super) async fn open(context: &Context, filter: WatchFilter) -> Result<Self, CliError> {
        let stream = context.connect().await?.watch(filter.clone()).await?;
        let (sender, lines) = mpsc::channel(LINES);
        let mut task = JoinSet::new();
        task.spawn(read(stream, sender));
        let socket = context.socket().to_owned();
        Ok(Self { socket, filter, task, lines, pause: PAUSES[0], connected: Some(Instant::now()) })
    }

    /// Returns what comes next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Followed {
        let followed = self.lines.recv().await.unwrap_or(Followed::Lost(ClientError::Closed.into()));
        match followed {
            Followed::Connected => self.connected = Some(Instant::now()),
            Followed::Lost(_) => {
                if self.connected.take().is_some_and(|since| since.elapsed() >= GOOD) {
                    self.pause = PAUSES[0];
                }
            }
            Followed::Line(_) | Followed::Newer(_) => {}
        }
        followed
    }

    /// Connects again after a pause, and asks for what was recorded since then.
    pub(super) fn resume(&mut self, since: Since) {
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

/// Says whether an error may pass by itself once the daemon has worked: it restarts, and does not know its monitors and users
/// at once. A daemon of another version does not get better by waiting.
pub(super) fn passes(error: &CliError) -> bool {
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
