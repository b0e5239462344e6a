//! A soak test: everything that happens to a daemon, again and again, and whether memory and speed stay the same.
//!
//! ```text
//! cargo build --release --bins && cargo bench -p zmes-tests --bench soak -- --minutes 30
//! ```
//!
//! A round is ten seconds: alarms all the time, apps that come and go (politely or not), wrong passwords, registrations,
//! replays, admins, watchers, and one trouble: a provider that refuses, hangs or answers 503, a database that stops or
//! freezes, a reload, a new certificate, a camera that goes. After each round one line is printed; at the end the last
//! third is compared with the middle third, and every alarm is looked for at every app and every phone. Exit code 1:
//! something grows, was lost, or came twice.

mod course;
mod crowd;
mod ledger;
mod measure;
mod strikes;
mod trouble;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

/// Time for the last pushes after a provider outage, and for setup and teardown around the rounds.
const AROUND: Duration = Duration::from_mins(8);

fn minutes(arguments: impl Iterator<Item = String>) -> Result<Option<f64>> {
    let mut arguments = arguments.filter(|argument| argument != "--bench");
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(None),
        (Some("--minutes"), Some(minutes)) => {
            let minutes: f64 = minutes.parse().with_context(|| format!("--minutes {minutes}"))?;
            anyhow::ensure!((1.0..=1440.0).contains(&minutes), "--minutes takes 1 to 1440");
            Ok(Some(minutes))
        }
        (Some(other), _) => bail!("unknown argument {other}: --minutes N"),
    }
}

#[expect(clippy::print_stdout, reason = "the result of a soak")]
#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Some(minutes) = minutes(std::env::args().skip(1))? else {
        println!("soak: nothing to do without --minutes N");
        return Ok(ExitCode::SUCCESS);
    };
    let length = Duration::from_secs_f64(minutes * 60.0);
    let report =
        timeout(length + AROUND, Box::pin(course::run(length))).await.context("the soak did not end")??;
    println!("\n{report}");
    Ok(if report.flat() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
