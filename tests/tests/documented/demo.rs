//! The first thing that a newcomer types: the demo, and the lines that it prints until the first alarms.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use zmes_tests::{Daemon, Process, wait_until, zmesctl_binary};

use crate::console::{self, Edit};
use crate::normal;
use crate::page::{Block, Page};

/// Runs the demo until it has printed as much as the page shows.
pub(crate) async fn check(page: &Page, block: &Block) -> Result<Vec<(String, Option<Edit>)>> {
    let entries = console::entries(page, block)?;
    let [entry] = entries.as_slice() else { bail!("{}: one command, the demo", page.place(block.start)) };
    let words = entry.command.split(" # ").next().unwrap_or_default();
    let (_, arguments) = words.split_once("zmesd -- demo").context("not the demo")?;
    ensure!(arguments.trim().is_empty(), "the page shows the demo without options");

    let home = tempfile::tempdir()?;
    let temporary = home.path().join("tmp");
    fs::create_dir(&temporary)?;
    let mut command = Daemon::command(home.path(), &["demo", "--listen", "127.0.0.1:0"])?;
    command.env("TMPDIR", &temporary);
    let mut process = Process::spawn("zmesd demo", &mut command, &home.path().join("demo.log"))?;
    let (said, told) = split(&entry.output);
    let (introduction, events) =
        wait_until("the demo has told of as many alarms as the page shows", async || {
            if let Some(status) = process.exited()? {
                bail!("the demo ended with {status}");
            }
            let log = process.log();
            let complete = log.rsplit_once('\n').map_or("", |(complete, _)| complete);
            let text = complete
                .replace(&*temporary.to_string_lossy(), "/tmp")
                .replace(&*zmesctl_binary()?.to_string_lossy(), "cargo run -q -p zmesctl --");
            let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
            let (introduction, events) = split(&lines);
            Ok((events.len() >= told.len()).then(|| (introduction.to_vec(), events.to_vec())))
        })
        .await?;
    let status = process.end(Signal::SIGINT).await?;
    ensure!(status.success(), "the demo ended with {status}");
    // What an app gets and what a phone gets are on their way at the same time.
    let sorted = |events: &[String]| {
        let mut events = normal::output(events.get(..told.len()).unwrap_or(events));
        events.sort();
        events
    };
    if console::matches(&introduction, said) && sorted(&events) == sorted(told) {
        return Ok(Vec::new());
    }
    let instead: Vec<String> = introduction.into_iter().chain(events).collect();
    let finding = format!("{}: the demo prints\n{}", page.place(entry.line), instead.join("\n"));
    Ok(vec![(finding, Some((entry.output_at, entry.output.len(), instead)))])
}

/// Splits an output before the first line that begins with a time.
fn split(lines: &[String]) -> (&[String], &[String]) {
    let at = lines.iter().position(|line| line.starts_with(|digit: char| digit.is_ascii_digit()));
    lines.split_at(at.unwrap_or(lines.len()))
}
