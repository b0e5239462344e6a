//! Phones that were revoked, and forgotten by the ledger, while this node was away. Its own state has them as they were. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use zmes_cluster::outcomes::DeviceHandle;
use zmes_cluster::records::{Record, RecordKind};

/// Clocks of nodes, and the node's last sign of life, may be off by this.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// Phones of this node's state that were not read from the ledger yet.
#[derive(Debug, Default)]
pub(super) struct UnseenPhones {
    /// With the last change that the ledger is known to have had.
    phones: HashMap<DeviceHandle, Timestamp>,
    /// When the ledger last heard of this node before its start.
    was_there: Option<Timestamp>,
}

impl UnseenPhones {
    /// `phones`: those that the ledger has, or had.
    pub(super) fn new(phones: HashMap<DeviceHandle, Timestamp>) -> Self {
        Self { phones, was_there: None }
    }

    /// This node takes part for the first time since its start; `was_there`: when the ledger last heard of it.
    pub(super) fn enter(&mut self, was_there: Option<Timestamp>) {
        match was_there {
            Some(_) => self.was_there = self.was_there.or(was_there),
            // The ledger is another one, or was restored: that a phone is not in it means nothing.
            None if self.was_there.is_none() => self.phones.clear(),
            None => {}
        }
    }

    /// A record was read.
    pub(super) fn seen(&mut self, record: &Record) {
        match record.key.kind {
            RecordKind::Device => drop(self.phones.remove(&DeviceHandle::new(record.key.id))),
            RecordKind::Snooze | RecordKind::Trouble => {}
        }
    }

    /// All records were read: returns the phones that were in the ledger when this node was there, and are not any more.
    pub(super) fn forgotten(&self) -> Vec<DeviceHandle> {
        let Some(until) = self.was_there.and_then(|at| at.checked_sub(MARGIN).ok()) else {
            return Vec::new();
        };
        let before = self.phones.iter().filter(|(_, changed)| **changed < until);
        before.map(|(device, _)| *device).collect()
    }

    /// They were dealt with.
    pub(super) fn end(&mut self) {
        self.phones.clear();
    }
}

#[cfg(test)]
mod tests {
    use zmes_cluster::records::RecordKey;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn device(number: u8) -> DeviceHandle {
        DeviceHandle::new([number; 32])
    }

    fn unseen() -> UnseenPhones {
        UnseenPhones::new([(device(1), at(0)), (device(2), at(0)), (device(3), at(95))].into())
    }

    #[test]
    fn what_the_ledger_had_and_has_no_more_was_forgotten() {
        let mut unseen = unseen();
        assert!(unseen.forgotten().is_empty(), "this node has not registered");
        unseen.enter(Some(at(100)));
        // Again, after an admin has removed it.
        unseen.enter(None);
        let key = RecordKey::device(device(1));
        unseen.seen(&Record { key, changed: at(0), deleted: false, body: Vec::new() });
        let kind = RecordKind::Snooze;
        let key = RecordKey { kind, id: [2; 32] };
        unseen.seen(&Record { key, changed: at(0), deleted: false, body: Vec::new() });
        assert_eq!(
            unseen.forgotten(),
            [device(2)],
            "the third may have been changed after the last sign of life"
        );
        unseen.end();
        assert!(unseen.forgotten().is_empty());
    }

    #[test]
    fn a_ledger_that_does_not_know_this_node_forgets_nothing() {
        let mut unseen = unseen();
        unseen.enter(None);
        unseen.enter(Some(at(100)));
        assert!(unseen.forgotten().is_empty());
    }
}
