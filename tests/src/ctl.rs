//! The real `zmesctl` as admins and scripts run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::binaries::zmesctl_binary;
use crate::wait::within;

/// Runs `zmesctl` against one control socket.
#[derive(Debug, Clone)]
pub struct Ctl {
    socket: PathBuf,
}

/// The output and exit code of one run.
#[derive(Debug, Clone)]
pub struct CtlOutput {
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl CtlOutput {
    /// Fails unless the exit code is `code`, and then prints everything.
    pub fn expect_code(self, code: i32) -> Result<Self> {
        ensure!(self.code == code, "exit code {} instead of {code}: {self:#?}", self.code);
        Ok(self)
    }

    /// Parses standard output as one JSON document.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not one JSON document: {self:#?}"))
    }
}

impl Ctl {
    /// Returns one that connects to `socket`.
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_path_buf() }
    }

    /// Returns the path of the control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Runs `zmesctl ARGUMENTS` with pipes for output.
    pub async fn run(&self, arguments: &[&str]) -> Result<CtlOutput> {
        self.finish(Command::new(zmesctl_binary()?), arguments).await
    }

    /// Runs it with `--json` and returns the document; the exit code must be 0.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.run(&arguments).await?.expect_code(0)?.json()
    }

    /// Runs it as another user and group, without supplementary groups. Needs root.
    pub async fn run_as(&self, user: u32, group: u32, arguments: &[&str]) -> Result<CtlOutput> {
        let identity = [format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()];
        self.run_with(&identity, arguments).await
    }

    /// Runs it as a user of this machine, with that user's groups. Needs root.
    pub async fn run_as_user(&self, user: &str, arguments: &[&str]) -> Result<CtlOutput> {
        let identity = [format!("--reuid={user}"), format!("--regid={user}"), "--init-groups".to_owned()];
        self.run_with(&identity, arguments).await
    }

    async fn run_with(&self, identity: &[String], arguments: &[&str]) -> Result<CtlOutput> {
        // The build directory may be in a home directory that other users cannot enter; the socket's directory is
        // accessible.
        let place = self.socket.parent().and_then(Path::parent).context("the socket lies too high")?;
        let copy = place.join("zmesctl");
        if !copy.exists() {
            fs::copy(zmesctl_binary()?, &copy)?;
        }
        let mut command = Command::new("setpriv");
        command.args(identity).arg("--").arg(copy);
        self.finish(command, arguments).await
    }

    /// Starts it for a stream (`watch`), which is read line by line.
    pub fn stream(&self, arguments: &[&str]) -> Result<Streaming> {
        let mut child =
            self.complete(Command::new(zmesctl_binary()?), arguments).spawn().context("zmesctl")?;
        let stdout = child.stdout.take().context("no pipe")?;
        Ok(Streaming { child, lines: Some(BufReader::new(stdout).lines()) })
    }

    async fn finish(&self, command: Command, arguments: &[&str]) -> Result<CtlOutput> {
        let output = self.complete(command, arguments).output();
        let output = within(&format!("zmesctl {arguments:?}"), output).await?.context("zmesctl")?;
        Ok(CtlOutput {
            code: code(output.status),
            stdout: String::from_utf8(output.stdout).context("output is not UTF-8")?,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn complete(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .arg("--socket")
            .arg(&self.socket)
            .args(arguments)
            .env_remove("ZMESCTL_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

/// A running `zmesctl watch`.
#[derive(Debug)]
pub struct Streaming {
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Streaming {
    /// Returns the next line as JSON, or `None` at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        let lines = self.lines.as_mut().context("the pipe is closed")?;
        let Some(line) = within("a line of zmesctl watch", lines.next_line()).await?? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?))
    }

    /// Returns the next line that matches `wanted`.
    pub async fn find(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        while let Some(line) = self.next().await? {
            if wanted(&line) {
                return Ok(line);
            }
        }
        anyhow::bail!("the stream ended before {what}")
    }

    /// Closes the reading end, as `head` does after enough lines.
    pub fn close_pipe(&mut self) {
        self.lines = None;
    }

    /// Returns whether it is still running.
    pub fn running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for the end and returns the exit code.
    pub async fn exit(&mut self) -> Result<i32> {
        Ok(code(within("the end of zmesctl watch", self.child.wait()).await??))
    }
}

/// A different program on a control socket: sends this greeting and nothing else.
#[derive(Debug)]
pub struct FakeDaemon {
    listener: UnixListener,
    greeting: String,
}

impl FakeDaemon {
    /// Listens on `socket`; an empty greeting sends nothing.
    pub fn listen(socket: &Path, greeting: &str) -> Result<Self> {
        Ok(Self { listener: UnixListener::bind(socket)?, greeting: greeting.to_owned() })
    }

    /// Greets every client, forever.
    pub async fn serve(&self) -> Result<()> {
        let mut kept: Vec<UnixStream> = Vec::new();
        loop {
            let (mut stream, _) = self.listener.accept().await?;
            if !self.greeting.is_empty() {
                stream.write_all(format!("{}\n", self.greeting).as_bytes()).await?;
            }
            kept.push(stream);
        }
    }
}
