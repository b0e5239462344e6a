//! Monitors of other servers: their rows are the only source.

use zmes_zoneminder::{CaptureReport, CaptureReports, CaptureStatus, OtherServer};

use super::super::condition::RemoteSight;
use super::*;

/// How long an alarm may take from its row to the router: one quick round, and the poller's time.
const QUICKLY: Duration = Duration::from_millis(300);

fn elsewhere(id: MonitorId, name: &str) -> Monitor {
    let server = OtherServer { id: 2, name: Some("nvr2".to_owned()) };
    Monitor { elsewhere: Some(Arc::new(server)), ..monitor(id, name, Recording::OnAlarm) }
}

fn all_servers() -> DetectConfig {
    DetectConfig { all_servers: true, ..config() }
}

/// A camera of this machine and one of another server.
async fn two_servers(store: ScriptedStore, cursors: &[(MonitorId, u64)]) -> World {
    let monitors = vec![monitor(ONE, "Front", Recording::OnAlarm), elsewhere(TWO, "Yard")];
    let world = World::with(monitors, cursors, all_servers(), store);
    world.show(768, Idle, 7);
    sleep(Duration::from_secs(3)).await;
    world
}

/// Waits for the next start or end, and returns it with the time that it took.
async fn timed(world: &mut World) -> (Alarm, Duration) {
    let since = tokio::time::Instant::now();
    let told = world.told().await;
    (told, since.elapsed())
}

#[tokio::test(start_paused = true)]
async fn starts_and_ends_come_quickly_from_rows_and_are_not_late() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    world.store.open(8, TWO, "Motion");
    let (alarm, took) = timed(&mut world).await;
    assert_eq!((alarm.monitor, alarm.event, alarm.origin), (TWO, Some(EventId(8)), Origin::Poll));
    assert!(took <= QUICKLY, "{took:?}");
    world.silence().await;
    world.store.close(8);
    let (end, took) = timed(&mut world).await;
    assert_eq!((end.is_end(), end.event, end.origin), (true, Some(EventId(8)), Origin::Poll));
    assert!(took <= QUICKLY, "{took:?}");
    // The camera of this machine is still polled.
    world.show(768, Alarmed, 9);
    let (alarm, took) = timed(&mut world).await;
    assert_eq!((alarm.monitor, alarm.event), (ONE, Some(EventId(9))));
    assert!(took <= Duration::from_millis(20), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_lower_id_that_is_committed_later_is_not_missed() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    world.store.open(21, TWO, "Motion");
    assert_eq!(world.alarm().await.event, Some(EventId(21)));
    sleep(Duration::from_secs(5)).await;
    world.store.open(20, TWO, "Motion");
    let (alarm, took) = timed(&mut world).await;
    assert_eq!((alarm.event, alarm.late()), (Some(EventId(20)), false));
    assert!(took <= QUICKLY, "{took:?}");
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn another_alarm_in_a_long_recording_is_told_after_a_calm_while() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    world.store.open(8, TWO, "Continuous");
    world.silence().await;
    world.store.alarm_frames(8, 4);
    let first = world.alarm().await;
    assert_eq!((first.event, first.late(), first.origin), (Some(EventId(8)), false, Origin::Poll));
    for frames in 5..20 {
        sleep(Duration::from_secs(20)).await;
        world.store.alarm_frames(8, frames);
    }
    world.silence().await;
    sleep(Duration::from_mins(2)).await;
    world.store.alarm_frames(8, 25);
    let (alarm, took) = timed(&mut world).await;
    assert_eq!((alarm.event, alarm.is_end(), alarm.origin), (Some(EventId(8)), false, Origin::Poll));
    assert!(took <= QUICKLY, "{took:?}");
    world.store.close(8);
    assert!(world.told().await.is_end());
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_late_and_what_was_announced_is_not_told_again() {
    let store = ScriptedStore::default();
    sleep(Duration::from_mins(30)).await;
    store.past(8, TWO, Duration::from_mins(2));
    store.past(9, TWO, Duration::from_mins(1));
    let mut world = two_servers(store, &[(TWO, 8)]).await;
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, alarm.late()), (Some(EventId(9)), true));
    assert!(world.told().await.is_end());
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_clock_is_behind_hides_nothing_that_is_younger_than_the_last_alarm() {
    let store = ScriptedStore::default();
    sleep(Duration::from_hours(3)).await;
    // By the clock of its server, the event began an hour before its real start.
    store.past(9, TWO, Duration::from_mins(61));
    store.past(10, ONE, Duration::from_mins(1));
    let mut world = two_servers(store, &[(ONE, 8)]).await;
    let mut told = vec![world.alarm().await.event.unwrap().0, world.alarm().await.event.unwrap().0];
    told.sort_unstable();
    assert_eq!(told, [9, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_moves_is_followed_and_nothing_is_told_twice() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    world.store.open(8, TWO, "Motion");
    assert_eq!(world.alarm().await.event, Some(EventId(8)));
    // Its new zmc shows the alarm that is already known from its row.
    world.source.show(TWO, Ok(reading(768, Alarmed, 8, "Motion")));
    let here = vec![monitor(ONE, "Front", Recording::OnAlarm), monitor(TWO, "Yard", Recording::OnAlarm)];
    world.catalog.send_replace(catalog(here));
    world.silence().await;
    world.store.close(8);
    world.source.show(TWO, Ok(reading(768, Idle, 8, "Motion")));
    assert!(world.told().await.is_end());
    world.source.show(TWO, Ok(reading(768, Alarmed, 9, "Motion")));
    let (alarm, took) = timed(&mut world).await;
    assert_eq!((alarm.event, took <= Duration::from_millis(20)), (Some(EventId(9)), true));
    world.store.open(9, TWO, "Motion");
    world.silence().await;
    // It moves back while the alarm is running; what its old memory contains must be ignored.
    let back = vec![monitor(ONE, "Front", Recording::OnAlarm), elsewhere(TWO, "Yard")];
    world.catalog.send_replace(catalog(back));
    world.source.show(TWO, Ok(reading(768, Alarmed, 77, "Motion")));
    world.silence().await;
    world.store.close(9);
    assert!(world.told().await.is_end());
    world.store.open(10, TWO, "Motion");
    assert_eq!(world.alarm().await.event, Some(EventId(10)));
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_is_added_is_told_of_what_began_before_it_was_known() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    let three = MonitorId(3);
    world.store.open(8, three, "Motion");
    world.silence().await;
    let more =
        vec![monitor(ONE, "Front", Recording::OnAlarm), elsewhere(TWO, "Yard"), elsewhere(three, "Barn")];
    world.catalog.send_replace(catalog(more));
    let alarm = world.alarm().await;
    assert_eq!((alarm.monitor, alarm.event, alarm.late()), (three, Some(EventId(8)), true));
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn what_its_zmc_says_of_itself_is_its_condition() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    let says = |status, age| {
        let report = CaptureReport { status, pictures: Some(true), age: Some(Duration::from_secs(age)) };
        Some(CaptureReports { returning: false, reports: [(TWO, report)].into() })
    };
    let seen = |sight| move |report: &MonitorReport| matches!(&report.condition, Condition::Elsewhere { sight: found, trouble: None, .. } if *found == sight);
    world.store.set_captures(says(CaptureStatus::Connected, 3));
    let report = world.report(TWO, seen(RemoteSight::Captured)).await;
    assert_eq!((report.source(), report.healthy()), (StateSource::Database, true));
    world.store.set_captures(says(CaptureStatus::Connected, 200));
    let report = world.report(TWO, seen(RemoteSight::Silent(Some(Duration::from_mins(3))))).await;
    assert_eq!((report.condition.word(), report.healthy()), (MonitorCondition::Frozen, false));
    world.store.set_captures(says(CaptureStatus::NotRunning, 1));
    world.report(TWO, seen(RemoteSight::Stopped)).await;
    world.store.set_down(true);
    world.report(TWO, |report| report.condition.word() == MonitorCondition::DatabaseAway).await;
    world.store.set_down(false);
    world.store.set_captures(says(CaptureStatus::Connected, 1));
    world.report(TWO, seen(RemoteSight::Captured)).await;
}

#[tokio::test(start_paused = true)]
async fn a_monitor_status_that_cannot_be_read_hides_no_alarm_and_shows_no_old_sight() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    let report = CaptureReport { status: CaptureStatus::NotRunning, pictures: None, age: None };
    let stopped = CaptureReports { returning: true, reports: [(TWO, report)].into() };
    world.store.set_captures(Some(stopped.clone()));
    let sight = |sight| move |report: &MonitorReport| matches!(&report.condition, Condition::Elsewhere { sight: found, trouble: None, .. } if *found == sight);
    world.report(TWO, sight(RemoteSight::Stopped)).await;
    world.store.fail_captures(true);
    world.report(TWO, sight(RemoteSight::Unknown)).await;
    world.store.open(8, TWO, "Motion");
    assert_eq!(world.alarm().await.event, Some(EventId(8)));
    world.store.fail_captures(false);
    sleep(Duration::from_mins(1)).await;
    world.report(TWO, sight(RemoteSight::Stopped)).await;
}

#[tokio::test(start_paused = true)]
async fn the_database_is_asked_more_often_only_for_monitors_of_other_servers() {
    async fn statements(settings: DetectConfig, other: bool) -> usize {
        let mut monitors = vec![monitor(ONE, "Front", Recording::OnAlarm)];
        monitors.extend(other.then(|| elsewhere(TWO, "Yard")));
        let world = World::with(monitors, &[], settings, ScriptedStore::default());
        sleep(Duration::from_secs(10)).await;
        let before = world.store.statements();
        sleep(Duration::from_mins(1)).await;
        world.store.statements() - before
    }
    let usual = statements(config(), false).await;
    assert_eq!(statements(all_servers(), false).await, usual);
    let all = statements(all_servers(), true).await;
    assert_eq!(usual, 60, "newest and since, every 2 s");
    assert!((usual + 230..=usual + 260).contains(&all), "{all}: 4 a second more, and one every 5 s");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_moves_and_whose_row_is_read_when_it_has_ended_has_an_end() {
    let mut world = two_servers(ScriptedStore::default(), &[]).await;
    let here = vec![monitor(ONE, "Front", Recording::OnAlarm), monitor(TWO, "Yard", Recording::OnAlarm)];
    world.source.show(TWO, Ok(reading(768, Idle, 7, "")));
    world.catalog.send_replace(catalog(here));
    sleep(Duration::from_millis(50)).await;
    world.source.show(TWO, Ok(reading(768, Alarmed, 8, "Motion")));
    assert_eq!(world.alarm().await.event, Some(EventId(8)));
    let back = vec![monitor(ONE, "Front", Recording::OnAlarm), elsewhere(TWO, "Yard")];
    world.catalog.send_replace(catalog(back));
    world.store.past(8, TWO, Duration::ZERO);
    let (end, took) = timed(&mut world).await;
    assert_eq!((end.is_end(), end.event), (true, Some(EventId(8))));
    assert!(took <= QUICKLY, "{took:?}");
    world.silence().await;
}
