//! The examples of docs/consumer.md, against the real daemon: alarms, an outage with what was missed, a wrong
//! certificate, a wrong password, a clean end.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use zmes_tests::{Certificate, EventRow, Process, UserRow, Validity, World, wait_until};

/// The examples, each with the program that runs it.
const PYTHON: Example = Example { interpreter: "/usr/bin/python3", name: "consumer.py" };
const NODE: Example = Example { interpreter: "node", name: "consumer.mjs" };

struct Example {
    interpreter: &'static str,
    name: &'static str,
}

/// A running example.
struct Consumer {
    process: Process,
}

impl Example {
    async fn start(&self, world: &World, ca: &Path, password: &str, more: &[&str]) -> Result<Consumer> {
        let url = format!("wss://localhost:{}", world.endpoint().await?.address.port());
        let mut command: Command = Process::command(self.interpreter);
        command
            .arg(zmes_tests::repository()?.join("docs/examples").join(self.name))
            .arg(url)
            .args(["--user", "amy", "--ca"])
            .arg(ca)
            .args(more)
            .env("ZM_PASSWORD", password)
            // The directory of Debian's Node packages; Debian's own Node finds it by itself.
            .env("NODE_PATH", "/usr/share/nodejs");
        let log = tempfile::Builder::new().tempfile_in(world.directory())?.keep()?.1;
        Ok(Consumer { process: Process::spawn(self.name, &mut command, &log)? })
    }
}

impl Consumer {
    /// Returns the alarms that it has printed.
    fn alarms(&self) -> Vec<Value> {
        self.process.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until its error output says that.
    async fn says(&mut self, text: &str, times: usize) -> Result<()> {
        wait_until(&format!("the consumer says `{text}`"), async || {
            let log = self.process.log();
            if log.matches(text).count() >= times {
                return Ok(Some(()));
            }
            if let Some(status) = self.process.exited()? {
                bail!("it ended with {status}: {log}");
            }
            Ok(None)
        })
        .await
    }

    async fn printed(&self, count: usize) -> Result<Vec<Value>> {
        wait_until(&format!("the consumer has printed {count} alarms"), async || {
            let alarms = self.alarms();
            Ok((alarms.len() >= count).then_some(alarms))
        })
        .await
    }
}

async fn world() -> Result<World> {
    let world = World::new()
        .monitor(1, "Front Door")
        .monitor(2, "Garage")
        .user(UserRow::new("amy", "secret"))
        .start()
        .await?;
    world.wait_comparing().await?;
    Ok(world)
}

/// Everything that a consumer must survive.
async fn stands(example: &Example) -> Result<()> {
    let mut world = world().await?;
    let ca = world.certificate.certificate.clone();
    let state = world.path("last-event");
    let state = state.to_string_lossy().into_owned();
    let mut consumer = example.start(&world, &ca, "secret", &["--monitors", "2", "--state", &state]).await?;
    consumer.says("logged in at zmesd/", 1).await?;
    let clients = world.ctl().json(&["clients", "list"]).await?;
    ensure!(clients["clients"][0]["monitors"] == json!([2]), "{clients}");
    world.alarm(1, 10).await?;
    world.alarm(2, 11).await?;
    let alarms = consumer.printed(1).await?;
    let expected = json!({"event": "11", "monitor": "2", "name": "Garage", "cause": "Motion", "late": false});
    ensure!(alarms == [expected], "{alarms:?}");

    // The server dies, an alarm happens, and it comes back on the same port.
    let port = world.endpoint().await?.address;
    world.settings.set("server", "listen", format!("[\"{port}\"]"));
    world.write_settings()?;
    world.end_alarm(2, 11).await?;
    world.kill_daemon().await?;
    consumer.says("next attempt in", 1).await?;
    world.insert_event(EventRow::new(12, 2).closed()).await?;
    world.start_daemon().await?;
    consumer.says("logged in at zmesd/", 2).await?;
    // Alarms between login and replay come before the missed ones, never mixed.
    consumer.printed(2).await?;
    world.alarm(2, 13).await?;
    let events = |alarms: &[Value]| alarms.iter().map(|alarm| alarm["event"].clone()).collect::<Vec<_>>();
    let alarms = consumer.printed(3).await?;
    ensure!(events(&alarms) == ["11", "12", "13"], "{alarms:?}");
    ensure!(alarms[1]["late"] == true && alarms[2]["late"] == false, "{alarms:?}");

    // A clean end: the server gets a close frame.
    let status = consumer.process.end(Signal::SIGTERM).await?;
    ensure!(status.code() == Some(0), "{status}");
    world.wait_status("without clients", |status| status["clients"]["total"] == 0).await?;
    ensure!(fs::read_to_string(&state)? == "13");
    let log = world.daemon()?.log();
    ensure!(log.contains("closed by the app"), "the connection was not closed but cut");

    // The next one continues where that one stopped.
    world.end_alarm(2, 13).await?;
    world.alarm(2, 14).await?;
    world.wait_status("that has seen it", |status| status["events"]["seen"].as_u64() >= Some(3)).await?;
    let mut next = example.start(&world, &ca, "secret", &["--monitors", "2", "--state", &state]).await?;
    let alarms = next.printed(1).await?;
    ensure!(events(&alarms) == ["14"] && alarms[0]["late"] == true, "{alarms:?}");
    let status = next.process.end(Signal::SIGINT).await?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}

/// What a consumer must not do.
async fn refuses(example: &Example) -> Result<()> {
    let world = world().await?;
    let ca = world.certificate.certificate.clone();
    let mut wrong = example.start(&world, &ca, "guess", &[]).await?;
    let status = wrong.process.exit().await?;
    ensure!(status.code() == Some(1) && wrong.process.log().contains("BADAUTH"), "{status}");
    // A stranger's certificate gets no password.
    let stranger = Certificate::write(world.directory(), "stranger", Validity::Long)?;
    let mut fooled = example.start(&world, &stranger.certificate, "secret", &[]).await?;
    fooled.says("certificate", 1).await.context("nothing about the certificate")?;
    fooled.says("next attempt in", 2).await?;
    ensure!(!fooled.process.log().contains("logged in"));
    let status = fooled.process.end(Signal::SIGTERM).await?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}

#[tokio::test]
async fn the_consumer_in_python_stands_an_outage() -> Result<()> {
    stands(&PYTHON).await
}

#[tokio::test]
async fn the_consumer_in_python_refuses_a_stranger() -> Result<()> {
    refuses(&PYTHON).await
}

#[tokio::test]
async fn the_consumer_in_javascript_stands_an_outage() -> Result<()> {
    stands(&NODE).await
}

#[tokio::test]
async fn the_consumer_in_javascript_refuses_a_stranger() -> Result<()> {
    refuses(&NODE).await
}
