//! Ends of alarms through the three tasks.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_alarm_ends_when_the_monitor_leaves_alarm_and_alert() {
    let mut world = World::idle(888, Recording::OnAlarm, 7).await;
    for state in [Alarmed, MonitorState::Alert, Alarmed, MonitorState::Alert] {
        world.show(888, state, 8);
        sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(world.told().await.event, Some(EventId(8)));
    assert!(world.alarms.try_recv().is_err());
    world.show(888, Idle, 8);
    let end = world.told().await;
    assert_eq!((end.event, end.is_end(), end.origin), (Some(EventId(8)), true, Origin::Poll));
    let lasted = end.lasted().unwrap();
    assert!((40_000..40_100).contains(&lasted.as_millis()), "{lasted:?}");
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn without_polling_an_alarm_ends_with_its_row() {
    let settings = DetectConfig { source: Source::Db, ..config() };
    let monitors = vec![monitor(ONE, "Front", Recording::OnAlarm)];
    let mut world = World::with(monitors, &[], settings, ScriptedStore::default());
    sleep(Duration::from_secs(3)).await;
    world.store.open(8, ONE, "Motion");
    assert_eq!(world.told().await.event, Some(EventId(8)));
    sleep(Duration::from_secs(30)).await;
    assert!(world.alarms.try_recv().is_err());
    world.store.close(8);
    let end = world.told().await;
    assert_eq!((end.event, end.is_end()), (Some(EventId(8)), true));
    assert!(end.lasted().is_some_and(|lasted| lasted >= Duration::from_secs(30)), "{end:?}");
    // An event that is deleted while it is open has ended, too.
    world.store.open(9, ONE, "Motion");
    assert_eq!(world.told().await.event, Some(EventId(9)));
    sleep(Duration::from_secs(30)).await;
    world.store.open(10, TWO, "Continuous");
    sleep(Duration::from_secs(30)).await;
    world.store.delete(9);
    assert!(world.told().await.is_end());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_polling_missed_ends_right_after_it_was_told() {
    let mut world = World::idle(888, Recording::OnAlarm, 7).await;
    sleep(Duration::from_secs(3)).await;
    world.store.past(8, ONE, Duration::from_secs(1));
    world.store.past(9, ONE, Duration::ZERO);
    let mut told = Vec::new();
    for _ in 0..4 {
        let alarm = world.told().await;
        told.push((alarm.event.unwrap().0, alarm.is_end(), alarm.late()));
    }
    assert_eq!(told, [(8, false, true), (8, true, true), (9, false, true), (9, true, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_is_removed_in_alarm_ends_it() {
    let mut world = World::idle(888, Recording::OnAlarm, 7).await;
    world.show(888, Alarmed, 8);
    world.alarm().await;
    world.catalog.send(catalog(Vec::new())).unwrap();
    assert!(world.told().await.is_end());
}

#[tokio::test(start_paused = true)]
async fn an_old_alarm_of_a_former_daemon_is_closed_on_the_disk_and_no_later_end_covers_it() {
    let (source, store) = (ScriptedSource::default(), ScriptedStore::default());
    let at = SteadyClock::new().now() - Duration::from_hours(1);
    let old = OpenAlarm {
        monitor: ONE,
        event: Some(EventId(7)),
        monitor_name: "Front".into(),
        cause: "Motion".into(),
        began: at,
        at,
        closed: false,
    };
    source.show(ONE, Ok(reading(888, Idle, 7, "Motion")));
    let monitors = vec![monitor(ONE, "Front", Recording::OnAlarm)];
    let open = HashMap::from([(ONE, old)]);
    let world = World::of(monitors, &[(ONE, 7)], config(), store, Box::new(source.clone()), open);
    let mut world = World { source, ..world };
    sleep(Duration::from_secs(20)).await;
    assert!(matches!(world.notes.try_recv(), Ok(Note::GivenUp(ONE))));
    world.show(888, Alarmed, 8);
    assert_eq!(world.told().await.event, Some(EventId(8)));
    world.show(888, Idle, 8);
    let end = world.told().await;
    assert!(end.is_end() && end.span.is_some_and(|span| span.began > at), "{end:?}");
    assert!(world.notes.try_recv().is_err(), "once");
}
