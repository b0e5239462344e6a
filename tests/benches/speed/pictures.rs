//! Pictures: from the alarm to a service that has text and picture, from the request of a link to its answer, and what apps
//! notice of a thousand phones that open links while a service is dead.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};
use zmes_tests::standin::{Behaviour, TargetPeer};
use zmes_tests::{AppClient, Endpoint, EventRow, HalfOpen, World, jpeg, wait_until};

use crate::Plan;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "pictures";
const MONITORS: u32 = 8;
/// The address of links; what stands before it here is nothing.
const BASE: &str = "https://zm.example.org:9000";
/// A picture of a camera with two million pixels.
const BYTES: usize = 200_000;
/// Alarms whose links are opened.
const LINKED: u64 = 100;
/// Fetches, and how many at a time: each phone has an address of its own in a network of its own.
const FETCHES: usize = 1000;
const AT_ONCE: usize = 200;

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let ntfy = TargetPeer::ntfy().await?;
    let settings = [
        ("push", "storm-limit", "100000"),
        ("picture", "base-url", &*format!("\"{BASE}\"")),
        ("server", "trusted-proxies", "[\"127.0.0.1\"]"),
        ("log", "level", "\"error\""),
    ];
    let target = format!(
        "\n[[target]]\nname = \"ntfy\"\nkind = \"ntfy\"\nuser = \"admin\"\nurl = \"{}\"\ntopic = \"{}\"\ntoken = \"{}\"\n\
         ca-certificate = \"{}\"\n",
        ntfy.url(),
        TargetPeer::TOPIC,
        TargetPeer::NTFY_TOKEN,
        ntfy.ca().display()
    );
    let mut scene = Scene::start_among(MONITORS, &settings, |builder| builder, &target).await?;
    let mut app = scene.world.admin().await?;
    let links = uploads(plan, report, &mut scene, &ntfy, &mut app).await?;
    let endpoint = scene.world.endpoint().await?;
    answers(plan, report, &endpoint, &links).await?;
    ntfy.always(Behaviour::Hang);
    crowd(plan, report, &mut scene, &mut app, &links).await
}

/// ALARM written until the service has text and picture, which is on the disk before. Returns links to such pictures.
async fn uploads(
    plan: &Plan,
    report: &mut Report,
    scene: &mut Scene,
    ntfy: &TargetPeer,
    app: &mut AppClient,
) -> Result<Vec<String>> {
    let mut waits = Histogram::<u64>::new(3)?;
    let mut links = Vec::new();
    for turn in 0..(plan.samples as u64).max(LINKED) {
        let before = ntfy.push_count();
        let (monitor, event) = scene.next()?;
        let at = alarm_with_picture(&scene.world, monitor, event).await?;
        let frame = app.next_json().await?;
        let link = frame["events"][0]["Picture"].as_str().with_context(|| frame.to_string())?;
        links.push(link.strip_prefix(BASE).with_context(|| link.to_owned())?.to_owned());
        let arrived =
            wait_until("the service has it", async || Ok(ntfy.pushes().get(before).cloned())).await?;
        let sent = &arrived.request.body;
        ensure!(
            sent.len() == BYTES,
            "turn {turn}: {}",
            String::from_utf8_lossy(&sent[..sent.len().min(500)])
        );
        waits.record(u64::try_from(arrived.at.saturating_duration_since(at).as_micros())?)?;
        scene.world.end_alarm(monitor, event).await?;
        sleep(Duration::from_millis(30 + turn * 7 % 20)).await;
    }
    for (what, percentile, target) in [("p50", 50.0, None), ("p99", 99.0, Some(50.0))] {
        let value = milliseconds(&waits, percentile);
        report.add(BENCH, format!("ALARM written to ntfy with the picture, {what}"), value, "ms", target);
    }
    Ok(links)
}

/// Writes an alarm whose event has a whole picture already; returns when ALARM was written.
async fn alarm_with_picture(world: &World, monitor: u32, event: u64) -> Result<Instant> {
    let mut at = Instant::now();
    world
        .shm(monitor)?
        .alarm(event, "Motion", async || {
            world.insert_event(EventRow::new(event, monitor)).await?;
            let directory = world.event_directory(monitor, event).await?;
            fs::write(directory.join("alarm.jpg"), jpeg(BYTES, 7))?;
            at = Instant::now();
            Ok(())
        })
        .await?;
    Ok(at)
}

/// One phone after the other: from the request to the head of the answer, without the handshake before.
async fn answers(plan: &Plan, report: &mut Report, endpoint: &Endpoint, links: &[String]) -> Result<()> {
    let mut waits = Histogram::<u64>::new(3)?;
    for (turn, link) in links.iter().cycle().take(plan.samples.min(FETCHES)).enumerate() {
        let mut client = HalfOpen::connect(endpoint).await?;
        let start = Instant::now();
        client.write(request(link, turn).as_bytes()).await?;
        let head = client.read_head().await?;
        waits.record(u64::try_from(start.elapsed().as_micros())?)?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "{link}: {head}");
    }
    for (what, percentile, target) in [("p50", 50.0, None), ("p99", 99.0, Some(20.0))] {
        let value = milliseconds(&waits, percentile);
        report.add(
            BENCH,
            format!("request of a link to the head of its answer, {what}"),
            value,
            "ms",
            target,
        );
    }
    Ok(())
}

/// What an app notices of many phones and of a service that hangs.
async fn crowd(
    plan: &Plan,
    report: &mut Report,
    scene: &mut Scene,
    app: &mut AppClient,
    links: &[String],
) -> Result<()> {
    let alone = milliseconds(&scene.sample(app, plan.samples).await?, 99.0);
    report.add(BENCH, "ALARM written to frame read, p99, a service hangs", alone, "ms", None);
    let endpoint = scene.world.endpoint().await?;
    let fetching = stream::iter(links.iter().cycle().take(FETCHES).enumerate())
        .map(|(turn, link)| fetch(&endpoint, link, turn))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>();
    let (fetched, among) = tokio::join!(fetching, scene.sample(app, plan.samples));
    let among = milliseconds(&among?, 99.0);
    let fetched = fetched.into_iter().collect::<Result<Vec<_>>>()?;
    let whole = fetched.iter().filter(|&&whole| whole).count();
    report.add(BENCH, format!("pictures of {FETCHES} fetches that came whole"), count(whole), "", None);
    report.add(BENCH, "growth of p99 by these fetches", among - alone, "ms", Some(1.0));
    Ok(())
}

/// Opens a link as a phone does; says whether the picture came whole. "Try again" is an answer, too.
async fn fetch(endpoint: &Endpoint, link: &str, turn: usize) -> Result<bool> {
    let (head, body) = HalfOpen::ask(endpoint, &request(link, turn)).await?;
    ensure!(head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.1 503 "), "{head}");
    Ok(body.len() == BYTES)
}

fn request(link: &str, phone: usize) -> String {
    let (network, subnet) = (phone / 200 % 200, phone % 200);
    format!(
        "GET {link} HTTP/1.1\r\nHost: zm.example.org\r\nX-Forwarded-For: 203.{network}.{subnet}.1\r\n\r\n"
    )
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn count(number: usize) -> f64 {
    number as f64
}
