//! The data source of `top`: repeats the requests of other commands, over restarts of the daemon.

use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};
use zmes_shared::client::{ControlClient, WatchItem};
use zmes_shared::control::{EventFilter, Request, WatchFilter, WatchKind, WatchType};
use zmes_shared::views::{EventView, Events, EventsHourly, Monitors, PushQueue, Status, TransportView};

use crate::context::Context;
use crate::error::CliError;

/// Pause between two readings, and before the next attempt to connect.
const PAUSE: Duration = Duration::from_secs(2);
/// Minimum pause, however many alarms there are.
const SHORT: Duration = Duration::from_millis(250);
/// Number of alarms at the end of the page.
const LAST: u32 = 5;

/// The answers of one reading.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) status: Status,
    pub(super) monitors: Monitors,
    pub(super) transports: Vec<TransportView>,
    pub(super) hourly: EventsHourly,
    pub(super) last: Vec<EventView>,
}

/// The latest known data.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) reading: Option<Box<Reading>>,
    /// Why there is no newer reading.
    pub(super) trouble: Option<String>,
}

impl Snapshot {
    pub(super) fn take(&mut self, taken: Result<Box<Reading>, String>) {
        match taken {
            Ok(reading) => *self = Self { reading: Some(reading), trouble: None },
            // The last known data stays, and is marked as old.
            Err(trouble) => self.trouble = Some(trouble),
        }
    }
}

/// Reads every two seconds, and soon after an alarm.
pub(super) async fn poll(
    context: &Context,
    readings: &mpsc::Sender<Result<Box<Reading>, String>>,
    alarmed: &Notify,
) {
    let mut daemon = None;
    loop {
        let taken = read(context, &mut daemon).await;
        if taken.is_err() {
            // After an error a connection cannot be used again.
            daemon = None;
        }
        readings.send(taken.map_err(|error| error.document().error.message)).await.ok();
        sleep(SHORT).await;
        timeout(PAUSE.saturating_sub(SHORT), alarmed.notified()).await.ok();
    }
}

async fn read(context: &Context, daemon: &mut Option<ControlClient>) -> Result<Box<Reading>, CliError> {
    let daemon = match daemon {
        Some(daemon) => daemon,
        none => none.insert(context.connect().await?),
    };
    let status = daemon.request(Request::Status).await?;
    let monitors = daemon.request(Request::MonitorsList).await?;
    let PushQueue { transports, .. } = daemon.request(Request::PushQueue).await?;
    let hourly = daemon.request(Request::EventsHourly).await?;
    let filter = EventFilter { limit: Some(LAST), ..EventFilter::default() };
    let Events { events: last, .. } = daemon.request(Request::Events(filter)).await?;
    Ok(Box::new(Reading { status, monitors, transports, hourly, last }))
}

/// Notifies on each alarm, forever.
pub(super) async fn watch(context: &Context, alarmed: &Notify) {
    loop {
        // If this fails, `poll` reports the reason, too.
        follow(context, alarmed).await.ok();
        sleep(PAUSE).await;
    }
}

async fn follow(context: &Context, alarmed: &Notify) -> Result<(), CliError> {
    let types = vec![WatchType::Alarm, WatchType::Monitor];
    let filter = WatchFilter { types, ..WatchFilter::default() };
    let mut stream = context.connect().await?.watch(filter).await?;
    loop {
        match stream.next().await? {
            WatchItem::Event(event)
                if matches!(event.kind, WatchKind::Alarm { .. } | WatchKind::Monitor { .. }) =>
            {
                alarmed.notify_one();
            }
            WatchItem::Event(_) | WatchItem::Newer(_) => {}
            WatchItem::End { .. } => return Ok(()),
        }
    }
}
