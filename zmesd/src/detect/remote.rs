//! What is known of a `zmc` on another server, by its row in `Monitor_Status`. Pure.
//!
//! The row that is missing means as much as the one that is there: `zmstats.pl` deletes what was not renewed for a minute,
//! so what the row said last is remembered, and its age goes on.

use std::time::Duration;

use tokio::time::Instant;
use zmes_zoneminder::{CaptureReport, CaptureReports, CaptureStatus, Monitor};

use super::condition::RemoteSight;

/// How old a row may be, at least: `zmc` renews it every 10 s.
const SILENT: Duration = Duration::from_mins(1);
/// How long after an outage of the database a `zmc` has time to renew its row.
const GRACE: Duration = Duration::from_secs(30);
/// How long an alarm proves that a camera is captured of which there is no row: its server may die later.
const PROVEN: Duration = Duration::from_hours(1);

/// The row of one monitor.
#[derive(Debug, Default)]
pub(super) struct RemoteCapture {
    /// What it said last; `None`: nothing since the database answers.
    last: Option<LastRow>,
    /// When a live alarm came last while there was no row.
    proven: Option<Instant>,
    /// The database was away, and nothing was read since.
    away: bool,
    /// Until when rows may be missing or old, because `zmc` could not write either.
    grace: Option<Instant>,
    sight: RemoteSight,
}

#[derive(Debug, Clone, Copy)]
struct LastRow {
    report: CaptureReport,
    read_at: Instant,
    /// It is in the table.
    there: bool,
    /// It was renewed while the database answered: a `zmc` that still captures would have kept it.
    renewed: bool,
}

impl RemoteCapture {
    pub(super) fn sight(&self) -> RemoteSight {
        self.sight
    }

    /// Takes the rows that were read at that time; `None`: there is no such table, or it cannot be read.
    pub(super) fn read(
        &mut self,
        captures: Option<(&CaptureReports, Instant)>,
        monitor: &Monitor,
        max_delay: Duration,
    ) {
        let Some((captures, read_at)) = captures else {
            *self = Self::default();
            return;
        };
        let limit = max_delay.max(SILENT);
        if std::mem::take(&mut self.away) {
            self.grace = Some(read_at + GRACE);
        }
        let row = captures.reports.get(&monitor.id);
        if let Some(report) = row {
            let renewed = report.age.is_some_and(|age| age <= limit);
            let renewed = renewed || self.last.is_some_and(|last| last.renewed);
            self.last = Some(LastRow { report: *report, read_at, there: true, renewed });
            self.proven = None;
        } else if let Some(last) = &mut self.last {
            last.there = false;
        }
        let sight = self.judge(captures, limit, read_at);
        let patient = self.grace.is_some_and(|until| read_at < until);
        let waits = matches!(sight, RemoteSight::Silent(_) | RemoteSight::Unreached(_));
        self.sight = if monitor.on_demand && sight != RemoteSight::Stopped {
            // Between two viewers it renews nothing.
            RemoteSight::Captured
        } else if patient && waits {
            RemoteSight::Unknown
        } else {
            sight
        };
    }

    /// A live alarm of the monitor was found. Where a row that was deleted stays away, this alone says that `zmc` captures.
    pub(super) fn alarmed(&mut self, now: Instant) {
        if self.last.is_some_and(|last| last.there) {
            return;
        }
        let stays_away = matches!(self.sight, RemoteSight::Silent(Some(_)) | RemoteSight::Unknown);
        if stays_away || self.proven.is_some() {
            self.last = None;
            self.proven = Some(now);
        }
    }

    /// The database is away: what its rows said is of no use any more.
    pub(super) fn database_away(&mut self) {
        *self = Self { away: true, ..Self::default() };
    }

    fn judge(&self, captures: &CaptureReports, limit: Duration, now: Instant) -> RemoteSight {
        let Some(last) = self.last else {
            let proven = self.proven.is_some_and(|at| now.saturating_duration_since(at) < PROVEN);
            return match (captures.returning, proven) {
                (true, _) => RemoteSight::Silent(None),
                (false, true) => RemoteSight::Captured,
                (false, false) => RemoteSight::Unknown,
            };
        };
        let CaptureReport { status, pictures, age } = last.report;
        let age = age.map(|age| age + now.saturating_duration_since(last.read_at));
        let old = age.filter(|age| *age > limit).map(|age| Duration::from_mins(age.as_secs() / 60));
        match (status, old) {
            (CaptureStatus::NotRunning, _) => RemoteSight::Stopped,
            (CaptureStatus::Connecting, None) => RemoteSight::NoPicture,
            (CaptureStatus::Connecting, Some(age)) => RemoteSight::Unreached(age),
            // Without a time this may be the number of a zmc that has just started.
            (CaptureStatus::Connected, None) if age.is_some() && pictures == Some(false) => {
                RemoteSight::NoPicture
            }
            (CaptureStatus::Connected | CaptureStatus::Unknown, None) => RemoteSight::Captured,
            (CaptureStatus::Connected | CaptureStatus::Unknown, Some(age)) => {
                if last.there || last.renewed || captures.returning {
                    RemoteSight::Silent(Some(age))
                } else {
                    // It was deleted after an outage, and a zmc that captures only updates what is there.
                    RemoteSight::Unknown
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zmes_shared::MonitorId;
    use zmes_zoneminder::Recording;

    use super::CaptureStatus::{Connected, Connecting, NotRunning, Unknown};
    use super::*;

    const ID: MonitorId = MonitorId(2);
    const MINUTE: Duration = Duration::from_mins(1);

    fn monitor(on_demand: bool) -> Monitor {
        let (recording, name) = (Recording::OnAlarm, Arc::from("Yard"));
        Monitor {
            id: ID,
            name,
            recording,
            alarm_opens_event: false,
            watched: Ok(()),
            on_demand,
            elsewhere: None,
        }
    }

    /// A table of one version of ZoneMinder, and the time.
    struct World {
        capture: RemoteCapture,
        returning: bool,
        on_demand: bool,
        now: Instant,
    }

    impl World {
        fn new(returning: bool) -> Self {
            let capture = RemoteCapture::default();
            Self { capture, returning, on_demand: false, now: Instant::now() }
        }

        fn v1_36() -> Self {
            Self::new(false)
        }

        fn v1_38() -> Self {
            Self::new(true)
        }

        fn alarmed(&mut self) {
            self.capture.alarmed(self.now);
        }

        /// Reads the table some seconds later.
        fn after(&mut self, seconds: u64, row: Option<CaptureReport>) -> RemoteSight {
            self.now += Duration::from_secs(seconds);
            let reports = row.map(|row| (ID, row)).into_iter().collect();
            let captures = CaptureReports { returning: self.returning, reports };
            self.capture.read(Some((&captures, self.now)), &monitor(self.on_demand), MINUTE);
            self.capture.sight()
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a row that is there")]
    fn row(status: CaptureStatus, pictures: bool, age: u64) -> Option<CaptureReport> {
        Some(CaptureReport { status, pictures: Some(pictures), age: Some(Duration::from_secs(age)) })
    }

    #[test]
    fn what_a_row_says() {
        use RemoteSight::{Captured, NoPicture, Silent, Stopped, Unreached};
        for (status, pictures, age, expected) in [
            (Connected, Some(true), Some(0), Captured),
            (Connected, Some(true), Some(60), Captured),
            (Connected, Some(true), Some(61), Silent(Some(MINUTE))),
            (Connected, Some(true), Some(179), Silent(Some(MINUTE * 2))),
            (Connected, Some(false), Some(1), NoPicture),
            (Connected, None, Some(1), Captured),
            (Connecting, Some(false), Some(1), NoPicture),
            (Connecting, Some(false), Some(200), Unreached(MINUTE * 3)),
            (NotRunning, Some(false), Some(9999), Stopped),
            (Unknown, Some(false), Some(1), Captured),
            // Up to 1.36.33 nothing says how old a row is.
            (Connected, Some(false), None, Captured),
            (Connecting, Some(false), None, NoPicture),
            (NotRunning, Some(true), None, Stopped),
        ] {
            let mut world = World::v1_36();
            let report = CaptureReport { status, pictures, age: age.map(Duration::from_secs) };
            assert_eq!(world.after(0, Some(report)), expected, "{status:?} {pictures:?} {age:?}");
        }
        assert_eq!(World::v1_38().after(0, None), Silent(None));
        assert_eq!(World::v1_36().after(0, None), RemoteSight::Unknown);
    }

    #[test]
    fn a_camera_that_is_switched_off_is_no_dead_server_when_its_row_is_deleted() {
        for mut world in [World::v1_36(), World::v1_38()] {
            assert_eq!(world.after(0, row(Connected, true, 4)), RemoteSight::Captured);
            // zmc writes Running, and no time.
            assert_eq!(world.after(5, row(Connecting, false, 9)), RemoteSight::NoPicture);
            assert_eq!(world.after(50, row(Connecting, false, 59)), RemoteSight::NoPicture);
            assert_eq!(world.after(5, row(Connecting, false, 64)), RemoteSight::Unreached(MINUTE));
            assert_eq!(world.after(60, None), RemoteSight::Unreached(MINUTE * 2));
            assert_eq!(world.after(5, row(Connected, true, 1)), RemoteSight::Captured);
        }
    }

    #[test]
    fn a_zmc_that_ended_has_still_ended_when_its_row_is_deleted() {
        let mut world = World::v1_38();
        assert_eq!(world.after(0, row(NotRunning, false, 4)), RemoteSight::Stopped);
        assert_eq!(world.after(70, None), RemoteSight::Stopped);
    }

    #[test]
    fn a_server_that_dies_is_silent_before_and_after_its_row_is_deleted() {
        for mut world in [World::v1_36(), World::v1_38()] {
            assert_eq!(world.after(0, row(Connected, true, 4)), RemoteSight::Captured);
            assert_eq!(world.after(57, row(Connected, true, 61)), RemoteSight::Silent(Some(MINUTE)));
            assert_eq!(world.after(60, None), RemoteSight::Silent(Some(MINUTE * 2)));
        }
    }

    #[test]
    fn a_row_that_is_deleted_within_the_limit_is_not_silent() {
        let mut world = World::v1_36();
        assert_eq!(world.after(0, row(Connected, true, 4)), RemoteSight::Captured);
        assert_eq!(world.after(40, None), RemoteSight::Captured);
        assert_eq!(world.after(40, None), RemoteSight::Silent(Some(MINUTE)));
    }

    #[test]
    fn a_row_that_was_deleted_after_an_outage_makes_no_lost_server_of_1_36() {
        let mut world = World::v1_36();
        assert_eq!(world.after(0, row(Connected, true, 4)), RemoteSight::Captured);
        world.capture.database_away();
        assert_eq!(world.capture.sight(), RemoteSight::Unknown);
        // zmc has not renewed it yet; then zmstats.pl is quicker, and zmc updates a row that is not there.
        assert_eq!(world.after(200, row(Connected, true, 203)), RemoteSight::Unknown);
        for _ in 0..100 {
            assert_eq!(world.after(5, None), RemoteSight::Unknown);
        }
        world.alarmed();
        assert_eq!(world.after(5, None), RemoteSight::Captured, "it captures");
        assert_eq!(world.after(900, None), RemoteSight::Captured);
        // Its server may have died since.
        assert_eq!(world.after(3600, None), RemoteSight::Unknown);
        world.alarmed();
        assert_eq!(world.after(5, None), RemoteSight::Captured);
        assert_eq!(world.after(5, row(Connected, true, 1)), RemoteSight::Captured);
        assert_eq!(world.after(90, row(Connected, true, 91)), RemoteSight::Silent(Some(MINUTE)));
    }

    #[test]
    fn after_an_outage_a_zmc_has_time_to_renew_its_row() {
        let mut world = World::v1_38();
        world.after(0, row(Connected, true, 4));
        world.capture.database_away();
        assert_eq!(world.after(300, row(Connected, true, 304)), RemoteSight::Unknown);
        assert_eq!(world.after(5, row(Connected, true, 1)), RemoteSight::Captured);
        world.capture.database_away();
        assert_eq!(world.after(300, None), RemoteSight::Unknown);
        assert_eq!(world.after(29, None), RemoteSight::Unknown);
        assert_eq!(world.after(1, None), RemoteSight::Silent(None));
    }

    #[test]
    fn an_alarm_proves_that_a_deleted_row_means_nothing() {
        let mut world = World::v1_36();
        world.after(0, row(Connected, true, 4));
        assert_eq!(world.after(90, None), RemoteSight::Silent(Some(MINUTE)));
        world.alarmed();
        assert_eq!(world.after(5, None), RemoteSight::Captured);
        // With 1.38 the row would be there.
        let mut world = World::v1_38();
        assert_eq!(world.after(0, None), RemoteSight::Silent(None));
        world.alarmed();
        assert_eq!(world.after(5, None), RemoteSight::Silent(None));
    }

    #[test]
    fn a_camera_on_demand_is_lost_only_when_its_zmc_has_ended() {
        let mut world = World { on_demand: true, ..World::v1_38() };
        assert_eq!(world.after(0, row(Connected, true, 4)), RemoteSight::Captured);
        assert_eq!(world.after(60, row(Connected, true, 64)), RemoteSight::Captured);
        assert_eq!(world.after(60, None), RemoteSight::Captured);
        assert_eq!(world.after(60, row(Connecting, false, 300)), RemoteSight::Captured);
        assert_eq!(world.after(60, row(NotRunning, false, 1)), RemoteSight::Stopped);
    }

    #[test]
    fn a_table_that_cannot_be_read_says_nothing() {
        let mut world = World::v1_38();
        assert_eq!(world.after(0, row(NotRunning, false, 4)), RemoteSight::Stopped);
        world.capture.read(None, &monitor(false), MINUTE);
        assert_eq!(world.capture.sight(), RemoteSight::Unknown);
    }
}
