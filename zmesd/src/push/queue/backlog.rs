//! How far the memory is behind the disk: after a start by everything, later by what came while the memory was full.
//!
//! While something is behind, new deliveries are not taken into memory: they would overtake what is still to be read.

use std::collections::VecDeque;

use crate::domain::DeliveryId;

#[derive(Debug)]
pub(super) struct Backlog {
    /// Everything up to here is, or was, in memory; `None`: nothing is missing.
    behind: Option<DeliveryId>,
    /// The last delivery that was not taken into memory.
    newest: DeliveryId,
    /// A page is being read, begun when the disk held everything up to that delivery.
    reading: Option<DeliveryId>,
    /// While a page was being read, it turned out that everything is to be read again.
    again: bool,
    /// The last page did not hold everything: what is missing is not on the disk yet.
    starved_at: Option<DeliveryId>,
    /// Deliveries that were handed over and left to the disk, ascending, not read yet.
    left: VecDeque<LeftRange>,
}

/// Deliveries that were left to the disk. Their numbers have gaps: not every token of an alarm gets a push.
#[derive(Debug)]
struct LeftRange {
    first: DeliveryId,
    last: DeliveryId,
    count: usize,
}

impl Backlog {
    /// Returns the bookkeeping of a daemon that has just started: everything up to `last` is only on the disk.
    pub(super) fn at_start(last: DeliveryId) -> Self {
        let behind = (last > DeliveryId::default()).then(DeliveryId::default);
        Self { behind, newest: last, reading: None, again: false, starved_at: None, left: VecDeque::new() }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    pub(super) fn is_reading(&self) -> bool {
        self.reading.is_some()
    }

    /// Deliveries that were withdrawn count until the page that would have had them has been read.
    pub(super) fn left(&self) -> usize {
        self.left.iter().map(|left| left.count).sum()
    }

    /// Leaves `count` deliveries from `first` to `last` to the disk; those before `first` are in memory.
    pub(super) fn leave(&mut self, first: DeliveryId, last: DeliveryId, count: usize) {
        self.behind.get_or_insert(DeliveryId(first.0 - 1));
        self.newest = self.newest.max(last);
        match self.left.back_mut() {
            Some(before) if before.last.0 + 1 == first.0 => {
                before.last = last;
                before.count += count;
            }
            Some(_) | None => self.left.push_back(LeftRange { first, last, count }),
        }
    }

    /// Some delivery was not handed over, and it is not known which; the queue skips what it has in memory.
    pub(super) fn read_again(&mut self) {
        self.again = self.reading.is_some();
        self.behind = Some(DeliveryId::default());
        self.starved_at = None;
    }

    /// Returns after which delivery the next page is to be read, if it can be read now.
    pub(super) fn next_page(&mut self, committed: DeliveryId) -> Option<DeliveryId> {
        let behind = self.behind?;
        if self.reading.is_some() || self.starved_at == Some(committed) {
            return None;
        }
        self.reading = Some(committed);
        Some(behind)
    }

    /// A page has been read: the deliveries that it had, the number of its last row, and whether there may be more.
    pub(super) fn read(&mut self, page: &[DeliveryId], last: Option<DeliveryId>, full: bool) {
        let Some(committed) = self.reading.take() else { return };
        let last_read = last.unwrap_or_default();
        self.forget_left(page, if full { last_read } else { last_read.max(committed) });
        if std::mem::take(&mut self.again) {
            return;
        }
        if let Some(last) = last {
            self.behind = Some(last);
        }
        if full {
            return;
        }
        if committed >= self.newest {
            self.behind = None;
        } else {
            self.starved_at = Some(committed);
        }
    }

    /// Everything up to `through` has been read, and `page` is what was still queued of it.
    fn forget_left(&mut self, page: &[DeliveryId], through: DeliveryId) {
        while let Some(left) = self.left.front_mut().filter(|left| left.first <= through) {
            if left.last > through {
                let read = page.iter().filter(|id| (left.first..=through).contains(id)).count();
                left.count = left.count.saturating_sub(read);
                left.first = DeliveryId(through.0 + 1);
                break;
            }
            self.left.pop_front();
        }
    }

    /// The disk cannot be written: nothing more is waited for. Returns whether something is missing.
    pub(super) fn give_up(&mut self) -> bool {
        self.reading.is_none() && self.starved_at.is_some() && self.behind.take().is_some()
    }

    pub(super) fn unread(&mut self) {
        self.reading = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::RangeInclusive<i64>) -> Vec<DeliveryId> {
        range.map(DeliveryId).collect()
    }

    #[test]
    fn a_start_reads_page_after_page_until_all_is_there() {
        let mut backlog = Backlog::at_start(DeliveryId(2500));
        assert!(backlog.is_behind());
        assert_eq!(backlog.next_page(DeliveryId(2500)), Some(DeliveryId(0)));
        assert_eq!(backlog.next_page(DeliveryId(2500)), None, "one at a time");
        backlog.read(&ids(201..=1200), Some(DeliveryId(1200)), true);
        assert_eq!(backlog.next_page(DeliveryId(2500)), Some(DeliveryId(1200)));
        backlog.read(&ids(1201..=2400), Some(DeliveryId(2400)), false);
        assert!(!backlog.is_behind());
        assert!(!Backlog::at_start(DeliveryId(0)).is_behind());
    }

    #[test]
    fn what_was_not_handed_over_is_found_by_reading_everything_again() {
        let mut backlog = Backlog::at_start(DeliveryId(10));
        assert_eq!(backlog.next_page(DeliveryId(10)), Some(DeliveryId(0)));
        backlog.read_again();
        backlog.read(&ids(1..=10), Some(DeliveryId(10)), false);
        assert_eq!(backlog.next_page(DeliveryId(12)), Some(DeliveryId(0)), "not what was being read then");
        backlog.read(&ids(1..=12), Some(DeliveryId(12)), false);
        assert!(!backlog.is_behind());
    }

    #[test]
    fn what_came_while_reading_is_read_once_it_is_on_the_disk() {
        let mut backlog = Backlog::at_start(DeliveryId(0));
        backlog.leave(DeliveryId(11), DeliveryId(20), 10);
        backlog.leave(DeliveryId(21), DeliveryId(30), 10);
        assert_eq!(backlog.next_page(DeliveryId(20)), Some(DeliveryId(10)));
        backlog.read(&ids(11..=20), Some(DeliveryId(20)), false);
        assert_eq!(backlog.next_page(DeliveryId(20)), None, "nothing new is there");
        assert_eq!(backlog.next_page(DeliveryId(30)), Some(DeliveryId(20)));
        backlog.unread();
        assert_eq!(backlog.next_page(DeliveryId(30)), Some(DeliveryId(20)), "tried again");
        assert_eq!(backlog.left(), 10);
        backlog.read(&ids(21..=30), Some(DeliveryId(30)), false);
        assert!(!backlog.is_behind() && backlog.left() == 0);
    }

    #[test]
    fn what_was_withdrawn_on_the_disk_is_not_left_once_its_page_has_been_read() {
        let mut backlog = Backlog::at_start(DeliveryId(0));
        backlog.leave(DeliveryId(11), DeliveryId(20), 8);
        backlog.leave(DeliveryId(31), DeliveryId(40), 5);
        backlog.next_page(DeliveryId(40)).unwrap();
        backlog.read(&[DeliveryId(11), DeliveryId(14)], Some(DeliveryId(14)), true);
        assert_eq!(backlog.left(), 6 + 5, "what the page had is in memory");
        backlog.next_page(DeliveryId(40)).unwrap();
        backlog.read(&[], None, false);
        assert!(!backlog.is_behind() && backlog.left() == 0, "the rest is not queued any more");
    }
}
