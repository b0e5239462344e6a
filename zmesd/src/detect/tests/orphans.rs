//! Monitors of other nodes of a cluster, which this one watches while no node is at work there.

use zmes_zoneminder::OtherServer;

use super::*;
use crate::monitors::Orphans;

fn yard(elsewhere: bool) -> Monitor {
    let server = OtherServer { id: 2, name: Some("nvr2".to_owned()) };
    Monitor { elsewhere: elsewhere.then(|| Arc::new(server)), ..monitor(TWO, "Yard", Recording::OnAlarm) }
}

/// The catalog of a node with a camera of its own, while the other node is at work.
fn of_node() -> Catalog {
    let front = monitor(ONE, "Front", Recording::OnAlarm);
    Catalog {
        loaded_at: Some(Timestamp::UNIX_EPOCH),
        monitors: [front].into_iter().collect(),
        others: [(TWO, Arc::from("Yard"))].into(),
        ..Catalog::default()
    }
}

/// The same while this one watches the other's camera, of which nobody told anything for `since`.
fn taken_up(since: Duration) -> Catalog {
    let monitors = [monitor(ONE, "Front", Recording::OnAlarm), yard(true)];
    let orphans: Orphans = [(2, tokio::time::Instant::now().checked_sub(since))].into_iter().collect();
    Catalog {
        monitors: monitors.into_iter().collect(),
        others: BTreeMap::new(),
        orphans: Arc::new(orphans),
        ..of_node()
    }
}

async fn node(cursors: &[(MonitorId, u64)], store: ScriptedStore) -> World {
    let settings = DetectConfig { all_servers: true, ..config() };
    let world = World::with(Vec::new(), cursors, settings, store);
    world.show(768, Idle, 1);
    world.catalog.send_replace(Arc::new(of_node()));
    sleep(Duration::from_secs(3)).await;
    world
}

fn told(alarm: &Alarm) -> (Option<EventId>, bool, bool, bool) {
    (alarm.event, alarm.is_end(), alarm.late(), alarm.stands_for_event)
}

#[tokio::test(start_paused = true)]
async fn what_a_camera_had_since_its_node_died_is_told_late_and_the_next_alarm_quickly() {
    let mut world = node(&[], ScriptedStore::default()).await;
    world.store.open(8, TWO, "Motion");
    world.silence().await;
    world.store.close(8);
    world.store.open(9, TWO, "Motion");
    // Another user: the rows of other nodes stay.
    world.catalog.send_modify(|catalog| Arc::make_mut(catalog).watch_max_delay = Duration::from_secs(50));
    world.silence().await;
    // The node told of 8 before it died.
    world.catalog.send_replace(Arc::new(taken_up(Duration::from_mins(1) + Duration::from_secs(30))));
    assert_eq!(told(&world.told().await), (Some(EventId(9)), false, true, true));
    world.store.close(9);
    let end = world.told().await;
    assert!(end.is_end() && end.event == Some(EventId(9)));
    world.store.open(10, TWO, "Motion");
    let since = tokio::time::Instant::now();
    assert_eq!(told(&world.told().await), (Some(EventId(10)), false, false, true));
    assert!(since.elapsed() <= Duration::from_millis(300), "{:?}", since.elapsed());
    world.report(TWO, |report| report.source() == StateSource::Database).await;
    // Its own camera is polled as ever.
    world.show(768, Alarmed, 11);
    let own = world.told().await;
    assert_eq!((own.event, own.stands_for_event), (Some(EventId(11)), false));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_goes_on_when_its_node_is_back_ends_with_its_event() {
    let mut world = node(&[], ScriptedStore::default()).await;
    world.catalog.send_replace(Arc::new(taken_up(Duration::from_secs(10))));
    world.store.open(8, TWO, "Motion");
    assert_eq!(world.told().await.event, Some(EventId(8)));
    world.catalog.send_replace(Arc::new(of_node()));
    sleep(Duration::from_secs(5)).await;
    // From here on its node tells.
    world.store.open(9, TWO, "Motion");
    sleep(Duration::from_secs(5)).await;
    assert!(world.alarms.try_recv().is_err());
    world.store.close(8);
    let end = world.told().await;
    assert_eq!((end.is_end(), end.event), (true, Some(EventId(8))));
    world.store.close(9);
    world.silence().await;
    assert!(world.alarms.try_recv().is_err(), "it was not told here");
    // It dies again, and is taken up as if nothing had been.
    world.catalog.send_replace(Arc::new(taken_up(Duration::from_secs(10))));
    world.store.open(10, TWO, "Motion");
    assert_eq!(world.told().await.event, Some(EventId(10)));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_only_what_nobody_watched_is_told() {
    let store = ScriptedStore::default();
    for (event, minutes) in [(2, 9), (3, 4), (4, 2)] {
        store.past(event, TWO, Duration::from_mins(minutes));
    }
    let mut world = node(&[(ONE, 5)], store).await;
    world.silence().await;
    world.catalog.send_replace(Arc::new(taken_up(Duration::from_mins(6))));
    for event in [3, 4] {
        assert_eq!(told(&world.alarm().await), (Some(EventId(event)), false, true, true));
    }
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_runs_at_the_start_stands_for_its_event() {
    let store = ScriptedStore::default();
    store.open(8, ONE, "Motion");
    let mut world =
        World::with(vec![monitor(ONE, "Front", Recording::OnAlarm)], &[(ONE, 1)], config(), store);
    world.show(768, Alarmed, 8);
    assert!(world.alarm().await.stands_for_event);
    world.show(768, Idle, 8);
    sleep(Duration::from_millis(50)).await;
    world.show(768, Alarmed, 9);
    assert!(!world.alarm().await.stands_for_event);
}

#[tokio::test(start_paused = true)]
async fn without_orphans_a_node_asks_the_database_no_more_than_a_daemon_alone() {
    let world = node(&[], ScriptedStore::default()).await;
    let statements = async || {
        let before = world.store.statements();
        sleep(Duration::from_mins(1)).await;
        world.store.statements() - before
    };
    assert_eq!(statements().await, 60, "newest and since, every 2 s");
    world.catalog.send_replace(Arc::new(taken_up(Duration::from_secs(10))));
    let watching = statements().await;
    assert!((290..=320).contains(&watching), "{watching}: 4 a second more, and one every 5 s");
    world.catalog.send_replace(Arc::new(of_node()));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(statements().await, 60);
}
