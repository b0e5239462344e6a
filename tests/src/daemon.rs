//! `zmesd` as a child process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::app_client::Endpoint;
use crate::binaries::zmesd_binary;
use crate::certificate::Certificate;
use crate::ctl::Ctl;
use crate::packaged::PackagedUsers;
use crate::process::Process;
use crate::wait::wait_until;

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    ctl: Ctl,
    certificate: Option<Certificate>,
}

impl Daemon {
    /// Returns the command `zmesd ARGUMENTS`, without the tester's own environment.
    pub fn command(home: &Path, arguments: &[&str]) -> Result<Command> {
        let mut command = Process::command(zmesd_binary()?);
        command.args(arguments);
        clean(&mut command, home);
        Ok(command)
    }

    /// As [`Self::command`], for another user, as a package would run it. Needs root.
    pub fn command_as(users: &PackagedUsers, user: &str, home: &Path, arguments: &[&str]) -> Result<Command> {
        let mut command = users.command(user, home)?;
        command.args(arguments);
        clean(&mut command, home);
        Ok(command)
    }

    /// Starts the daemon and waits until it answers on its control socket.
    pub async fn start(
        mut command: Command,
        home: &Path,
        ctl: Ctl,
        certificate: Option<Certificate>,
    ) -> Result<Self> {
        let process = Process::spawn("zmesd", &mut command, &home.join("zmesd.log"))?;
        let mut daemon = Self { process, ctl, certificate };
        let what = "zmesd answers on its control socket";
        wait_until(what, async || {
            if let Some(status) = daemon.process.exited()? {
                bail!("zmesd ended with {status}");
            }
            let answer = daemon.ctl.run(&["status", "--json"]).await?;
            Ok((answer.code == 0).then_some(()))
        })
        .await?;
        Ok(daemon)
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Sends a signal and waits for the end.
    pub async fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.process.end(signal).await
    }

    /// Waits for the end.
    pub async fn exit(&mut self) -> Result<ExitStatus> {
        self.process.exit().await
    }

    /// Fails if the daemon has ended.
    pub fn ensure_running(&mut self) -> Result<()> {
        match self.process.exited()? {
            Some(status) => bail!("zmesd ended with {status}"),
            None => Ok(()),
        }
    }

    /// Returns its log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Returns the address for apps. The kernel chose the port; `status` shows it.
    pub async fn endpoint(&self) -> Result<Endpoint> {
        let status = self.ctl.json(&["status"]).await?;
        let url = listening(&status)?;
        let (scheme, address) = url.split_once("://").with_context(|| url.clone())?;
        let address = address.parse().with_context(|| format!("not an address: {url}"))?;
        let tls = match (scheme, &self.certificate) {
            ("wss", Some(certificate)) => Some(certificate.client(rustls::ALL_VERSIONS)?),
            ("ws", _) => None,
            _ => bail!("unexpected scheme: {url}"),
        };
        Ok(Endpoint { address, tls })
    }
}

fn listening(status: &Value) -> Result<String> {
    let first = status.pointer("/listening/0").and_then(Value::as_str);
    Ok(first.with_context(|| format!("status names no address: {status}"))?.to_owned())
}

/// Keeps only the variables that every program needs, and points every per-user path into `home`.
fn clean(command: &mut Command, home: &Path) {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    let below = |name: &str| -> PathBuf { home.join(name) };
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", below("config"))
        .env("XDG_STATE_HOME", below("state"))
        .env("XDG_RUNTIME_DIR", below("runtime"))
        .env("RUST_BACKTRACE", "1");
}
