//! The three pages: what they say when all is well, and when something is not.

use anyhow::{Result, ensure};
use zmes_tests::{World, wait_until};

use crate::programs::judge;

/// Reads standard input with Prometheus' own parser of OpenMetrics, and prints how many samples it found.
const PARSER: &str = "import sys\n\
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
    print(sum(len(family.samples) for family in parse(sys.stdin.read())))\n";

#[tokio::test]
async fn other_peoples_parsers_read_the_metrics() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let page = place.get("/metrics").await?;
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    ensure!(page.status == 200 && page.head.contains(kind), "{}", page.head);
    if let Some(found) = judge("/usr/bin/python3", &["-c", PARSER], &page.body, world.directory())? {
        let ours = zmes_tests::Metrics::parse(&page.body)?.series.len();
        ensure!(found.trim() == ours.to_string(), "it found {found}, we {ours}");
    }
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;version=0.0.4\r\n\r\n";
    let older = place.ask(request).await?;
    ensure!(older.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", older.head);
    ensure!(older.body.contains("# TYPE zmesd_alarms_total counter\n") && !older.body.contains("# EOF"));
    judge("promtool", &["check", "metrics"], &older.body, world.directory())?;
    Ok(())
}

#[tokio::test]
async fn a_healthy_daemon_says_so_and_which_loops_move() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    let health = place.get("/healthz").await?;
    let moves =
        "ok\npoller: moves\nreconciler: moves\nrouter: moves\ndispatcher: moves\nstate_writer: moves\n";
    ensure!(health.status == 200 && health.body == moves, "{health:?}");
    let ready = place.get("/readyz").await?;
    let parts = "ready\ndatabase: answers\nsources: 1 of 1 monitors can be seen\nlisteners: 1 of 1 ports are served\n";
    ensure!(ready.status == 200 && ready.body == parts, "{ready:?}");
    let head = place.ask("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    ensure!(head.status == 200 && head.body.is_empty(), "{head:?}");
    let unknown = place.get("/metrics/").await?;
    ensure!(unknown.status == 404 && unknown.body.contains("/readyz"), "{unknown:?}");
    let posted = place.ask("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").await?;
    ensure!(posted.status == 405 && posted.head.contains("allow: GET, HEAD"), "{posted:?}");
    Ok(())
}

#[tokio::test]
async fn it_is_not_ready_while_the_database_is_away_but_alive() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    world.database.stop().await?;
    let away = wait_until("it is not ready", async || {
        let page = place.get("/readyz").await?;
        Ok((page.status == 503).then_some(page))
    })
    .await?;
    ensure!(away.body.starts_with("not ready\ndatabase: NOT READY: does not answer: "), "{away:?}");
    ensure!(away.body.contains("\nsources: "), "{away:?}");
    place
        .metrics()
        .await?
        .ensure(&[("zmesd_ready{part=\"database\"}", 0.0), ("zmesd_ready{part=\"listeners\"}", 1.0)])?;
    // Nothing is gained by starting it again.
    ensure!(place.get("/healthz").await?.status == 200);
    world.database.resume().await?;
    wait_until("it is ready again", async || Ok((place.get("/readyz").await?.status == 200).then_some(())))
        .await?;
    place.metrics().await?.ensure(&[("zmesd_ready{part=\"database\"}", 1.0)])
}

#[tokio::test]
async fn it_is_not_ready_while_no_monitor_can_be_seen_and_names_one() -> Result<()> {
    let mut world = World::new().monitor(1, "Garage").monitor(2, "Yard").prepare().await?;
    let place = world.observe()?;
    world.start_daemon().await?;
    world.shm(1)?.stop()?;
    world.wait_monitor(1, "gone", |monitor| monitor["healthy"] == false).await?;
    let one = place.get("/readyz").await?;
    ensure!(one.status == 200 && one.body.contains("\nsources: 1 of 2 monitors can be seen\n"), "{one:?}");
    place.metrics().await?.ensure(&[
        ("zmesd_monitors{source=\"shm\",state=\"idle\"}", 1.0),
        ("zmesd_monitors{source=\"shm\",state=\"down\"}", 1.0),
        ("zmesd_monitors_stale", 1.0),
    ])?;
    world.shm(2)?.stop()?;
    world.wait_monitor(2, "gone", |monitor| monitor["healthy"] == false).await?;
    let none = place.get("/readyz").await?;
    ensure!(none.status == 503, "{none:?}");
    let reason = "\nsources: NOT READY: none of 2 monitors can be seen; monitor 1 (Garage): ";
    ensure!(none.body.contains(reason), "{none:?}");
    let metrics = place.metrics().await?;
    metrics.ensure(&[("zmesd_ready{part=\"sources\"}", 0.0), ("zmesd_monitors_stale", 2.0)])?;
    let looks = ["not_there", "stopped"].map(|kind| format!("zmesd_shm_errors_total{{kind=\"{kind}\"}}"));
    ensure!(metrics.value(&looks[0])? + metrics.value(&looks[1])? >= 2.0);
    world.shm(1)?.start()?;
    wait_until("it is ready again", async || Ok((place.get("/readyz").await?.status == 200).then_some(())))
        .await
}
