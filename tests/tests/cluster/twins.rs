//! Two daemons with one name, where the ledger was away when the second one started.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Site, World, wait_until};

use crate::{PHONE, ensure_all};

async fn is_fenced(world: &World) -> Result<bool> {
    Ok(Site::wait_cluster(world, "readable", |_| true).await?["fenced"] == true)
}

#[tokio::test]
async fn a_twin_that_started_without_the_ledger_says_so_and_rings_for_its_own_cameras() -> Result<()> {
    let mut site = Site::start().await?;
    drop(site.a.phone("android", PHONE).await?);
    site.b.wait_token(PHONE, "known at b", |token| token["state"] == "enabled").await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.b.settings.set_text("cluster", "name", "a");
    site.b.write_settings()?;
    site.a.database.stop().await?;
    site.b.launch_daemon().await?;
    site.a.database.resume().await?;
    site.b.wait_watching().await?;
    // The one that was there, unless all this took longer than 10 s.
    let fenced = wait_until("one of the two takes no part", async || {
        let (a, b) = (is_fenced(&site.a).await?, is_fenced(&site.b).await?);
        Ok((a != b).then_some(if a { "a" } else { "b" }))
    })
    .await?;
    let trouble = site.node(fenced).ctl().wait_trouble("cluster:name").await?;
    ensure!(trouble["severity"] == "error", "{trouble}");
    // Both ring for their cameras, and tell the apps that are there.
    for (name, monitor, event) in [("a", 1, 100), ("b", 2, 101)] {
        let mut app = site.node(name).admin().await?;
        site.alarm(monitor, event).await?;
        app.expect_alarm(event, monitor).await?;
        site.wait_rung(event).await?;
    }

    // With names of their own both take part.
    site.a.daemon()?.end(Signal::SIGTERM).await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.b.settings.set_text("cluster", "name", "b");
    site.b.write_settings()?;
    site.start_daemons().await?;
    Site::wait_alive(&site.a, 2).await?;
    ensure!(!is_fenced(&site.a).await? && !is_fenced(&site.b).await?);
    let mut at_a = site.a.admin().await?;
    site.alarm(2, 102).await?;
    site.wait_rung(102).await?;
    // What the other one had to itself may come before it.
    while at_a.next_json().await?["events"][0]["EventId"] != "102" {}
    ensure_all(&site.rung(), 100..103, 0)?;
    site.proxy.ensure_no_violations()
}
