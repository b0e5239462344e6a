//! The three tasks together, with a scripted ZoneMinder under tokio's paused time.

mod causes;
mod elsewhere;
mod ends;
mod flapping;
mod orphans;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zmes_shared::words::{MonitorCondition, StateSource};
use zmes_shared::{EventId, MonitorState};

use MonitorState::{Alarm as Alarmed, Down, Idle, Unknown};
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::shm::layout::{Layout, TRIGGER_SIZE};
use zmes_zoneminder::{Monitor, NotWatched, Recording, Trigger};

use super::fakes::{ONE, ScriptedSource, ScriptedStore, SteadyClock, TWO, config, monitor, reading};
use super::*;
use crate::config::Source;
use crate::domain::Origin;
use crate::state::Note;

/// The running tasks and their environment.
struct World {
    source: ScriptedSource,
    store: ScriptedStore,
    catalog: watch::Sender<Arc<Catalog>>,
    config: watch::Sender<DetectConfig>,
    alarms: mpsc::Receiver<Alarm>,
    notes: mpsc::Receiver<Note>,
    reports: watch::Receiver<MonitorReports>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

fn catalog(monitors: Vec<Monitor>) -> Arc<Catalog> {
    Arc::new(Catalog { monitors: monitors.into_iter().collect(), ..Catalog::default() })
}

impl World {
    fn new(monitors: Vec<Monitor>, cursors: &[(MonitorId, u64)]) -> Self {
        Self::with(monitors, cursors, config(), ScriptedStore::default())
    }

    fn with(
        monitors: Vec<Monitor>,
        cursors: &[(MonitorId, u64)],
        settings: DetectConfig,
        store: ScriptedStore,
    ) -> Self {
        let source = ScriptedSource::default();
        let world = Self::of(monitors, cursors, settings, store, Box::new(source.clone()), HashMap::new());
        Self { source, ..world }
    }

    fn of(
        monitors: Vec<Monitor>,
        cursors: &[(MonitorId, u64)],
        settings: DetectConfig,
        store: ScriptedStore,
        source: Box<dyn MonitorSource>,
        open: HashMap<MonitorId, OpenAlarm>,
    ) -> Self {
        let clock = SteadyClock::new();
        let at = clock.now();
        let (catalog, catalog_rx) = watch::channel(catalog(monitors));
        let (config, config_rx) = watch::channel(settings);
        let (alarm_tx, alarms) = mpsc::channel(1024);
        let (monitor_reports, reports) = watch::channel(MonitorReports::default());
        let (counters, (state, notes)) = (Arc::new(Counters::default()), StateHandle::detached());
        let parts = DetectParts {
            source,
            store: Arc::new(store.clone()),
            catalog: catalog_rx,
            config: config_rx,
            is_node: false,
            cursors: cursors.iter().map(|(id, event)| (*id, Cursor { event: EventId(*event), at })).collect(),
            unidentified: HashMap::new(),
            open,
            state,
            clock: Arc::new(clock),
            counters: Arc::clone(&counters),
            alarms: alarm_tx,
            monitor_reports,
            gaps: Gaps::default(),
        };
        let record = Record::new(
            if cursors.is_empty() { Duration::ZERO } else { Duration::from_hours(1) },
            cursors.iter().map(|(_, event)| EventId(*event)).collect(),
        );
        let detection = build(parts, record);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(detection.poller.run(stop.clone()));
        tasks.spawn(detection.reconciler.run(stop.clone()));
        tasks.spawn(detection.lookup.run(stop.clone()));
        Self {
            source: ScriptedSource::default(),
            store,
            catalog,
            config,
            alarms,
            notes,
            reports,
            counters,
            stop,
            tasks,
        }
    }

    /// Starts with one monitor, seen idle with this last event.
    async fn idle(layout: u32, recording: Recording, last_event: u64) -> Self {
        let world = Self::new(vec![monitor(ONE, "Front", recording)], &[]);
        world.show(layout, Idle, last_event);
        sleep(Duration::from_millis(50)).await;
        world
    }

    fn show(&self, layout: u32, state: MonitorState, last_event: u64) {
        self.source.show(ONE, Ok(reading(layout, state, last_event, "Motion")));
    }

    async fn alarm(&mut self) -> Alarm {
        loop {
            let told = self.told().await;
            if !told.is_end() {
                return told;
            }
        }
    }

    /// Returns the next start or end.
    async fn told(&mut self) -> Alarm {
        timeout(Duration::from_secs(30), self.alarms.recv()).await.expect("an alarm").unwrap()
    }

    async fn silence(&mut self) {
        let alarm = async {
            loop {
                match self.alarms.recv().await {
                    Some(end) if end.is_end() => {}
                    told => return told,
                }
            }
        };
        let alarm = timeout(Duration::from_mins(1), alarm).await;
        assert!(alarm.is_err(), "{alarm:?}");
    }

    async fn report(&mut self, id: MonitorId, expected: impl Fn(&MonitorReport) -> bool) -> MonitorReport {
        let found = self.reports.wait_for(|reports| reports.get(&id).is_some_and(&expected));
        let reports = timeout(Duration::from_secs(200), found).await;
        let reports: BTreeMap<_, _> = (**reports.expect("such a report").unwrap()).clone();
        reports[&id].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_sent_within_a_poll_with_all_that_is_known() {
    let mut world = World::idle(768, Recording::OnAlarm, 7).await;
    world.show(768, Alarmed, 8);
    let shown_at = tokio::time::Instant::now();
    let alarm = world.alarm().await;
    assert!(alarm.detected - shown_at <= Duration::from_millis(20));
    assert_eq!((alarm.monitor, &*alarm.monitor_name), (ONE, "Front"));
    assert_eq!((alarm.event, &*alarm.cause), (Some(EventId(8)), "Motion"));
    assert_eq!(alarm.origin, Origin::Poll);
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_is_written_after_the_id_is_read_again() {
    let mut world = World::idle(872, Recording::OnAlarm, 7).await;
    let first = reading(872, Alarmed, 8, "the one of before");
    world.source.show_then(ONE, first, reading(872, Alarmed, 8, "Motion:Door"));
    assert_eq!(&*world.alarm().await.cause, "Motion:Door");
}

#[tokio::test(start_paused = true)]
async fn a_trigger_tells_the_cause_that_the_memory_does_not() {
    let mut world = World::idle(768, Recording::Always, 7).await;
    let mut forced = reading(768, Alarmed, 7, "Continuous");
    forced.trigger = Some(Trigger { cause: Arc::from("Bell"), text: Arc::from("front door") });
    world.source.show(ONE, Ok(forced));
    assert_eq!(&*world.alarm().await.cause, "Bell");
}

#[tokio::test(start_paused = true)]
async fn the_database_is_asked_whether_an_alarm_lies_inside_the_open_event() {
    let mut world = World::idle(888, Recording::Always, 7).await;
    world.store.open(7, ONE, "Continuous");
    world.show(888, Alarmed, 7);
    let shown_at = tokio::time::Instant::now();
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, alarm.origin), (Some(EventId(7)), Origin::Poll));
    assert!(alarm.detected - shown_at < Duration::from_millis(100), "not by the fallback");
    world.store.alarm_frames(7, 9);
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_database_alarms_come_all_the_same() {
    for source in [Source::Auto, Source::Shm] {
        let mut world = World::idle(888, Recording::Always, 7).await;
        world.config.send_modify(|config| config.source = source);
        world.store.set_down(true);
        sleep(Duration::from_millis(50)).await;
        world.show(888, Alarmed, 7);
        assert_eq!(world.alarm().await.event, Some(EventId(7)), "{source:?}");
        world.show(888, Idle, 7);
        sleep(Duration::from_millis(50)).await;
        world.show(888, Alarmed, 8);
        assert_eq!(world.alarm().await.event, Some(EventId(8)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_polling_cannot_see_comes_from_the_events_table_and_is_late() {
    let mut world = World::idle(768, Recording::OnAlarm, 7).await;
    sleep(Duration::from_secs(3)).await;
    // An event shorter than a poll, then two between two polls.
    world.store.past(8, ONE, Duration::from_secs(1));
    world.show(768, Idle, 8);
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, alarm.late()), (Some(EventId(8)), true));
    world.store.past(9, ONE, Duration::from_secs(1));
    world.store.open(10, ONE, "Motion");
    world.show(768, Alarmed, 10);
    let mut both =
        [world.alarm().await, world.alarm().await].map(|alarm| (alarm.event.unwrap().0, alarm.late()));
    both.sort_unstable();
    assert_eq!(both, [(9, true), (10, false)]);
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_polling_sees_is_not_announced_by_the_reconciler_too() {
    for (layout, pause) in [(768, 0), (768, 1400), (872, 0), (872, 4000)] {
        let mut world = World::idle(layout, Recording::OnAlarm, 7).await;
        world.store.open(8, ONE, "Motion");
        if layout == 872 {
            // The state comes first; the row is already visible.
            world.show(layout, Alarmed, 7);
        }
        sleep(Duration::from_millis(pause)).await;
        world.show(layout, Alarmed, 8);
        let alarm = world.alarm().await;
        assert_eq!((alarm.event, alarm.late()), (Some(EventId(8)), false), "{layout} {pause}");
        world.store.close(8);
        world.silence().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_missed_is_announced_and_the_announced_is_not() {
    let store = ScriptedStore::default();
    sleep(Duration::from_mins(10)).await;
    store.past(7, ONE, Duration::from_mins(1));
    store.past(8, ONE, Duration::from_secs(30));
    let monitors = vec![monitor(ONE, "Front", Recording::OnAlarm)];
    let mut world = World::with(monitors, &[(ONE, 7)], config(), store.clone());
    world.show(768, Idle, 8);
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, alarm.late()), (Some(EventId(8)), true));
    world.silence().await;

    store.open(9, ONE, "Motion");
    let monitors = vec![monitor(ONE, "Front", Recording::OnAlarm)];
    let mut world = World::with(monitors, &[(ONE, 7), (ONE, 8)], config(), store);
    world.show(768, Alarmed, 9);
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, alarm.late()), (Some(EventId(9)), false), "young enough to be news");
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_zmc_is_down_and_its_frozen_alarm_is_none() {
    let mut world = World::idle(768, Recording::OnAlarm, 7).await;
    let heartbeat = Timestamp::from_second(1_795_000_000).ok();
    let mut killed = reading(768, Idle, 7, "");
    killed.heartbeat = heartbeat;
    world.source.show(ONE, Ok(killed));
    let report = world.report(ONE, |report| report.state == Down).await;
    let Condition::Frozen { age } = report.condition else { panic!("{report:?}") };
    assert!((40..50).contains(&age.as_secs()), "{age:?}");
    let mut frozen = reading(768, Alarmed, 8, "");
    frozen.heartbeat = heartbeat;
    world.source.show(ONE, Ok(frozen.clone()));
    world.silence().await;
    // The next zmc takes over the same file.
    frozen.startup_time += 100;
    frozen.heartbeat = Timestamp::from_second(1_795_000_200).ok();
    world.source.show(ONE, Ok(frozen));
    assert_eq!(world.alarm().await.event, Some(EventId(8)));
    assert_eq!(world.report(ONE, MonitorReport::healthy).await.condition, Condition::Captured);
}

#[tokio::test(start_paused = true)]
async fn each_condition_of_a_monitor_is_reported() {
    let mut unwatched = monitor(TWO, "Porch", Recording::Never);
    unwatched.watched = Err(NotWatched::NoDetection);
    let mut world = World::new(vec![monitor(ONE, "Front", Recording::OnAlarm), unwatched], &[]);
    let report = world.report(ONE, |report| report.state == Down).await;
    let (name, directory) = ("zm.mmap.1".into(), "/dev/shm".into());
    assert_eq!(report.condition, Condition::Unreadable(ReadError::NotThere { name, directory }));
    let none = world.report(TWO, |_| true).await;
    assert_eq!((none.source(), none.healthy()), (StateSource::Nowhere, false));

    for (error, state, source, healthy, condition) in [
        (ReadError::Starting, Down, StateSource::SharedMemory, false, MonitorCondition::Starting),
        (ReadError::Stopped, Down, StateSource::SharedMemory, false, MonitorCondition::Stopped),
        (
            ReadError::UnknownLayout(880),
            Unknown,
            StateSource::Database,
            true,
            MonitorCondition::UnknownLayout,
        ),
    ] {
        world.source.show(ONE, Err(error));
        let report = world.report(ONE, |report| report.condition.word() == condition).await;
        let seen = (report.state, report.source(), report.healthy());
        assert_eq!(seen, (state, source, healthy), "{condition}");
    }
    let mut dark = reading(768, Idle, 0, "");
    dark.signal = false;
    world.source.show(ONE, Ok(dark));
    let report = world.report(ONE, |report| report.state == Idle).await;
    assert_eq!((report.healthy(), report.layout, report.last_event), (true, Some(768), None));
    assert_eq!(report.condition, Condition::NoPicture);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_of_an_unknown_layout_alarms_from_the_database_and_is_not_late() {
    let mut world = World::new(vec![monitor(ONE, "Front", Recording::OnAlarm)], &[]);
    world.source.show(ONE, Err(ReadError::UnknownLayout(880)));
    sleep(Duration::from_secs(3)).await;
    world.store.open(8, ONE, "Motion:Door");
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, &*alarm.cause, alarm.late()), (Some(EventId(8)), "Motion:Door", false));
    let report = world.report(ONE, |report| report.last_event.is_some()).await;
    assert_eq!(report.last_event, Some(EventId(8)));
    world.store.set_down(true);
    let report = world.report(ONE, |report| !report.healthy()).await;
    let Condition::Database { layout: Some(880), trouble: Some(error) } = report.condition else {
        panic!("{report:?}")
    };
    assert_eq!(error.to_string(), "database not available: down");
}

#[tokio::test(start_paused = true)]
async fn the_source_can_be_the_database_or_shared_memory_alone() {
    let mut settings = config();
    settings.source = Source::Db;
    let monitors = || vec![monitor(ONE, "Front", Recording::OnAlarm)];
    let mut world = World::with(monitors(), &[], settings, ScriptedStore::default());
    sleep(Duration::from_secs(3)).await;
    world.show(768, Alarmed, 8);
    world.store.open(9, ONE, "Motion");
    let alarm = world.alarm().await;
    assert_eq!((alarm.event, alarm.late()), (Some(EventId(9)), false));

    settings.source = Source::Shm;
    let mut world = World::with(monitors(), &[], settings, ScriptedStore::default());
    world.source.show(ONE, Err(ReadError::UnknownLayout(880)));
    world.store.open(9, ONE, "Motion");
    let report = world.report(ONE, |report| report.condition.word() == MonitorCondition::UnknownLayout).await;
    assert_eq!((report.source(), report.healthy()), (StateSource::SharedMemory, false));
    world.silence().await;
    assert_eq!(world.store.statements(), 0);
}

#[tokio::test(start_paused = true)]
async fn reports_are_published_on_change_alone() {
    let mut world = World::idle(768, Recording::OnAlarm, 7).await;
    world.report(ONE, |report| report.state == Idle).await;
    let polls = world.counters.polls.value();
    world.reports.mark_unchanged();
    sleep(Duration::from_secs(10)).await;
    assert!(!world.reports.has_changed().unwrap());
    assert!(world.counters.polls.value() - polls >= 400);
}

#[tokio::test(start_paused = true)]
async fn monitors_come_and_go_and_what_is_known_of_the_others_stays() {
    let mut world = World::idle(768, Recording::OnAlarm, 7).await;
    world.show(768, Alarmed, 8);
    world.alarm().await;
    world.source.show(TWO, Ok(reading(768, Idle, 3, "")));
    let both = vec![monitor(ONE, "Door", Recording::OnAlarm), monitor(TWO, "Yard", Recording::OnAlarm)];
    world.catalog.send_replace(catalog(both));
    assert_eq!(world.report(TWO, |report| report.state == Idle).await.name.as_ref(), "Yard");
    assert_eq!(world.reports.borrow()[&ONE].name.as_ref(), "Door");
    world.source.show(TWO, Ok(reading(768, Alarmed, 4, "")));
    assert_eq!(world.alarm().await.monitor, TWO, "and not the alarm of the other again");
    world.catalog.send_replace(catalog(vec![monitor(TWO, "Yard", Recording::OnAlarm)]));
    sleep(Duration::from_secs(1)).await;
    assert!(!world.reports.borrow().contains_key(&ONE));
}

#[tokio::test(start_paused = true)]
async fn events_of_a_monitor_that_the_catalog_does_not_know_yet_wait_for_it() {
    let mut world = World::new(Vec::new(), &[]);
    sleep(Duration::from_secs(3)).await;
    world.store.past(8, ONE, Duration::ZERO);
    sleep(Duration::from_secs(3)).await;
    world.catalog.send_replace(catalog(vec![monitor(ONE, "Front", Recording::OnAlarm)]));
    assert_eq!(world.alarm().await.event, Some(EventId(8)));
    world.silence().await;
}

#[tokio::test(start_paused = true)]
async fn the_poll_interval_changes_while_running() {
    let world = World::idle(768, Recording::OnAlarm, 7).await;
    world.config.send_modify(|config| config.poll_interval = Duration::from_secs(1));
    sleep(Duration::from_secs(1)).await;
    let before = world.counters.polls.value();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.counters.polls.value() - before, 10);
}

#[tokio::test(start_paused = true)]
async fn a_busy_router_delays_and_loses_nothing() {
    let mut world = World::idle(768, Recording::OnAlarm, 7).await;
    // Nothing receives alarms: the channel fills up, then the poller waits.
    for id in 8..1100 {
        world.show(768, Idle, id - 1);
        sleep(Duration::from_millis(25)).await;
        world.show(768, Alarmed, id);
        world.store.past(id, ONE, Duration::ZERO);
        sleep(Duration::from_millis(25)).await;
    }
    let mut seen = Vec::new();
    while let Ok(Some(alarm)) = timeout(Duration::from_secs(30), world.alarms.recv()).await {
        seen.extend(alarm.event.filter(|_| !alarm.is_end()).map(|event| event.0));
    }
    seen.sort_unstable();
    assert_eq!(seen, (8..1100).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn all_three_end_when_told_even_while_the_router_is_stuck() {
    let world = World::idle(768, Recording::OnAlarm, 7).await;
    for id in 8..1040 {
        world.show(768, Alarmed, id);
        sleep(Duration::from_millis(25)).await;
    }
    let polls = world.counters.polls.value();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.counters.polls.value(), polls, "stuck");
    world.stop.cancel();
    world.tasks.close();
    timeout(Duration::from_secs(1), world.tasks.wait()).await.expect("an end");
}

/// Run with `--run-ignored only --no-capture`: prints the total cost of polling.
#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn measure_polling_of_fifty_monitors() {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let layout = Layout::find(888).unwrap();
    let mut memory = vec![0; 4096];
    let mut put = |at: usize, bytes: &[u8]| memory[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &layout.size.to_ne_bytes());
    put(layout.trigger(), &TRIGGER_SIZE.to_ne_bytes());
    put(layout.state, &1_u32.to_ne_bytes());
    put(layout.signal, &[1]);
    put(layout.valid, &[1]);
    for id in 1..=50 {
        std::fs::write(directory.path().join(format!("zm.mmap.{id}")), &memory).unwrap();
    }
    let monitors = (1..=50).map(|id| monitor(MonitorId(id), "Front", Recording::OnAlarm)).collect();
    let source = Box::new(zmes_zoneminder::shm::ShmSource::new(directory.path().to_owned()));
    let world = World::of(monitors, &[], config(), ScriptedStore::default(), source, HashMap::new());
    let on_cpu = || -> f64 {
        let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        schedule.split(' ').next().unwrap().parse().unwrap()
    };
    let (before, polls) = (on_cpu(), world.counters.polls.value());
    sleep(Duration::from_secs(10)).await;
    let share = (on_cpu() - before) / 1e10 * 100.0;
    println!("50 monitors, {} polls in 10 s: {share:.2} % of a core", world.counters.polls.value() - polls);
}
