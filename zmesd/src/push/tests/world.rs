//! A dispatcher with a real state file, transports with prescribed answers, and a router that only listens.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use zmes_providers::{Platform, PushTransport, Transports, Urgency};
use zmes_shared::paths::STATE_FILE;

use crate::config::{AuthConfig, PushConfig, StateConfig};
use crate::domain::{Alarm, Decision, DeliveryId, LedgerMark, Token, TokenId};
use crate::links::LinkMaker;
use crate::monitors::Catalog;
use crate::ports::{Clock, SystemClock};
use crate::push::tests::fakes::{FakeTransport, NoUploads, token};
use crate::push::{
    Dispatcher, DispatcherParts, PushCluster, PushCommand, PushPictures, PushStatus, STORM_WINDOW,
};
use crate::route::{OrderSender, PushRules, RouterCommand, RouterHandle, Tap, TokenCommand, push_orders};
use crate::route::{PushBatch, PushDelivery, PushOrder, PushReceipt};
use crate::state::{DeliveryRow, Note, State, StateHandle, TokenDecision};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct PushWorld {
    pub(super) transports: Vec<Arc<FakeTransport>>,
    pub(super) state: StateHandle,
    pub(super) status: Arc<PushStatus>,
    pub(super) catalog: watch::Sender<Arc<Catalog>>,
    /// `[push]`, to be changed between live and shadow.
    pub(super) rules: watch::Sender<PushRules>,
    /// The ways to phones, to be changed as a reload does.
    pub(super) ways: watch::Sender<Arc<Transports>>,
    pub(super) push_commands: mpsc::Sender<PushCommand>,
    /// Tokens reported dead to the router.
    pub(super) dead: Arc<Mutex<Vec<(TokenId, String)>>>,
    /// Pushes reported as given up.
    pub(super) untold: Arc<Mutex<Vec<TokenId>>>,
    pub(super) tokens: Vec<Arc<Token>>,
    pub(super) orders: OrderSender,
    next: i64,
    stop: CancellationToken,
    store: CancellationToken,
    tasks: TaskTracker,
    directory: Option<TempDir>,
    blocker: Mutex<Option<SqliteConnection>>,
}

/// Settings of a world.
pub(super) struct WorldPlan {
    pub(super) names: Vec<&'static str>,
    pub(super) tokens: i64,
    pub(super) config: PushConfig,
    pub(super) storm_window: Duration,
    pub(super) cluster: Option<PushCluster>,
}

impl Default for WorldPlan {
    fn default() -> Self {
        let (config, storm_window) = (PushConfig::default(), STORM_WINDOW);
        Self { names: vec!["proxy"], tokens: 1, config, storm_window, cluster: None }
    }
}

impl PushWorld {
    pub(super) async fn start(plan: WorldPlan) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), plan).await
    }

    /// Starts on what another world has left.
    pub(super) async fn start_in(directory: TempDir, plan: WorldPlan) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let state = State::open(&state_config(directory.path()), Arc::clone(&clock)).await.unwrap();
        let transports: Vec<_> = plan.names.iter().map(|name| FakeTransport::new(name)).collect();
        let all = transports.iter().map(|fake| Arc::clone(fake) as Arc<dyn PushTransport>).collect();
        let (orders, orders_rx) = push_orders(1024);
        let (ways, ways_rx) = watch::channel(Arc::new(Transports::of(all)));
        let (push_commands, push_commands_rx) = mpsc::channel(8);
        let (commands, commands_rx) = mpsc::channel(64);
        let (catalog, catalog_rx) = watch::channel(Arc::default());
        let auth = AuthConfig { enabled: true, timeout: PATIENCE, enforce_monitor_permissions: true };
        let status = Arc::<PushStatus>::default();
        let (rules, rules_rx) =
            watch::channel(PushRules { enabled: true, phones: true, ..PushRules::new(&plan.config) });
        let dispatcher = Dispatcher::new(DispatcherParts {
            cluster: plan.cluster,
            orders: orders_rx,
            transports: ways_rx,
            commands: push_commands_rx,
            state: state.handle.clone(),
            committed: state.committed,
            trouble: state.trouble,
            last_delivery: state.remembered.last_delivery,
            catalog: catalog_rx,
            auth: watch::channel(auth).1,
            router: RouterHandle::new(commands),
            tap: Tap::default(),
            counters: Arc::default(),
            status: Arc::clone(&status),
            rules: rules_rx,
            pictures: PushPictures { links: LinkMaker::off(), uploads: Arc::new(NoUploads) },
            config: plan.config,
            storm_window: plan.storm_window,
            clock,
        });
        let (stop, store, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let dead = Arc::<Mutex<Vec<_>>>::default();
        tasks.spawn(dispatcher.run(stop.clone()));
        tasks.spawn(state.writer.run(store.clone()));
        let untold = Arc::<Mutex<Vec<_>>>::default();
        tasks.spawn(listen(commands_rx, Arc::clone(&dead), Arc::clone(&untold)));
        let tokens = (1..=plan.tokens)
            .map(|id| Arc::new(token(id, &format!("secret-{id}"), Platform::Android)))
            .collect::<Vec<_>>();
        for token in &tokens {
            assert!(state.handle.note(Note::Token(Arc::clone(token))));
        }
        let next = state.remembered.last_delivery.0;
        let directory = Some(directory);
        Self {
            transports,
            state: state.handle,
            status,
            catalog,
            rules,
            ways,
            push_commands,
            dead,
            untold,
            tokens,
            orders,
            next,
            stop,
            store,
            tasks,
            directory,
            blocker: Mutex::default(),
        }
    }

    /// Announces an alarm to every token, as the router does.
    pub(super) fn announce(&mut self, alarm: &Arc<Alarm>) {
        self.announce_with(alarm, None);
    }

    /// Announces an alarm that the router cannot hand over.
    pub(super) fn announce_unheard(&mut self, alarm: &Arc<Alarm>) {
        self.decide(alarm);
        self.orders.report_dropped();
    }

    /// The same, with a requester that waits for the outcome.
    pub(super) fn announce_with(&mut self, alarm: &Arc<Alarm>, receipts: Option<mpsc::Sender<PushReceipt>>) {
        let deliveries = self.decide(alarm);
        let batch =
            PushBatch { alarm: Arc::clone(alarm), deliveries, recorded: true, receipts, ledger: None };
        self.orders.try_send(PushOrder::Alarm(batch)).unwrap();
    }

    /// Announces an alarm of the cluster's ledger.
    pub(super) fn announce_marked(&mut self, alarm: &Arc<Alarm>, mark: LedgerMark) {
        let (deliveries, alarm) = (self.decide(alarm), Arc::clone(alarm));
        let ledger = Some(mark);
        let batch = PushBatch { alarm, deliveries, recorded: true, receipts: None, ledger };
        self.orders.try_send(PushOrder::Alarm(batch)).unwrap();
    }

    /// Decides for every token, and writes that down.
    fn decide(&mut self, alarm: &Arc<Alarm>) -> Vec<PushDelivery> {
        let (decisions, deliveries): (Vec<_>, Vec<_>) = self
            .tokens
            .iter()
            .map(|token| {
                self.next += 1;
                let (id, badge) = (DeliveryId(self.next), u32::try_from(self.next).unwrap());
                let (decision, urgency) = (Decision::Send, Urgency::Normal);
                (
                    TokenDecision { id, token: token.id, decision, badge, by: None, urgency, start: None },
                    PushDelivery { id, token: Arc::clone(token), badge, urgency, start: None },
                )
            })
            .unzip();
        assert!(self.state.note(Note::Announced(Arc::clone(alarm), decisions.into())));
        deliveries
    }

    /// Waits until nothing is queued, and returns the deliveries of a token, oldest first.
    pub(super) async fn settled(&self, token: i64) -> Vec<DeliveryRow> {
        until(async || self.state.deliveries_queued(1).await.unwrap().is_empty()).await;
        self.deliveries(token).await
    }

    /// Returns the deliveries of a token, oldest first.
    pub(super) async fn deliveries(&self, token: i64) -> Vec<DeliveryRow> {
        let mut rows = self.state.deliveries_of_token(TokenId(token), 1000).await.unwrap();
        rows.reverse();
        rows
    }

    /// Makes all writes fail: another process holds the file's lock.
    pub(super) async fn block_disk(&self) {
        let path = self.directory.as_ref().unwrap().path().join(STATE_FILE);
        let options = SqliteConnectOptions::new().filename(path);
        let mut blocker = options.connect().await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut blocker).await.unwrap();
        *self.blocker.lock().unwrap() = Some(blocker);
    }

    /// Takes that back.
    pub(super) async fn unblock_disk(&self) {
        let blocker = self.blocker.lock().unwrap().take();
        blocker.unwrap().close().await.unwrap();
    }

    /// Ends in order, and returns where everything is kept.
    pub(super) async fn end(mut self) -> TempDir {
        self.stop.cancel();
        // The dispatcher ends before the writer does, as the daemon's conductor has it.
        until(async || self.orders.is_closed()).await;
        self.store.cancel();
        drop(self.orders);
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap();
        self.directory.take().unwrap()
    }
}

/// Waits until a condition holds.
pub(super) async fn until(condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, holds).await.expect("in time");
}

async fn listen(
    mut commands: mpsc::Receiver<RouterCommand>,
    dead: Arc<Mutex<Vec<(TokenId, String)>>>,
    untold: Arc<Mutex<Vec<TokenId>>>,
) {
    while let Some(command) = commands.recv().await {
        if let RouterCommand::Token(TokenCommand::Dead(token, reason)) = command {
            dead.lock().unwrap().push((token, reason));
        } else if let RouterCommand::Token(TokenCommand::Untold(many)) = command {
            untold.lock().unwrap().extend(many.into_iter().map(|(token, _, _)| token));
        }
    }
}

fn state_config(directory: &Path) -> StateConfig {
    let day = Duration::from_hours(24);
    StateConfig {
        directory: directory.to_owned(),
        keep_events: day,
        keep_deliveries: day,
        keep_tombstones: day,
        max_size: 1 << 28,
    }
}
