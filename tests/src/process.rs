//! A child process with its log; only this process is ever signalled, by its pid.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::wait_until;

/// How much of a log is printed when a test ends; the test runner shows it only for failed tests.
const LOG_TAIL: usize = 24 * 1024;

/// A running child. It is killed and its log is printed when this is dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    quiet: bool,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name)
            .field("pid", &self.child.id())
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Returns a command whose process the kernel kills when the test process ends for any reason: a killed test cannot
    /// clean up.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    }

    /// Starts `command`; standard output and error go to the file `log`.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output =
            File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_path_buf(), quiet: false })
    }

    /// Does not print the log at the end (for helpers such as the database).
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, signal).with_context(|| format!("{signal} to {}", self.name))
    }

    /// Returns the exit status, or `None` while it runs.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| self.name.clone())
    }

    /// Waits until the process has ended.
    pub async fn exit(&mut self) -> Result<ExitStatus> {
        let what = format!("{} has ended", self.name);
        wait_until(&what, async || self.exited()).await
    }

    /// Sends a signal and waits for the end.
    pub async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        self.exit().await
    }

    /// Returns everything that the process has printed.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the log belongs to the output of a failed test")]
    fn drop(&mut self) {
        // Both fail only if the child has ended, which is the goal.
        drop(self.child.kill());
        drop(self.child.wait());
        if !self.quiet {
            let log = self.log();
            let start = log.ceil_char_boundary(log.len().saturating_sub(LOG_TAIL));
            eprintln!("---- {} ----\n{}", self.name, log.get(start..).unwrap_or_default());
        }
    }
}
