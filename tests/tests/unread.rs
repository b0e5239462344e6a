//! Clients that ask for much and never read: what they cost is bounded, and others get all of theirs.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;
use zmes_tests::{Endpoint, HalfOpen, World, wait_until};

/// Clients that never read.
const CLIENTS: usize = 60;
/// Alarms on record, each a frame of some 500 bytes: half a megabyte a replay.
const RECORDED: usize = 1000;
/// How many requests each client sends after its `auth`: more than a socket's buffer holds without a limit.
const REPLAYS: usize = 15;
/// What each of them may cost of the daemon's memory, in KiB: its session, and a page of the replay.
const DAEMON_KIB: u64 = 96;
/// The same for the kernel's send buffer, in bytes; the last piece may exceed the limit.
const KERNEL_BYTES: u64 = 192 * 1024;

/// Fills the record of a daemon that is not running.
fn record(world: &World) -> Result<()> {
    let program = format!(
        "import sqlite3, sys, time\n\
         db = sqlite3.connect(sys.argv[1])\n\
         now = int(time.time() * 1000)\n\
         rows = [(now, 1000 + n, 1, 'Front', 'x' * 255, 0) for n in range({RECORDED})]\n\
         db.executemany('INSERT INTO alarms (at, event_id, monitor_id, monitor_name, cause, late) VALUES (?,?,?,?,?,?)', rows)\n\
         db.commit()\n"
    );
    let database = world.path("state/zmesd.db");
    let output = Command::new("python3").args(["-c", &program]).arg(database).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Resident memory in KiB.
fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Bytes that the kernel keeps unsent for sockets of this port of 127.0.0.1, and how many sockets keep some.
fn unsent(port: u16) -> Result<(u64, usize)> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    let local = format!("0100007F:{port:04X}");
    let queues = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        (fields.next()? == local).then_some(())?;
        u64::from_str_radix(fields.nth(2)?.split_once(':')?.0, 16).ok()
    });
    Ok(queues.filter(|bytes| *bytes > 0).fold((0, 0), |(sum, count), bytes| (sum + bytes, count + 1)))
}

async fn ask_and_never_read(endpoint: &Endpoint) -> Result<HalfOpen> {
    let mut client = HalfOpen::upgraded_narrow(endpoint).await?;
    let auth = br#"{"event":"auth","data":{"user":"admin","password":"adminpass","since":"1"}}"#;
    client.write(&HalfOpen::text_frame(auth)).await?;
    let again = HalfOpen::text_frame(br#"{"event":"control","data":{"type":"replay","since":"1"}}"#);
    client.write(&again.repeat(REPLAYS)).await?;
    Ok(client)
}

#[tokio::test]
async fn unread_replays_are_bounded_and_other_clients_get_theirs() -> Result<()> {
    let builder = World::new().monitor(1, "Front").setting("auth", "enabled", "false");
    let mut world = builder.setting("server", "plaintext", "true").start().await?;
    world.daemon()?.end(Signal::SIGTERM).await?;
    record(&world)?;
    world.start_daemon().await?;
    let (endpoint, pid) = (world.endpoint().await?, world.daemon()?.pid());
    let before = resident(pid)?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(ask_and_never_read(&endpoint).await?);
    }
    let (mut last, mut looks) = (0, 0);
    let kept = wait_until("every one of them is stuck", async || {
        let (bytes, sockets) = unsent(endpoint.address.port())?;
        looks = if bytes == last { looks + 1 } else { 0 };
        last = bytes;
        Ok((sockets >= CLIENTS && looks > 20).then_some(bytes))
    })
    .await?;
    let grown = resident(pid)?.saturating_sub(before);
    ensure!(grown < DAEMON_KIB * CLIENTS as u64, "the daemon grew by {grown} KiB");
    ensure!(kept < KERNEL_BYTES * CLIENTS as u64, "the kernel keeps {kept} bytes");

    // Clients that read get everything meanwhile, and the next alarm.
    let mut member = world.app().await?;
    member.authenticate("admin", "adminpass").await?;
    member.send(&json!({"event": "control", "data": {"type": "replay", "since": "1"}})).await?;
    for event in 1000..1000 + RECORDED {
        let id = event.to_string();
        member.expect(&json!({"replayed": "true", "events": [{"EventId": id}]})).await?;
    }
    // Events before the first one may have been forgotten: the record says so.
    member.expect(&json!({"type": "replay", "status": "Success", "count": RECORDED.to_string()})).await?;
    world.alarm(1, 5000).await?;
    member.expect_alarm(5000, 1).await?;
    let dropped = |status: &serde_json::Value| status["clients"]["dropped_slow"] == CLIENTS;
    world.wait_status("without those that do not read", dropped).await?;
    Ok(())
}
