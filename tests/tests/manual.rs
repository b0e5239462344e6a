//! The programs that zmes-control(7) shows, run unchanged against a daemon.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use zmes_tests::{MonitorRow, World, installed, repository, wait_until, within};

/// Returns the example of the page that contains `part`, with the control socket of `world` in place of the system's.
fn example(part: &str, world: &World) -> Result<String> {
    let page = fs::read_to_string(repository()?.join("man/zmes-control.7"))?;
    let blocks = page.split("\n.EX\n").skip(1).filter_map(|block| block.split("\n.EE").next());
    let block =
        blocks.into_iter().find(|block| block.contains(part)).with_context(|| format!("no {part}"))?;
    let text = block.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\");
    Ok(text.replace("/run/zmesd/control.sock", &world.ctl().socket().to_string_lossy()))
}

async fn street() -> Result<World> {
    let far = MonitorRow::new(2, "Yard").without_shared_memory();
    let world = World::new().monitor(1, "Front").camera(far).start().await?;
    world.wait_monitor(2, "not healthy", |monitor| monitor["healthy"] == false).await?;
    Ok(world)
}

#[tokio::test]
async fn the_python_example_lists_the_monitors_that_are_not_heard() -> Result<()> {
    let world = street().await?;
    let program = example("import json", &world)?;
    let output = within("python3", Command::new("python3").args(["-c", &program]).output()).await??;
    let stdout = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(stdout.starts_with("2 Yard ") && stdout.lines().count() == 1, "{stdout}");
    Ok(())
}

#[tokio::test]
async fn the_line_of_the_synopsis_asks_for_the_status() -> Result<()> {
    if !installed("socat")? {
        return Ok(());
    }
    let world = street().await?;
    let line = example("printf", &world)?;
    let output = within("socat", Command::new("sh").args(["-c", &line]).output()).await??;
    let stdout = String::from_utf8(output.stdout)?;
    let lines = stdout.lines().map(serde_json::from_str::<Value>).collect::<Result<Vec<_>, _>>()?;
    ensure!(lines.len() == 2 && lines[0]["hello"]["protocol"]["major"] == 1, "{stdout}");
    ensure!(lines[1]["id"] == 1 && lines[1]["ok"]["monitors"]["total"] == 2, "{stdout}");
    Ok(())
}

#[tokio::test]
async fn the_pipeline_shows_alarms_as_they_are_announced() -> Result<()> {
    if !installed("socat")? || !installed("jq")? {
        return Ok(());
    }
    let world = street().await?;
    let line = example("sleep infinity", &world)?;
    let mut command = Command::new("sh");
    command
        .args(["-c", &line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut shell = command.spawn()?;
    let group = Pid::from_raw(i32::try_from(shell.id().context("it has ended")?)?);
    let mut lines = BufReader::new(shell.stdout.take().context("no pipe")?).lines();
    // Raises alarms until it listens: there is no sign of when it does.
    let mut event = 500;
    let shown = wait_until("an alarm is shown", async || {
        event += 1;
        world.alarm(1, event).await?;
        let waited = tokio::time::timeout(std::time::Duration::from_millis(500), lines.next_line()).await;
        waited.map_or(Ok(None), |line| line.map_err(Into::into))
    });
    let shown = shown.await;
    killpg(group, Signal::SIGTERM)?;
    let alarm: Value = serde_json::from_str(&shown?)?;
    ensure!(alarm["type"] == "alarm" && alarm["monitor_id"] == 1 && alarm["monitor"] == "Front", "{alarm}");
    Ok(())
}
