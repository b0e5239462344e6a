//! Two daemons of one site, with a real MariaDB between them: each host's alarms reach the apps of both, and each phone
//! rings once, whichever of them dies.

mod away;
mod changes;
mod growth;
mod kills;
mod lab;
mod links;
mod load;
mod orphans;
mod providers;
mod rules;
mod stalls;
mod targets;
mod turns;
mod twins;

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::time::Instant;
use zmes_tests::{AppClient, Daemon, Site, World, wait_until};

const PHONE: &str = Site::PHONE;

/// Says that a phone rang for each of these events, and how often it rang once more.
pub(crate) fn ensure_all(
    rung: &BTreeMap<u64, usize>,
    events: impl IntoIterator<Item = u64>,
    most_repeats: usize,
) -> Result<()> {
    let lost: Vec<u64> = events.into_iter().filter(|event| !rung.contains_key(event)).collect();
    ensure!(lost.is_empty(), "lost: {lost:?}");
    let repeats: usize = rung.values().map(|times| times - 1).sum();
    ensure!(repeats <= most_repeats, "{repeats} repeats: {rung:?}");
    Ok(())
}

pub(crate) async fn events_of(world: &World) -> Result<Vec<u64>> {
    let list = world.ctl().json(&["events"]).await?;
    let events = list["events"].as_array().with_context(|| list.to_string())?;
    Ok(events.iter().filter_map(|event| event["event_id"].as_u64()).collect())
}

#[tokio::test]
async fn each_nodes_alarms_reach_the_apps_of_both_once_and_one_node_rings_every_phone() -> Result<()> {
    let mut site = Site::start().await?;
    let mut at_a = site.a.phone("android", PHONE).await?;
    let mut at_b = site.b.admin().await?;
    // Registered at one node, known at the other.
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let mut behind = Vec::new();
    for round in 0..20_u64 {
        for (monitor, event) in [(1, 100 + 2 * round), (2, 101 + 2 * round)] {
            site.alarm(monitor, event).await?;
            let (one, other) =
                tokio::join!(heard(&mut at_a, event, monitor), heard(&mut at_b, event, monitor));
            let (one, other) = (one?, other?);
            behind.push(if monitor == 1 { other - one } else { one.saturating_duration_since(other) });
        }
    }
    behind.sort_unstable();
    eprintln!(
        "later at the other node: p50 {:?}, p99 {:?}",
        behind[behind.len() / 2],
        behind[behind.len() - 1]
    );
    site.wait_rung(139).await?;
    at_a.sync().await?;
    at_b.sync().await?;
    ensure_all(&site.rung(), 100..140, 0)?;
    for world in [&site.a, &site.b] {
        ensure!(events_of(world).await? == (100..140).collect::<Vec<_>>(), "{:?}", events_of(world).await?);
    }
    missed_and_silenced(&mut site, &mut at_a).await?;
    let password = site.ledger_password()?;
    for world in [&mut site.a, &mut site.b] {
        ensure!(!world.daemon()?.log().contains(&password), "the password is in the log");
    }
    Ok(())
}

/// What happens while a node is down is in its record afterwards; what is silenced at one node is silent at all.
async fn missed_and_silenced(site: &mut Site, at_a: &mut AppClient) -> Result<()> {
    site.b.kill_daemon().await?;
    site.alarm(1, 200).await?;
    site.wait_rung(200).await?;
    site.b.shm(2)?.start()?;
    site.b.start_daemon().await?;
    wait_until("b has what it missed", async || Ok(events_of(&site.b).await?.contains(&200).then_some(())))
        .await?;
    // Snoozed at one node, silent at all, and told again once that is over.
    site.b.run(&["snooze", "2", "--for", "1h"]).await?.expect_code(0)?;
    wait_until("the snooze holds at a", async || {
        let list = site.a.ctl().json(&["snooze", "list"]).await?;
        Ok((list["snoozes"][0]["monitor_id"] == 2).then_some(()))
    })
    .await?;
    site.alarm(2, 203).await?;
    at_a.expect_alarm(200, 1).await?;
    at_a.expect_alarm(203, 2).await?;
    site.alarm(1, 204).await?;
    site.wait_rung(204).await?;
    site.b.run(&["snooze", "end", "all"]).await?.expect_code(0)?;
    wait_until("the snooze is over at a", async || {
        let list = site.a.ctl().json(&["snooze", "list"]).await?;
        Ok(list["snoozes"].as_array().is_some_and(Vec::is_empty).then_some(()))
    })
    .await?;
    ensure!(!site.rung().contains_key(&203), "{:?}", site.rung());
    site.alarm(2, 205).await?;
    site.wait_rung(205).await?;
    // Revoked at one node, silent at all.
    let handle = site.b.handle(PHONE).await?;
    site.b.run(&["tokens", "revoke", &handle, "--yes"]).await?.expect_code(0)?;
    site.a
        .wait_token(PHONE, "revoked at a", |token| {
            token["state"] == "revoked" || !token["revoked_at"].is_null()
        })
        .await?;
    site.alarm(1, 201).await?;
    site.alarm(2, 202).await?;
    for (event, monitor) in [(204, 1), (205, 2), (201, 1), (202, 2)] {
        at_a.expect_alarm(event, monitor).await?;
    }
    wait_until("everything is settled", async || {
        let open =
            site.a.database.sql("SELECT COUNT(*) FROM zmesd.alarm WHERE NOT settled AND phase = 1").await?;
        Ok((open == "0").then_some(()))
    })
    .await?;
    ensure!(!site.rung().contains_key(&201) && !site.rung().contains_key(&202), "{:?}", site.rung());
    Ok(())
}

async fn heard(app: &mut AppClient, event: u64, monitor: u32) -> Result<Instant> {
    app.expect_alarm(event, monitor).await?;
    Ok(Instant::now())
}

#[tokio::test]
async fn the_node_that_sends_is_killed_under_load_and_no_phone_misses_an_alarm() -> Result<()> {
    let mut site = Site::start().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    for event in 100..110 {
        site.alarm(2, event).await?;
    }
    site.a.kill_daemon().await?;
    let killed = Instant::now();
    for event in 110..130 {
        site.alarm(2, event).await?;
    }
    // Of two alarms between two looks at the shared memory the first is found in the Events table, later.
    for event in 100..130 {
        site.wait_rung(event).await?;
    }
    let first = site.proxy.pushes_to(PHONE).into_iter().find(|push| push.at > killed);
    eprintln!("first push after the kill: {:?}", first.map(|push| push.at - killed));
    ensure_all(&site.rung(), 100..130, 10)?;
    // The next success: it comes back, and a node that stands still is no second sender.
    site.a.start_daemon().await?;
    site.b.daemon()?.signal(Signal::SIGSTOP)?;
    site.wait_pusher("a").await?;
    site.alarm(1, 130).await?;
    site.wait_rung(130).await?;
    site.b.daemon()?.signal(Signal::SIGCONT)?;
    site.alarm(2, 131).await?;
    site.wait_rung(131).await?;
    ensure_all(&site.rung(), 100..132, 12)
}

#[tokio::test]
async fn a_ledger_that_is_away_stops_no_alarm_and_what_was_missed_comes_later() -> Result<()> {
    let mut site = Site::start().await?;
    let mut at_a = site.a.phone("android", PHONE).await?;
    let mut at_b = site.b.admin().await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;
    at_a.expect_alarm(100, 1).await?;
    at_b.expect_alarm(100, 1).await?;
    // Of the other node's camera, in the ledger, and begun: no provider takes it before the ledger is away.
    site.proxy.refuse().await?;
    site.alarm(2, 104).await?;
    at_a.expect_alarm(104, 2).await?;
    at_b.expect_alarm(104, 2).await?;
    site.a.database.stop().await?;
    site.proxy.resume().await?;
    site.wait_rung(104).await?;
    site.a.alarm_without_row(1, 101).await?;
    site.b.alarm_without_row(2, 102).await?;
    at_a.expect_alarm(101, 1).await?;
    at_b.expect_alarm(102, 2).await?;
    // Each node sends for its own cameras.
    site.wait_rung(101).await?;
    site.wait_rung(102).await?;
    site.a.database.resume().await?;
    at_a.expect_alarm(102, 2).await?;
    at_b.expect_alarm(101, 1).await?;
    site.alarm(1, 103).await?;
    site.wait_rung(103).await?;
    // One write without an answer may be in the ledger, and is sent by both; what was begun may be taken over meanwhile.
    ensure_all(&site.rung(), 100..105, 3)
}

#[tokio::test]
async fn two_nodes_with_one_name_are_told_apart_and_the_ledger_is_not_needed_for_a_start() -> Result<()> {
    let mut site = Site::start().await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.b.settings.set_text("cluster", "name", "a");
    site.b.write_settings()?;
    let file = site.b.settings_file();
    let mut command = Daemon::command(site.b.directory(), &["--config", &file.to_string_lossy()])?;
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(78) && text.contains("hint: give each node its own"), "{text}");
    site.a.daemon()?.end(Signal::SIGTERM).await?;
    site.a.database.stop().await?;
    site.a.launch_daemon().await?;
    let status = site.a.wait_status("down", |status| status["database"] == "down").await?;
    ensure!(status["database_error"].is_string(), "{status}");
    site.b.launch_daemon().await?;
    site.a.database.resume().await?;
    let fenced = |status: &Value| status["fenced"] == true;
    let is_fenced = async |world: &World| -> Result<bool> {
        Ok(fenced(&world.run(&["cluster", "status", "--json"]).await?.json()?))
    };
    let twin_is_a = wait_until("one of the two is refused", async || {
        let (a, b) = (is_fenced(&site.a).await?, is_fenced(&site.b).await?);
        Ok((a != b).then_some(a))
    })
    .await?;
    // It sends for its own cameras, and so must know which phones are revoked.
    let (member, twin) = if twin_is_a { (&site.b, &site.a) } else { (&site.a, &site.b) };
    drop(member.phone("android", PHONE).await?);
    twin.wait_token(PHONE, "known at the twin", |token| token["state"] == "enabled").await?;
    member.run(&["tokens", "revoke", &member.handle(PHONE).await?, "--yes"]).await?.expect_code(0)?;
    twin.wait_token(PHONE, "revoked at the twin", |token| !token["revoked_at"].is_null()).await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    if twin_is_a {
        site.a.daemon()?.end(Signal::SIGTERM).await?;
        site.a.start_daemon().await?;
    }
    site.wait_pusher("a").await?;

    // With a name of its own the other one takes part.
    site.b.settings.set_text("cluster", "name", "b");
    site.b.write_settings()?;
    site.b.start_daemon().await?;
    wait_until("two nodes are alive", async || {
        let status = site.b.run(&["cluster", "status", "--json"]).await?.json()?;
        let nodes = status["nodes"].as_array().context("no nodes")?;
        let alive = nodes.iter().filter(|node| node["alive"] == true).count();
        Ok((nodes.len() == 2 && alive == 2).then_some(()))
    })
    .await
}

/// Waits until a node's own word on the cluster is this.
async fn wait_cluster(world: &World, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    wait_until(what, async || {
        let status = world.run(&["cluster", "status", "--json"]).await?.json()?;
        Ok(wanted(&status).then_some(status))
    })
    .await
}

/// Waits until `check cluster` is critical, and says this.
async fn wait_critical(world: &World, text: &str) -> Result<()> {
    wait_until(&format!("check cluster says: {text}"), async || {
        let check = world.run(&["check", "cluster", "--nagios"]).await?;
        Ok((check.code == 2 && check.stdout.contains(text)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_ledger_that_can_be_read_and_not_written_stops_no_push_and_is_an_error_until_it_is_mended()
-> Result<()> {
    let site = Site::start().await?;
    let mut at_a = site.a.phone("android", PHONE).await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;
    site.a.database.sql("SET GLOBAL read_only=1").await?;
    site.alarm(1, 101).await?;
    site.alarm(2, 102).await?;
    // Each node sends for its own cameras, though both still read the ledger.
    site.wait_rung(101).await?;
    site.wait_rung(102).await?;
    let away =
        wait_cluster(&site.b, "b is alone", |status| status["connected"] == false && status["alone"] == true)
            .await?;
    ensure!(away["last_error"].as_str().is_some_and(|error| error.contains("read only")), "{away}");
    // It is an error after 10 s, and does not begin anew each second.
    wait_critical(&site.b, "read only").await?;
    let later = wait_cluster(&site.b, "it still is", |status| status["connected"] == false).await?;
    ensure!(later["since"] == away["since"], "{away} {later}");
    site.a.database.sql("SET GLOBAL read_only=0").await?;
    for world in [&site.a, &site.b] {
        wait_cluster(world, "all is well", |status| {
            status["connected"] == true && status["alone"] == false && status["pusher"].is_string()
        })
        .await?;
    }
    site.alarm(2, 103).await?;
    site.wait_rung(103).await?;
    // What happened meanwhile is told, too, and rings nobody again.
    for (event, monitor) in [(100, 1), (101, 1), (102, 2), (103, 2)] {
        at_a.expect_alarm(event, monitor).await?;
    }
    ensure_all(&site.rung(), 100..104, 0)
}

#[tokio::test]
async fn a_ledger_that_refuses_alarms_of_a_node_stops_none_of_its_pushes() -> Result<()> {
    let site = Site::start().await?;
    let mut at_a = site.a.phone("android", PHONE).await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let refuse = |what: &str| {
        format!(
            "CREATE OR REPLACE TRIGGER zmesd.refuse BEFORE INSERT ON zmesd.alarm FOR EACH ROW \
             SET NEW.event = IF({what}, (SELECT 1 UNION SELECT 2), NEW.event)"
        )
    };
    // One alarm that does not fit keeps none behind it waiting.
    site.a.database.sql(&refuse("NEW.event = 100")).await?;
    site.alarm(2, 100).await?;
    // Else the poller may see the second alone, and the first be found in the Events table much later.
    wait_cluster(&site.b, "the first is refused", |status| status["waiting"] == 1).await?;
    site.alarm(2, 101).await?;
    at_a.expect_alarm(101, 2).await?;
    site.wait_rung(101).await?;
    site.wait_rung(100).await?;
    // All of them, while the lease works.
    site.a.database.sql(&refuse("NEW.monitor = 2")).await?;
    site.alarm(2, 102).await?;
    site.wait_rung(102).await?;
    site.alarm(1, 103).await?;
    site.wait_rung(103).await?;
    wait_critical(&site.b, "alarms of this node are not in the ledger").await?;
    ensure!(site.pusher().await? == "a", "{}", site.pusher().await?);
    site.a.database.sql("DROP TRIGGER zmesd.refuse").await?;
    wait_cluster(&site.b, "nothing waits", |status| status["waiting"] == 0).await?;
    site.alarm(2, 104).await?;
    site.wait_rung(104).await?;
    for (event, monitor) in [(103, 1), (102, 2), (104, 2)] {
        at_a.expect_alarm(event, monitor).await?;
    }
    // What was sent without the ledger is noted in it with the alarm.
    ensure_all(&site.rung(), 100..105, 0)
}

#[tokio::test]
async fn a_node_that_sends_nothing_to_phones_gives_way_to_one_that_does() -> Result<()> {
    let mut site = Site::start().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    site.a.settings.set_text("push", "mode", "shadow");
    site.a.write_settings()?;
    site.a.run(&["reload"]).await?.expect_code(0)?;
    site.wait_pusher("b").await?;
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;
    let trouble =
        |status: &Value| status["nodes"][0]["trouble"].as_str().is_some_and(|text| text.contains("shadow"));
    wait_cluster(&site.b, "b knows why", trouble).await?;
    let refused = site.b.run(&["cluster", "handover", "a"]).await?;
    ensure!(
        refused.code != 0 && refused.stderr.contains("cannot hand over to a: push.mode"),
        "{}",
        refused.stderr
    );
    site.a.settings.set_text("push", "mode", "live");
    site.a.write_settings()?;
    site.a.run(&["reload"]).await?.expect_code(0)?;
    wait_cluster(&site.b, "a can send again", |status| status["nodes"][0]["trouble"].is_null()).await?;
    site.b.run(&["cluster", "handover", "a"]).await?.expect_code(0)?;
    site.wait_pusher("a").await?;
    site.alarm(2, 101).await?;
    site.wait_rung(101).await?;
    ensure_all(&site.rung(), 100..102, 0)
}
