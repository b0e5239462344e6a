//! What the daemon uses, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Files that the largest crowd needs, in the daemon and here.
const FILES: u64 = 24_000;

/// A running process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pid: u32,
}

impl Usage {
    /// Reads the usage of the process `pid`.
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// Returns the CPU time of all its threads, ended ones included, in seconds.
    pub(crate) fn cpu_seconds(self) -> Result<f64> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.pid.cast_signed()))?;
        Ok(Duration::from(clock.now()?).as_secs_f64())
    }

    /// Returns its resident memory in KiB.
    pub(crate) fn resident_kib(self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

/// Raises the limit of open files to what the largest crowd needs, or to the hard limit.
pub(crate) fn raise_file_limit() -> Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= FILES {
        return Ok(());
    }
    // Only root can raise the hard limit; others use what they have.
    setrlimit(Resource::RLIMIT_NOFILE, FILES, hard.max(FILES))
        .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard, hard))
        .context("limit of open files")
}
