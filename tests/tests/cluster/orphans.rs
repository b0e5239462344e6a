//! Cameras of a ZoneMinder server without a node at work: the node that sends watches them in the Events table, and nothing is
//! told twice when their own node is back, or when another node sends.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zmes_tests::{AppClient, EventRow, Site, World, includes, wait_until};

use crate::{PHONE, ensure_all, events_of};

/// Waits until a node says who watches the cameras of a server; `None`: the server's own node, or none.
async fn wait_watched(world: &World, server: u64, by: Option<&str>) -> Result<Value> {
    Site::wait_cluster(world, &format!("server {server} watched by {by:?}"), |status| {
        let orphans = status["orphans"].as_array().map(Vec::as_slice).unwrap_or_default();
        let orphan = orphans.iter().find(|orphan| orphan["server_id"] == server);
        orphan.and_then(|orphan| orphan["watched_by"].as_str()) == by
    })
    .await
}

/// Takes a start that is late or not.
async fn expect(app: &mut AppClient, event: u64, monitor: u32, is_late: bool) -> Result<()> {
    let frame = app.expect_alarm(event, monitor).await?;
    ensure!(frame.get("late").is_some() == is_late, "{frame}");
    Ok(())
}

/// Reads alarms up to this event; returns how often each was told.
async fn heard_up_to(app: &mut AppClient, last: u64) -> Result<BTreeMap<u64, usize>> {
    let mut heard = BTreeMap::new();
    while !heard.contains_key(&last) {
        let frame = app.next_json().await?;
        let event = frame["events"][0]["EventId"].as_str().with_context(|| frame.to_string())?;
        *heard.entry(event.parse()?).or_default() += 1;
    }
    Ok(heard)
}

/// Has the camera of host `b` begin another alarm, as its `zmc` does.
async fn alarm_at_b(site: &Site, event: u64) -> Result<()> {
    site.alarm(2, event).await
}

#[tokio::test]
async fn cameras_of_a_dead_node_are_watched_and_nothing_is_told_twice_when_it_is_back() -> Result<()> {
    let mut site = Site::start().await?;
    let mut at_a = site.a.phone("android", PHONE).await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    alarm_at_b(&site, 100).await?;
    expect(&mut at_a, 100, 2, false).await?;
    site.wait_rung(100).await?;
    // Until it has heard of b, its server has no node.
    Site::wait_cluster(&site.a, "without orphans", |status| status.get("orphans").is_none()).await?;

    // Its zmc goes on. Of this alarm nobody knows at first.
    site.b.kill_daemon().await?;
    alarm_at_b(&site, 101).await?;
    let watched = wait_watched(&site.a, 2, Some("a")).await?;
    let orphan = json!([{"server_id": 2, "server": "b", "cameras": 1, "watched_by": "a"}]);
    ensure!(watched["orphans"] == orphan, "{watched}");
    expect(&mut at_a, 101, 2, true).await?;
    alarm_at_b(&site, 102).await?;
    expect(&mut at_a, 102, 2, false).await?;
    for event in [101, 102] {
        site.wait_rung(event).await?;
    }
    is_said_at_a(&site).await?;

    // It is back, and finds all of this by itself, the last one still in alarm.
    site.b.start_daemon().await?;
    let mut at_b = site.b.admin().await?;
    wait_watched(&site.a, 2, None).await?;
    site.a.wait_log("its cameras are left to it").await?;
    ensure!(site.a.find_monitor(2).await?.is_none(), "still watched by a");
    wait_until("b has what it missed", async || {
        let events = events_of(&site.b).await?;
        Ok([101, 102].iter().all(|event| events.contains(event)).then_some(()))
    })
    .await?;
    // Its own eyes are quicker than the Events table: this one has no row before it is told.
    site.b.alarm_without_row(2, 103).await?;
    expect(&mut at_a, 103, 2, false).await?;
    let heard = heard_up_to(&mut at_b, 103).await?;
    ensure!(heard.values().all(|times| *times == 1) && !heard.contains_key(&100), "{heard:?}");
    site.wait_rung(103).await?;
    site.wait_settled().await?;
    at_a.sync().await?;
    ensure_all(&site.rung(), 100..104, 0)?;
    for world in [&site.a, &site.b] {
        let mut events = events_of(world).await?;
        events.sort_unstable();
        ensure!(events == (100..104).collect::<Vec<_>>(), "{events:?}");
    }
    site.proxy.ensure_no_violations()
}

/// Each command of the node that watches says so.
async fn is_said_at_a(site: &Site) -> Result<()> {
    let monitor = site.a.monitor(2).await?;
    let expected = json!({"source": "db", "healthy": true, "server": {"id": 2, "name": "b", "orphan": true}});
    ensure!(includes(&monitor, &expected), "{monitor}");
    let list = site.a.run(&["monitors", "list"]).await?.expect_code(0)?.stdout;
    ensure!(list.contains("db (b)") && list.contains("watched from here"), "{list}");
    let status = site.a.run(&["cluster", "status"]).await?.stdout;
    ensure!(status.contains("1 camera of server 2 (b), where no zmesd is at work: by a"), "{status}");
    let counts = &site.a.status().await?["monitors"];
    ensure!(includes(counts, &json!({"total": 2, "watched": 2, "elsewhere": 1})), "{counts}");
    let doctor: Value = serde_json::from_str(&site.a.ctl().run(&["doctor", "--json"]).await?.stdout)?;
    let findings = doctor["findings"].as_array().context("no findings")?;
    let detail = |step: &str| {
        let finding = findings.iter().find(|finding| finding["step"] == step);
        finding.and_then(|finding| finding["detail"].as_str()).unwrap_or_default()
    };
    ensure!(detail("server 2").contains("no zmesd is at work there"), "{doctor}");
    ensure!(detail("cluster").contains(": node a watches its cameras in the Events table"), "{doctor}");
    site.a.wait_log("no zmesd is at work there").await
}

/// Server 3 has cameras, and never had a zmesd.
async fn with_a_third_server() -> Result<Site> {
    let mut site = Site::new().prepare().await?;
    let rows = "INSERT INTO Servers (Id, Name) VALUES (3, 'c'); INSERT INTO Monitors SET Id=9, Name='Barn', \
                Type='Ffmpeg', `Function`='Modect', Enabled=1, ServerId=3";
    site.a.database.sql(rows).await?;
    // Known by name alone: its number is in ZoneMinder's table.
    site.b.settings.set("zoneminder", "server-id", "0");
    site.b.write_settings()?;
    let conf = site.b.path("zm.conf");
    let text = fs::read_to_string(&conf)?;
    fs::write(&conf, format!("{text}ZM_SERVER_NAME=b\n"))?;
    site.start_daemons().await?;
    Ok(site)
}

#[tokio::test]
async fn a_server_without_a_zmesd_is_watched_by_the_node_that_sends_whichever_that_is() -> Result<()> {
    let mut site = with_a_third_server().await?;
    let mut at_a = site.a.phone("android", PHONE).await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let mut at_b = site.b.admin().await?;
    wait_watched(&site.b, 3, Some("a")).await?;
    let status =
        Site::wait_cluster(&site.a, "the server of b known", |status| status["nodes"][1]["server_id"] == 2)
            .await?;
    ensure!(status["orphans"].as_array().map(Vec::len) == Some(1), "{status}");
    site.a.insert_event(EventRow::new(200, 9)).await?;
    for app in [&mut at_a, &mut at_b] {
        expect(app, 200, 9, false).await?;
    }
    // Events around the moment in which another node begins to send.
    site.a.run(&["cluster", "handover", "b"]).await?.expect_code(0)?;
    for event in 201..210 {
        site.a.insert_event(EventRow::new(event, 9).closed()).await?;
    }
    wait_watched(&site.a, 3, Some("b")).await?;
    site.b.wait_monitor(9, "watched", |monitor| monitor["server"]["orphan"] == true).await?;
    wait_until("a has left it", async || Ok(site.a.find_monitor(9).await?.is_none().then_some(()))).await?;
    site.a.insert_event(EventRow::new(210, 9)).await?;
    for app in [&mut at_a, &mut at_b] {
        let heard = heard_up_to(app, 210).await?;
        let once: Vec<u64> =
            heard.iter().filter(|(_, times)| **times == 1).map(|(event, _)| *event).collect();
        ensure!(once == (201..=210).collect::<Vec<_>>(), "{heard:?}");
    }
    site.wait_rung_at(PHONE, 200..=210).await?;

    // The node that sends and watches dies: the other one does both, with the dead one's own camera.
    site.wait_settled().await?;
    site.b.kill_daemon().await?;
    site.a.insert_event(EventRow::new(211, 9)).await?;
    site.alarm(2, 212).await?;
    wait_watched(&site.a, 3, Some("a")).await?;
    wait_watched(&site.a, 2, Some("a")).await?;
    let heard = heard_up_to(&mut at_a, 212).await?;
    ensure!(heard == BTreeMap::from([(211, 1), (212, 1)]), "{heard:?}");
    site.wait_rung_at(PHONE, [211, 212]).await?;

    // A stop is no reason for haste, and a start brings nothing back that was told.
    site.b.start_daemon().await?;
    wait_watched(&site.a, 2, None).await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.b.start_daemon().await?;
    site.a.insert_event(EventRow::new(213, 9)).await?;
    let heard = heard_up_to(&mut at_a, 213).await?;
    ensure!(heard == BTreeMap::from([(213, 1)]), "{heard:?}");
    site.wait_rung(213).await?;
    site.wait_settled().await?;
    ensure_all(&site.rung(), 200..214, 0)
}
