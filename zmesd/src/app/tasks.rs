//! Creates the long-lived tasks, in the order in which they start.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, watch};
use tracing::error;
use zmes_providers::Transports;
use zmes_shared::{EventId, MonitorId};
use zmes_zoneminder::{EventStore, MonitorSource};

use super::Conductor;
use super::parts::Parts;
use super::reload::{Hot, Reloader};
use super::start::{Common, Opened, Start};
use super::wiring::{CatalogEnds, Channels, DetectionEnds, Handles, MqttEnds, PushEnds, RouterEnds};
use crate::admin::AdminParts;
use crate::cluster::{Cluster, ClusterHandle, ClusterParts};
use crate::config::{Config, PushConfig, Source};
use crate::control;
use crate::detect::{self, DetectParts, Gaps, Record};
use crate::domain::{Alarm, DeliveryId, Token};
use crate::labels::LabelReader;
use crate::links::LinkMaker;
use crate::metrics;
use crate::monitors::{CatalogTask, Orphans};
use crate::mqtt::{MqttBroker, MqttOwner, MqttParts, MqttStatus, MqttView};
use crate::pictures::PictureWatch;
use crate::ports::{Broker, Clock, MqttSide, PictureUploads, PushSide, wall_clock};
use crate::push::{
    Dispatcher, DispatcherParts, PushCluster, PushPictures, PushStatus, PushView, PushViewParts, STORM_WINDOW,
};
use crate::route::{LabelRequest, LedgerNews, LedgerOutcome, LedgerSide, Router, RouterParts};
use crate::state::{Committed, Remembered, StateHandle};
use crate::ws::Listener;

/// An event begins with the pictures before its alarm: it may have begun this much earlier than the record and still
/// belong to its time.
const BEGAN_BEFORE: Duration = Duration::from_mins(1);

/// News and outcomes for the cluster that wait. Full: who tells them keeps them, and offers them again.
const LEDGER_NEWS: usize = 8_192;

/// This node's part in the cluster, before it runs.
#[derive(Debug)]
struct ClusterSide {
    cluster: Cluster,
    news: (mpsc::Sender<LedgerNews>, mpsc::Receiver<LedgerNews>),
    outcomes: (mpsc::Sender<LedgerOutcome>, mpsc::Receiver<LedgerOutcome>),
    alarms: mpsc::Sender<Alarm>,
    announced: Vec<(EventId, Option<MonitorId>)>,
    tokens: Vec<Token>,
    orphans: watch::Sender<Arc<Orphans>>,
    reads_events: bool,
    retry_for: Duration,
    catch_up: Duration,
    keep_tombstones: Duration,
}

impl ClusterSide {
    fn new(
        cluster: Option<Cluster>,
        orphans: watch::Sender<Arc<Orphans>>,
        (alarms, remembered, config): (&mpsc::Sender<Alarm>, &Remembered, &Config),
    ) -> Option<Self> {
        let cluster = cluster?;
        let by_others = |event: &EventId| (*event, remembered.told_elsewhere.get(event).copied());
        Some(Self {
            cluster,
            news: mpsc::channel(LEDGER_NEWS),
            outcomes: mpsc::channel(LEDGER_NEWS),
            alarms: alarms.clone(),
            announced: remembered.announced.iter().map(by_others).collect(),
            tokens: remembered.tokens.clone(),
            orphans,
            reads_events: config.zoneminder.source != Source::Shm,
            retry_for: config.push.retry_for,
            catch_up: config.zoneminder.catch_up,
            keep_tombstones: config.state.keep_tombstones,
        })
    }

    fn push(&self) -> PushCluster {
        PushCluster { permit: self.cluster.turns(), outcomes: self.outcomes.0.clone() }
    }
}

#[derive(Debug)]
struct Shared {
    common: Common,
    handles: Handles,
    state: StateHandle,
    state_trouble: watch::Receiver<Option<String>>,
}

impl Shared {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.common.clock)
    }
}

impl Conductor {
    #[expect(clippy::too_many_lines, reason = "one list of rooms, each with what is moved into it")]
    pub(super) fn run_tasks(&mut self, start: Start, channels: Channels, opened: Opened, common: Common) {
        let Start { config, file, parts, log, inherited: _ } = start;
        let Opened { certificates, certificate, listeners, state, .. } = opened;
        let (handles, poll_interval) = (channels.handles, config.zoneminder.poll_interval);
        let shared = Shared { common, handles, state: state.handle, state_trouble: state.trouble };
        let (soft, wanted) = (self.tokens.soft.clone(), listeners.len());
        let listening = self.listen(listeners, certificates.is_some());
        let is_node = opened.cluster.is_some();
        let (orphans_tx, orphans) = watch::channel(Arc::default());
        let reader = catalog(channels.catalog, &parts, is_node.then_some(orphans), &shared);
        self.front.spawn("catalog", reader.run(soft.clone()));
        let side = (&channels.detection.alarms, &state.remembered, &config);
        let side = ClusterSide::new(opened.cluster, orphans_tx, side);
        let (alarms, events) = (channels.detection.alarms.downgrade(), Arc::clone(&parts.events));
        let seen = (parts.source, events, config.state.keep_events);
        let gaps = self.run_detection(channels.detection, is_node, seen, &state.remembered, &shared);
        let labels = label_reader(channels.label_requests, Arc::clone(&parts.events), &shared);
        self.front.spawn("labels", labels.run(soft.clone()));
        let better = PictureWatch::new(Arc::clone(&opened.pictures), channels.picture_requests);
        self.front.spawn("pictures", better.run(soft.clone()));
        let (ways, transports) = watch::channel(opened.transports);
        let last = state.remembered.last_delivery;
        let pictures =
            PushPictures { links: opened.links.clone(), uploads: Arc::clone(&opened.pictures) as _ };
        let ways_in = (transports, pictures);
        let settings = (&config.push, side.as_ref().map(ClusterSide::push));
        let push = self.run_push(channels.push, state.committed, ways_in, settings, last, &shared);
        let (ledger, cluster) = self.run_cluster(side, Arc::clone(&push), &shared);
        let mut remembered = state.remembered;
        let troubles = std::mem::take(&mut remembered.troubles);
        let router = router(channels.router, remembered, state.renewed, opened.links, ledger, &shared);
        self.core.spawn("router", router.run(self.tokens.router.clone()));
        let writer = state.writer.counting(Arc::clone(&shared.common.counters));
        self.store.spawn("state", writer.run(self.tokens.store.clone()));
        let mqtt = self.run_mqtt(channels.mqtt, Arc::clone(&opened.pictures) as _, &shared);
        let (switch, moves) = metrics::switch();
        let hot = Hot {
            log: log.clone(),
            certificates,
            websocket: opened.websocket,
            permissions: parts.permissions,
            senders: channels.settings,
            transports: ways,
            catalog: shared.handles.catalog.clone(),
            metrics: switch,
            counters: Arc::clone(&shared.common.counters),
            clock: shared.clock(),
        };
        let (reloader, configuration) = Reloader::new(config, file, hot, channels.hangups);
        self.front.spawn("reloader", reloader.run(soft.clone()));
        let observed = metrics::Parts {
            counters: Arc::clone(&shared.common.counters),
            router: shared.handles.router.clone(),
            alarms,
            catalog: shared.handles.catalog.clone(),
            reports: shared.handles.reports.clone(),
            database: parts.database.clone(),
            state_trouble: shared.state_trouble.clone(),
            push: Arc::clone(&push),
            certificate: Arc::clone(&certificate),
            cluster: cluster.clone(),
            listeners: wanted,
            started_at: shared.common.started_at,
        };
        self.front.spawn("metrics", metrics::serve(opened.metrics, moves, observed, soft.clone()));
        let admin = AdminParts {
            router: shared.handles.router,
            catalog: shared.handles.catalog,
            state: shared.state,
            state_trouble: shared.state_trouble,
            tap: shared.common.tap,
            reports: shared.handles.reports,
            troubles,
            gaps,
            database: parts.database,
            events: parts.events,
            push,
            pictures: opened.pictures,
            mqtt,
            cluster,
            zoneminder: parts.check,
            trigger: parts.trigger,
            log,
            counters: shared.common.counters,
            clock: shared.common.clock,
            configuration: Arc::new(configuration),
            certificate,
            listening: watch::channel(listening).1,
            handed: opened.handed,
            started_at: shared.common.started_at,
            started: shared.common.started,
            poll_interval,
            draining: soft,
            stop: self.tokens.control.clone(),
        };
        self.control.spawn("control", control::serve(opened.control, admin, channels.admin_group));
    }

    /// Starts poller, reconciler and lookup. Returns where they record alarms beyond the limit.
    fn run_detection(
        &mut self,
        ends: DetectionEnds,
        is_node: bool,
        (source, store, keep_events): (Box<dyn MonitorSource>, Arc<dyn EventStore>, Duration),
        remembered: &Remembered,
        shared: &Shared,
    ) -> Gaps {
        let gaps = Gaps::default();
        let parts = DetectParts {
            source,
            store,
            catalog: shared.handles.catalog.watch(),
            config: ends.config,
            is_node,
            cursors: remembered.cursors.clone(),
            unidentified: remembered.unidentified.clone(),
            open: remembered.open.iter().map(|open| (open.monitor, open.clone())).collect(),
            state: shared.state.clone(),
            clock: shared.clock(),
            counters: Arc::clone(&shared.common.counters),
            alarms: ends.alarms,
            monitor_reports: ends.reports,
            gaps: gaps.clone(),
        };
        let detection = detect::build(parts, record(remembered, keep_events, shared.common.started_at));
        let soft = &self.tokens.soft;
        self.front.spawn("poller", detection.poller.run(soft.clone()));
        self.front.spawn("reconciler", detection.reconciler.run(soft.clone()));
        self.front.spawn("lookup", detection.lookup.run(soft.clone()));
        gaps
    }

    /// Starts the dispatcher. Returns the handles for requests to it.
    fn run_push(
        &mut self,
        ends: PushEnds,
        committed: watch::Receiver<Committed>,
        (transports, pictures): (watch::Receiver<Arc<Transports>>, PushPictures),
        (config, cluster): (&PushConfig, Option<PushCluster>),
        last_delivery: DeliveryId,
        shared: &Shared,
    ) -> Arc<dyn PushSide> {
        let status = Arc::<PushStatus>::default();
        let dispatcher = Dispatcher::new(DispatcherParts {
            orders: ends.orders,
            transports: transports.clone(),
            commands: ends.commands,
            state: shared.state.clone(),
            committed,
            trouble: shared.state_trouble.clone(),
            last_delivery,
            catalog: shared.handles.catalog.watch(),
            auth: shared.handles.auth.clone(),
            router: shared.handles.router.clone(),
            tap: shared.common.tap.clone(),
            counters: Arc::clone(&shared.common.counters),
            status: Arc::clone(&status),
            config: config.clone(),
            rules: shared.handles.push_rules.clone(),
            pictures,
            storm_window: STORM_WINDOW,
            clock: shared.clock(),
            cluster,
        });
        self.push.spawn("dispatcher", dispatcher.run(self.tokens.push.clone()));
        Arc::new(PushView::new(PushViewParts {
            counters: Arc::clone(&shared.common.counters),
            transports,
            commands: ends.questions,
            status,
            rules: shared.handles.push_rules.clone(),
            clock: shared.clock(),
        }))
    }

    /// Starts this node's part in the cluster, if there is one. Returns the router's side, and what admins may ask.
    fn run_cluster(
        &mut self,
        side: Option<ClusterSide>,
        push: Arc<dyn PushSide>,
        shared: &Shared,
    ) -> (Option<LedgerSide>, Option<ClusterHandle>) {
        let Some(side) = side else { return (None, None) };
        let ClusterSide { cluster, news, outcomes, alarms, announced, tokens, .. } = side;
        let ClusterSide { orphans, reads_events, retry_for, catch_up, keep_tombstones, .. } = side;
        let handle = cluster.handle();
        let side = LedgerSide::new(news.0, announced, &tokens);
        let tasks = cluster.tasks(ClusterParts {
            state: shared.state.clone(),
            router: shared.handles.router.clone(),
            alarms,
            news: news.1,
            outcomes: outcomes.1,
            tokens,
            push,
            push_rules: shared.handles.push_rules.clone(),
            catalog: shared.handles.catalog.watch(),
            auth: shared.handles.auth.clone(),
            orphans,
            reads_events,
            retry_for,
            catch_up,
            keep_tombstones,
            clock: shared.clock(),
        });
        let (front, desk) = tasks.split(&self.tokens.soft, &self.tokens.store);
        self.front.spawn("cluster", front);
        self.store.spawn("desk", desk);
        (Some(side), Some(handle))
    }

    /// Starts home automation, which waits until `[mqtt]` is enabled. Returns what others may ask of it.
    fn run_mqtt(
        &mut self,
        ends: MqttEnds,
        pictures: Arc<dyn PictureUploads>,
        shared: &Shared,
    ) -> Arc<dyn MqttSide> {
        let broker: Arc<dyn Broker> = Arc::new(MqttBroker::new(wall_clock(&shared.common.clock)));
        let status = Arc::<MqttStatus>::default();
        let view =
            MqttView::new(Arc::clone(&status), ends.config.clone(), Arc::clone(&broker), ends.questions);
        let owner = MqttOwner::new(MqttParts {
            broker,
            config: ends.config,
            requests: ends.requests,
            status,
            router: shared.handles.router.clone(),
            tap: shared.common.tap.clone(),
            catalog: shared.handles.catalog.watch(),
            reports: shared.handles.reports.clone(),
            pictures,
            links: shared.handles.pictures.clone(),
            rules: shared.handles.rules.clone(),
            zone: TimeZone::system(),
            state: shared.state.clone(),
            counters: Arc::clone(&shared.common.counters),
            clock: shared.clock(),
        });
        self.front.spawn("mqtt", owner.run(self.tokens.soft.clone()));
        Arc::new(view)
    }

    fn listen(&mut self, listeners: Vec<Listener>, tls: bool) -> Vec<String> {
        let scheme = if tls { "wss" } else { "ws" };
        let mut listening = Vec::with_capacity(listeners.len());
        for listener in listeners {
            listening.push(format!("{scheme}://{}", listener.local_addr()));
            let (stop, sessions) = (self.tokens.soft.clone(), self.sessions.clone());
            self.front.spawn("listener", async move {
                if let Err(problem) = listener.run(stop, sessions).await {
                    error!(error = &problem as &dyn std::error::Error, "a listening socket is broken");
                }
            });
        }
        listening
    }
}

/// `orphans`: of a node of a cluster.
fn catalog(
    ends: CatalogEnds,
    parts: &Parts,
    orphans: Option<watch::Receiver<Arc<Orphans>>>,
    shared: &Shared,
) -> CatalogTask {
    let (monitors, accounts) = (Arc::clone(&parts.monitors), Arc::clone(&parts.accounts));
    let clock = shared.clock();
    let task = CatalogTask::new(monitors, accounts, ends.interval, clock, ends.refreshes, ends.catalog);
    match orphans {
        Some(orphans) => task.of_node(orphans),
        None => task,
    }
}

fn label_reader(
    requests: mpsc::Receiver<LabelRequest>,
    events: Arc<dyn EventStore>,
    shared: &Shared,
) -> LabelReader {
    let (config, router) = (shared.handles.labels.clone(), shared.handles.router.clone());
    LabelReader::new(events, requests, config, router)
}

fn router(
    ends: RouterEnds,
    remembered: Remembered,
    renewed: watch::Receiver<u64>,
    links: LinkMaker,
    ledger: Option<LedgerSide>,
    shared: &Shared,
) -> Router {
    Router::new(RouterParts {
        alarms: ends.alarms,
        commands: ends.commands,
        catalog: shared.handles.catalog.watch(),
        auth: shared.handles.auth.clone(),
        state: shared.state.clone(),
        remembered,
        renewed,
        pushes: ends.orders,
        push: shared.handles.push_rules.clone(),
        rules: shared.handles.rules.clone(),
        ends: shared.handles.ends.clone(),
        labels: shared.handles.labels.clone(),
        label_requests: ends.label_requests,
        pictures: shared.handles.pictures.clone(),
        picture_requests: ends.picture_requests,
        targets: shared.handles.targets.clone(),
        links,
        ledger,
        zone: TimeZone::system(),
        tap: shared.common.tap.clone(),
        counters: Arc::clone(&shared.common.counters),
        clock: shared.clock(),
    })
}

/// Returns the part of the record that detection may rely on: nothing older than what is kept.
fn record(remembered: &Remembered, keep_events: Duration, now: Timestamp) -> Record {
    let age = remembered.since.map(|since| Duration::try_from(now.duration_since(since)).unwrap_or_default());
    let reaches_back = age.map_or(Duration::ZERO, |age| age.saturating_add(BEGAN_BEFORE).min(keep_events));
    let open = remembered.open.iter().filter_map(|open| Some((open.event?, open.monitor)));
    Record::new(reaches_back, remembered.announced.clone()).with_open(open)
}
