//! Turns readings of monitors into alarms: each is announced once, with the right event id, and none is lost.
//!
//! [`Detector`] is the pure core, one for each monitor. Three tasks drive it: the [`Poller`] reads the shared memory
//! and owns the detectors; the [`Reconciler`] reads the Events table and passes on to the poller what polling cannot
//! see; the [`Lookup`] answers the poller's questions to the database, so that polling never waits for it.
//!
//! ```text
//!              reports, awaited                alarms, awaited
//! Reconciler ────────────────────► Poller ────────────────────► Router
//!                  questions, try_send │ ▲
//!                                      ▼ │ answers, awaited
//!                                    Lookup
//! ```

use zmes_zoneminder::{EventStore, MonitorSource};

mod alarm_limit;
mod announced;
mod condition;
mod config;
mod detector;
mod episode;
mod events;
#[cfg(test)]
mod fakes;
mod lookup;
mod poller;
mod pulse;
mod reconciler;
mod record;
mod remote;
mod settling;
mod track;
mod uncaused;
mod unclaimed;
mod unidentified;
mod window;

pub use alarm_limit::{Gap, Gaps};
pub use condition::{Condition, MonitorReport, RemoteSight};
pub use config::DetectConfig;
pub use detector::{DetectedAlarm, Detector, DetectorStep};
pub use lookup::{Lookup, LookupAnswer, LookupQuestion};
pub use poller::{MonitorReports, Poller};
pub use reconciler::{Reconciler, ReconcilerReport};
pub use record::Record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use zmes_shared::MonitorId;

use self::reconciler::Others;
use self::window::TableEnd;
use crate::domain::Alarm;
use crate::monitors::Catalog;
use crate::ports::Clock;
use crate::state::{Cursor, OpenAlarm, StateHandle};
use crate::telemetry::Counters;

/// How many reports the reconciler may be ahead of the poller. If full, the reconciler waits.
const REPORTS: usize = 8;
/// How many questions and answers may be in flight. If full, the poller continues as if the database were down.
const QUESTIONS: usize = 64;

/// What detection needs.
#[derive(Debug)]
pub struct DetectParts {
    pub source: Box<dyn MonitorSource>,
    pub store: Arc<dyn EventStore>,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// Changed by a reload.
    pub config: watch::Receiver<DetectConfig>,
    /// This is a node of a cluster: at times it watches monitors of other servers.
    pub is_node: bool,
    /// Up to which event the previous run passed on the alarms of each monitor.
    pub cursors: HashMap<MonitorId, Cursor>,
    /// When the previous run announced alarms without an id: their events may have appeared since.
    pub unidentified: HashMap<MonitorId, Vec<Timestamp>>,
    /// The last alarm of each monitor whose end the previous run did not see.
    pub open: HashMap<MonitorId, OpenAlarm>,
    /// Informed which of those have no end.
    pub state: StateHandle,
    pub clock: Arc<dyn Clock>,
    /// Poller and reconciler count here, and report that they are alive.
    pub counters: Arc<Counters>,
    pub alarms: mpsc::Sender<Alarm>,
    /// Where each monitor's condition is reported; written only when it has changed.
    pub monitor_reports: watch::Sender<MonitorReports>,
    /// Records alarms beyond the limit.
    pub gaps: Gaps,
}

/// The three tasks of detection; each runs until stopped.
#[derive(Debug)]
pub struct Detection {
    pub poller: Poller,
    pub reconciler: Reconciler,
    pub lookup: Lookup,
}

/// Connects the three tasks by their channels. `record` lists the events that previous runs have announced.
pub fn build(parts: DetectParts, record: Record) -> Detection {
    let (report_tx, report_rx) = mpsc::channel(REPORTS);
    let (question_tx, question_rx) = mpsc::channel(QUESTIONS);
    let (answer_tx, answer_rx) = mpsc::channel(QUESTIONS);
    let (store, counters) = (Arc::clone(&parts.store), Arc::clone(&parts.counters));
    let reconciler = Reconciler::new(store, parts.config.clone(), record, report_tx, counters);
    let others = (parts.is_node || parts.config.borrow().all_servers).then(|| Others {
        catalog: parts.catalog.clone(),
        known: newest_announced(&parts),
        captures_at: None,
        capture_failures: 0,
    });
    Detection {
        reconciler: match others {
            Some(others) => reconciler.with_others(others),
            None => reconciler,
        },
        lookup: Lookup::new(Arc::clone(&parts.store), question_rx, answer_tx),
        poller: Poller::new(parts, report_rx, question_tx, answer_rx),
    }
}

/// Returns the newest event that a previous run announced, and when: every event with a higher id is younger.
fn newest_announced(parts: &DetectParts) -> Option<TableEnd> {
    let Cursor { event, at } = parts.cursors.values().max_by_key(|cursor| cursor.event)?;
    let age = Duration::try_from(parts.clock.now().duration_since(*at)).unwrap_or_default();
    Some(TableEnd { end: *event, at: tokio::time::Instant::now().checked_sub(age)? })
}

fn ticker(period: Duration) -> Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    // After a pause (SIGSTOP, no CPU, a busy router), rounds continue at their normal pace, without a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests;
