//! From readings of monitors to alarms: each announced once, with the right event id, none lost.
//!
//! [`Detector`] is the pure core, one for each monitor. Three tasks move it: the [`Poller`] reads the shared
//! memory and owns the detectors; the [`Reconciler`] reads the Events table and hands the poller what polling cannot
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

/// Reports that the reconciler may be ahead of the poller; full: the reconciler waits.
const REPORTS: usize = 8;
/// Questions and answers on their way; full: the poller goes on as if the database were down.
const QUESTIONS: usize = 64;

/// What detection needs.
#[derive(Debug)]
pub struct DetectParts {
    pub source: Box<dyn MonitorSource>,
    pub store: Arc<dyn EventStore>,
    pub catalog: watch::Receiver<Arc<Catalog>>,
    /// Changed by a reload.
    pub config: watch::Receiver<DetectConfig>,
    /// How far the alarms of each monitor were handed on by the daemon before this one.
    pub cursors: HashMap<MonitorId, Cursor>,
    /// When it announced alarms without an id: their events may have turned up since.
    pub unidentified: HashMap<MonitorId, Vec<Timestamp>>,
    /// The last alarm of each monitor whose end it did not see.
    pub open: HashMap<MonitorId, OpenAlarm>,
    /// Told which of them have no end.
    pub state: StateHandle,
    pub clock: Arc<dyn Clock>,
    /// Poller and reconciler count here, and say that they move.
    pub counters: Arc<Counters>,
    pub alarms: mpsc::Sender<Alarm>,
    /// Where each monitor's condition is reported; written only when it has changed.
    pub monitor_reports: watch::Sender<MonitorReports>,
    /// Alarms beyond the limit are noted here.
    pub gaps: Gaps,
}

/// The three tasks of detection; each runs until stopped.
#[derive(Debug)]
pub struct Detection {
    pub poller: Poller,
    pub reconciler: Reconciler,
    pub lookup: Lookup,
}

/// Joins the three tasks by their channels; `record`: which events the daemons before have announced.
pub fn build(parts: DetectParts, record: Record) -> Detection {
    let (report_tx, report_rx) = mpsc::channel(REPORTS);
    let (question_tx, question_rx) = mpsc::channel(QUESTIONS);
    let (answer_tx, answer_rx) = mpsc::channel(QUESTIONS);
    let (store, counters) = (Arc::clone(&parts.store), Arc::clone(&parts.counters));
    let reconciler = Reconciler::new(store, parts.config.clone(), record, report_tx, counters);
    let others = parts.config.borrow().all_servers.then(|| Others {
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

/// Returns the newest event that a former daemon announced, and when: no event with a higher id is older.
fn newest_announced(parts: &DetectParts) -> Option<TableEnd> {
    let Cursor { event, at } = parts.cursors.values().max_by_key(|cursor| cursor.event)?;
    let age = Duration::try_from(parts.clock.now().duration_since(*at)).unwrap_or_default();
    Some(TableEnd { end: *event, at: tokio::time::Instant::now().checked_sub(age)? })
}

fn ticker(period: Duration) -> Interval {
    let mut ticks = interval(period.max(Duration::from_millis(1)));
    // After a pause (SIGSTOP, no CPU, a busy router) the rounds go on at their pace, without a burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests;
