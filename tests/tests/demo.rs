//! `zmesd demo` as a newcomer sees it: one command, an alarm, commands to paste, and nothing left behind.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;
use zmes_tests::{Ctl, Daemon, Process, wait_until};

/// What the demo's own app says of every alarm that the simulation made.
const DELAY: &str = "ms after ZoneMinder's ALARM";

/// A running demo; its temporary files are below `home/tmp`.
struct Demo {
    process: Process,
    home: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let temporary = home.path().join("tmp");
        fs::create_dir(&temporary)?;
        let mut command = Daemon::command(home.path(), &["demo", "--listen", "127.0.0.1:0"])?;
        command.args(arguments).env("TMPDIR", temporary);
        let process = Process::spawn("zmesd demo", &mut command, &home.path().join("demo.log"))?;
        Ok(Self { process, home })
    }

    /// Waits for a line that matches `wanted`.
    async fn line(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        wait_until(what, async || {
            if let Some(status) = self.process.exited()? {
                bail!("the demo ended with {status}:\n{}", self.process.log());
            }
            Ok(self.process.log().lines().find(|line| wanted(line)).map(ToOwned::to_owned))
        })
        .await
    }

    /// Returns `zmesctl` as the demo's own lines call it.
    async fn ctl(&mut self) -> Result<Ctl> {
        let line = self.line("the commands to try are printed", |line| line.ends_with(" status")).await?;
        let socket = line.split_whitespace().skip_while(|word| *word != "--socket").nth(1);
        Ok(Ctl::new(Path::new(socket.with_context(|| format!("no socket in: {line}"))?)))
    }

    /// Ends it and returns its leftover temporary files.
    async fn end(mut self, signal: Signal) -> Result<Vec<String>> {
        let status = self.process.end(signal).await?;
        ensure!(status.success(), "ended with {status}:\n{}", self.process.log());
        let left = fs::read_dir(self.home.path().join("tmp"))?;
        left.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}

#[tokio::test]
async fn a_newcomer_sees_alarms_and_nothing_stays() -> Result<()> {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut demo = Demo::start(&["--monitors", "2", "--every", "1s"])?;
        let line = demo.line("an alarm of the simulation is printed", |line| line.ends_with(DELAY)).await?;
        assert!(line.contains("Front Door") && line.contains("event 1 "), "{line}");
        let left = demo.end(signal).await?;
        assert!(left.is_empty(), "{signal} left {left:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_printed_commands_work() -> Result<()> {
    let mut demo = Demo::start(&["--monitors", "2", "--every", "1h"])?;
    let ctl = demo.ctl().await?;
    demo.line("the app has logged in", |line| line.contains("logged in as admin")).await?;
    let status = wait_until("both monitors are watched", async || {
        let status = ctl.json(&["status"]).await?;
        Ok((status["monitors"]["watched"] == 2).then_some(status))
    })
    .await?;
    assert_eq!(status["clients"]["authenticated"], 1, "{status}");
    assert_eq!(status["database"], "ok", "{status}");

    let tested = ctl.run(&["alarm", "test", "--wait"]).await?;
    assert_eq!(tested.code, 0, "{tested:?}");
    demo.line("the test alarm is printed", |line| line.ends_with("not from the simulation")).await?;

    let forced = ctl.run(&["alarm", "force", "--monitor", "2", "--for", "1s"]).await?;
    assert_eq!(forced.code, 0, "{forced:?}");
    demo.line("the forced alarm is printed", |line| line.contains("Garage") && line.ends_with(DELAY)).await?;
    let checked = ctl.run(&["check", "all"]).await?;
    assert_eq!(checked.code, 0, "{checked:?}");
    demo.end(Signal::SIGTERM).await?;
    Ok(())
}

#[tokio::test]
async fn kept_files_are_what_zoneminder_would_have_written() -> Result<()> {
    let parent = tempfile::tempdir()?;
    let keep = parent.path().join("kept");
    let mut demo = Demo::start(&["--monitors", "1", "--every", "1s", "--keep", &keep.to_string_lossy()])?;
    demo.line("an alarm of the simulation is printed", |line| line.ends_with(DELAY)).await?;
    let line = demo.line("its picture is saved", |line| line.contains("bytes, saved as ")).await?;
    let saved = fs::read(line.rsplit_once(" saved as ").context("no place")?.1)?;
    ensure!(
        saved.starts_with(&[0xff, 0xd8, 0xff]) && line.contains(&format!("{} bytes", saved.len())),
        "{line}"
    );
    demo.end(Signal::SIGTERM).await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/lab/zmshm.py");
    let memory = keep.join("shm/zm.mmap.1");
    let output =
        std::process::Command::new("python3").args([script, "read", "--json"]).arg(memory).output()?;
    let decoded: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&decoded["size"], &decoded["valid"]), (&888.into(), &1.into()), "{decoded}");
    assert_eq!(
        (&decoded["last_event"], &decoded["alarm_cause"]),
        (&1.into(), &"Motion:All".into()),
        "{decoded}"
    );
    assert!(keep.join("state/zmesd.db").exists());
    Ok(())
}
