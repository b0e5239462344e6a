//! What systemd does with a `.socket` unit: sockets that another process opened, and the daemon inherits.

use std::os::fd::{AsFd, RawFd};
use std::process::Command;

use anyhow::{Context, Result};
use nix::fcntl::{FcntlArg, fcntl};

/// Where copies of the sockets lie in this process, away from the places that the daemon expects them at.
const COPIES_FROM: RawFd = 100;
/// The first descriptor that is handed over.
const FIRST: usize = 3;

/// Sockets for a command to inherit. They stay open in this process: a daemon that is down misses nothing.
#[derive(Debug, Default)]
pub struct Handover {
    sockets: Vec<(RawFd, String)>,
}

impl Handover {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a socket; an empty name means no name.
    pub fn pass(mut self, socket: &impl AsFd, name: &str) -> Result<Self> {
        let copy = fcntl(socket, FcntlArg::F_DUPFD(COPIES_FROM)).context("a copy of a socket")?;
        self.sockets.push((copy, name.to_owned()));
        Ok(self)
    }

    /// Returns `command` as the process that receives the sockets. Bash stands in for systemd: it moves the descriptors
    /// to their numbers, then executes the command.
    pub fn command(&self, command: &Command) -> Command {
        self.command_saying(command, self.sockets.len())
    }

    /// The same, but announces another number of sockets.
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
