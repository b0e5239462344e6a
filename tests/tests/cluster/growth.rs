//! A site goes from one node to two, and back, as docs/several-servers.md says.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Site, World};

use crate::{PHONE, ensure_all, events_of};

/// Registered while there are two nodes, at the one that goes.
const SECOND: &str = "cluster-android:APA91bHPRgkF-second";

/// Restarts the daemon of `a`; an alarm comes while it is down.
async fn restart_a(site: &mut Site, event: u64) -> Result<()> {
    site.a.daemon()?.end(Signal::SIGTERM).await?;
    site.alarm(1, event).await?;
    site.a.start_daemon().await
}

/// Waits until both phones have rung for an event.
async fn both_ring(site: &Site, event: u64) -> Result<()> {
    site.wait_rung(event).await?;
    site.wait_rung_at(SECOND, [event]).await
}

async fn enabled(world: &World) -> Result<usize> {
    Ok(world.tokens().await?.iter().filter(|token| token["state"] == "enabled").count())
}

#[tokio::test]
async fn a_site_grows_to_two_nodes_and_shrinks_again_without_losing_a_phone_or_an_alarm() -> Result<()> {
    let mut site = Site::new().patient().apart().await?;
    site.a.start_daemon().await?;
    site.a.wait_comparing().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;

    // Two.
    site.make_ledger().await?;
    site.join()?;
    restart_a(&mut site, 101).await?;
    site.wait_rung(101).await?;
    site.b.start_daemon().await?;
    Site::wait_alive(&site.a, 2).await?;
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    drop(site.b.phone("android", SECOND).await?);
    site.a.wait_token(SECOND, "known at a", |token| token["state"] == "enabled").await?;
    site.alarm(1, 102).await?;
    site.alarm(2, 103).await?;
    both_ring(&site, 102).await?;
    both_ring(&site, 103).await?;
    site.a.run(&["cluster", "handover", "b"]).await?.expect_code(0)?;
    site.wait_pusher("b").await?;
    site.alarm(1, 104).await?;
    both_ring(&site, 104).await?;

    // One again.
    site.a.run(&["cluster", "handover"]).await?.expect_code(0)?;
    site.wait_pusher("a").await?;
    site.alarm(2, 105).await?;
    both_ring(&site, 105).await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.a.run(&["cluster", "leave", "b", "--yes"]).await?.expect_code(0)?;
    site.alarm(1, 106).await?;
    both_ring(&site, 106).await?;
    site.a.settings.set("cluster", "enabled", "false");
    site.a.write_settings()?;
    restart_a(&mut site, 107).await?;
    both_ring(&site, 107).await?;
    site.a.database.sql("DROP DATABASE zmesd; DROP USER 'zmesd'@'%'").await?;
    site.alarm(1, 108).await?;
    both_ring(&site, 108).await?;
    ensure!(enabled(&site.a).await? == 2, "{:?}", site.a.tokens().await?);
    ensure!(events_of(&site.a).await? == (100..109).collect::<Vec<_>>(), "{:?}", events_of(&site.a).await?);
    ensure_all(&site.rung(), 100..109, 0)?;
    ensure_all(&site.rung_at(SECOND), 102..109, 0)?;
    site.proxy.ensure_no_violations()
}
