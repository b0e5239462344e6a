//! What an app notices while 50 others stall in every way there is.

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use zmes_tests::{AppClient, Endpoint, HalfOpen, client_hello, tcp};

use crate::Plan;
use crate::report::Report;
use crate::scene::{Scene, milliseconds};

const BENCH: &str = "stalls";
const MONITORS: u32 = 8;
const STALLED: usize = 50;
/// Stalled clients are replaced after this many samples: the daemon's deadlines close most of them after 10 s.
const BATCH: usize = 100;

/// A client that stopped at some point; kept so that it stays connected.
#[expect(dead_code, reason = "what is inside only has to live")]
enum Stalled {
    Tcp(TcpStream),
    Tls(HalfOpen),
}

pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let mut scene = Scene::start(MONITORS, &[]).await?;
    let endpoint = scene.world.endpoint().await?;
    let mut app = scene.world.admin().await?;
    let alone = batches(&mut scene, &mut app, plan.samples, None).await?;
    let among = batches(&mut scene, &mut app, plan.samples, Some(&endpoint)).await?;
    let (alone, among) = (milliseconds(&alone, 99.0), milliseconds(&among, 99.0));
    report.add(BENCH, "ALARM written to frame read, p99, alone", alone, "ms", None);
    report.add(BENCH, "ALARM written to frame read, p99, among 50 stalled", among, "ms", None);
    report.add(BENCH, "growth of p99 by 50 stalled clients", among - alone, "ms", Some(5.0));
    Ok(())
}

/// Samples in batches, each among a fresh crowd of stalled clients where `crowd` says to where they connect.
async fn batches(
    scene: &mut Scene,
    app: &mut AppClient,
    samples: usize,
    crowd: Option<&Endpoint>,
) -> Result<Histogram<u64>> {
    let mut all = Histogram::new(3)?;
    let mut left = samples;
    while left > 0 {
        let mut stalled = Vec::new();
        if let Some(endpoint) = crowd {
            for turn in 0..STALLED {
                stalled.push(stall(endpoint, turn).await?);
            }
        }
        let batch = scene.sample(app, left.min(BATCH)).await?;
        all.add(&batch)?;
        left -= left.min(BATCH);
        drop(stalled);
    }
    Ok(all)
}

/// Connects and stops in one of eight ways, by turns.
async fn stall(endpoint: &Endpoint, turn: usize) -> Result<Stalled> {
    let hello = client_hello(endpoint.tls.as_ref().context("TLS expected")?)?;
    let request = HalfOpen::request();
    Ok(match turn % 8 {
        0 => bytes(endpoint, &[]).await?,
        1 => bytes(endpoint, &hello[..1]).await?,
        2 => bytes(endpoint, &hello[..100]).await?,
        3 => bytes(endpoint, &hello[..3]).await?,
        4 => {
            let mut half = HalfOpen::connect(endpoint).await?;
            half.write(&request[..request.len() / 2]).await?;
            Stalled::Tls(half)
        }
        5 => frame(endpoint, &HalfOpen::text_frame(&[b'x'; 8192 - 8])).await?,
        6 => frame(endpoint, &HalfOpen::text_frame(&[b'x'; 8192])[..4096]).await?,
        // Logs in and never reads: alarms pile up for it.
        _ => {
            let auth = json!({"event": "auth", "data": {"user": "admin", "password": "adminpass"}});
            frame(endpoint, &HalfOpen::text_frame(auth.to_string().as_bytes())).await?
        }
    })
}

async fn bytes(endpoint: &Endpoint, bytes: &[u8]) -> Result<Stalled> {
    let mut stream = tcp(endpoint.address).await?;
    stream.write_all(bytes).await?;
    Ok(Stalled::Tcp(stream))
}

async fn frame(endpoint: &Endpoint, bytes: &[u8]) -> Result<Stalled> {
    let mut half = HalfOpen::upgraded(endpoint).await?;
    half.write(bytes).await?;
    Ok(Stalled::Tls(half))
}
