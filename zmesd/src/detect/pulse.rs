//! Whether a `zmc` still runs, by its heartbeat.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// After a jump of the wall clock, every heartbeat looks old until the next one arrives.
const JUMP_TOLERANCE: Duration = Duration::from_secs(2);

/// The heartbeat of one `zmc`. A killed `zmc` leaves its memory valid and unchanged, perhaps in alarm.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    last: Option<(Timestamp, Instant)>,
    beats: bool,
}

impl Pulse {
    /// Records a heartbeat. Returns its age if that exceeds `limit`.
    ///
    /// This compares both clocks: the wall clock because a `zmc` may have died before the daemon started, the monotonic
    /// clock because the wall clock may jump in either direction.
    pub(super) fn too_old(
        &mut self,
        heartbeat: Option<Timestamp>,
        now: Instant,
        wall: Timestamp,
        limit: Duration,
    ) -> Option<Duration> {
        // A zmc that has not reached its camera yet has no heartbeat and no alarms.
        let heartbeat = heartbeat?;
        let since = match self.last {
            Some((last, since)) if last == heartbeat => since,
            previous => {
                self.beats = previous.is_some();
                self.last = Some((heartbeat, now));
                now
            }
        };
        let frozen = now.saturating_duration_since(since);
        let age = Duration::try_from(wall.duration_since(heartbeat)).unwrap_or_default();
        if frozen > limit {
            return Some(frozen.max(age));
        }
        (age > limit && (!self.beats || frozen >= JUMP_TOLERANCE)).then_some(age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(45);

    fn wall(secs: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + secs).unwrap()
    }

    #[test]
    fn a_zmc_that_died_before_the_daemon_started_is_known_at_once() {
        let now = Instant::now();
        assert_eq!(
            Pulse::default().too_old(Some(wall(-62)), now, wall(0), LIMIT),
            Some(Duration::from_secs(62))
        );
        assert_eq!(Pulse::default().too_old(Some(wall(-40)), now, wall(0), LIMIT), None);
        assert_eq!(Pulse::default().too_old(None, now, wall(0), LIMIT), None);
    }

    #[test]
    fn a_zmc_that_dies_is_known_after_the_limit_and_when_it_is_back() {
        let (mut pulse, now) = (Pulse::default(), Instant::now());
        let later = |secs| now + Duration::from_secs(secs);
        assert_eq!(pulse.too_old(Some(wall(0)), now, wall(0), LIMIT), None);
        assert_eq!(pulse.too_old(Some(wall(0)), later(45), wall(45), LIMIT), None);
        assert!(pulse.too_old(Some(wall(0)), later(46), wall(46), LIMIT).is_some());
        assert_eq!(pulse.too_old(Some(wall(47)), later(47), wall(47), LIMIT), None);
    }

    #[test]
    fn a_jump_of_the_wall_clock_makes_no_zmc_look_dead() {
        let (mut pulse, now) = (Pulse::default(), Instant::now());
        let later = |ms| now + Duration::from_millis(ms);
        pulse.too_old(Some(wall(0)), now, wall(0), LIMIT);
        pulse.too_old(Some(wall(1)), later(1000), wall(1), LIMIT);
        assert_eq!(pulse.too_old(Some(wall(1)), later(1100), wall(3600), LIMIT), None, "an hour ahead");
        assert_eq!(pulse.too_old(Some(wall(-3600)), later(2000), wall(-3600), LIMIT), None, "an hour back");
        assert_eq!(pulse.too_old(Some(wall(9000)), later(3000), wall(0), LIMIT), None, "a zmc ahead of us");
        assert!(
            pulse.too_old(Some(wall(9000)), later(49_000), wall(46), LIMIT).is_some(),
            "but it must move"
        );
    }
}
