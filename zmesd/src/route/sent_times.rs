//! When a receiver got its last alarm of each monitor: what intervals are measured from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use zmes_shared::MonitorId;

/// The times of the last alarms, one for each monitor that has an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentTimes(BTreeMap<MonitorId, Timestamp>);

impl SentTimes {
    pub(super) fn last(&self, monitor: MonitorId) -> Option<Timestamp> {
        self.0.get(&monitor).copied()
    }

    pub(super) fn note(&mut self, monitor: MonitorId, at: Timestamp) {
        self.0.insert(monitor, at);
    }

    /// Takes back that the alarm of that time was sent; false: another one is the last.
    pub(super) fn undo(&mut self, monitor: MonitorId, at: Timestamp) -> bool {
        let is_last = self.last(monitor) == Some(at);
        if is_last {
            self.0.remove(&monitor);
        }
        is_last
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for SentTimes {
    type Item = (MonitorId, Timestamp);
    type IntoIter = std::collections::btree_map::IntoIter<MonitorId, Timestamp>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_alarm_can_be_taken_back() {
        let [first, second] = [1, 2].map(|second| Timestamp::from_second(second).unwrap());
        let mut sent = SentTimes::default();
        sent.note(MonitorId(1), first);
        sent.note(MonitorId(1), second);
        assert!(!sent.undo(MonitorId(1), first) && !sent.undo(MonitorId(2), second));
        assert_eq!(sent.last(MonitorId(1)), Some(second));
        assert!(sent.undo(MonitorId(1), second) && sent.is_empty());
    }
}
