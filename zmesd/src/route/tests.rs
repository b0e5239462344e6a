//! The router's task, driven through its channels.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use zmes_providers::{App, PushToken};
use zmes_shared::control::ClientFilter;
use zmes_shared::{EventId, MonitorId, SessionId};
use zmes_zoneminder::{MonitorRights, User};

use super::*;
use crate::config::{AuthConfig, EndConfig, LabelsConfig, PictureConfig, StateConfig};
use crate::domain::{Alarm, Decision, MonitorFilter, Origin, Phase, Registration, SkipReason};
use crate::monitors::Catalog;
use crate::ports::{Clock, SystemClock};
use crate::protocol::TokenFault;
use crate::route::PushOrder;
use crate::route::fakes::alarm_at;
use crate::rules::RuleSet;
use crate::state::{State, StateHandle};
use crate::telemetry::Counters;

mod app_snoozes;
mod devices;
mod elsewhere;
mod ends;
mod full_queue;
mod labels;
mod outbox;
mod tokens;
mod tokens_admin;
mod troubles;
mod updates;
mod wishes;

const PUSH_ON: PushRules =
    PushRules { enabled: true, phones: true, interval_default: Duration::ZERO, shadow: false };

struct RouterWorld {
    router: RouterHandle,
    alarms: mpsc::Sender<Alarm>,
    catalog: watch::Sender<Arc<Catalog>>,
    auth: watch::Sender<AuthConfig>,
    rules: watch::Sender<Arc<RuleSet>>,
    ends: watch::Sender<EndConfig>,
    labels: watch::Sender<LabelsConfig>,
    /// Requests sent to the label reader.
    asked: mpsc::Receiver<LabelRequest>,
    pictures: watch::Sender<PictureConfig>,
    /// Alarms that are watched for better pictures.
    watched: mpsc::Receiver<PictureRequest>,
    state: StateHandle,
    pushes: mpsc::Receiver<PushOrder>,
    tap: Tap,
    counters: Arc<Counters>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    next: u64,
    directory: PathBuf,
}

struct Client {
    id: SessionId,
    outbox: mpsc::Receiver<Outgoing>,
    kick: oneshot::Receiver<CloseReason>,
}

fn user(name: &str, rights: MonitorRights) -> User {
    User {
        name: name.into(),
        password: "hash".to_owned().into(),
        enabled: true,
        api_enabled: true,
        may_see_events: true,
        token_min_expiry: 0,
        rights,
    }
}

fn catalog(users: &[User]) -> Arc<Catalog> {
    let users: BTreeMap<_, _> =
        users.iter().map(|user| (user.name.clone(), Arc::new(user.clone()))).collect();
    let read_at = Some(Instant::now());
    Arc::new(Catalog { loaded_at: Some(Timestamp::UNIX_EPOCH), read_at, users, ..Catalog::default() })
}

fn kept_for_an_hour(directory: &Path) -> StateConfig {
    let hour = Duration::from_hours(1);
    StateConfig {
        directory: directory.to_owned(),
        keep_events: hour,
        keep_deliveries: hour,
        keep_tombstones: hour,
        max_size: 1 << 28,
    }
}

impl RouterWorld {
    async fn start(directory: PathBuf, users: &[User]) -> Self {
        Self::with_rules(directory, users, PUSH_ON).await
    }

    async fn with_rules(directory: PathBuf, users: &[User], push: PushRules) -> Self {
        Self::with_ledger(directory, users, push, None).await
    }

    async fn with_ledger(
        directory: PathBuf,
        users: &[User],
        push: PushRules,
        ledger: Option<LedgerSide>,
    ) -> Self {
        Self::with_pictures(directory, users, push, ledger, PictureConfig::default()).await
    }

    #[expect(clippy::disallowed_methods, reason = "a test waits for its tasks itself")]
    async fn with_pictures(
        directory: PathBuf,
        users: &[User],
        push: PushRules,
        ledger: Option<LedgerSide>,
        pictures: PictureConfig,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let state = State::open(&kept_for_an_hour(&directory), Arc::clone(&clock)).await.unwrap();
        let ((alarms, alarms_rx), (commands, commands_rx)) = (mpsc::channel(64), mpsc::channel(64));
        let (catalog, catalog_rx) = watch::channel(catalog(users));
        let (rules, rules_rx) = watch::channel(Arc::<RuleSet>::default());
        let (ends, ends_rx) = watch::channel(EndConfig::default());
        let (auth, auth_rx) = watch::channel(AuthConfig {
            enabled: true,
            timeout: Duration::from_secs(20),
            enforce_monitor_permissions: true,
        });
        let (labels, labels_rx) = watch::channel(LabelsConfig::default());
        let (label_requests, asked) = mpsc::channel(64);
        let (pictures, pictures_rx) = watch::channel(pictures);
        let (picture_requests, watched) = mpsc::channel(64);
        let (pushes_tx, OrderReceiver { orders: pushes, .. }) = push_orders(1024);
        let (stop, tap, counters) = (CancellationToken::new(), Tap::default(), Arc::<Counters>::default());
        let router = Router::new(RouterParts {
            ledger,
            alarms: alarms_rx,
            commands: commands_rx,
            catalog: catalog_rx,
            auth: auth_rx,
            state: state.handle.clone(),
            remembered: state.remembered,
            renewed: state.renewed,
            rules: rules_rx,
            ends: ends_rx,
            labels: labels_rx,
            label_requests: LabelRequests::new(label_requests),
            pictures: pictures_rx,
            picture_requests: PictureRequests::new(picture_requests),
            targets: watch::channel(Arc::from([])).1,
            links: crate::links::LinkMaker::off(),
            zone: TimeZone::UTC,
            pushes: pushes_tx,
            push: watch::channel(push).1,
            tap: tap.clone(),
            counters: Arc::clone(&counters),
            clock,
        });
        let tasks =
            vec![tokio::spawn(router.run(stop.clone())), tokio::spawn(state.writer.run(stop.clone()))];
        let (router, state) = (RouterHandle::new(commands), state.handle);
        Self {
            router,
            alarms,
            catalog,
            auth,
            rules,
            ends,
            labels,
            asked,
            pictures,
            watched,
            state,
            pushes,
            tap,
            counters,
            stop,
            tasks,
            next: 1,
            directory,
        }
    }

    /// Stops everything and starts a new daemon on the same state.
    async fn restart(self, users: &[User]) -> Self {
        let (directory, pictures) = (self.directory.clone(), self.pictures.borrow().clone());
        self.stop_all().await;
        Self::with_pictures(directory, users, PUSH_ON, None, pictures).await
    }

    async fn stop_all(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    /// Publishes a catalog and waits until the router has handled it. The router handles the catalog before the `await`
    /// returns, because the test has only one thread.
    async fn publish(&self, catalog: Arc<Catalog>) {
        self.catalog.send(catalog).unwrap();
        self.router.ping().await.unwrap();
    }

    async fn connect(&mut self, outbox: usize) -> Client {
        let (tx, rx) = mpsc::channel(outbox);
        let (kick, kicked) = oneshot::channel();
        let id = SessionId(self.next);
        self.next += 1;
        let address: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let opening = SessionOpening { id, address, connected_at: Timestamp::UNIX_EPOCH, outbox: tx, kick };
        self.router.open(opening).await.unwrap();
        Client { id, outbox: rx, kick: kicked }
    }

    async fn login(&mut self, user: User, filter: Option<(&str, &str)>) -> Client {
        let client = self.connect(8).await;
        let filter = filter.map(|(monlist, intlist)| MonitorFilter::parse(monlist, intlist).unwrap());
        self.attach(&client, user, filter, None).await;
        client
    }

    /// Connects and logs in a client with this kind of app and version.
    async fn enter(&mut self, user: &User, kind: App, app: Option<&str>) -> Client {
        let client = self.connect(8).await;
        let (id, user, app) = (client.id, Arc::new(user.clone()), app.map(str::to_owned));
        let asked_at = Instant::now();
        let login = NewLogin { user, pass: None, app, filter: None, kind, hint: None };
        self.router.attach(id, asked_at, login).await.unwrap();
        client
    }

    /// Logs in a connected client whose app names this push token.
    async fn attach(&self, client: &Client, user: User, filter: Option<MonitorFilter>, hint: Option<&str>) {
        self.attach_asked(client, user, Instant::now(), filter, hint).await;
    }

    /// Logs in a connected client. The check of its credentials began at `asked_at`.
    async fn attach_asked(
        &self,
        client: &Client,
        user: User,
        asked_at: Instant,
        filter: Option<MonitorFilter>,
        hint: Option<&str>,
    ) {
        let (id, user, app) = (client.id, Arc::new(user), Some("1.8.001".into()));
        let hint = hint.map(|hint| PushToken::parse(hint).unwrap());
        let login = NewLogin { user, pass: None, app, filter, kind: App::Unknown, hint };
        self.router.attach(id, asked_at, login).await.unwrap();
    }

    /// Announces an alarm and waits until the router has handled it.
    async fn announce(&self, alarm: Alarm) {
        self.alarms.send(alarm).await.unwrap();
        self.router.ping().await.unwrap();
    }
}

const T: i64 = 1_900_000_000;

#[tokio::test]
async fn each_gets_what_filter_and_rights_let_through() {
    let directory = tempfile::tempdir().unwrap();
    let only_1 = MonitorRights::Only(Arc::new([MonitorId(1)].into()));
    let (amy, bob) = (user("amy", MonitorRights::All), user("bob", only_1));
    let mut world = RouterWorld::start(directory.path().into(), &[amy.clone(), bob.clone()]).await;
    let mut all = world.login(amy.clone(), None).await;
    let mut filtered = world.login(amy, Some(("2", "0"))).await;
    let mut restricted = world.login(bob, None).await;
    let mut pending = world.connect(8).await;
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(2, 11, T)).await;
    assert_eq!(all.events(), ["10", "11"]);
    assert_eq!(filtered.events(), ["11"]);
    assert_eq!(restricted.events(), ["10"]);
    assert_eq!(pending.events(), [""; 0]);
}

#[tokio::test]
async fn an_interval_holds_across_a_reconnect_and_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let users = [amy.clone()];
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let mut client = world.login(amy.clone(), Some(("1", "60"))).await;
    world.announce(alarm_at(1, 10, T)).await;
    world.announce(alarm_at(1, 11, T + 59)).await;
    assert_eq!(client.events(), ["10"]);
    world.router.close(client.id, "gone", SessionEnd::Broken, None).await.unwrap();

    let mut again = world.login(amy.clone(), None).await;
    world.announce(alarm_at(1, 12, T + 59)).await;
    world.announce(alarm_at(2, 13, T + 59)).await;
    assert_eq!(again.events(), [""; 0], "the filter and the interval of before hold");

    let mut world = world.restart(&users).await;
    let mut restarted = world.login(amy, None).await;
    world.announce(alarm_at(1, 14, T + 59)).await;
    world.announce(alarm_at(1, 15, T + 60)).await;
    assert_eq!(restarted.events(), ["15"]);
}

#[tokio::test]
async fn a_second_phone_is_not_silenced_by_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut first = world.login(amy.clone(), Some(("1", "60"))).await;
    world.announce(alarm_at(1, 10, T)).await;
    let mut second = world.login(amy, Some(("1", "60"))).await;
    world.announce(alarm_at(1, 11, T + 30)).await;
    assert_eq!(first.events(), ["10"]);
    assert_eq!(second.events(), ["11"]);
}

#[tokio::test]
async fn a_session_that_does_not_read_is_ended_and_delays_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let stuck = world.login(amy.clone(), None).await;
    let mut fine = world.login(amy, None).await;
    for event in 1..=9 {
        world.announce(alarm_at(1, event, T)).await;
        assert_eq!(fine.events(), [event.to_string()]);
    }
    assert_eq!(stuck.kicked().await, CloseReason::Slow);
}

#[tokio::test]
async fn a_new_catalog_renews_rights_and_ends_the_sessions_of_the_barred() {
    let directory = tempfile::tempdir().unwrap();
    let names = ["disabled", "deleted", "changed", "narrowed"];
    let users = names.map(|name| user(name, MonitorRights::All));
    let mut world = RouterWorld::start(directory.path().into(), &users).await;
    let [disabled, deleted, changed, narrowed] = users;
    let gone = world.login(disabled.clone(), None).await;
    let missing = world.login(deleted, None).await;
    let other = world.login(changed.clone(), None).await;
    let mut kept = world.login(narrowed.clone(), None).await;
    let next = [
        User { enabled: false, ..disabled },
        User { password: "other".to_owned().into(), ..changed },
        User { rights: MonitorRights::none(), ..narrowed },
    ];
    world.catalog.send(catalog(&next)).unwrap();
    for client in [gone, missing, other] {
        assert_eq!(client.kicked().await, CloseReason::UserRevoked);
    }
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(kept.events(), [""; 0]);
}

#[tokio::test]
async fn rights_that_changed_while_a_login_was_looked_at_count_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let [amy, bob] = ["amy", "bob"].map(|name| user(name, MonitorRights::All));
    let mut world = RouterWorld::start(directory.path().into(), &[amy.clone(), bob.clone()]).await;
    let (mut narrowed, barred) = (world.connect(8).await, world.connect(8).await);
    let asked_at = Instant::now();
    let next =
        [User { rights: MonitorRights::none(), ..amy.clone() }, User { enabled: false, ..bob.clone() }];
    world.publish(catalog(&next)).await;
    world.attach_asked(&narrowed, amy, asked_at, None, None).await;
    world.attach_asked(&barred, bob, asked_at, None, None).await;
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(narrowed.events(), [""; 0]);
    assert_eq!(barred.kicked().await, CloseReason::UserRevoked);
}

#[tokio::test]
async fn a_catalog_that_was_read_before_a_login_does_not_end_its_session() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::none());
    let mut world = RouterWorld::start(directory.path().into(), &[]).await;
    // Both catalogs are read, then a login with the new password follows, and only then the router gets the catalogs.
    let [stale, staler] = [catalog(std::slice::from_ref(&amy)), catalog(&[])];
    let changed = User { password: "new".to_owned().into(), rights: MonitorRights::All, ..amy };
    let mut client = world.login(changed.clone(), None).await;
    for (event, catalog) in [(10, stale), (11, staler)] {
        world.publish(catalog).await;
        world.announce(alarm_at(1, event, T)).await;
        assert_eq!(client.events(), [event.to_string()]);
    }
    world.publish(catalog(&[User { rights: MonitorRights::none(), ..changed }])).await;
    world.announce(alarm_at(1, 12, T)).await;
    assert_eq!(client.events(), [""; 0], "what is read later counts");
}

#[tokio::test]
async fn a_login_of_the_time_without_auth_is_checked_once_auth_is_on_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = RouterWorld::start(directory.path().into(), &[]).await;
    let client = world.login(user("anonymous", MonitorRights::All), None).await;
    world.auth.send_modify(|auth| auth.timeout += Duration::from_secs(1));
    assert_eq!(client.kicked().await, CloseReason::UserRevoked);
}

#[tokio::test]
async fn a_test_alarm_ignores_intervals_but_not_filters_and_a_dry_run_sends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut throttled = world.login(amy.clone(), Some(("1", "3600"))).await;
    let elsewhere = world.login(amy, Some(("2", "0"))).await;
    world.announce(alarm_at(1, 10, T)).await;
    assert_eq!(throttled.events(), ["10"]);
    let mut request = AlarmTestRequest {
        monitor: MonitorId(1),
        monitor_name: "Garage".into(),
        dry_run: true,
        receipts: None,
        only: Vec::new(),
        token: None,
        push_receipts: None,
    };
    let dry = world.router.test(request.clone()).await.unwrap();
    let decisions = |tested: &AlarmTestReport| {
        tested.targets.iter().map(|target| (target.target, target.decision)).collect::<Vec<_>>()
    };
    let skipped = (AlarmTarget::Session(elsewhere.id), Decision::Skip(SkipReason::Filter));
    assert_eq!(decisions(&dry), [(AlarmTarget::Session(throttled.id), Decision::Send), skipped]);
    assert_eq!(throttled.events(), [""; 0]);
    request.dry_run = false;
    let tested = world.router.test(request).await.unwrap();
    assert_eq!(throttled.events(), [tested.event.to_string()]);
    assert_ne!(tested.event, dry.event);
}

#[tokio::test]
async fn clients_are_listed_with_what_they_get() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let pending = world.connect(8).await;
    let client = world.login(amy, None).await;
    let listed = world.router.list(ClientFilter::default()).await.unwrap();
    assert_eq!(listed.iter().map(|client| client.id).collect::<Vec<_>>(), [pending.id, client.id]);
    assert_eq!(listed[0].user, None);
    assert_eq!((listed[1].user.as_deref(), &listed[1].monitors), (Some("amy"), &None));
    assert!(world.router.disconnect(client.id).await.unwrap());
    assert_eq!(client.kicked().await, CloseReason::Disconnected);
    assert!(!world.router.disconnect(SessionId(99)).await.unwrap());
}

#[tokio::test]
async fn watchers_see_an_alarm_with_its_decisions() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let client = world.login(amy, None).await;
    let mut watcher = world.tap.subscribe();
    world.announce(alarm_at(1, 10, T)).await;
    let TapEvent::Alarm(announced) = watcher.recv().await.unwrap() else { panic!("no alarm") };
    assert_eq!((announced.number, announced.alarm.event), (1, Some(EventId(10))));
    assert_eq!(*announced.decided.upgrade().unwrap().sessions, [(client.id, Decision::Send)]);
    let remembered = world.router.session_decisions(EventId(10)).await.unwrap();
    let at = Timestamp::from_second(T).unwrap();
    let decision = Decision::Send;
    assert_eq!(
        remembered,
        [SessionDecision { alarm: 1, at, phase: Phase::Start, session: client.id, decision, by: None }]
    );
    assert!(world.router.session_decisions(EventId(11)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_watcher_that_stops_reading_holds_no_decisions() {
    let directory = tempfile::tempdir().unwrap();
    let amy = user("amy", MonitorRights::All);
    let mut world = RouterWorld::start(directory.path().into(), std::slice::from_ref(&amy)).await;
    let mut client = world.login(amy, None).await;
    let mut watcher = world.tap.subscribe();
    for event in 1..=1001 {
        world.announce(alarm_at(1, event, T)).await;
        client.events();
    }
    let mut held = Vec::new();
    while let Ok(TapEvent::Alarm(announced)) = watcher.try_recv() {
        held.push(announced.decided.upgrade().is_some());
    }
    assert_eq!((held.len(), held[0], held[1]), (1001, false, true));
}
