//! Phones of this node's state that the ledger does not have, though it had them: they were revoked and forgotten while
//! this node was away, or the database has lost them. Pure.

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
    /// This node takes part.
    has_entered: bool,
    /// When the ledger last heard of this node before its start; `None`: it does not know that.
    was_there: Option<Timestamp>,
    is_settled: bool,
}

/// What became of phones that the ledger does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AbsentPhones {
    /// They were in it when this node was there, and so were revoked and forgotten since.
    pub(super) forgotten: Vec<DeviceHandle>,
    /// The ledger is another one, or was restored from an older copy: it has to be told of them again.
    pub(super) lost: Vec<DeviceHandle>,
}

impl UnseenPhones {
    /// `phones`: those that the ledger has, or had.
    pub(super) fn new(phones: HashMap<DeviceHandle, Timestamp>) -> Self {
        Self { phones, ..Self::default() }
    }

    /// This node takes part; `was_there`: when the ledger last heard of it before its start.
    pub(super) fn enter(&mut self, was_there: Option<Timestamp>) {
        if !std::mem::replace(&mut self.has_entered, true) {
            self.was_there = was_there;
        }
    }

    /// A record was read.
    pub(super) fn seen(&mut self, record: &Record) {
        match record.key.kind {
            RecordKind::Device => drop(self.phones.remove(&DeviceHandle::new(record.key.id))),
            RecordKind::Snooze | RecordKind::Trouble => {}
        }
    }

    /// Returns the phones that are absent once all records were read; `None`: that was dealt with, or it is too early.
    pub(super) fn absent(&self) -> Option<AbsentPhones> {
        if self.is_settled || !self.has_entered {
            return None;
        }
        let until = self.was_there.and_then(|at| at.checked_sub(MARGIN).ok());
        let mut absent = AbsentPhones::default();
        for (device, changed) in &self.phones {
            let was_in = until.is_some_and(|until| *changed < until);
            let list = if was_in { &mut absent.forgotten } else { &mut absent.lost };
            list.push(*device);
        }
        Some(absent)
    }

    /// They were dealt with.
    pub(super) fn settle(&mut self) {
        self.phones.clear();
        self.is_settled = true;
    }

    /// Says whether records have to be read for this, whatever has changed.
    pub(super) fn waits(&self) -> bool {
        !self.is_settled
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
    fn what_the_ledger_had_and_has_no_more_was_forgotten_and_what_is_newer_is_lost() {
        let mut unseen = unseen();
        assert_eq!(unseen.absent(), None, "this node has not registered");
        unseen.enter(Some(at(100)));
        // Again, after an admin has removed it.
        unseen.enter(None);
        let key = RecordKey::device(device(1));
        unseen.seen(&Record { key, changed: at(0), deleted: false, body: Vec::new() });
        let key = RecordKey { kind: RecordKind::Snooze, id: [2; 32] };
        unseen.seen(&Record { key, changed: at(0), deleted: false, body: Vec::new() });
        // The third may have been changed after the last sign of life that is in the ledger.
        let absent = AbsentPhones { forgotten: vec![device(2)], lost: vec![device(3)] };
        assert_eq!((unseen.absent(), unseen.waits()), (Some(absent), true));
        unseen.settle();
        assert_eq!((unseen.absent(), unseen.waits()), (None, false));
    }

    #[test]
    fn a_ledger_that_does_not_know_this_node_has_forgotten_nothing() {
        let mut unseen = unseen();
        unseen.enter(None);
        unseen.enter(Some(at(100)));
        let mut absent = unseen.absent().unwrap();
        absent.lost.sort_unstable();
        assert_eq!((absent.forgotten, absent.lost), (vec![], vec![device(1), device(2), device(3)]));
    }
}
