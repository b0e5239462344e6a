//! What was changed about phones while a node was away, or could not tell: revoked and forgotten, blocked and unblocked.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use zmes_tests::{LineState, Site, World, wait_long, wait_until};

use crate::PHONE;

/// A phone that nobody revokes.
const STAYS: &str = "cluster-android:APA91bHPRgkF-stays";
/// A phone that is blocked.
const STOLEN: &str = "cluster-android:APA91bHPRgkF-stolen";

fn is_revoked(token: &Value) -> bool {
    !token["revoked_at"].is_null()
}

/// Waits until the ledger's answer to a question is this.
async fn wait_ledger(site: &Site, what: &str, sql: &str, wanted: &str) -> Result<()> {
    wait_long(what, async || {
        site.beat()?;
        Ok((site.a.database.sql(sql).await? == wanted).then_some(()))
    })
    .await
}

async fn known(world: &World, phones: &[&str]) -> Result<()> {
    for phone in phones {
        world.wait_token(phone, "known", |token| token["state"] == "enabled").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_phone_that_was_revoked_and_forgotten_is_not_revived_by_a_node_with_an_old_state() -> Result<()> {
    let mut site = Site::new().patient().prepare().await?;
    site.a.settings.set_text("state", "keep-tombstones", "1s");
    site.a.write_settings()?;
    site.start_daemons().await?;
    let phones = [PHONE, STAYS, STOLEN];
    for phone in phones {
        drop(site.a.phone("android", phone).await?);
    }
    known(&site.b, &phones).await?;
    let there = "SELECT seen > (SELECT MAX(changed) FROM zmesd.record) + INTERVAL 11 SECOND FROM zmesd.node \
                 WHERE name = 'b'";
    wait_ledger(&site, "b was there after the last change", there, "1").await?;
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    for (change, phone) in [("revoke", PHONE), ("block", STOLEN)] {
        let handle = site.a.handle(phone).await?;
        site.a.run(&["tokens", change, &handle, "--yes"]).await?.expect_code(0)?;
    }
    let deleted = "SELECT COUNT(*) FROM zmesd.record WHERE deleted";
    wait_ledger(&site, "the revoked phone is over", deleted, "1").await?;
    // A week later.
    site.a.database.sql("UPDATE zmesd.record SET updated = updated - INTERVAL 8 DAY").await?;
    let phones_there = "SELECT COUNT(*) FROM zmesd.record WHERE kind = 1";
    wait_ledger(&site, "the revoked phone is forgotten", phones_there, "2").await?;

    site.b.shm(2)?.start()?;
    site.b.start_daemon().await?;
    site.b.wait_token(PHONE, "revoked at b", is_revoked).await?;
    site.b.wait_token(STOLEN, "blocked at b", |token| token["state"] == "blocked").await?;
    known(&site.b, &[STAYS]).await?;
    site.a.run(&["cluster", "handover", "b"]).await?.expect_code(0)?;
    site.wait_pusher("b").await?;
    for (monitor, event) in [(1, 100), (2, 101)] {
        site.alarm(monitor, event).await?;
        site.wait_rung_at(STAYS, [event]).await?;
    }
    ensure!(site.rung().is_empty() && site.rung_at(STOLEN).is_empty(), "{:?}", site.pushes());
    ensure!(site.a.database.sql(phones_there).await? == "2", "b has told of it again");

    // Its app registers it anew.
    drop(site.b.phone("android", PHONE).await?);
    known(&site.a, &[PHONE]).await?;
    site.alarm(1, 102).await?;
    site.wait_rung(102).await?;
    site.proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_block_that_could_not_be_told_before_a_kill_is_told_after_it_and_so_is_its_end() -> Result<()> {
    let mut site = Site::new().prepare().await?;
    let line = site.line_of_a()?;
    site.start_daemons().await?;
    drop(site.a.phone("android", PHONE).await?);
    known(&site.b, &[PHONE]).await?;
    let handle = site.a.handle(PHONE).await?;
    for (change, before, after) in [("block", "enabled", "blocked"), ("unblock", "blocked", "revoked")] {
        site.b.wait_token(PHONE, before, |token| token["state"] == before).await?;
        line.set(LineState::Cut);
        Site::wait_cluster(&site.a, "that of a node that is cut off", |status| status["connected"] == false)
            .await?;
        site.a.run(&["tokens", change, &handle, "--yes"]).await?.expect_code(0)?;
        site.a.kill_daemon().await?;
        site.a.shm(1)?.start()?;
        site.a.launch_daemon().await?;
        site.a.wait_token(PHONE, after, |token| token["state"] == after).await?;
        site.b.wait_token(PHONE, "as it was", |token| token["state"] == before).await?;
        line.set(LineState::Whole);
        site.a.wait_watching().await?;
        site.b.wait_token(PHONE, after, |token| token["state"] == after).await?;
    }
    // It may come back, at either node.
    drop(site.b.phone("android", PHONE).await?);
    known(&site.a, &[PHONE]).await?;
    wait_until("a hears of cameras again", async || {
        let status = site.a.run(&["cluster", "status", "--json"]).await?.json()?;
        Ok((status["connected"] == true).then_some(()))
    })
    .await?;
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;
    site.proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_ledger_that_is_restored_from_an_older_copy_is_told_of_phones_again() -> Result<()> {
    let mut site = Site::new().patient().start().await?;
    drop(site.a.phone("android", PHONE).await?);
    known(&site.b, &[PHONE]).await?;
    let copy = "CREATE TABLE zmesd.copy AS SELECT * FROM zmesd.record; \
                CREATE TABLE zmesd.copied AS SELECT * FROM zmesd.counter";
    site.a.database.sql(copy).await?;
    drop(site.a.phone("android", STAYS).await?);
    known(&site.b, &[STAYS]).await?;
    let restore = "START TRANSACTION; DELETE FROM zmesd.record; INSERT INTO zmesd.record SELECT * FROM zmesd.copy; \
                   REPLACE INTO zmesd.counter SELECT * FROM zmesd.copied; COMMIT";
    site.a.database.sql(restore).await?;
    let phones = "SELECT COUNT(*) FROM zmesd.record WHERE kind = 1";
    wait_ledger(&site, "the ledger knows of both phones again", phones, "2").await?;
    // A new ledger, while no node runs.
    site.b.daemon()?.end(Signal::SIGTERM).await?;
    site.a.daemon()?.end(Signal::SIGTERM).await?;
    let anew = "DELETE FROM zmesd.record; DELETE FROM zmesd.node; \
                UPDATE zmesd.counter SET value = 0 WHERE name LIKE 'record%'";
    site.a.database.sql(anew).await?;
    site.b.shm(2)?.start()?;
    site.b.start_daemon().await?;
    wait_ledger(&site, "the new ledger knows of both phones", phones, "2").await?;
    site.a.shm(1)?.start()?;
    site.a.start_daemon().await?;
    for world in [&site.a, &site.b] {
        known(world, &[PHONE, STAYS]).await?;
    }
    site.alarm(1, 100).await?;
    for phone in [PHONE, STAYS] {
        site.wait_rung_at(phone, [100]).await?;
    }
    site.proxy.ensure_no_violations()
}
