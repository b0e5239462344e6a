//! Messages that wait to be run. Pure.

use std::collections::{BTreeSet, VecDeque};

use zmes_shared::MonitorId;
use zmes_shared::machine::MachineMessage;

/// Maximum number of waiting messages; beyond that, the oldest is dropped.
pub(super) const WAITING: usize = 256;

/// Messages of one lane run one after the other. Each monitor is a lane; messages about no monitor share one.
pub(super) type Lane = Option<MonitorId>;

/// Returns the lane of a message.
pub(super) fn lane(message: &MachineMessage) -> Lane {
    message.monitor.as_ref().map(|monitor| monitor.id)
}

/// Messages in order. Two of one monitor never run at the same time: a command that switches a light on has ended
/// before the one that switches it off starts.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<MachineMessage>,
    busy: BTreeSet<Lane>,
}

impl Queue {
    /// Adds a message. If there is no room, returns the oldest.
    pub(super) fn push(&mut self, message: MachineMessage) -> Option<MachineMessage> {
        let dropped = if self.waiting.len() >= WAITING { self.waiting.pop_front() } else { None };
        self.waiting.push_back(message);
        dropped
    }

    /// Returns the oldest message whose lane is free, and marks the lane as busy.
    pub(super) fn next(&mut self) -> Option<MachineMessage> {
        let free = self.waiting.iter().position(|message| !self.busy.contains(&lane(message)))?;
        let message = self.waiting.remove(free)?;
        self.busy.insert(lane(&message));
        Some(message)
    }

    /// The run in this lane has ended.
    pub(super) fn ended(&mut self, lane: Lane) {
        self.busy.remove(&lane);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use zmes_shared::EventId;
    use zmes_shared::machine::MachineAlarm;
    use zmes_shared::words::MachineKind;

    use super::*;

    fn message(monitor: u32, event: u64) -> MachineMessage {
        MachineMessage::of_alarm(MachineAlarm {
            kind: MachineKind::AlarmStart,
            at: Timestamp::UNIX_EPOCH,
            late: false,
            monitor: MonitorId(monitor),
            name: "Garage",
            event: Some(EventId(event)),
            cause: "",
            lasted: None,
        })
    }

    fn events(queue: &mut Queue) -> Vec<u64> {
        std::iter::from_fn(|| queue.next()).map(|message| message.event.unwrap().0).collect()
    }

    #[test]
    fn monitors_do_not_wait_for_each_other_and_each_is_in_order() {
        let mut queue = Queue::default();
        for (monitor, event) in [(1, 10), (1, 11), (2, 20), (1, 12), (3, 30)] {
            assert_eq!(queue.push(message(monitor, event)), None);
        }
        assert_eq!(events(&mut queue), [10, 20, 30]);
        queue.ended(Some(MonitorId(2)));
        assert_eq!(events(&mut queue), Vec::<u64>::new());
        queue.ended(Some(MonitorId(1)));
        assert_eq!(events(&mut queue), [11]);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn the_oldest_is_dropped_where_there_is_no_room() {
        let mut queue = Queue::default();
        for event in 0..256 {
            assert_eq!(queue.push(message(1, event)), None);
        }
        assert_eq!(queue.push(message(1, 256)).unwrap().event, Some(EventId(0)));
        assert_eq!((queue.len(), events(&mut queue)), (WAITING, vec![1]));
    }
}
