//! Gauges: numbers that other rooms own, read at the moment of a scrape.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use zmes_providers::Platform;
use zmes_shared::MonitorState;
use zmes_shared::views::ClusterStatus;
use zmes_shared::words::StateSource;

use super::names::{self, Metric};
use super::{Parts, health, readiness};
use crate::route::Census;
use crate::telemetry::{Connection, FindingSeverity, LabelPairs, Labels, NodeState, TokenState, Transport};

const ROUTER_DEADLINE: Duration = Duration::from_secs(1);
/// An answer of the router serves all scrapes within this time: a hundred scrapers cost it as much as one.
const FRESH: Duration = Duration::from_millis(200);

type CachedCensus = (Instant, Option<Arc<Census>>);

/// The router's answer, shared by scrapes at the same time.
#[derive(Debug, Default)]
pub(super) struct CensusCache(Mutex<Option<CachedCensus>>);

impl CensusCache {
    /// Returns the router's census; `None`: it does not answer. Scrapes that arrive during a question share its answer.
    pub(super) async fn census(&self, parts: &Parts) -> Option<Arc<Census>> {
        let mut last = self.0.lock().await;
        if let Some((at, census)) = &*last
            && at.elapsed() <= FRESH
        {
            return census.clone();
        }
        let answer = timeout(ROUTER_DEADLINE, parts.router.census()).await;
        let census = answer.ok().and_then(Result::ok).map(Arc::new);
        *last = Some((Instant::now(), census.clone()));
        census
    }
}

#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) metric: &'static Metric,
    pub(super) series: Vec<(LabelPairs, i64)>,
}

/// Reads all gauges; those of a router that does not answer are missing.
pub(super) async fn read(parts: &Parts, asked: &CensusCache) -> Vec<Gauge> {
    let census = asked.census(parts).await;
    let mut gauges = process(parts, census.is_some());
    gauges.extend(monitors(parts));
    let waiting = parts.alarms.upgrade().map_or(0, |alarms| alarms.max_capacity() - alarms.capacity());
    gauges.push(one(&names::ROUTER_QUEUE, waiting as u64));
    if let Some(census) = census {
        gauges.extend(clients_and_tokens(parts, &census));
        gauges.push(one(&names::SNOOZES, census.snoozes));
    }
    gauges.extend(pushes(parts));
    gauges.extend(cluster(&parts.cluster_status()));
    let expiry = parts.certificate.summary().map(|certificate| certificate.not_after.as_second());
    gauges.extend(
        expiry.map(|expiry| Gauge { metric: &names::TLS_EXPIRY, series: vec![(Vec::new(), expiry)] }),
    );
    gauges
}

fn process(parts: &Parts, router: bool) -> Vec<Gauge> {
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    let moves = health::loops(parts, router).into_iter();
    let ready = readiness::parts(parts).into_iter();
    vec![
        Gauge { metric: &names::BUILD_INFO, series: vec![(version, 1)] },
        Gauge { metric: &names::START_TIME, series: vec![(Vec::new(), parts.started_at.as_second())] },
        Gauge {
            metric: &names::LOOP_MOVES,
            series: moves.map(|(which, overdue)| (which.labels(), i64::from(overdue.is_none()))).collect(),
        },
        Gauge {
            metric: &names::READY,
            series: ready.map(|part| (part.part.labels(), i64::from(part.ready))).collect(),
        },
        one(&names::STATE_WRITABLE, u64::from(parts.state_trouble.borrow().is_none())),
        findings(parts),
        troubles(parts),
        one(&names::MQTT_CONNECTED, parts.counters.mqtt.connected.value()),
    ]
}

fn findings(parts: &Parts) -> Gauge {
    let findings = &parts.counters.findings;
    let mut series = tally::<FindingSeverity>();
    add(&mut series, FindingSeverity::Error, signed(findings.errors.value()));
    add(&mut series, FindingSeverity::Warning, signed(findings.warnings.value()));
    gauge(&names::FINDINGS, series)
}

fn troubles(parts: &Parts) -> Gauge {
    let series = parts.counters.troubles.values();
    gauge(&names::TROUBLES, series.into_iter().map(|(kind, number)| (kind, signed(number))))
}

fn monitors(parts: &Parts) -> [Gauge; 2] {
    let reports = Arc::clone(&parts.reports.borrow());
    let mut series = tally::<(StateSource, MonitorState)>();
    let mut stale = 0;
    for report in reports.values() {
        let source = report.source();
        stale += u64::from(source != StateSource::Nowhere && !report.healthy());
        add(&mut series, (source, report.state), 1);
    }
    [gauge(&names::MONITORS, series), one(&names::MONITORS_STALE, stale)]
}

fn clients_and_tokens(parts: &Parts, census: &Census) -> [Gauge; 2] {
    let mut connections = tally::<Connection>();
    add(&mut connections, Connection::Handshake, signed(parts.counters.handshakes.value()));
    add(&mut connections, Connection::Pending, signed(census.pending));
    add(&mut connections, Connection::Authenticated, signed(census.authenticated));
    let mut tokens = tally::<(Platform, TokenState)>();
    census.tokens.iter().for_each(|(kind, number)| add(&mut tokens, *kind, signed(*number)));
    [gauge(&names::WS_CONNECTIONS, connections), gauge(&names::TOKENS, tokens)]
}

fn pushes(parts: &Parts) -> [Gauge; 3] {
    let (mut in_flight, mut resting) = (tally::<Transport>(), tally::<Transport>());
    for health in parts.push.health() {
        let kind = Transport::of(&health.transport);
        add(&mut in_flight, kind, signed(health.in_flight));
        add(&mut resting, kind, i64::from(health.held_back()));
    }
    // `none` has no pushes under way.
    let real = |series: Vec<(Transport, i64)>| {
        series.into_iter().filter(|(kind, _)| *kind != Transport::None).collect::<Vec<_>>()
    };
    [
        one(&names::PUSH_QUEUE, parts.push.counts().queued),
        gauge(&names::PUSH_INFLIGHT, real(in_flight)),
        gauge(&names::PUSH_RESTING, real(resting)),
    ]
}

fn cluster(status: &ClusterStatus) -> [Gauge; 6] {
    let mut nodes = tally::<NodeState>();
    for node in &status.nodes {
        let state = match (node.alive, node.stopped) {
            (true, _) => NodeState::Alive,
            (false, true) => NodeState::Stopped,
            (false, false) => NodeState::Silent,
        };
        add(&mut nodes, state, 1);
    }
    let lag = status.nodes.iter().map(|node| node.lag_ms.div_ceil(1000)).max().unwrap_or(0);
    [
        one(&names::CLUSTER_CONNECTED, u64::from(status.connected)),
        one(&names::CLUSTER_PUSHER, u64::from(status.may_send)),
        one(&names::CLUSTER_ALONE, u64::from(status.alone)),
        gauge(&names::CLUSTER_NODES, nodes),
        one(&names::CLUSTER_WAITING, status.waiting),
        one(&names::CLUSTER_LAG, lag),
    ]
}

fn one(metric: &'static Metric, value: u64) -> Gauge {
    Gauge { metric, series: vec![(Vec::new(), signed(value))] }
}

fn gauge<L: Labels>(metric: &'static Metric, series: impl IntoIterator<Item = (L, i64)>) -> Gauge {
    Gauge { metric, series: series.into_iter().map(|(labels, value)| (labels.labels(), value)).collect() }
}

fn tally<L: Labels>() -> Vec<(L, i64)> {
    L::all().into_iter().map(|labels| (labels, 0)).collect()
}

fn add<L: Labels>(series: &mut [(L, i64)], labels: L, number: i64) {
    series.iter_mut().filter(|(known, _)| *known == labels).for_each(|(_, value)| *value += number);
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
