//! `zmesctl config check`, `default` and `show`.
//!
//! The first two run the `zmesd` binary, which alone understands the configuration: they work without a daemon.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

use clap::{Args, Subcommand};
use serde::Serialize;
use zmes_shared::control::Request;
use zmes_shared::views::ConfigShown;

use crate::context::{Context, Outcome};
use crate::environment::Environment;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::{Out, Tone, View, clean};
use crate::zmesd;

/// `zmesd`'s exit code for a configuration with problems, and for a file that it may not read (sysexits.h).
const EX_CONFIG: i32 = 78;
const EX_NOPERM: i32 = 77;

#[derive(Debug, Subcommand)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  zmesctl config check && zmesctl reload\n  zmesctl config show"
)]
pub enum ConfigCommand {
    /// Check a configuration file, without the daemon
    Check(ConfigCheckArgs),
    /// Print the default configuration file, without the daemon
    #[command(
        after_help = "Examples:\n  zmesctl config default > /etc/zmesd/zmesd.toml\n  zmesctl config default | less"
    )]
    Default,
    /// Show the configuration that the running daemon uses
    #[command(
        after_help = "Examples:\n  zmesctl config show\n  zmesctl config show | grep -A9 push\n\nSecrets are not shown."
    )]
    Show,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl config check
  zmesctl config check ./zmesd.toml")]
pub struct ConfigCheckArgs {
    /// File to check [default: the one that zmesd would read]
    file: Option<PathBuf>,
}

pub(crate) async fn run(command: ConfigCommand, context: &mut Context) -> Outcome {
    match command {
        ConfigCommand::Check(ConfigCheckArgs { file }) => check(file.as_deref(), context),
        ConfigCommand::Default => default(context),
        ConfigCommand::Show => context.ask::<ConfigShown>(Request::ConfigShow).await,
    }
}

fn check(file: Option<&Path>, context: &mut Context) -> Outcome {
    let mut arguments = vec![OsStr::new("check-config")];
    if let Some(file) = file {
        arguments.extend([OsStr::new("--config"), file.as_os_str()]);
    }
    let (zmesd, output) = execute(&context.environment, &arguments)?;
    let exit = match output.status.code() {
        Some(0) => Exit::Done,
        Some(EX_CONFIG) => Exit::Negative,
        Some(EX_NOPERM) => Exit::Forbidden,
        Some(_) | None => return Err(failed(&zmesd, &output)),
    };
    let detail = text(&output.stdout) + &text(&output.stderr);
    let view =
        Checked { ok: exit == Exit::Done, check: "config", detail: detail.trim_end().to_owned(), exit };
    context.show(&view)
}

fn default(context: &mut Context) -> Outcome {
    let (zmesd, output) = execute(&context.environment, &[OsStr::new("default-config")])?;
    if !output.status.success() {
        return Err(failed(&zmesd, &output));
    }
    context.show(&DefaultConfig { toml: text(&output.stdout) })
}

/// Runs `zmesd`. Also returns its path.
fn execute(environment: &Environment, arguments: &[&OsStr]) -> Result<(PathBuf, Output), CliError> {
    let zmesd = zmesd::find(environment).ok_or_else(|| CliError::Zmesd {
        what: "cannot find the program zmesd beside zmesctl or in PATH".to_owned(),
        source: None,
    })?;
    let output = Process::new(&zmesd).args(arguments).output().map_err(|source| CliError::Zmesd {
        what: format!("cannot run {}", zmesd.display()),
        source: Some(source),
    })?;
    Ok((zmesd, output))
}

fn failed(zmesd: &Path, output: &Output) -> CliError {
    let said = text(&output.stderr);
    CliError::Zmesd {
        what: format!("{} failed ({}): {}", zmesd.display(), output.status, said.trim_end()),
        source: None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    check: &'static str,
    detail: String,
    #[serde(skip)]
    exit: Exit,
}

impl View for Checked {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        if self.detail.is_empty() {
            let verdict =
                if self.ok { "the configuration is valid" } else { "the configuration has problems" };
            return out.line(verdict);
        }
        self.detail.lines().try_for_each(|line| out.line(&clean(line)))
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}

#[derive(Debug, Serialize)]
struct DefaultConfig {
    toml: String,
}

impl View for DefaultConfig {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        lines(&self.toml, out)
    }

    fn is_document(&self) -> bool {
        true
    }
}

impl View for ConfigShown {
    fn human(&self, out: &mut Out) -> io::Result<()> {
        let title = format!("# {}, as the running daemon uses it; secrets are hidden", clean(&self.file));
        let title = out.paint(Tone::Faint, &title);
        out.raw(&title)?;
        lines(&self.toml, out)
    }

    fn is_document(&self) -> bool {
        true
    }
}

fn lines(text: &str, out: &mut Out) -> io::Result<()> {
    // This is the text of a file: it is not wrapped, so that it can be copied.
    text.lines().try_for_each(|line| out.raw(&clean(line)))
}
