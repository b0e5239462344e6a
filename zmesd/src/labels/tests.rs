//! The label reader with a test database.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use zmes_shared::{EventId, Label, MonitorId};
use zmes_zoneminder::{DatabaseTrouble, DbError, EventRow, LabelSources, LabelsRead};

use super::*;
use crate::route::{LabelCommand, RouterCommand};

#[derive(Debug, Default)]
struct Notes {
    labels: BTreeMap<EventId, Vec<Label>>,
    away: bool,
    nowhere: bool,
    reads: Vec<(Instant, Vec<EventId>)>,
}

#[derive(Debug, Default)]
struct Store(Mutex<Notes>);

impl Store {
    fn change(&self, change: impl FnOnce(&mut Notes)) {
        change(&mut self.0.lock().unwrap());
    }

    fn reads(&self) -> usize {
        self.0.lock().unwrap().reads.len()
    }
}

#[async_trait]
impl EventStore for Store {
    async fn newest(&self) -> Result<Option<EventId>, DbError> {
        Ok(None)
    }

    async fn since(&self, _: EventId, _: &[EventId], _: u32) -> Result<Vec<EventRow>, DbError> {
        Ok(Vec::new())
    }

    async fn open_events(&self, _: MonitorId) -> Result<Vec<EventRow>, DbError> {
        Ok(Vec::new())
    }

    async fn labels(&self, events: &[EventId], _: LabelSources) -> Result<LabelsRead, DbError> {
        let mut notes = self.0.lock().unwrap();
        notes.reads.push((Instant::now(), events.to_vec()));
        if notes.away {
            return Err(DbError::Unavailable(DatabaseTrouble::late("away")));
        }
        let found = notes.labels.iter().filter(|(event, _)| events.contains(event));
        let found = found.map(|(event, labels)| (*event, labels.clone())).collect();
        Ok(LabelsRead { found, possible: !notes.nowhere })
    }
}

/// Log entries at level info and above.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<Level>>>);

impl Log {
    fn levels(&self) -> Vec<Level> {
        self.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (level, ours) = (*event.metadata().level(), event.metadata().target() == "zmesd::labels");
        if ours && level <= Level::INFO {
            self.0.lock().unwrap().push(level);
        }
    }
}

struct ReaderWorld {
    store: Arc<Store>,
    requests: mpsc::Sender<LabelRequest>,
    config: watch::Sender<LabelsConfig>,
    router: mpsc::Receiver<RouterCommand>,
}

impl ReaderWorld {
    #[expect(clippy::disallowed_methods, reason = "the task ends with the test")]
    fn start() -> Self {
        let store = Arc::<Store>::default();
        let (requests, requests_rx) = mpsc::channel(8);
        let (config, config_rx) = watch::channel(LabelsConfig::default());
        let (commands, router) = mpsc::channel(8);
        let reader = LabelReader::new(
            Arc::clone(&store) as Arc<dyn EventStore>,
            requests_rx,
            config_rx,
            RouterHandle::new(commands),
        );
        tokio::spawn(reader.run(CancellationToken::new()));
        Self { store, requests, config, router }
    }

    async fn announce(&self, event: u64, waits: Option<Duration>) {
        let waits_until = waits.map(|waits| Instant::now() + waits);
        self.requests.send(LabelRequest { event: EventId(event), waits_until }).await.unwrap();
    }

    async fn report(&mut self, taken: bool) -> LabelReport {
        let command = self.router.recv().await.unwrap();
        let RouterCommand::Labels(LabelCommand { report, reply }) = command else { panic!("{command:?}") };
        reply.send(taken).unwrap();
        report
    }
}

fn person() -> Vec<Label> {
    vec![Label::new("person", Some(95)).unwrap()]
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_without_an_announced_event_or_without_a_source() {
    let world = ReaderWorld::start();
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(world.store.reads(), 0);
    world.config.send_modify(|config| config.source = Vec::new());
    world.announce(7, None).await;
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(world.store.reads(), 0);
}

#[tokio::test(start_paused = true)]
async fn labels_are_found_within_half_a_second_while_a_decision_waits() {
    let mut world = ReaderWorld::start();
    world.announce(7, Some(10 * SECOND)).await;
    let report = world.report(true).await;
    assert_eq!((report.read, report.found), ([EventId(7)].into(), Vec::new()), "it was read, and has none");
    let began = Instant::now();
    world.store.change(|notes| drop(notes.labels.insert(EventId(7), person())));
    let report = world.report(true).await;
    assert_eq!(report.found, [(EventId(7), person().into())]);
    assert!(began.elapsed() <= WAITING, "{:?}", began.elapsed());
    // It is read for the rest of the minute, at the idle pace.
    let reads = world.store.reads();
    tokio::time::sleep(20 * SECOND).await;
    let more = world.store.reads() - reads;
    assert!((9..=11).contains(&more), "{more} reads in 20 s");
    tokio::time::sleep(60 * SECOND).await;
    let all = world.store.reads();
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.store.reads(), all, "it is old");
}

#[tokio::test(start_paused = true)]
async fn labels_of_a_push_that_is_to_be_replaced_are_found_within_half_a_second() {
    let mut world = ReaderWorld::start();
    world.config.send_modify(|config| config.update = true);
    world.announce(7, None).await;
    tokio::time::sleep(10 * SECOND).await;
    let reads = world.store.reads();
    assert!((19..=21).contains(&reads), "{reads} reads in 10 s");
    world.store.change(|notes| drop(notes.labels.insert(EventId(7), person())));
    let began = Instant::now();
    assert_eq!(world.report(true).await.found, [(EventId(7), person().into())]);
    assert!(began.elapsed() <= WAITING, "{:?}", began.elapsed());
    // Nothing waits any more.
    let reads = world.store.reads();
    tokio::time::sleep(20 * SECOND).await;
    let more = world.store.reads() - reads;
    assert!((9..=11).contains(&more), "{more} reads in 20 s");
}

#[tokio::test(start_paused = true)]
async fn what_the_router_could_not_take_is_reported_again() {
    let mut world = ReaderWorld::start();
    world.store.change(|notes| drop(notes.labels.insert(EventId(7), person())));
    world.announce(7, None).await;
    let first = world.report(false).await;
    assert_eq!(world.report(true).await.found, first.found);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_is_asked_less_often_and_what_waits_is_found_once_it_is_back() {
    let mut world = ReaderWorld::start();
    world.store.change(|notes| notes.away = true);
    world.announce(6, None).await;
    tokio::time::sleep(30 * SECOND).await;
    let reads = world.store.reads();
    assert!((3..=6).contains(&reads), "{reads}");
    world.announce(7, Some(25 * SECOND)).await;
    tokio::time::sleep(15 * SECOND).await;
    world.store.change(|notes| {
        notes.away = false;
        notes.labels.insert(EventId(7), person());
    });
    let back = Instant::now();
    assert_eq!(world.report(true).await.found, [(EventId(7), person().into())]);
    assert!(back.elapsed() <= 2 * SECOND, "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn that_labels_cannot_be_read_is_warned_of_once_and_only_while_pushes_wait() {
    let log = Log::default();
    let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
    let mut world = ReaderWorld::start();
    world.store.change(|notes| notes.away = true);
    world.announce(6, None).await;
    tokio::time::sleep(10 * SECOND).await;
    assert!(log.levels().is_empty());
    world.announce(7, Some(25 * SECOND)).await;
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(log.levels(), [Level::WARN]);
    world.store.change(|notes| notes.away = false);
    assert_eq!(world.report(true).await.found, []);
    assert_eq!(log.levels(), [Level::WARN, Level::INFO]);
}

#[tokio::test(start_paused = true)]
async fn a_zoneminder_without_a_source_is_told_to_the_router_once() {
    let mut world = ReaderWorld::start();
    world.store.change(|notes| notes.nowhere = true);
    world.announce(7, None).await;
    assert!(!world.report(true).await.possible);
    tokio::time::sleep(10 * SECOND).await;
    assert!(world.router.try_recv().is_err());
}
