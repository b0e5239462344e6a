//! The node that sends stands still, or is cut off from the database, and comes back.

use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use zmes_tests::standin::Behaviour;
use zmes_tests::{LineState, Site, World, wait_until};

use crate::{PHONE, ensure_all};

const PHONES: [&str; 3] = [PHONE, "cluster-android:APA91bHPRgkF-two", "cluster-android:APA91bHPRgkF-three"];

async fn register(at: &World, other: &World, phones: &[&str]) -> Result<()> {
    for phone in phones {
        drop(at.phone("android", phone).await?);
    }
    for phone in phones {
        other.wait_token(phone, "known at the other node", |token| token["state"] == "enabled").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_stood_still_sends_nothing_more_when_it_goes_on() -> Result<()> {
    let mut site = Site::start().await?;
    register(&site.a, &site.b, &PHONES).await?;
    // One push to each phone is on its way, and more wait, when the node stops.
    site.proxy.always(Behaviour::Hang);
    for event in 100..105 {
        site.alarm(1, event).await?;
    }
    wait_until("the ledger has all of them", async || {
        Ok((site.a.database.sql("SELECT COUNT(*) FROM zmesd.alarm").await? == "5").then_some(()))
    })
    .await?;
    site.proxy.wait_pushes(PHONES.len()).await?;
    site.a.daemon()?.signal(Signal::SIGSTOP)?;
    let on_its_way = site.pushes().len();
    site.proxy.always(Behaviour::Accept);
    site.wait_pusher("b").await?;
    for event in 110..113 {
        site.alarm(2, event).await?;
    }
    let events = || (100..105).chain(110..113);
    for phone in PHONES {
        site.wait_rung_at(phone, events()).await?;
    }
    site.a.daemon()?.signal(Signal::SIGCONT)?;
    Site::wait_cluster(&site.a, "that of a node that does not send", |status| {
        status["connected"] == true && status["pusher"] == "b" && status["may_send"] == false
    })
    .await?;
    for event in 120..123 {
        site.alarm(1, event).await?;
    }
    for phone in PHONES {
        site.wait_rung_at(phone, 120..123).await?;
    }
    site.wait_settled().await?;
    let by_a = site.pushes().iter().filter(|push| push.node == "a").count();
    ensure!(by_a == on_its_way, "{by_a} pushes by the node that stood still, {on_its_way} before it did");
    for phone in PHONES {
        ensure_all(&site.rung_at(phone), events().chain(120..123), 1)?;
    }
    site.proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_node_that_is_cut_off_sends_for_its_own_cameras_and_hears_later_what_it_missed() -> Result<()> {
    let mut site = Site::new().prepare().await?;
    let line = site.line_of_a()?;
    site.start_daemons().await?;
    register(&site.a, &site.b, &[PHONE]).await?;
    let mut at_a = site.a.admin().await?;
    let mut at_b = site.b.admin().await?;
    for (state, first) in [(LineState::Silent, 100), (LineState::Cut, 200)] {
        if site.pusher().await? != "a" {
            site.b.run(&["cluster", "handover", "a"]).await?.expect_code(0)?;
            site.wait_pusher("a").await?;
        }
        line.set(state);
        site.alarm(1, first).await?;
        site.alarm(2, first + 1).await?;
        at_a.expect_alarm(first, 1).await?;
        at_b.expect_alarm(first + 1, 2).await?;
        // Each node sends for its own cameras; the lease goes to the one that the database still knows.
        site.wait_rung(first).await?;
        site.wait_rung(first + 1).await?;
        ensure!(site.pusher().await? == "b");
        let alone = |status: &Value| status["connected"] == false && status["alone"] == true;
        Site::wait_cluster(&site.a, "that of a node that is alone", alone).await?;
        // A phone that comes meanwhile is known to all later.
        let new = format!("cluster-android:APA91bHPRgkF-{first}");
        at_a = site.a.register(at_a, "android", &new).await?;
        line.set(LineState::Whole);
        at_a.expect_alarm(first + 1, 2).await?;
        at_b.expect_alarm(first, 1).await?;
        site.b.wait_token(&new, "known at b", |token| token["state"] == "enabled").await?;
        for (event, monitor) in [(first + 2, 1), (first + 3, 2)] {
            site.alarm(monitor, event).await?;
            at_a.expect_alarm(event, monitor).await?;
            at_b.expect_alarm(event, monitor).await?;
            site.wait_rung_at(&new, [event]).await?;
        }
        site.wait_settled().await?;
    }
    // What was being written when the line fell silent may have arrived, and is sent by both. When it was cut, nothing was.
    let rung = site.rung();
    ensure_all(&rung, (100..104).chain(200..204), 1)?;
    ensure!((200..204).all(|event| rung[&event] == 1), "{rung:?}");
    site.proxy.ensure_no_violations()
}

#[tokio::test]
async fn a_push_that_hangs_while_its_node_loses_the_ledger_and_finds_it_again_is_not_sent_twice() -> Result<()>
{
    let mut site = Site::new().prepare().await?;
    let line = site.line_of_a()?;
    site.a.start_daemon().await?;
    site.wait_pusher("a").await?;
    site.a.wait_comparing().await?;
    let [_, other, _] = PHONES;
    drop(site.a.phone("android", PHONE).await?);
    drop(site.a.phone("android", other).await?);
    // Longer than all that happens meanwhile, and shorter than the deadline of a request.
    site.proxy.answer_token_next(PHONE, 1, &Behaviour::Slow(Duration::from_secs(8)));
    site.alarm(1, 100).await?;
    site.wait_rung(100).await?;
    site.wait_rung_at(other, [100]).await?;
    line.set(LineState::Cut);
    let alone = |status: &Value| status["alone"] == true;
    Site::wait_cluster(&site.a, "that of a node that is alone", alone).await?;
    // No other alarm waits for it.
    site.alarm(1, 101).await?;
    site.wait_rung_at(other, [101]).await?;
    line.set(LineState::Whole);
    Site::wait_cluster(&site.a, "that of a node that sends again", |status| status["may_send"] == true)
        .await?;
    site.alarm(1, 102).await?;
    for phone in [PHONE, other] {
        site.wait_rung_at(phone, 100..103).await?;
    }
    site.wait_settled().await?;
    for phone in [PHONE, other] {
        ensure_all(&site.rung_at(phone), 100..103, 0)?;
    }
    site.proxy.ensure_no_violations()
}
