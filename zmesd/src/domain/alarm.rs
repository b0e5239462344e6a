//! The daemon's unit of work.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use zmes_cluster::alarms::LogKey;
use zmes_shared::words::{LabelWait, Origin, Phase};
use zmes_shared::{EventId, Label, MonitorId};

/// Maximum time between an alarm that was sent without labels, or with a poor picture, and its update.
pub const UPDATE_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// An alarm of a monitor, sent once to each client and token that may see it.
#[derive(Debug, Clone)]
pub struct Alarm {
    pub monitor: MonitorId,
    pub monitor_name: Arc<str>,
    /// ZoneMinder's event; `None` if ZoneMinder recorded none (recording off, INSERT refused).
    pub event: Option<EventId>,
    /// Why, in ZoneMinder's words; may be empty. Control characters are already replaced.
    pub cause: Arc<str>,
    pub labels: AlarmLabels,
    /// When the daemon found it, by the wall clock.
    pub at: Timestamp,
    /// The same moment by the monotonic clock, for latencies.
    pub detected: Instant,
    pub origin: Origin,
    /// Whether this is a start, an update with labels or a better picture, or an end.
    pub phase: Phase,
    /// For an end: how long the alarm lasted. For an update: how long ago the alarm began.
    pub span: Option<AlarmSpan>,
    /// The node of the cluster that found it; `None`: this one.
    pub elsewhere: Option<Elsewhere>,
    /// It stands for its event: it was found by the event's row, or was going on when the daemon started. Whoever tells of the
    /// event tells of this alarm, too. If not, it was seen as it began, or is another one within the event.
    pub stands_for_event: bool,
}

/// Where an alarm stands in the ledger that another node has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Number of that node, which start of it, and number of the alarm there.
    pub node: u16,
    pub epoch: u64,
    pub seq: u64,
    /// Its name.
    pub name: Arc<str>,
    /// It is too old to be told, and only recorded.
    pub is_past: bool,
}

/// Marks pushes of an alarm that is sent for all nodes: which alarm, and in which turn to send it was decided. No two
/// starts of a daemon use the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerMark {
    pub alarm: u64,
    pub turn: u64,
    /// Where the alarm was in the ledger when it was decided about.
    pub key: Option<LogKey>,
}

/// How long an ended alarm lasted: from the first announced alarm until the monitor left ALARM and ALERT; or the time
/// from an alarm to its update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlarmSpan {
    /// When the first alarm was found, by the wall clock.
    pub began: Timestamp,
    /// `None` if unknown, because it was found after the fact.
    pub lasted: Option<Duration>,
}

/// What was detected in the event, as far as known when the alarm was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmLabels {
    pub known: Arc<[Label]>,
    /// How long the decision for tokens waited for labels, and how the wait ended; `None` if it did not wait.
    pub waited: Option<(Duration, LabelWait)>,
}

impl Alarm {
    /// Returns whether the alarm was found after the fact.
    pub fn late(&self) -> bool {
        self.origin == Origin::Reconciled
    }

    pub fn is_end(&self) -> bool {
        self.phase == Phase::End
    }

    /// Returns whether this is an end or an update, which is sent only to those who were sent the start.
    pub fn follows_start(&self) -> bool {
        !self.phase.is_start()
    }

    /// Returns how long the alarm lasted, if it has ended and that is known.
    pub fn lasted(&self) -> Option<Duration> {
        self.span.filter(|_| self.is_end())?.lasted
    }

    /// Returns whether this is an update that is sent only for a better picture. Alarms that were sent with labels get
    /// none.
    pub fn updates_picture_alone(&self) -> bool {
        self.phase == Phase::Update && self.labels.known.is_empty()
    }

    /// If this is an update, returns when its alarm began.
    pub fn updates(&self) -> Option<Timestamp> {
        self.span.filter(|_| self.phase == Phase::Update).map(|span| span.began)
    }
}
