//! The system part of a report: versions, the operating system, the log.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;
use zmes_shared::paths::SYSTEM_SOCKET;

use crate::context::Context;
use crate::render::clean;
use crate::zmesd;

/// Time limit for each program that is run.
const DEADLINE: Duration = Duration::from_secs(20);
/// Number of log lines.
const LINES: &str = "2000";
/// Maximum number of bytes kept from the log, the newest ones.
const LOG: usize = 4 * 1024 * 1024;
/// Maximum size of a system file that is read.
const FILE: usize = 16 * 1024;

/// Returns operating system, kernel and machine.
pub(super) fn os() -> String {
    let mut text = String::new();
    for path in [
        "/etc/os-release",
        "/proc/sys/kernel/ostype",
        "/proc/sys/kernel/osrelease",
        "/proc/sys/kernel/version",
    ] {
        let content =
            std::fs::read_to_string(path).unwrap_or_else(|error| format!("cannot be read: {error}"));
        let content: String = content.chars().take(FILE).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{path}:\n{}\n", lines(&content));
    }
    let _ = writeln!(text, "machine: {}", std::env::consts::ARCH);
    text
}

/// Returns the output of `zmesd --version`.
pub(super) async fn installed(context: &Context) -> String {
    let Some(program) = zmesd::find(&context.environment) else {
        return "not found beside zmesctl or in PATH".to_owned();
    };
    match execute(&program, &["--version"]).await {
        Ok(output) => lines(&String::from_utf8_lossy(&output.stdout)),
        Err(error) => format!("cannot be run: {error}"),
    }
}

/// Returns the last lines of the log, or why there are none and what to do.
pub(super) async fn log(context: &Context) -> Result<String, String> {
    let missing = |reason: &str| {
        format!("{reason}; attach the log of zmesd around the time of the problem yourself, without secrets")
    };
    let journalctl: PathBuf = zmesd::find_in_path(&context.environment, "journalctl")
        .ok_or_else(|| missing("the program journalctl is not in PATH"))?;
    let mut arguments =
        vec!["--unit=zmesd.service", "--no-pager", "--output=short-iso", "--quiet", "--lines", LINES];
    if context.socket() != Path::new(SYSTEM_SOCKET) {
        arguments.push("--user");
    }
    let mut output = execute(&journalctl, &arguments).await;
    if output.as_ref().is_ok_and(|output| output.stdout.is_empty()) && arguments.last() == Some(&"--user") {
        // The system's daemon may listen on another socket.
        arguments.pop();
        output = execute(&journalctl, &arguments).await;
    }
    let output = output.map_err(|error| missing(&format!("journalctl cannot be run: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.trim().is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().map(clean).unwrap_or_default();
        let hint = "the journal has no readable lines of zmesd (try sudo)";
        return Err(missing(&if said.is_empty() { hint.to_owned() } else { format!("{hint}: {said}") }));
    }
    let from = text.len().saturating_sub(LOG);
    let from = text.char_indices().map(|(at, _)| at).find(|&at| at >= from).unwrap_or(0);
    Ok(lines(text.get(from..).unwrap_or_default()))
}

/// Returns lines without characters that control a terminal.
fn lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

async fn execute(program: &Path, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    timeout(DEADLINE, command.output()).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
