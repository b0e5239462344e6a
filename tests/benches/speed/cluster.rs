//! Two nodes on one MariaDB whose commits are durable: alarms at the apps of both, beside a host without a cluster; who
//! sends is killed; what the ledger costs the database, and how much it takes; phones for a new node.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};
use zmes_cluster::alarms::{AlarmWriter, DedupKey, LedgerAlarm};
use zmes_cluster::node::{Admission, NodeSettings, register};
use zmes_cluster::{LedgerLine, LedgerServer};
use zmes_shared::words::Phase;
use zmes_shared::{EventId, MonitorId};
use zmes_tests::{AppClient, DEADLINE, Site, SiteBuilder, State, World};

use crate::Plan;
use crate::push;
use crate::report::Report;
use crate::scene::milliseconds;

const BENCH: &str = "cluster";
/// Cameras of each host.
const CAMERAS: u32 = 8;
/// Time over which statements of the idle nodes are counted.
const IDLE: Duration = Duration::from_secs(20);
/// Shortest pause between two samples, and what is added to it, so that alarms fall evenly into a look of the poller.
const PAUSE: Duration = Duration::from_millis(30);
const SPREAD_MS: u64 = 20;
/// Between two alarms while a node is killed.
const PACE: Duration = Duration::from_millis(50);
/// Phones for a new node.
const PHONES: usize = 10_000;
/// Alarms of each of two nodes for the throughput.
const BACKLOG: u64 = 5_000;

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let alone = single(plan, report).await?;
    Box::pin(two_nodes(plan, report, &alone)).await?;
    many_phones(report).await
}

/// What one host without `[cluster]` needs.
struct Single {
    p50: f64,
    /// Statements a second while nothing happens.
    statements: f64,
}

fn site() -> SiteBuilder {
    Site::new()
        .cameras(CAMERAS)
        .setting("cluster", "lease", "\"3s\"")
        .setting("zoneminder", "reconcile-interval", "\"2s\"")
        .setting("log", "level", "\"info\"")
}

/// Alarms one after the other, at the cameras of one host.
struct Strikes {
    next_event: u64,
}

impl Strikes {
    fn next(&mut self, site: &Site, is_b: bool) -> Result<(u32, u64)> {
        if self.next_event.is_multiple_of(100) {
            site.beat()?;
        }
        let event = self.next_event;
        self.next_event += 1;
        let camera = u32::try_from(event % u64::from(CAMERAS))?;
        Ok((2 * camera + if is_b { 2 } else { 1 }, event))
    }

    /// Measures how long `app` waits for each of `count` alarms of host `a`, in microseconds.
    async fn sample(&mut self, site: &Site, app: &mut AppClient, count: usize) -> Result<Histogram<u64>> {
        let mut waits = Histogram::new(3)?;
        for turn in 0..count as u64 {
            let (monitor, event) = self.next(site, false)?;
            let at = Instant::now();
            site.a.alarm_without_row(monitor, event).await?;
            let frame = app.next_json().await?;
            waits.record(u64::try_from(at.elapsed().as_micros())?)?;
            let expected = event.to_string();
            ensure!(frame["events"][0]["EventId"] == expected, "expected event {expected}: {frame}");
            site.a.shm(monitor)?.set_state(State::Idle)?;
            sleep(PAUSE + Duration::from_millis(turn * 7 % SPREAD_MS)).await;
        }
        Ok(waits)
    }
}

/// Makes commits survive a crash, as docs/several-servers.md wants it.
async fn make_durable(site: &Site) -> Result<()> {
    site.a.database.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await.map(drop)
}

async fn counter(site: &Site, name: &str) -> Result<f64> {
    let sql =
        format!("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '{name}'");
    Ok(site.a.database.sql(&sql).await?.parse()?)
}

/// Returns how many statements a second the database gets while nothing happens: all, and those that write.
async fn idle_statements(site: &Site) -> Result<(f64, f64)> {
    let read = async || -> Result<(f64, f64)> {
        let writes = counter(site, "COM_UPDATE").await? + counter(site, "COM_INSERT").await?;
        Ok((counter(site, "QUESTIONS").await?, writes))
    };
    let (begin, (questions, writes)) = (Instant::now(), read().await?);
    sleep(IDLE).await;
    let (later, written) = read().await?;
    let seconds = begin.elapsed().as_secs_f64();
    site.beat()?;
    Ok(((later - questions) / seconds, (written - writes) / seconds))
}

async fn single(plan: &Plan, report: &mut Report) -> Result<Single> {
    let mut site = site().apart().await?;
    make_durable(&site).await?;
    site.a.start_daemon().await?;
    site.a.wait_comparing().await?;
    let (statements, _) = idle_statements(&site).await?;
    report.add(BENCH, "statements a second, idle, one host without a cluster", statements, "1/s", None);
    let waits = Strikes { next_event: 1 }.sample(&site, &mut site.a.admin().await?, plan.samples).await?;
    let (p50, p99) = (milliseconds(&waits, 50.0), milliseconds(&waits, 99.0));
    report.add(BENCH, "ALARM at A to frame at A, p50, without a cluster", p50, "ms", None);
    report.add(BENCH, "ALARM at A to frame at A, p99, without a cluster", p99, "ms", None);
    Ok(Single { p50, statements })
}

async fn two_nodes(plan: &Plan, report: &mut Report, alone: &Single) -> Result<()> {
    let mut site = site().prepare().await?;
    make_durable(&site).await?;
    site.start_daemons().await?;
    Site::wait_alive(&site.a, 2).await?;
    let (statements, writes) = idle_statements(&site).await?;
    report.add(BENCH, "statements a second and node, idle", statements / 2.0, "1/s", None);
    let cost = statements / 2.0 - alone.statements;
    report.add(BENCH, "of these for the cluster", cost, "1/s", Some(25.0));
    report.add(BENCH, "writes a second and node, idle", writes / 2.0, "1/s", None);

    // As without a cluster, so that nothing but the cluster differs; then the app of B.
    let mut strikes = Strikes { next_event: 1 };
    let own = strikes.sample(&site, &mut site.a.admin().await?, plan.samples).await?;
    report.add(BENCH, "ALARM at A to frame at A, p50", milliseconds(&own, 50.0), "ms", None);
    report.add(BENCH, "growth of p50 by the cluster", milliseconds(&own, 50.0) - alone.p50, "ms", Some(1.0));
    report.add(BENCH, "ALARM at A to frame at A, p99", milliseconds(&own, 99.0), "ms", None);
    let other = strikes.sample(&site, &mut site.b.admin().await?, plan.samples).await?;
    report.add(BENCH, "ALARM at A to frame at B, p50", milliseconds(&other, 50.0), "ms", Some(80.0));
    report.add(BENCH, "ALARM at A to frame at B, p99", milliseconds(&other, 99.0), "ms", Some(250.0));
    failover(plan, report, &mut site, strikes).await?;
    for world in [&mut site.a, &mut site.b] {
        world.daemon()?.end(Signal::SIGTERM).await?;
    }
    throughput(report, &site).await
}

/// kill -9 of the node that sends, until the provider has the next push of the other one.
async fn failover(plan: &Plan, report: &mut Report, site: &mut Site, mut strikes: Strikes) -> Result<()> {
    drop(site.a.phone("android", Site::PHONE).await?);
    site.b.wait_token(Site::PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let mut gaps = Histogram::<u64>::new(3)?;
    for _ in 0..(plan.samples / 50).max(2) {
        Site::wait_alive(&site.a, 2).await?;
        let holder = site.pusher().await?;
        ensure!(!holder.is_empty(), "no node sends");
        let survivor = Site::other(&holder);
        // So that something is on its way.
        for _ in 0..5 {
            let (monitor, event) = strikes.next(site, survivor == "b")?;
            site.node(survivor).alarm_without_row(monitor, event).await?;
            sleep(PACE).await;
        }
        site.node(&holder).kill_daemon().await?;
        let killed = Instant::now();
        let gap = loop {
            let (monitor, event) = strikes.next(site, survivor == "b")?;
            site.node(survivor).alarm_without_row(monitor, event).await?;
            sleep(PACE).await;
            let next = site.pushes().into_iter().find(|push| push.node == survivor && push.at > killed);
            if let Some(next) = next {
                break next.at - killed;
            }
            ensure!(killed.elapsed() < DEADLINE, "{survivor} does not send");
        };
        gaps.record(u64::try_from(gap.as_micros())?)?;
        site.beat()?;
        site.node(&holder).start_daemon().await?;
    }
    report.add(BENCH, "kill -9 of the sender to the next push, p50", milliseconds(&gaps, 50.0), "ms", None);
    report.add(
        BENCH,
        "kill -9 of the sender to the next push, p99",
        milliseconds(&gaps, 99.0),
        "ms",
        Some(4000.0),
    );
    report.add(
        BENCH,
        "kill -9 of the sender to the next push, worst",
        milliseconds(&gaps, 100.0),
        "ms",
        None,
    );
    Ok(())
}

/// Two nodes write at the same time, without daemons.
async fn throughput(report: &mut Report, site: &Site) -> Result<()> {
    let server =
        LedgerServer::socket(&site.a.database.socket(), "root", &String::new().into()).with_schema("zmesd");
    let server = std::sync::Arc::new(server);
    let line = || LedgerLine::new(std::sync::Arc::clone(&server), Duration::from_secs(10));
    let begin = Instant::now();
    tokio::try_join!(write(line(), "north", 10_000_000), write(line(), "south", 20_000_000))?;
    #[expect(clippy::cast_precision_loss, reason = "some thousand alarms")]
    let each = begin.elapsed().as_secs_f64() * 1e6 / (2 * BACKLOG) as f64;
    report.add(BENCH, "alarms a second into the ledger, two nodes, durable", 1e6 / each, "1/s", None);
    // "At most" is how targets read here.
    report.add(BENCH, "time for one alarm at that rate", each, "us", Some(1000.0));
    Ok(())
}

async fn write(mut line: LedgerLine, name: &str, first: u64) -> Result<()> {
    let mut identity = [0; 16];
    identity.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let settings = NodeSettings {
        name: name.to_owned(),
        identity,
        last_epoch: 0,
        server: None,
        prefer: 0,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address: String::new(),
    };
    let Admission::Member(member) = register(&mut line, &settings).await? else {
        anyhow::bail!("{name} is there already");
    };
    let mut writer = AlarmWriter::new(member, usize::try_from(BACKLOG)?);
    for event in (first..).take(usize::try_from(BACKLOG)?) {
        writer.push(LedgerAlarm {
            dedup: DedupKey::start(EventId(event)),
            phase: Phase::Start,
            monitor: MonitorId(1),
            event: Some(EventId(event)),
            at: jiff::Timestamp::from_second(1_800_000_000)?,
            body: format!(r#"{{"name":"Front","cause":"Motion: door and garden","event":{event}}}"#)
                .into_bytes(),
        })?;
    }
    while !writer.backlog().is_empty() {
        if let Err(error) = writer.write(&mut line).await {
            ensure!(error.fault.is_away(), "{error}");
        }
    }
    Ok(())
}

/// Phones in the ledger, and a node that has none of them yet.
async fn many_phones(report: &mut Report) -> Result<()> {
    let mut site = site().prepare().await?;
    make_durable(&site).await?;
    site.a.start_daemon().await?;
    site.wait_pusher("a").await?;
    let begin = Instant::now();
    push::import(&site.a, PHONES).await?;
    let shared = async || -> Result<bool> {
        let count = site.a.database.sql("SELECT COUNT(*) FROM zmesd.record WHERE kind = 1").await?;
        Ok(count.parse::<usize>()? >= PHONES)
    };
    until("all phones are in the ledger", shared).await?;
    report.add(BENCH, "10,000 phones imported and in the ledger", begin.elapsed().as_secs_f64(), "s", None);
    let begin = Instant::now();
    site.b.launch_daemon().await?;
    until("the new node knows all phones", async || Ok(phones(&site.b).await? >= PHONES as u64)).await?;
    let seconds = begin.elapsed().as_secs_f64();
    report.add(BENCH, "start of a new node until it knows 10,000 phones", seconds, "s", Some(2.0));
    Ok(())
}

async fn phones(world: &World) -> Result<u64> {
    let status = world.status().await?;
    status.pointer("/tokens/total").and_then(serde_json::Value::as_u64).context("no number of phones")
}

/// As `wait_until`, with more patience.
async fn until(what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !condition().await? {
        ensure!(begin.elapsed() < 4 * DEADLINE, "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
