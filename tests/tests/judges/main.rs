//! Clients and proxies of others, as Debian packages them: they judge which clients get in, and with which address.
//!
//! A judge (`tests/judges/*`) is a small app on one WebSocket library, with that library's own headers. It is called
//! `JUDGE URL CA LAST [SOURCE]`, logs in and says `in`. At each alarm it says `alarm EVENT`, sends a filter and a ping,
//! and says `pong EVENT`. After the event LAST it closes with 4000, says `closed CODE` as the server has answered, and ends
//! with 0. Whatever else ends a connection, it connects again. SOURCE is the address that it connects from, so that a
//! proxy and its clients can be told apart on one machine.

mod judge;
mod proxy;

use anyhow::{Context, Result, ensure};
use zmes_tests::{World, repository, wait_until};

use judge::{JUDGES, Panel};
use proxy::Proxy;

/// Address of the judges behind a proxy; the proxy itself has 127.0.0.1.
const SOURCE: &str = "127.0.0.2";
/// The event after which judges close.
const LAST: u64 = 999;

/// Makes the daemon keep its port over restarts; returns it.
async fn fix_port(world: &mut World) -> Result<u16> {
    let address = world.endpoint().await?.address;
    world.settings.set("server", "listen", format!("[\"{address}\"]"));
    world.write_settings()?;
    Ok(address.port())
}

/// Starts an alarm, which every judge must receive and answer.
async fn all_hear(world: &World, panel: &mut Panel, event: u64) -> Result<()> {
    world.alarm(1, event).await?;
    panel.say(&format!("alarm {event}\n"), 1).await?;
    panel.say(&format!("pong {event}\n"), 1).await?;
    world.end_alarm(1, event).await
}

/// Every client is known by its own address and has the filter that it sent.
async fn ensure_known(world: &World, address: &str) -> Result<()> {
    let clients = wait_until("there is a client for each judge", async || {
        let listed = world.ctl().json(&["clients", "list"]).await?;
        let clients = listed["clients"].as_array().context("no list")?;
        Ok((clients.len() == JUDGES.len()).then(|| clients.clone()))
    })
    .await?;
    for client in clients {
        let told = client["address"].as_str().unwrap_or_default();
        ensure!(told.starts_with(&format!("{address}:")), "{client}");
        ensure!(client["monitors"] == serde_json::json!([1]), "{client}");
    }
    Ok(())
}

/// The last alarm: every judge closes with its own code and gets it back.
async fn all_close(world: &World, panel: &mut Panel) -> Result<()> {
    all_hear(world, panel, LAST).await?;
    panel.say("closed 4000\n", 1).await?;
    panel.ended().await?;
    world.wait_status("without clients", |status| status["clients"]["total"] == 0).await?;
    Ok(())
}

async fn restart(world: &mut World) -> Result<()> {
    world.kill_daemon().await?;
    world.start_daemon().await
}

#[tokio::test]
async fn each_library_is_let_in_with_its_own_headers_and_comes_back() -> Result<()> {
    let mut world = World::new().monitor(1, "Front").start().await?;
    let port = fix_port(&mut world).await?;
    let Some(mut panel) = Panel::new(&world, &format!("wss://localhost:{port}/"), &[])? else {
        return Ok(());
    };
    panel.say("in\n", 1).await?;
    all_hear(&world, &mut panel, 101).await?;
    ensure_known(&world, "127.0.0.1").await?;
    restart(&mut world).await?;
    panel.say("in\n", 2).await?;
    all_hear(&world, &mut panel, 102).await?;
    all_close(&world, &mut panel).await
}

/// All judges through one proxy: their own addresses, the next alarm, and again after each of both was away.
async fn judged_behind(proxy: &Proxy) -> Result<()> {
    let plaintext = if proxy.ends_tls() { "true" } else { "false" };
    let builder = World::new().monitor(1, "Front").setting("server", "plaintext", plaintext);
    let mut world = builder.setting("server", "trusted-proxies", "[\"127.0.0.1\"]").start().await?;
    let port = fix_port(&mut world).await?;
    let Some(mut running) = proxy.start(&world, port)? else { return Ok(()) };
    let Some(mut panel) = Panel::new(&world, &running.url(), &[SOURCE])? else { return Ok(()) };
    panel.say("in\n", 1).await?;
    all_hear(&world, &mut panel, 101).await?;
    ensure_known(&world, SOURCE).await?;
    running.restart().await?;
    panel.say("in\n", 2).await?;
    all_hear(&world, &mut panel, 102).await?;
    restart(&mut world).await?;
    panel.say("in\n", 3).await?;
    all_hear(&world, &mut panel, 103).await?;
    ensure_known(&world, SOURCE).await?;
    all_close(&world, &mut panel).await
}

#[tokio::test]
async fn behind_haproxy_that_passes_tls_through_with_proxy_v1() -> Result<()> {
    judged_behind(&Proxy::HaproxyV1).await
}

#[tokio::test]
async fn behind_haproxy_that_passes_tls_through_with_proxy_v2() -> Result<()> {
    judged_behind(&Proxy::HaproxyV2).await
}

#[tokio::test]
async fn behind_haproxy_that_ends_tls() -> Result<()> {
    judged_behind(&Proxy::HaproxyTls).await
}

#[tokio::test]
async fn behind_nginx_that_passes_tls_through() -> Result<()> {
    judged_behind(&Proxy::NginxStream).await
}

#[tokio::test]
async fn behind_nginx_that_ends_tls() -> Result<()> {
    judged_behind(&Proxy::NginxTls).await
}

#[test]
fn the_page_shows_the_configurations_that_are_judged() -> Result<()> {
    let page = std::fs::read_to_string(repository()?.join("docs/behind-a-proxy.md"))?;
    for name in ["haproxy-pass-through.cfg", "haproxy-tls.cfg", "nginx-stream.conf", "nginx-tls.conf"] {
        let file = std::fs::read_to_string(repository()?.join("docs/examples").join(name))?;
        ensure!(page.contains(&format!("(examples/{name})")), "no link to {name}");
        ensure!(page.contains(&format!("\n{file}```\n")), "docs/examples/{name} is not as the page shows it");
    }
    Ok(())
}
