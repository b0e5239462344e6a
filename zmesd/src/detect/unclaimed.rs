//! Rows of monitors that this daemon does not watch, or not yet. Pure.
//!
//! The Events table has the events of all servers, so the reconciler reads those of other nodes' monitors, too. They are kept
//! for a while: if a node falls silent, its monitors are taken up with what they had since.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use zmes_shared::EventId;
use zmes_zoneminder::EventRow;

use crate::monitors::Catalog;

/// Maximum number of rows. The oldest make room: those of a monitor that is just being added are the newest.
const UNCLAIMED: usize = 1000;

#[derive(Debug)]
struct UnclaimedRow {
    row: EventRow,
    seen: Instant,
    /// It existed for a while before it was read.
    missed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Unclaimed(VecDeque<UnclaimedRow>);

impl Unclaimed {
    pub(super) fn put(&mut self, row: EventRow, seen: Instant, missed: bool) {
        if self.0.len() >= UNCLAIMED {
            self.0.pop_front();
        }
        self.0.push_back(UnclaimedRow { row, seen, missed });
    }

    pub(super) fn event_ended(&mut self, event: EventId) {
        if let Some(unclaimed) = self.0.iter_mut().find(|unclaimed| unclaimed.row.id == event) {
            unclaimed.row.open = false;
        }
    }

    /// Returns the rows of monitors that the catalog has. Keeps those of monitors that other nodes watch, and all while no
    /// catalog was read; of other monitors nobody knows.
    pub(super) fn claim(&mut self, catalog: &Catalog, now: Instant, catch_up: Duration) -> Vec<EventRow> {
        let mut claimed = Vec::new();
        for unclaimed in std::mem::take(&mut self.0) {
            let UnclaimedRow { row, seen, missed } = &unclaimed;
            if row.age + now.saturating_duration_since(*seen) > catch_up {
                continue;
            }
            if catalog.monitors.find(row.monitor).is_some_and(|monitor| monitor.watched.is_ok()) {
                // The clock of another server may be wrong, and what is new has just begun.
                let began = if *missed { seen.checked_sub(row.age) } else { Some(*seen) };
                if covers(catalog, row, began) {
                    claimed.push(unclaimed.row);
                }
            } else if catalog.others.contains_key(&row.monitor) || catalog.loaded_at.is_none() {
                self.0.push_back(unclaimed);
            }
        }
        claimed
    }
}

/// Says whether an event is this daemon's to tell, though it was found late: of an orphan only what nobody else could tell.
pub(super) fn covers(catalog: &Catalog, row: &EventRow, began: Option<Instant>) -> bool {
    let monitor = catalog.monitors.find(row.monitor);
    let server = monitor.and_then(|monitor| monitor.elsewhere.as_ref());
    server.is_none_or(|server| catalog.orphans.covers(server.id, began))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use zmes_shared::MonitorId;
    use zmes_zoneminder::{Monitor, OtherServer, Recording};

    use super::*;

    const CATCH_UP: Duration = Duration::from_mins(10);

    fn row(event: u64, monitor: u32, age: u64) -> EventRow {
        EventRow {
            id: EventId(event),
            monitor: MonitorId(monitor),
            cause: "Motion".to_owned(),
            notes: String::new(),
            alarm_frames: 3,
            age: Duration::from_secs(age),
            open: false,
        }
    }

    fn monitor(id: u32, server: Option<u32>) -> Monitor {
        Monitor {
            id: MonitorId(id),
            name: Arc::from("Yard"),
            recording: Recording::OnAlarm,
            alarm_opens_event: false,
            watched: Ok(()),
            on_demand: false,
            elsewhere: server.map(|id| Arc::new(OtherServer { id, name: None })),
        }
    }

    fn catalog(monitors: Vec<Monitor>, others: &[u32]) -> Catalog {
        Catalog {
            loaded_at: Some(Timestamp::UNIX_EPOCH),
            monitors: monitors.into_iter().collect(),
            others: others.iter().map(|id| (MonitorId(*id), Arc::from("Gate"))).collect(),
            ..Catalog::default()
        }
    }

    fn ids(rows: &[EventRow]) -> Vec<u64> {
        rows.iter().map(|row| row.id.0).collect()
    }

    #[test]
    fn rows_of_other_nodes_wait_until_their_monitors_are_taken_up() {
        let now = Instant::now();
        let mut unclaimed = Unclaimed::default();
        assert!(unclaimed.claim(&Catalog::default(), now, CATCH_UP).is_empty());
        for (event, monitor) in [(1, 1), (2, 2), (3, 9)] {
            unclaimed.put(row(event, monitor, 0), now, false);
        }
        assert!(unclaimed.claim(&Catalog::default(), now, CATCH_UP).is_empty(), "no catalog was read");
        let own = catalog(vec![monitor(1, None)], &[2]);
        assert_eq!(ids(&unclaimed.claim(&own, now, CATCH_UP)), [1]);
        assert!(unclaimed.claim(&own, now, CATCH_UP).is_empty(), "only once");
        let mut taken_up = catalog(vec![monitor(1, None), monitor(2, Some(2))], &[]);
        taken_up.orphans = Arc::new([(2, Some(now))].into_iter().collect());
        assert_eq!(ids(&unclaimed.claim(&taken_up, now, CATCH_UP)), [2]);
        // Nobody knows monitor 9.
        assert!(unclaimed.claim(&catalog(vec![monitor(9, None)], &[]), now, CATCH_UP).is_empty());
    }

    #[test]
    fn an_orphan_is_taken_up_from_the_last_sign_of_life_of_its_node() {
        let now = Instant::now() + Duration::from_hours(1);
        let from = now - Duration::from_mins(2);
        let mut unclaimed = Unclaimed::default();
        for (event, age) in [(1, 3600), (2, 121), (3, 119), (4, 0)] {
            unclaimed.put(row(event, 2, age), now, true);
        }
        // Its server is an hour behind; the row was not there a moment before.
        unclaimed.put(row(5, 2, 500), now, false);
        let mut taken_up = catalog(vec![monitor(2, Some(2))], &[]);
        taken_up.orphans = Arc::new([(2, Some(from))].into_iter().collect());
        assert_eq!(ids(&unclaimed.claim(&taken_up, now, CATCH_UP)), [3, 4, 5]);
        // Longer ago than can be expressed: `catch-up` alone counts.
        unclaimed.put(row(6, 2, 500), now, true);
        taken_up.orphans = Arc::new([(2, None)].into_iter().collect());
        assert_eq!(ids(&unclaimed.claim(&taken_up, now, CATCH_UP)), [6]);
    }

    #[test]
    fn a_row_that_waits_ends_and_grows_too_old() {
        let now = Instant::now();
        let mut unclaimed = Unclaimed::default();
        unclaimed.put(EventRow { open: true, ..row(1, 2, 0) }, now, false);
        unclaimed.put(EventRow { open: true, ..row(2, 2, 300) }, now, false);
        unclaimed.event_ended(EventId(1));
        let claimed = unclaimed.claim(&catalog(vec![monitor(2, None)], &[]), now + CATCH_UP, CATCH_UP);
        assert_eq!((ids(&claimed), claimed[0].open), (vec![1], false));
    }
}
