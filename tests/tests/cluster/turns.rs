//! Who sends, as an admin or `prefer` wishes: the named node sends next, and no phone rings twice.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Site, World, wait_long, wait_until};

use crate::load::Load;
use crate::{PHONE, ensure_all};

/// Alarms before and after each handover.
const AROUND: Duration = Duration::from_millis(400);

/// Returns who has sent, in turns.
fn senders(site: &Site) -> Vec<&'static str> {
    let mut senders: Vec<_> = site.pushes().iter().map(|push| push.node).collect();
    senders.dedup();
    senders
}

#[tokio::test]
async fn a_handover_under_load_gives_the_pushes_to_the_named_node_and_no_phone_rings_twice() -> Result<()> {
    let mut site = Site::new().patient().start().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let load = Load::default();
    for to in ["b", "a", "b"] {
        load.during(&site, async {
            tokio::time::sleep(AROUND).await;
            site.a.run(&["cluster", "handover", to]).await?.expect_code(0)?;
            site.wait_pusher(to).await?;
            tokio::time::sleep(AROUND).await;
            Ok(())
        })
        .await?;
        site.wait_rung_at(PHONE, load.events()).await?;
    }
    ensure!(senders(&site) == ["a", "b", "a", "b"], "{:?}", senders(&site));
    ensure_all(&site.rung(), load.events(), 0)?;
    // A clean stop is a handover, too.
    for event in 1..5 {
        site.alarm(1, event).await?;
    }
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.wait_pusher("a").await?;
    site.alarm(1, 5).await?;
    site.wait_rung(5).await?;
    site.wait_settled().await?;
    ensure_all(&site.rung(), load.events().chain([5]), 0)?;
    ensure!(senders(&site).ends_with(&["b", "a"]), "{:?}", senders(&site));
    site.proxy.ensure_no_violations()
}

#[tokio::test]
async fn the_node_that_is_preferred_sends_once_it_is_well() -> Result<()> {
    let mut site = Site::new().patient().prepare().await?;
    site.b.settings.set("cluster", "prefer", "1");
    site.b.write_settings()?;
    site.start_daemons().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;
    // It has to be well for a minute.
    wait_long("b sends the pushes", async || {
        site.beat()?;
        Ok((site.pusher().await? == "b").then_some(()))
    })
    .await?;
    site.alarm(1, 101).await?;
    site.alarm(2, 102).await?;
    for event in [101, 102] {
        site.wait_rung(event).await?;
    }
    ensure!(senders(&site) == ["a", "b"], "{:?}", senders(&site));
    // While it is away, the other one sends: nothing was on its way.
    site.wait_settled().await?;
    site.b.kill_daemon().await?;
    site.alarm(1, 103).await?;
    site.wait_rung(103).await?;
    ensure_all(&site.rung(), 100..104, 0)
}

/// Returns the turn in which a node decided about each event, from its state file.
fn turns_of(world: &World) -> Result<Vec<(u64, u64)>> {
    let program = "import json, sqlite3, sys\n\
         db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)\n\
         print(json.dumps(db.execute('SELECT event_id, ledger_turn FROM pushed_alarms \\
         WHERE ledger_turn IS NOT NULL ORDER BY number').fetchall()))";
    let output = Command::new("python3").arg("-c").arg(program).arg(world.path("state/zmesd.db")).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Waits until the state file of a node says in which turn it decided about an event.
async fn turn_of(world: &World, event: u64) -> Result<u64> {
    wait_until(&format!("the turn of {event} is on the disk"), async || {
        let turns = turns_of(world)?;
        Ok(turns.into_iter().find(|(of, _)| *of == event).map(|(_, turn)| turn))
    })
    .await
}

#[tokio::test]
async fn no_two_turns_of_a_node_have_the_same_number_over_handovers_kills_and_outages() -> Result<()> {
    let mut site = Site::new().patient().start().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    let mut turns = Vec::new();
    let mut event = 100;
    for between in ["nothing", "a handover and back", "a kill", "an outage of the ledger", "a clean stop"] {
        match between {
            "a handover and back" => {
                for to in ["b", "a"] {
                    site.a.run(&["cluster", "handover", to]).await?.expect_code(0)?;
                    // By the word of the node that is asked next: it reads the ledger a moment later.
                    Site::wait_cluster(&site.a, "handed over", |status| status["pusher"] == to).await?;
                }
            }
            "a kill" => {
                site.a.kill_daemon().await?;
                site.wait_pusher("b").await?;
                site.a.start_daemon().await?;
            }
            "a clean stop" => {
                site.a.daemon()?.end(Signal::SIGTERM).await?;
                site.wait_pusher("b").await?;
                site.a.start_daemon().await?;
            }
            "an outage of the ledger" => {
                site.a.database.stop().await?;
                Site::wait_cluster(&site.a, "alone", |status| status["alone"] == true).await?;
                site.a.database.resume().await?;
                Site::wait_cluster(&site.a, "back", |status| status["connected"] == true).await?;
            }
            _ => {}
        }
        Site::wait_alive(&site.a, 2).await?;
        if site.pusher().await? != "a" {
            site.b.run(&["cluster", "handover", "a"]).await?.expect_code(0)?;
        }
        site.wait_pusher("a").await?;
        site.beat()?;
        // Two in one turn: one of its own camera, one of the other's.
        let (own, others) = (event, event + 1);
        site.alarm(1, own).await?;
        site.alarm(2, others).await?;
        site.wait_rung_at(PHONE, [own, others]).await?;
        site.wait_settled().await?;
        let turn = turn_of(&site.a, own).await?;
        ensure!(turn == turn_of(&site.a, others).await?, "after {between}: {:?}", turns_of(&site.a)?);
        ensure!(turns.last().is_none_or(|last| *last < turn), "{between}: {turns:?} {turn}");
        turns.push(turn);
        event += 2;
    }
    ensure_all(&site.rung(), 100..event, 0)
}
