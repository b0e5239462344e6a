//! What every command uses: connection, output, environment.

use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use directories::BaseDirs;
use serde::de::DeserializeOwned;
use zmes_shared::client::{ControlClient, TIMEOUT};
use zmes_shared::control::Request;
use zmes_shared::paths::{SYSTEM_SOCKET, USER_SOCKET};

use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::options::{ColorChoice, Format, Global};
use crate::render::{Out, OutputStyle, Terminal, Tone, View, clean, paint, terminal_width, wrap};

/// How a command ends.
pub type Outcome = Result<Exit, CliError>;

/// Indent of continued messages, as after `hint: `.
const REMARK: usize = 6;

#[derive(Debug)]
pub struct Context {
    pub out: Out,
    pub environment: Environment,
    socket: PathBuf,
    timeout: Option<Duration>,
    color_errors: bool,
    /// Width of the terminal that shows errors.
    errors_width: Option<u16>,
}

impl Context {
    /// Combines the global options and the environment.
    pub fn new(global: Global, environment: Environment) -> Self {
        let color = |terminal: bool| match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !environment.plain,
        };
        let look = OutputStyle {
            format: global.format(),
            quiet: global.quiet,
            color: color(environment.terminals.stdout),
            width: terminal_width(Terminal::Output),
            now: environment.now,
            zone: environment.zone.clone(),
        };
        Self {
            out: Out::to_stdout(look),
            socket: socket(global.socket, &environment),
            timeout: global.timeout,
            color_errors: color(environment.terminals.stderr),
            errors_width: terminal_width(Terminal::Errors),
            environment,
        }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Connects to the daemon, with the time limit of `--timeout` for each request.
    pub async fn connect(&self) -> Result<ControlClient, CliError> {
        self.connect_for(TIMEOUT).await
    }

    /// Sends a request and shows the answer.
    pub async fn ask<V>(&mut self, request: Request) -> Outcome
    where
        V: View + DeserializeOwned,
    {
        self.ask_within::<V>(request, TIMEOUT).await
    }

    /// Sends a request with a different time limit, unless `--timeout` is given.
    pub async fn ask_within<V>(&mut self, request: Request, limit: Duration) -> Outcome
    where
        V: View + DeserializeOwned,
    {
        let view: V = self.connect_for(limit).await?.request(request).await?;
        self.show(&view)
    }

    /// Returns how long something may take: as `--timeout` says, else `usual`.
    pub fn limit(&self, usual: Duration) -> Duration {
        self.timeout.unwrap_or(usual)
    }

    pub fn show(&mut self, view: &impl View) -> Outcome {
        self.out.show(view).map_err(CliError::Output)?;
        Ok(view.exit())
    }

    /// Writes a labelled message to the error output.
    pub fn remark(&self, label: &str, text: &str) {
        let tone = if label == "error" { Tone::Bad } else { Tone::Strong };
        let label = paint(self.color_errors, tone, &format!("{label}:"));
        let mut lines = text.lines();
        self.to_errors(&format!("{label} {}", clean(lines.next().unwrap_or_default())));
        for line in lines {
            self.to_errors(&format!("  {}", clean(line)));
        }
    }

    /// Writes a clean line to the error output, wrapped to the width of a terminal.
    pub fn to_errors(&self, line: &str) {
        let width = self.errors_width.map_or(usize::MAX, usize::from);
        // If the error output is gone, there is nothing left to write to.
        writeln!(std::io::stderr().lock(), "{}", wrap(line, width, REMARK)).ok();
    }

    /// Ends the run: flushes the output and reports an error.
    pub fn finish(mut self, outcome: Outcome) -> Exit {
        let flushed = self.out.flush().map_err(CliError::Output);
        let error = match outcome.and_then(|exit| flushed.map(|()| exit)) {
            Ok(exit) => return exit,
            Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                return Exit::Done;
            }
            Err(error) => error,
        };
        self.remark("error", &error.to_string());
        if let Some(cause) = error.cause() {
            self.remark("cause", &cause);
        }
        if let Some(hint) = error.hint() {
            self.remark("hint", &hint);
        }
        if self.out.format() != Format::Human {
            // If the output is gone, the exit code still reports the error.
            self.out.document(&error.document()).and_then(|()| self.out.flush()).ok();
        }
        error.exit()
    }

    /// Connects with another time limit, unless `--timeout` is given.
    pub async fn connect_for(&self, limit: Duration) -> Result<ControlClient, CliError> {
        let limit = self.limit(limit);
        Ok(ControlClient::connect_within(&self.socket, limit).await?)
    }
}

/// Returns the control socket: the given one, else the user's if it exists, else the system's.
pub(crate) fn socket(told: Option<PathBuf>, environment: &Environment) -> PathBuf {
    told.or_else(|| environment.socket.clone())
        .or_else(user_socket)
        .unwrap_or_else(|| PathBuf::from(SYSTEM_SOCKET))
}

fn user_socket() -> Option<PathBuf> {
    let path = BaseDirs::new()?.runtime_dir()?.join(USER_SOCKET);
    std::fs::metadata(&path).is_ok_and(|metadata| metadata.file_type().is_socket()).then_some(path)
}
