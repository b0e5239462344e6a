//! Labels on the router's side: requests to the label reader, its reports, and the alarms that wait for labels.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use zmes_cluster::outcomes::DeviceHandle;
use zmes_shared::words::LabelWait;
use zmes_shared::{EventId, Label, SessionId};

use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::domain::{Alarm, DecidedBy, LedgerMark};

/// Maximum number of alarms that wait for labels; beyond it, alarms are decided at once.
pub(super) const MAX_HELD: usize = 1024;
/// Maximum number of events whose labels are kept in memory.
const MAX_KNOWN: usize = 1024;
/// If the event was read within this time before the wait ended, the whole wait counts as observed.
const READ_BEFORE_END: Duration = Duration::from_secs(3);

/// Asks the label reader to look for labels of an announced event for the next minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelRequest {
    pub event: EventId,
    /// Until when decisions wait for labels; `None` if no decision waits.
    pub waits_until: Option<Instant>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelReport {
    /// The events that were read.
    pub read: BTreeSet<EventId>,
    /// The events with new labels, each with all labels known so far.
    pub found: Vec<(EventId, Arc<[Label]>)>,
    /// False if this ZoneMinder has no source of labels.
    pub possible: bool,
}

/// Sends requests to the label reader.
#[derive(Debug, Clone)]
pub struct LabelRequests(mpsc::Sender<LabelRequest>);

impl LabelRequests {
    pub fn new(requests: mpsc::Sender<LabelRequest>) -> Self {
        Self(requests)
    }

    /// Sends a request without waiting. Returns false if the queue is full.
    pub(super) fn ask(&self, request: LabelRequest) -> bool {
        self.0.try_send(request).is_ok()
    }
}

#[derive(Debug)]
pub struct LabelCommand {
    pub report: LabelReport,
    /// Answered with whether the state has accepted what was found.
    pub reply: oneshot::Sender<bool>,
}

impl RouterHandle {
    /// Reports what was read. Returns false if the state had no room for what was found: report it again.
    pub async fn labels(&self, report: LabelReport) -> Result<bool, Busy> {
        self.call(|reply| RouterCommand::Labels(LabelCommand { report, reply })).await
    }
}

/// An alarm whose decisions for tokens wait.
#[derive(Debug, Clone)]
pub(super) struct HeldDecision {
    /// The alarm's number; 0 if it was announced before this daemon started.
    pub(super) number: u64,
    pub(super) alarm: Arc<Alarm>,
    pub(super) until: Instant,
    /// The rules that decided for sessions: an alarm counts only once per rule.
    pub(super) by: Vec<(SessionId, DecidedBy)>,
    /// Set if the alarm has already ended: tokens get the end after its start.
    pub(super) end: Option<Arc<Alarm>>,
    /// When its event was last read.
    read_at: Option<Instant>,
    /// It is an alarm of the ledger.
    pub(super) ledger: Option<LedgerHold>,
}

/// An alarm of the ledger that waits for labels.
#[derive(Debug, Clone)]
pub(super) struct LedgerHold {
    pub(super) mark: LedgerMark,
    /// Devices of which it is known what became of it.
    pub(super) done: Arc<HashSet<DeviceHandle>>,
}

impl HeldDecision {
    pub(super) fn new(
        number: u64,
        alarm: Arc<Alarm>,
        until: Instant,
        by: Vec<(SessionId, DecidedBy)>,
    ) -> Self {
        Self { number, alarm, until, by, end: None, read_at: None, ledger: None }
    }

    /// Adds the end of the alarm, if it has already ended.
    pub(super) fn with_end(self, end: Option<Arc<Alarm>>) -> Self {
        Self { end, ..self }
    }

    pub(super) fn for_ledger(self, mark: LedgerMark, done: Arc<HashSet<DeviceHandle>>) -> Self {
        Self { ledger: Some(LedgerHold { mark, done }), ..self }
    }

    /// Says how a wait without labels has ended. A database that could not be read has not said that there are none.
    pub(super) fn ending(&self) -> LabelWait {
        let left = self.read_at.map(|at| self.until.saturating_duration_since(at));
        if left.is_some_and(|left| left <= READ_BEFORE_END) { LabelWait::None } else { LabelWait::Unread }
    }
}

/// The alarms that wait, by the end of their wait.
#[derive(Debug, Default)]
pub(super) struct HeldDecisions {
    by_end: BTreeMap<(Instant, u64), HeldDecision>,
    /// Distinguishes alarms whose waits end at the same moment.
    last: u64,
}

impl HeldDecisions {
    /// Adds an alarm. Returns false if there is no room.
    pub(super) fn hold(&mut self, held: HeldDecision) -> bool {
        let room = !self.is_full();
        if room {
            self.last += 1;
            self.by_end.insert((held.until, self.last), held);
        }
        room
    }

    pub(super) fn is_full(&self) -> bool {
        self.by_end.len() >= MAX_HELD
    }

    /// Returns when the next wait ends.
    pub(super) fn due(&self) -> Option<Instant> {
        self.by_end.first_key_value().map(|((until, _), _)| *until)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Vec<HeldDecision> {
        let mut due = Vec::new();
        while let Some(entry) = self.by_end.first_entry().filter(|entry| entry.key().0 <= now) {
            due.push(entry.remove());
        }
        due
    }

    /// Removes and returns the alarms whose event has known labels.
    pub(super) fn take_known(&mut self, labels: &KnownLabels) -> Vec<HeldDecision> {
        let known = |held: &mut HeldDecision| !labels.of(held.alarm.event).is_empty();
        self.by_end.extract_if(.., |_, held| known(held)).map(|(_, held)| held).collect()
    }

    pub(super) fn take_all(&mut self) -> Vec<HeldDecision> {
        std::mem::take(&mut self.by_end).into_values().collect()
    }

    /// Records the end for the waiting alarms of its monitor.
    pub(super) fn ended(&mut self, end: &Arc<Alarm>) {
        let began = end.span.map_or(end.at, |span| span.began);
        let waits = self.by_end.values_mut().filter(|held| held.alarm.monitor == end.monitor);
        for held in waits.filter(|held| held.end.is_none() && held.alarm.at >= began) {
            held.end = Some(Arc::clone(end));
        }
    }

    /// Forgets alarms of the ledger: another node sends now.
    pub(super) fn leave(&mut self) {
        self.by_end.retain(|_, held| held.ledger.is_none());
    }

    /// Notes which events were read.
    pub(super) fn read(&mut self, events: &BTreeSet<EventId>, now: Instant) {
        for held in self.by_end.values_mut() {
            if held.alarm.event.is_some_and(|event| events.contains(&event)) {
                held.read_at = Some(now);
            }
        }
    }
}

/// The labels of the events that had some last.
#[derive(Debug, Default)]
pub(super) struct KnownLabels {
    by_event: HashMap<EventId, Arc<[Label]>>,
    /// Not by id: in a restored database new events have lower ids.
    oldest_first: VecDeque<EventId>,
}

impl KnownLabels {
    /// Takes what the state file has, oldest first.
    pub(super) fn remembered(labels: Vec<(EventId, Vec<Label>)>) -> Self {
        let mut known = Self::default();
        for (event, labels) in labels {
            known.keep(event, &labels);
        }
        known
    }

    pub(super) fn of(&self, event: Option<EventId>) -> Arc<[Label]> {
        event.and_then(|event| self.by_event.get(&event)).cloned().unwrap_or_default()
    }

    /// Adds labels of an event. Those that it had stay, whatever ZoneMinder has written over them.
    pub(super) fn keep(&mut self, event: EventId, labels: &[Label]) {
        let Some(known) = self.by_event.get_mut(&event) else {
            self.by_event.insert(event, labels.into());
            self.oldest_first.push_back(event);
            if self.oldest_first.len() > MAX_KNOWN
                && let Some(oldest) = self.oldest_first.pop_front()
            {
                self.by_event.remove(&oldest);
            }
            return;
        };
        let mut all = known.to_vec();
        let mut changed = false;
        for label in labels {
            changed |= label.clone().merge_into(&mut all);
        }
        if changed {
            *known = all.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Vec<Label> {
        names.iter().filter_map(|name| Label::new(name, None)).collect()
    }

    #[test]
    fn in_a_restored_database_new_events_keep_their_labels() {
        let full = (0..MAX_KNOWN as u64).map(|event| (EventId(100_000 + event), labels(&["person"])));
        let mut known = KnownLabels::remembered(full.collect());
        known.keep(EventId(7), &labels(&["car"]));
        assert_eq!(Label::listed(&known.of(Some(EventId(7)))), "car");
        assert!(known.of(Some(EventId(100_000))).is_empty(), "the oldest gives way");
        assert_eq!((known.by_event.len(), known.oldest_first.len()), (MAX_KNOWN, MAX_KNOWN));
    }

    #[test]
    fn what_was_once_read_stays() {
        let mut known = KnownLabels::remembered(vec![(EventId(7), labels(&["person"]))]);
        known.keep(EventId(7), &labels(&["car"]));
        assert_eq!(Label::listed(&known.of(Some(EventId(7)))), "person, car");
        assert_eq!(known.oldest_first.len(), 1);
    }
}
