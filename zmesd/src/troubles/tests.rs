use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use tokio::time::Instant;
use zmes_shared::MonitorId;
use zmes_shared::views::Severity;
use zmes_shared::words::TroubleKind;

use super::*;

const OFFLINE: Duration = Duration::from_mins(2);

/// A table, and a clock that only the test moves.
struct World {
    table: TroubleTable,
    start: Instant,
    passed: Duration,
}

impl World {
    fn new() -> Self {
        Self { table: TroubleTable::default(), start: Instant::now(), passed: Duration::ZERO }
    }

    fn now(&self) -> Moment {
        let at = Timestamp::from_second(1_800_000_000).unwrap() + self.passed;
        Moment { at, tick: self.start + self.passed }
    }

    /// Looks once a second for this long. Returns what people are told.
    fn run(&mut self, time: Duration, look: &Look) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..time.as_secs() {
            self.passed += Duration::from_secs(1);
            let notices = self.table.look(look.clone(), self.now());
            told.extend(notices.iter().map(|notice| format!("{:?} {}", notice.change, notice.trouble.id)));
        }
        told
    }

    fn standing(&self) -> Vec<String> {
        self.table.standing().map(|trouble| trouble.id.to_string()).collect()
    }
}

fn observation(hold: Duration) -> Observation {
    Observation {
        severity: Severity::Error,
        name: "Garage".to_owned(),
        text: "zmc is not running".into(),
        hint: "zmdc.pl restart zmc -m 3".to_owned(),
        hold,
    }
}

/// Returns a round with cameras 1 to `total`, of which those from `first` to `last` are lost.
fn cameras(total: u32, lost: std::ops::RangeInclusive<u32>) -> Look {
    let sight = |id| {
        let sight =
            if lost.contains(&id) { CameraSight::Lost(observation(OFFLINE)) } else { CameraSight::Seen };
        (MonitorId(id), sight)
    };
    Look { cameras: (1..=total).map(sight).collect(), camera_offline: Some(OFFLINE), ..Look::default() }
}

fn database(hold: u64) -> Look {
    let id = TroubleId::of(TroubleKind::Database);
    let others = BTreeMap::from([(id, observation(Duration::from_secs(hold)))]);
    Look { others, ..Look::default() }
}

#[expect(clippy::reversed_empty_ranges, reason = "no camera is lost")]
fn all_well(total: u32) -> Look {
    cameras(total, 1..=0)
}

#[test]
fn ids_are_read_as_they_are_written() {
    for text in ["camera:3", "push:fcm:zmninja", "database", "silent:1a2b3c4d"] {
        assert_eq!(TroubleId::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(TroubleId::parse("flood:3"), None);
    assert_eq!(TroubleId::parse("camera:3").unwrap().monitor(), Some(MonitorId(3)));
    assert_eq!(TroubleId::parse("push:fcm:zmninja").unwrap().transport(), Some("fcm:zmninja"));
}

#[test]
fn a_condition_must_hold_and_be_gone_for_long_enough() {
    let mut world = World::new();
    assert!(world.run(Duration::from_secs(119), &cameras(2, 1..=1)).is_empty());
    assert!(world.run(Duration::from_secs(3), &all_well(2)).is_empty(), "too short to be told");
    assert!(world.run(Duration::from_mins(2), &cameras(2, 1..=1)).is_empty());
    assert_eq!(world.run(Duration::from_secs(5), &cameras(2, 1..=1)), ["Raised camera:1"]);
    assert!(world.run(Duration::from_secs(29), &all_well(2)).is_empty());
    assert!(world.run(Duration::from_mins(1), &cameras(2, 1..=1)).is_empty(), "it was not over");
    assert_eq!(world.run(Duration::from_mins(1), &all_well(2)), ["Cleared camera:1"]);
    assert!(world.standing().is_empty());
}

#[test]
fn credentials_are_told_at_once() {
    let mut world = World::new();
    let id = TroubleId::about(TroubleKind::Credentials, "fcm");
    let look = Look { others: BTreeMap::from([(id, observation(Duration::ZERO))]), ..Look::default() };
    assert_eq!(world.run(Duration::from_secs(1), &look), ["Raised credentials:fcm"]);
}

#[test]
fn forty_cameras_lost_at_once_are_one_trouble() {
    let mut world = World::new();
    assert!(world.run(Duration::from_mins(5), &all_well(40)).is_empty());
    assert_eq!(world.run(Duration::from_mins(30), &cameras(40, 1..=40)), ["Raised zoneminder"]);
    let text = world.table.standing().next().unwrap().sentence().to_string();
    assert_eq!(text, "ZoneMinder: 40 of 40 cameras deliver nothing; Garage: zmc is not running");
    assert_eq!(world.run(Duration::from_mins(5), &all_well(40)), ["Cleared zoneminder"]);
}

#[test]
fn cameras_that_stay_away_when_the_others_are_back_are_told_one_by_one() {
    let mut world = World::new();
    assert_eq!(world.run(Duration::from_mins(3), &cameras(10, 1..=9)), ["Raised zoneminder"]);
    let told = world.run(Duration::from_mins(1), &cameras(10, 1..=2));
    assert_eq!(told, ["Cleared zoneminder"], "half of them are back");
    let told = world.run(Duration::from_mins(3), &cameras(10, 1..=2));
    assert_eq!(told, ["Raised camera:1", "Raised camera:2"]);
}

#[test]
fn two_cameras_are_never_all_of_zoneminder_and_slow_losses_are_told_one_by_one() {
    let mut world = World::new();
    let told = world.run(Duration::from_mins(3), &cameras(2, 1..=2));
    assert_eq!(told, ["Raised camera:1", "Raised camera:2"]);
    let mut world = World::new();
    let mut told = Vec::new();
    for lost in 1..=5 {
        told.extend(world.run(Duration::from_mins(3), &cameras(5, 1..=lost)));
    }
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told.iter().all(|notice| notice.starts_with("Raised camera:")), "{told:?}");
}

#[test]
fn cameras_can_be_left_out_but_zoneminder_is_told() {
    let mut world = World::new();
    let off = |look: Look| Look { camera_offline: None, ..look };
    assert!(world.run(Duration::from_mins(10), &off(cameras(4, 1..=2))).is_empty());
    let mut world = World::new();
    assert_eq!(world.run(Duration::from_mins(10), &off(cameras(4, 1..=4))), ["Raised zoneminder"]);
}

#[test]
fn reminders_thin_out() {
    let mut world = World::new();
    let told = world.run(Duration::from_hours(75), &database(60));
    assert_eq!(told[0], "Raised database");
    assert_eq!(told.len() - 1, 5, "at 1 h, 6 h, 24 h, 48 h and 72 h: {told:?}");
}

#[test]
fn a_restart_raises_nothing_twice_and_knows_when_the_next_reminder_is_due() {
    let mut world = World::new();
    world.run(Duration::from_mins(2), &database(60));
    let trouble = world.table.standing().next().unwrap().clone();
    world.passed += Duration::from_hours(2);
    let raised_at = world.now().at - Duration::from_hours(2);
    world.table = TroubleTable::remembered(vec![TroubleRecord { trouble, raised_at }], world.now());
    assert_eq!(world.standing(), ["database"]);
    let unknown = Look {
        unknown: [TroubleId::of(TroubleKind::Database)].into(),
        cameras_unknown: true,
        ..Look::default()
    };
    assert!(world.run(Duration::from_mins(10), &unknown).is_empty(), "not judged yet");
    assert!(world.run(Duration::from_hours(3), &database(60)).is_empty());
    assert_eq!(world.run(Duration::from_hours(1), &database(60)), ["Reminder database"]);
    assert_eq!(world.run(Duration::from_mins(1), &Look::default()), ["Cleared database"]);
}

#[test]
fn what_comes_and_goes_is_told_at_most_seven_times_an_hour() {
    for (bad, good) in [(1, 31), (40, 40), (61, 61), (10, 200)] {
        let mut world = World::new();
        let (mut raised, mut passed) = (0, 0);
        while passed < 3600 {
            let told = world.run(Duration::from_secs(bad), &database(0));
            raised += told.iter().filter(|notice| notice.starts_with("Raised")).count();
            world.run(Duration::from_secs(good), &Look::default());
            passed += bad + good;
        }
        assert!((1..=MOST_RAISES).contains(&raised), "{bad} s bad, {good} s good: {raised}");
    }
}

proptest! {
    /// For any sequence of conditions, a trouble is raised and cleared alternately, and never more often than the
    /// limit.
    #[test]
    fn raised_and_cleared_take_turns(
        turns in prop::collection::vec((1u64..400, any::<bool>(), any::<bool>()), 1..60),
        hold in 0u64..120,
    ) {
        let mut world = World::new();
        let mut stands = false;
        let mut raises: Vec<Duration> = Vec::new();
        for (seconds, bad, unknown) in turns {
            let mut look = if bad { database(hold) } else { Look::default() };
            if unknown {
                look.unknown.insert(TroubleId::of(TroubleKind::Database));
            }
            for _ in 0..seconds {
                for notice in world.run(Duration::from_secs(1), &look) {
                    let (change, _) = notice.split_once(' ').unwrap();
                    match change {
                        "Raised" => {
                            prop_assert!(!stands);
                            stands = true;
                            raises.push(world.passed);
                        }
                        "Cleared" => {
                            prop_assert!(stands);
                            stands = false;
                        }
                        _ => prop_assert!(stands),
                    }
                }
            }
        }
        for (place, first) in raises.iter().enumerate() {
            let within = raises[place..].iter().filter(|at| at.saturating_sub(*first) < Duration::from_hours(1)).count();
            prop_assert!(within <= MOST_RAISES, "{raises:?}");
        }
    }

    /// If most cameras are lost within a minute, in any order, there is one notice.
    #[test]
    fn most_cameras_lost_within_a_minute_are_one_notice(
        delays in prop::collection::vec(0u64..60, 3..40),
        others in 0usize..10,
    ) {
        let total = delays.len() + others;
        prop_assume!(delays.len() * 100 >= total * 80);
        let mut world = World::new();
        let mut told = Vec::new();
        for second in 0..400 {
            let mut look = all_well(u32::try_from(total).unwrap());
            for (id, delay) in (1..).zip(&delays) {
                if second >= *delay {
                    look.cameras.insert(MonitorId(id), CameraSight::Lost(observation(OFFLINE)));
                }
            }
            told.extend(world.run(Duration::from_secs(1), &look));
        }
        prop_assert_eq!(told, ["Raised zoneminder"]);
    }
}
