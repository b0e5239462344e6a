//! Who sends, as an admin or `prefer` wishes: the named node sends next, and no phone rings twice.

use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Site, wait_long};

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
