//! What is on the disk and not in memory: after a start everything, later what came while the memory was full.
//!
//! Pure bookkeeping: while something is behind, new deliveries are not taken into memory, because they would overtake
//! what the disk still holds; they are read in their turn.

use std::collections::VecDeque;

use crate::domain::DeliveryId;

/// Deliveries that are read at a time.
pub(in crate::push) const PAGE: u32 = 1000;

/// How far the memory is behind the disk.
#[derive(Debug)]
pub(in crate::push) struct Backlog {
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
    /// What was handed over and left to the disk, from first to last: ascending, not read yet.
    left: VecDeque<(DeliveryId, DeliveryId)>,
}

impl Backlog {
    /// Returns the bookkeeping of a daemon that has just started: everything up to `last` is only on the disk.
    pub(in crate::push) fn at_start(last: DeliveryId) -> Self {
        let behind = (last > DeliveryId::default()).then(DeliveryId::default);
        Self { behind, newest: last, reading: None, again: false, starved_at: None, left: VecDeque::new() }
    }

    /// Says whether something is missing in memory.
    pub(in crate::push) fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// Deliveries up to `last` are left to the disk; those before `first` are in memory.
    pub(in crate::push) fn leave(&mut self, first: DeliveryId, last: DeliveryId) {
        self.behind.get_or_insert(DeliveryId(first.0 - 1));
        self.newest = self.newest.max(last);
        match self.left.back_mut() {
            Some((_, before)) if before.0 + 1 == first.0 => *before = last,
            Some(_) | None => self.left.push_back((first, last)),
        }
    }

    /// Says whether a delivery of a page was handed over before; else the router could not hand it over, and it is
    /// news.
    pub(in crate::push) fn was_left(&self, id: DeliveryId) -> bool {
        self.left.iter().any(|(first, last)| (*first..=*last).contains(&id))
    }

    /// Some delivery was not handed over, and nobody knows which: everything is read again, and what is in memory is
    /// passed over.
    pub(in crate::push) fn read_again(&mut self) {
        self.again = self.reading.is_some();
        self.behind = Some(DeliveryId::default());
        self.starved_at = None;
    }

    /// Returns after which delivery the next page is to be read, if it can be read now.
    pub(in crate::push) fn next_page(&mut self, committed: DeliveryId) -> Option<DeliveryId> {
        let behind = self.behind?;
        if self.reading.is_some() || self.starved_at == Some(committed) {
            return None;
        }
        self.reading = Some(committed);
        Some(behind)
    }

    /// A page has been read: its last delivery, and whether there may be more.
    pub(in crate::push) fn read(&mut self, last: Option<DeliveryId>, full: bool) {
        let Some(committed) = self.reading.take() else { return };
        while let (Some((first, end)), Some(last)) = (self.left.front_mut(), last) {
            if *end > last {
                *first = (*first).max(DeliveryId(last.0 + 1));
                break;
            }
            self.left.pop_front();
        }
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

    /// Nothing more will come from the disk, because it cannot be written: what it never got is lost, and what comes
    /// from now on is taken. Returns whether something is lost.
    pub(in crate::push) fn give_up(&mut self) -> bool {
        self.reading.is_none() && self.starved_at.is_some() && self.behind.take().is_some()
    }

    /// A page could not be read; it is tried again.
    pub(in crate::push) fn unread(&mut self) {
        self.reading = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_reads_page_after_page_until_all_is_there() {
        let mut backlog = Backlog::at_start(DeliveryId(2500));
        assert!(backlog.is_behind());
        assert_eq!(backlog.next_page(DeliveryId(2500)), Some(DeliveryId(0)));
        assert_eq!(backlog.next_page(DeliveryId(2500)), None, "one at a time");
        backlog.read(Some(DeliveryId(1200)), true);
        assert_eq!(backlog.next_page(DeliveryId(2500)), Some(DeliveryId(1200)));
        backlog.read(Some(DeliveryId(2400)), false);
        assert!(!backlog.is_behind());
        assert!(!Backlog::at_start(DeliveryId(0)).is_behind());
    }

    #[test]
    fn what_was_not_handed_over_is_found_by_reading_everything_again() {
        let mut backlog = Backlog::at_start(DeliveryId(10));
        assert_eq!(backlog.next_page(DeliveryId(10)), Some(DeliveryId(0)));
        backlog.read_again();
        backlog.read(Some(DeliveryId(10)), false);
        assert_eq!(backlog.next_page(DeliveryId(12)), Some(DeliveryId(0)), "not what was being read then");
        backlog.read(Some(DeliveryId(12)), false);
        assert!(!backlog.is_behind());
    }

    #[test]
    fn what_came_while_reading_is_read_once_it_is_on_the_disk() {
        let mut backlog = Backlog::at_start(DeliveryId(0));
        backlog.leave(DeliveryId(11), DeliveryId(20));
        backlog.leave(DeliveryId(21), DeliveryId(30));
        assert_eq!(backlog.next_page(DeliveryId(20)), Some(DeliveryId(10)));
        backlog.read(Some(DeliveryId(20)), false);
        assert_eq!(backlog.next_page(DeliveryId(20)), None, "nothing new is there");
        assert_eq!(backlog.next_page(DeliveryId(30)), Some(DeliveryId(20)));
        backlog.unread();
        assert_eq!(backlog.next_page(DeliveryId(30)), Some(DeliveryId(20)), "tried again");
        assert!([11, 20, 30].into_iter().all(|id| backlog.was_left(DeliveryId(id)) == (id > 20)));
        backlog.read(Some(DeliveryId(30)), false);
        assert!(!backlog.is_behind() && !backlog.was_left(DeliveryId(30)));
    }
}
