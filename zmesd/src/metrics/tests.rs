//! The pages, with a fake daemon; a router that hangs and loops that stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use zmes_providers::Platform;
use zmes_shared::views::{PushCounts, PushModeState};
use zmes_shared::{MonitorId, MonitorState};
use zmes_zoneminder::shm::ReadError;
use zmes_zoneminder::{DatabaseTrouble, DbHealth};

use super::answer::answer;
use super::gauges::CensusCache;
use super::{Bound, Parts, serve, switch};
use crate::config::{MetricsConfig, MetricsListen};
use crate::detect::{Condition, MonitorReport, MonitorReports};
use crate::domain::{Alarm, Token};
use crate::monitors::{Catalog, CatalogHandle};
use crate::ports::{
    CertificateInfo, CertificateSummary, Held, PushBusy, PushSide, Retried, StageLatency, TransportCheck,
    TransportHealth,
};
use crate::route::{Census, RouterCommand, RouterHandle};
use crate::telemetry::{Counters, Labels, TokenState};

/// A push side with one transport that rests.
#[derive(Debug)]
struct Resting;

#[async_trait]
impl PushSide for Resting {
    async fn check(&self, _only: Option<&str>) -> Vec<TransportCheck> {
        Vec::new()
    }

    fn mode(&self) -> PushModeState {
        PushModeState::Live
    }

    fn ways(&self, _token: &Token) -> Vec<String> {
        Vec::new()
    }

    fn counts(&self) -> PushCounts {
        PushCounts { queued: 7, ..PushCounts::default() }
    }

    fn check_anew(&self) {}

    async fn retry(&self, _only: Option<&str>) -> Result<Vec<Retried>, PushBusy> {
        Ok(Vec::new())
    }

    fn held(&self, _token: &Token) -> Option<Held> {
        None
    }

    fn health(&self) -> Vec<TransportHealth> {
        let health = |name: &str, rests_until, in_flight| TransportHealth {
            transport: name.to_owned(),
            rests_until,
            in_flight,
            ..TransportHealth::default()
        };
        vec![health("fcm:zmninja", Some(Timestamp::MAX), 2), health("fcm:other", None, 3)]
    }

    fn latencies(&self) -> Vec<StageLatency> {
        Vec::new()
    }
}

impl CertificateInfo for Resting {
    fn summary(&self) -> Option<CertificateSummary> {
        Some(CertificateSummary {
            subject: "CN=zm".to_owned(),
            sans: Vec::new(),
            self_signed: false,
            not_after: Timestamp::from_second(1_900_000_000).unwrap(),
            problems: Vec::new(),
            objections: Vec::new(),
        })
    }
}

/// Everything around the pages.
struct MetricsWorld {
    counters: Arc<Counters>,
    commands: Option<mpsc::Receiver<RouterCommand>>,
    database: watch::Sender<DbHealth>,
    trouble: watch::Sender<Option<String>>,
    reports: watch::Sender<MonitorReports>,
    _catalog: watch::Sender<Arc<Catalog>>,
    alarms: mpsc::Sender<Alarm>,
}

fn monitor_report(id: u32, healthy: bool) -> (MonitorId, MonitorReport) {
    let stopped = Condition::Unreadable(ReadError::Stopped);
    let report = MonitorReport {
        id: MonitorId(id),
        name: format!("Camera\n{id}").into(),
        state: if healthy { MonitorState::Alarm } else { MonitorState::Down },
        last_event: None,
        layout: None,
        condition: if healthy { Condition::Captured } else { stopped },
    };
    (report.id, report)
}

fn stage() -> (MetricsWorld, Parts) {
    let counters = Arc::<Counters>::default();
    let (commands_tx, commands) = mpsc::channel(8);
    let (alarms, _) = mpsc::channel(16);
    let (database, database_rx) = watch::channel(DbHealth::Up);
    let (trouble, trouble_rx) = watch::channel(None);
    let (reports, reports_rx) =
        watch::channel(Arc::new(BTreeMap::from([monitor_report(1, true), monitor_report(2, false)])));
    let catalog = Catalog { loaded_at: Some(Timestamp::UNIX_EPOCH), ..Catalog::default() };
    let (catalog_tx, catalog_rx) = watch::channel(Arc::new(catalog));
    let parts = Parts {
        counters: Arc::clone(&counters),
        router: RouterHandle::new(commands_tx),
        alarms: alarms.downgrade(),
        catalog: CatalogHandle::new(mpsc::channel(1).0, catalog_rx),
        reports: reports_rx,
        database: database_rx,
        state_trouble: trouble_rx,
        push: Arc::new(Resting),
        certificate: Arc::new(Resting),
        cluster: None,
        listeners: 1,
        started_at: Timestamp::from_second(1_700_000_000).unwrap(),
    };
    let commands = Some(commands);
    (MetricsWorld { counters, commands, database, trouble, reports, _catalog: catalog_tx, alarms }, parts)
}

impl MetricsWorld {
    /// Has a router answer from now on.
    fn route(&mut self) -> impl Future<Output = ()> + use<> {
        let mut commands = self.commands.take().unwrap();
        async move {
            while let Some(command) = commands.recv().await {
                let RouterCommand::Census(reply) = command else { continue };
                let mut tokens: Vec<_> =
                    <(Platform, TokenState)>::all().into_iter().map(|kind| (kind, 0)).collect();
                tokens[0].1 = 3;
                reply.send(Census { pending: 1, authenticated: 2, tokens, snoozes: 3 }).ok();
            }
        }
    }
}

async fn get(path: &str, parts: &Parts) -> (StatusCode, String) {
    let request = Request::get(path).body(()).unwrap();
    let response = answer(&request, parts, &CensusCache::default()).await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Asks while the router answers.
async fn with_router(stage: &mut MetricsWorld, path: &str, parts: &Parts) -> (StatusCode, String) {
    tokio::select! {
        answered = get(path, parts) => answered,
        () = stage.route() => panic!("the router ended"),
    }
}

#[tokio::test]
async fn numbers_of_every_owner_are_shown() {
    let (mut stage, parts) = stage();
    let counters = Arc::clone(&stage.counters);
    let _app = counters.handshakes.enter();
    let (status, text) = with_router(&mut stage, "/metrics", &parts).await;
    assert_eq!(status, StatusCode::OK);
    let shows = |line: &str| assert!(text.lines().any(|shown| shown == line), "no {line} in {text}");
    shows("zmesd_start_time_seconds 1700000000");
    shows("zmesd_tls_expiry_timestamp_seconds 1900000000");
    shows("zmesd_loop_moves{loop=\"router\"} 1");
    shows("zmesd_ready{part=\"database\"} 1");
    shows("zmesd_ready{part=\"sources\"} 1");
    shows("zmesd_ready{part=\"listeners\"} 0");
    shows("zmesd_monitors{source=\"shm\",state=\"alarm\"} 1");
    shows("zmesd_monitors{source=\"shm\",state=\"down\"} 1");
    shows("zmesd_monitors_stale 1");
    shows("zmesd_ws_connections{state=\"handshake\"} 1");
    shows("zmesd_ws_connections{state=\"pending\"} 1");
    shows("zmesd_ws_connections{state=\"authenticated\"} 2");
    shows("zmesd_tokens{platform=\"ios\",state=\"enabled\"} 3");
    shows("zmesd_push_queue 7");
    shows("zmesd_push_inflight{transport=\"fcm\"} 5");
    shows("zmesd_push_resting{transport=\"fcm\"} 1");
    shows("zmesd_push_resting{transport=\"apns\"} 0");
    shows("zmesd_router_queue 0");
    shows("zmesd_push_total{transport=\"none\",outcome=\"expired\"} 0");
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains("Camera") && !text.contains("abc") && !text.contains("zmninja"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_router_that_hangs_does_not_hang_the_page() {
    let (stage, parts) = stage();
    let began = tokio::time::Instant::now();
    let (status, text) = get("/metrics", &parts).await;
    assert_eq!(status, StatusCode::OK);
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(text.contains("zmesd_loop_moves{loop=\"router\"} 0"), "{text}");
    assert!(text.contains("zmesd_alarms_total{phase=\"start\",origin=\"poll\"} 0"), "{text}");
    // Nothing is better than a number that was true once.
    assert!(!text.contains("zmesd_ws_connections") && !text.contains("zmesd_tokens{"), "{text}");
    let (status, text) = get("/healthz", &parts).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        text.starts_with("standing still: router\n") && text.contains("router: does not answer\n"),
        "{text}"
    );
    drop(stage);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_scrapers_ask_a_hanging_router_once() {
    let (mut stage, parts) = stage();
    let (asked, began) = (CensusCache::default(), tokio::time::Instant::now());
    let census = || async { asked.census(&parts).await.is_some() };
    let answered = futures_util::future::join_all((0..100).map(|_| census())).await;
    assert!(answered.iter().all(|answered| !answered));
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
    let mut questions = 0;
    while stage.commands.as_mut().unwrap().try_recv().is_ok() {
        questions += 1;
    }
    assert_eq!(questions, 1);
}

#[tokio::test(start_paused = true)]
async fn each_loop_that_stands_still_is_named() {
    let (mut stage, parts) = stage();
    let counters = Arc::clone(&stage.counters);
    let beats = &counters.beats;
    let all = [
        (&beats.poller, "poller"),
        (&beats.reconciler, "reconciler"),
        (&beats.dispatcher, "dispatcher"),
        (&beats.state_writer, "state_writer"),
    ];
    let routing = stage.route();
    let asking = async {
        for (stuck, name) in all {
            for (beat, _) in &all {
                beat.back_within(Duration::from_hours(1));
            }
            stuck.back_within(Duration::from_secs(1));
            tokio::time::advance(Duration::from_secs(31)).await;
            let (status, text) = get("/healthz", &parts).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(text.starts_with(&format!("standing still: {name}\n")), "{text}");
            assert!(text.contains(&format!("\n{name}: overdue for 30 s\n")), "{text}");
            assert_eq!(text.matches(": moves\n").count(), 4, "{text}");
        }
        for (beat, _) in &all {
            beat.back_within(Duration::from_hours(1));
        }
        assert_eq!(get("/healthz", &parts).await.0, StatusCode::OK);
    };
    tokio::select! {
        () = asking => {}
        () = routing => panic!("the router ended"),
    }
}

#[tokio::test]
async fn what_is_not_ready_is_named_with_its_reason() {
    let (stage, parts) = stage();
    let serving = stage.counters.listeners.enter();
    let (status, text) = get("/readyz", &parts).await;
    let expected = "ready\ndatabase: answers\nsources: 1 of 2 monitors can be seen\nlisteners: 1 of 1 ports are served\n";
    assert_eq!((status, text.as_str()), (StatusCode::OK, expected));
    stage.database.send_replace(DbHealth::Down(DatabaseTrouble::late("no route\nto host")));
    stage.reports.send_replace(Arc::new(BTreeMap::from([monitor_report(2, false)])));
    drop(serving);
    let (status, text) = get("/readyz", &parts).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let expected = "not ready\ndatabase: NOT READY: does not answer: no route\u{fffd}to host\nsources: NOT READY: none of 1 \
                    monitors can be seen; monitor 2 (Camera\u{fffd}2): zmc has stopped\nlisteners: NOT READY: 0 of 1 \
                    ports are served\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_seen() {
    let (mut stage, parts) = stage();
    stage.trouble.send_replace(Some("disk full".to_owned()));
    let (_, text) = with_router(&mut stage, "/metrics", &parts).await;
    assert!(text.contains("\nzmesd_state_writable 0\n"), "{text}");
    assert_eq!(stage.alarms.max_capacity(), 16);
}

/// Sends bytes and returns everything that comes back.
async fn talk(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.ok();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn the_server_moves_without_a_gap_and_keeps_its_place_when_the_new_one_is_taken() {
    let (mut stage, parts) = stage();
    let first = Bound::open(&MetricsListen::Port("127.0.0.1:0".parse().unwrap())).unwrap();
    let old = MetricsConfig { listen: Some(first.listen().clone()) };
    let (switch, moves) = switch();
    let stop = CancellationToken::new();
    let client = async {
        let MetricsListen::Port(address) = old.listen.clone().unwrap() else { panic!("no port") };
        let address = address.to_string();
        let ready = "GET /readyz HTTP/1.1\r\nhost: zm\r\n\r\n";
        assert!(talk(&address, ready.as_bytes()).await.starts_with("HTTP/1.1 503"));
        let posted = talk(&address, b"POST /metrics HTTP/1.1\r\nhost: zm\r\ncontent-length: 0\r\n\r\n").await;
        assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET, HEAD"), "{posted}");
        assert!(talk(&address, b"GET /other HTTP/1.1\r\nhost: zm\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        let head = talk(&address, b"HEAD /metrics HTTP/1.1\r\nhost: zm\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
        let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = MetricsConfig { listen: Some(MetricsListen::Port(taken.local_addr().unwrap())) };
        switch.prepare(&old, &there).unwrap_err();
        assert!(talk(&address, ready.as_bytes()).await.starts_with("HTTP/1.1 503"), "it still serves");
        drop(taken);
        let prepared = switch.prepare(&old, &there).unwrap();
        assert!(talk(&address, ready.as_bytes()).await.starts_with("HTTP/1.1 503"), "the old place is open");
        prepared.make();
        let MetricsListen::Port(new) = there.listen.clone().unwrap() else { panic!("no port") };
        assert!(talk(&new.to_string(), ready.as_bytes()).await.starts_with("HTTP/1.1 503"));
        TcpStream::connect(&address).await.unwrap_err();
        switch.prepare(&there, &there).unwrap().make();
        switch.prepare(&there, &MetricsConfig::default()).unwrap().make();
        while TcpStream::connect(new).await.is_ok() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    let routing = stage.route();
    let serving = serve(Some(first), moves, parts, stop.clone());
    tokio::select! {
        ((), ()) = async { tokio::join!(serving, client) } => {}
        () = routing => panic!("the router ended"),
    }
}
