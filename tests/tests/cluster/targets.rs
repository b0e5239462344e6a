//! Targets of a site, which both nodes are configured with: who hears of which camera, and what a button or a command at the
//! node that does not send silences.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use zmes_tests::standin::TargetPeer;
use zmes_tests::{HalfOpen, Site, World, wait_until};

use crate::{PHONE, ensure_all};

const BASE: &str = "https://zm.example.org:9000";
const SECRET: &str = "whsec_cGxhbnRlZC1zaWduaW5nLXNlY3JldC1vZi10aGUtaG9vaw==";

fn target(kind: &str, service: &TargetPeer, keys: &str) -> String {
    format!(
        "\n[[target]]\nname = \"guard\"\nkind = \"{kind}\"\nuser = \"admin\"\nca-certificate = \"{}\"\n{keys}\n",
        service.ca().display()
    )
}

/// Starts a site where both nodes have the same target, and a phone that nobody silences.
async fn site_with(target: &str) -> Result<Site> {
    let base = format!("\"{BASE}\"");
    let mut site = Site::new().cameras(2).patient().setting("picture", "base-url", &base).prepare().await?;
    for world in [&site.a, &site.b] {
        world.write_settings_with(target)?;
    }
    site.start_daemons().await?;
    drop(site.a.phone("android", PHONE).await?);
    for world in [&site.a, &site.b] {
        world.wait_token(PHONE, "known", |token| token["state"] == "enabled").await?;
    }
    Ok(site)
}

async fn hand_over(site: &Site, to: &str) -> Result<()> {
    site.a.run(&["cluster", "handover", to]).await?.expect_code(0)?;
    site.wait_pusher(to).await
}

/// Starts an alarm, and waits until the phone has rung and nothing of it is left to be sent.
async fn alarm(site: &Site, monitor: u32, event: u64) -> Result<()> {
    site.beat()?;
    site.alarm(monitor, event).await?;
    site.wait_rung(event).await?;
    site.wait_settled().await
}

/// Returns the events that a service was told of, in the order of their arrival.
fn told(service: &TargetPeer) -> Vec<u64> {
    service.accepted().iter().filter_map(|request| request.json()["event"].as_u64()).collect()
}

#[tokio::test]
async fn a_target_hears_once_of_the_cameras_in_its_list_at_both_nodes_whichever_sends() -> Result<()> {
    let hook = TargetPeer::webhook().await?;
    let keys = format!(
        "url = \"{}{}\"\ntoken = \"{}\"\nsecret = \"{SECRET}\"\nmonitors = [1, \"Yard\"]",
        hook.url(),
        TargetPeer::HOOK_PATH,
        TargetPeer::HOOK_TOKEN
    );
    let mut site = site_with(&target("webhook", &hook, &keys)).await?;
    hand_over(&site, "b").await?;
    // Cameras 1 and 3 are those of a, 2 ("Yard") and 4 those of b.
    for (monitor, event) in [(1, 100), (3, 101), (2, 102), (4, 103)] {
        alarm(&site, monitor, event).await?;
    }
    ensure!(told(&hook) == [100, 102], "{:?}", told(&hook));
    site.b.wait_delivery("@guard", 100, "sent").await?;
    let pushes = site.pushes();
    ensure!(pushes.iter().all(|push| push.node == "b"), "{pushes:?}");

    // The node that sends dies: the other one goes on with the same list.
    site.b.kill_daemon().await?;
    for (monitor, event) in [(3, 104), (1, 105)] {
        alarm(&site, monitor, event).await?;
    }
    hook.wait_accepted(3).await?;
    ensure!(told(&hook) == [100, 102, 105], "{:?}", told(&hook));
    site.b.start_daemon().await?;
    Site::wait_alive(&site.a, 2).await?;
    alarm(&site, 4, 106).await?;
    alarm(&site, 2, 107).await?;
    ensure!(told(&hook) == [100, 102, 105, 107], "{:?}", told(&hook));
    ensure_all(&site.rung(), 100..108, 0)?;
    hook.ensure_no_violations()
}

async fn post(world: &World, url: &str) -> Result<String> {
    let path = url.strip_prefix(BASE).with_context(|| url.to_owned())?;
    let (head, body) = HalfOpen::post(&world.endpoint().await?, path).await?;
    let page = String::from_utf8(body)?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head}{page}");
    Ok(page)
}

/// Waits until a node has this many snoozes.
async fn wait_snoozes(world: &World, count: usize) -> Result<Vec<Value>> {
    wait_until(&format!("{count} snoozes"), async || {
        let list = world.ctl().json(&["snooze", "list"]).await?;
        let snoozes = list["snoozes"].as_array().with_context(|| list.to_string())?.clone();
        Ok((snoozes.len() == count).then_some(snoozes))
    })
    .await
}

#[tokio::test]
async fn what_is_silenced_at_the_node_that_does_not_send_is_silent_until_that_is_undone_there() -> Result<()>
{
    let ntfy = TargetPeer::ntfy().await?;
    let keys = format!(
        "url = \"{}\"\ntopic = \"{}\"\ntoken = \"{}\"\nsnooze-buttons = [\"1h\"]",
        ntfy.url(),
        TargetPeer::TOPIC,
        TargetPeer::NTFY_TOKEN
    );
    let site = site_with(&target("ntfy", &ntfy, &keys)).await?;
    alarm(&site, 2, 100).await?;
    let message = ntfy.wait_accepted(1).await?[0].json();
    let button = message["actions"][0]["url"].as_str().with_context(|| message.to_string())?.to_owned();
    hand_over(&site, "b").await?;

    // The button of a message that this node has sent, before the other one sends.
    let page = post(&site.a, &button).await?;
    let set = wait_snoozes(&site.b, 1).await?;
    ensure!(
        set[0]["monitor_id"] == 2 && set[0]["token"] == "@guard" && set[0]["origin"] == "link",
        "{set:?}"
    );
    alarm(&site, 2, 101).await?;
    let skipped = site.b.wait_delivery("@guard", 101, "skipped").await?;
    ensure!(skipped["reason"] == "snoozed", "{skipped}");
    alarm(&site, 1, 102).await?;
    ensure!(ntfy.wait_accepted(2).await?.len() == 2, "another camera is not silent");
    let undo = page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).context("no undo")?;
    post(&site.a, &format!("{BASE}/s/{undo}")).await?;
    wait_snoozes(&site.b, 0).await?;
    alarm(&site, 2, 103).await?;
    ntfy.wait_accepted(3).await?;

    // The command, for the target and for everybody.
    site.a.run(&["snooze", "Yard", "--for", "1h", "--token", "@guard"]).await?.expect_code(0)?;
    wait_snoozes(&site.b, 1).await?;
    alarm(&site, 2, 104).await?;
    site.b.wait_delivery("@guard", 104, "skipped").await?;
    site.a.run(&["snooze", "end", "Yard"]).await?.expect_code(0)?;
    wait_snoozes(&site.b, 0).await?;
    site.a.run(&["snooze", "Yard", "--for", "1h"]).await?.expect_code(0)?;
    wait_snoozes(&site.b, 1).await?;
    site.alarm(2, 105).await?;
    site.b.wait_delivery("@guard", 105, "skipped").await?;
    site.a.run(&["snooze", "end", "all"]).await?.expect_code(0)?;
    wait_snoozes(&site.b, 0).await?;
    alarm(&site, 2, 106).await?;
    ensure!(ntfy.wait_accepted(4).await?.len() == 4);
    ensure!(!site.rung().contains_key(&105), "{:?}", site.rung());
    ensure_all(&site.rung(), (100..105).chain([106]), 0)?;
    ntfy.ensure_no_violations()
}
