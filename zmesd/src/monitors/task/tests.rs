use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::task::JoinHandle;
use zmes_shared::MonitorId;
use zmes_zoneminder::{
    DatabaseTrouble, Monitor, MonitorRights, MonitorSet, OtherServer, Recording, Zoneminder,
};

use super::*;
use crate::monitors::CatalogHandle;
use crate::ports::SystemClock;

const INTERVAL: Duration = Duration::from_mins(1);

/// A ZoneMinder in memory; records when its monitors were read.
#[derive(Debug)]
struct Store {
    answer: Mutex<Result<Zoneminder, DbError>>,
    users: Mutex<Vec<User>>,
    asked: watch::Sender<Vec<Instant>>,
}

#[async_trait]
impl MonitorStore for Store {
    async fn load(&self) -> Result<Zoneminder, DbError> {
        self.asked.send_modify(|asked| asked.push(Instant::now()));
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl AccountStore for Store {
    async fn find(&self, _name: &str) -> Result<Option<User>, DbError> {
        Ok(None)
    }

    async fn all(&self) -> Result<Vec<User>, DbError> {
        Ok(self.users.lock().unwrap().clone())
    }

    async fn token_secret(&self) -> Result<Option<SecretString>, DbError> {
        Ok(None)
    }
}

/// The task with its store and handle.
struct World {
    store: Arc<Store>,
    handle: CatalogHandle,
    interval: watch::Sender<Duration>,
    orphans: watch::Sender<Arc<Orphans>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn start(answer: Result<Zoneminder, DbError>) -> World {
    start_as(false, answer)
}

#[expect(clippy::disallowed_methods, reason = "the test awaits the task itself")]
fn start_as(is_node: bool, answer: Result<Zoneminder, DbError>) -> World {
    let asked = watch::Sender::default();
    let store = Arc::new(Store { answer: Mutex::new(answer), users: Mutex::new(vec![user(true)]), asked });
    let (interval, interval_rx) = watch::channel(INTERVAL);
    let (refresh_tx, refresh_rx) = mpsc::channel(8);
    let (catalog_tx, catalog_rx) = watch::channel(Arc::default());
    let stop = CancellationToken::new();
    let (monitors, accounts): (Arc<dyn MonitorStore>, Arc<dyn AccountStore>) =
        (Arc::<Store>::clone(&store), Arc::<Store>::clone(&store));
    let task =
        CatalogTask::new(monitors, accounts, interval_rx, Arc::new(SystemClock), refresh_rx, catalog_tx);
    let (orphans, followed) = watch::channel(Arc::default());
    let task = if is_node { task.of_node(followed) } else { task };
    let task = tokio::spawn(task.run(stop.clone()));
    World { store, handle: CatalogHandle::new(refresh_tx, catalog_rx), interval, orphans, stop, task }
}

impl World {
    fn answers(&self, answer: Result<Zoneminder, DbError>) {
        *self.store.answer.lock().unwrap() = answer;
    }

    /// Waits for the nth reading. Returns how many seconds it came after the first.
    async fn asked(&self, times: usize) -> u64 {
        let mut asked = self.store.asked.subscribe();
        let asked = asked.wait_for(|asked| asked.len() >= times).await.unwrap();
        (asked[times - 1] - asked[0]).as_secs()
    }
}

fn monitor(id: u32, name: &str, server: Option<u32>) -> Monitor {
    let server = server.map(|id| OtherServer { id, name: Some(format!("nvr{id}")) });
    Monitor {
        id: MonitorId(id),
        name: name.into(),
        recording: Recording::OnAlarm,
        alarm_opens_event: false,
        watched: Ok(()),
        on_demand: false,
        elsewhere: server.map(Arc::new),
    }
}

/// These monitors, and another one on server 2.
fn zoneminder(ids: &[u32]) -> Zoneminder {
    let monitors = ids.iter().map(|id| monitor(*id, "Porch", None));
    let others = [monitor(9, "Yard", Some(2))].into_iter();
    Zoneminder {
        version: None,
        monitors: monitors.collect::<MonitorSet>(),
        others: others.collect(),
        own_server: Some(1),
        watch_max_delay: Duration::from_secs(45),
    }
}

fn user(enabled: bool) -> User {
    User {
        name: "amy".to_owned(),
        password: SecretString::default(),
        enabled,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights: MonitorRights::All,
    }
}

fn away() -> DbError {
    DbError::Unavailable(DatabaseTrouble::late("connection refused"))
}

#[tokio::test(start_paused = true)]
async fn it_reads_at_start_and_at_each_interval() {
    let world = start(Ok(zoneminder(&[1, 2])));
    assert_eq!(world.asked(3).await, 120);
    let catalog = world.handle.now();
    assert_eq!(catalog.monitors.len(), 2);
    assert!(catalog.users.contains_key("amy"));
    assert!(catalog.loaded_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn only_a_node_of_a_cluster_keeps_the_names_of_other_servers_monitors() {
    let world = start(Ok(zoneminder(&[1])));
    world.asked(1).await;
    world.handle.refresh().await.unwrap();
    assert_eq!(world.handle.now().name_of(MonitorId(9)), None);
    let world = start_as(true, Ok(zoneminder(&[1])));
    world.asked(1).await;
    world.handle.refresh().await.unwrap();
    let catalog = world.handle.now();
    assert_eq!(catalog.name_of(MonitorId(9)).map(|name| &**name), Some("Yard"));
    let names: Vec<_> = catalog.names().collect();
    assert_eq!(names, [(MonitorId(1), "Porch"), (MonitorId(9), "Yard")]);
    assert_eq!(catalog.monitors.len(), 1, "it is another node's to watch");
}

#[tokio::test(start_paused = true)]
async fn orphans_are_taken_up_and_left_at_once_also_while_the_database_is_away() {
    let world = start_as(true, Ok(zoneminder(&[1])));
    let mut watch = world.handle.watch();
    watch.wait_for(|catalog| catalog.loaded_at.is_some()).await.unwrap();
    let catalog = world.handle.now();
    let on_server_2 = OtherServer { id: 2, name: Some("nvr2".to_owned()) };
    assert_eq!((catalog.own_server, catalog.servers.get(&on_server_2)), (Some(1), Some(&1)));
    world.answers(Err(away()));
    world.orphans.send_replace(Arc::new([(2, None), (3, None)].into_iter().collect()));
    watch.wait_for(|catalog| !catalog.orphans.is_empty()).await.unwrap();
    let catalog = world.handle.now();
    let yard = catalog.monitors.find(MonitorId(9)).unwrap();
    assert!(catalog.is_orphan(yard) && !catalog.is_orphan(catalog.monitors.find(MonitorId(1)).unwrap()));
    assert!(catalog.others.is_empty() && catalog.name_of(MonitorId(9)).is_some());
    assert_eq!(catalog.servers.get(&on_server_2), Some(&1), "it is known in any case");
    world.orphans.send_replace(Arc::default());
    watch.wait_for(|catalog| catalog.orphans.is_empty()).await.unwrap();
    let catalog = world.handle.now();
    assert!(catalog.monitors.find(MonitorId(9)).is_none() && catalog.others.len() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_answered_with_what_changed() {
    let world = start(Ok(zoneminder(&[1, 2])));
    world.asked(1).await;
    world.answers(Ok(zoneminder(&[2, 3, 4])));
    let reloaded = world.handle.refresh().await.unwrap();
    assert_eq!(reloaded, Reloaded { monitors: 3, added: 2, removed: 1, users: 1 });
    assert_eq!(world.handle.now().monitors.len(), 3, "published before it is answered");
    assert_eq!(world.handle.refresh().await.unwrap().added, 0);
    world.answers(Err(away()));
    assert_eq!(world.handle.refresh().await, Err(away()));
}

#[tokio::test(start_paused = true)]
async fn only_a_different_catalog_wakes_those_who_watch() {
    let world = start(Ok(zoneminder(&[1])));
    let mut watch = world.handle.watch();
    watch.changed().await.unwrap();
    watch.mark_unchanged();
    world.handle.refresh().await.unwrap();
    assert!(!watch.has_changed().unwrap(), "nothing is new");
    *world.store.users.lock().unwrap() = vec![user(false)];
    world.handle.refresh().await.unwrap();
    assert!(watch.has_changed().unwrap(), "a user was disabled");
}

#[tokio::test(start_paused = true)]
async fn an_empty_zoneminder_is_still_news_at_first() {
    let world = start(Ok(zoneminder(&[])));
    world.store.users.lock().unwrap().clear();
    let mut watch = world.handle.watch();
    watch.changed().await.unwrap();
    assert!(watch.borrow().loaded_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn while_the_database_is_away_the_last_good_catalog_stays() {
    let world = start(Ok(zoneminder(&[1, 2])));
    world.asked(1).await;
    world.answers(Err(away()));
    // The interval, then pauses of 1, 2, 4, 8, 15, 15 s.
    let first = world.asked(2).await;
    for (reading, pause) in [(3, 1), (4, 3), (5, 7), (6, 15), (7, 30), (8, 45)] {
        assert_eq!(world.asked(reading).await - first, pause);
    }
    assert_eq!(world.handle.now().monitors.len(), 2);
    world.answers(Ok(zoneminder(&[1])));
    let back = world.asked(9).await;
    assert_eq!(world.asked(10).await - back, 60, "the interval holds again");
    assert_eq!(world.handle.now().monitors.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_interval_holds_at_once() {
    let world = start(Ok(zoneminder(&[1])));
    world.asked(1).await;
    world.interval.send(Duration::from_secs(5)).unwrap();
    assert_eq!(world.asked(2).await, 5);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_stopped() {
    let world = start(Err(away()));
    world.asked(1).await;
    world.stop.cancel();
    world.task.await.unwrap();
}
