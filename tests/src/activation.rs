//! What systemd does for a `.socket` unit: another process opens the sockets, and the daemon inherits them.

use std::os::fd::{AsFd, RawFd};
use std::process::Command;

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, fcntl};

/// Number of the first copied descriptor in this process, above the numbers that the daemon expects.
const COPIES_FROM: RawFd = 100;
/// The first descriptor number for the daemon.
const FIRST: usize = 3;

/// Sockets for a command to inherit. They stay open in this process, so that connections wait while the daemon is down.
#[derive(Debug, Default)]
pub struct Handover {
    sockets: Vec<(RawFd, String)>,
}

impl Handover {
    /// Returns a handover without sockets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a socket; an empty name means no name.
    pub fn pass(mut self, socket: &impl AsFd, name: &str) -> Result<Self> {
        let copy = fcntl(socket, FcntlArg::F_DUPFD(COPIES_FROM)).context("a copy of a socket")?;
        self.sockets.push((copy, name.to_owned()));
        Ok(self)
    }

    /// Returns `command` with the sockets as inherited descriptors. Bash acts as systemd: it moves the descriptors to
    /// their numbers, then executes the command.
    pub fn command(&self, command: &Command) -> Command {
        self.command_saying(command, self.sockets.len())
    }

    /// As [`Self::command`], but announces a different number of sockets.
    pub fn command_saying(&self, command: &Command, count: usize) -> Command {
        let place =
            |(number, (copy, _)): (usize, &(RawFd, String))| format!("exec {}<&{copy}-;", FIRST + number);
        let moves: String = self.sockets.iter().enumerate().map(place).collect();
        let names: Vec<&str> = self.sockets.iter().map(|(_, name)| name.as_str()).collect();
        let script = format!(
            "{moves} export LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES='{}'; exec \"$@\"",
            names.join(":")
        );
        let mut wrapped = Command::new("bash");
        wrapped.args(["-c", &script, "bash"]).arg(command.get_program()).args(command.get_args());
        wrapped.env_clear();
        for (name, value) in command.get_envs() {
            wrapped.envs(value.map(|value| (name, value)));
        }
        wrapped
    }
}
