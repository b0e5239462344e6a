//! The command line of `zmesd`, and the commands that need no daemon: `check-config`, `default-config` and
//! `import-config`.
//!
//! Nothing here prints or exits: `main` does both. ZoneMinder's `zmdc.pl` starts
//! the daemon as `zmeventnotification.pl` without arguments; that is `zmesd run` like any call without arguments.

#![expect(clippy::doc_markdown, reason = "the texts go as they are onto a terminal")]

mod import;

pub(crate) use import::new_file;
pub use import::{ImportArgs, import_config};

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{self, Config, Environment, Loaded, Looks};
use crate::demo;

pub const EXIT_USAGE: u8 = 64;
pub const EXIT_CONFIG: u8 = 78;

const IMPORT_EXAMPLES: &str = "\
Examples:
  zmesd import-config /etc/zm/zmeventnotification.ini
      shows the result and writes nothing
  zmesd import-config /etc/zm/zmeventnotification.ini --output /etc/zmesd/zmesd.toml --force
      writes it in place of the configuration from the package
  zmesd import-config zmeventnotification.yml secrets.yml es_rules.yml --output zmesd.toml --json
      reports as JSON, for scripts

Exit codes: 0 success, 64 file not found or already exists, 69 disk full, 77 permission denied, 78 not understood.";

/// Event notification server for ZoneMinder.
#[derive(Debug, Parser)]
#[command(
    name = "zmesd",
    bin_name = "zmesd",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 success, 64 usage, 69 address in use, 70 internal error, 77 permission denied, 78 configuration."
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// The commands of `zmesd`.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground (the default command).
    Run(RunArgs),
    /// Check the configuration; list all mistakes with line and hint.
    CheckConfig(CheckArgs),
    /// Print the commented default configuration.
    DefaultConfig,
    /// Convert the configuration of an older event server, with a report.
    ///
    /// The new zmesd.toml is complete: it has every key with its default, and a comment above each imported value that
    /// says where it came from. Passwords and keys are written to separate files that only owner and group can read;
    /// the report contains no secrets. The old files are not changed. To import phones, run `zmesctl tokens import`
    /// once the daemon runs.
    #[command(after_help = IMPORT_EXAMPLES)]
    ImportConfig(ImportArgs),
    /// Run the daemon on a simulated ZoneMinder, with a client.
    Demo(demo::Options),
}

/// Which configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConfigArgs {
    /// Configuration file [default: $ZMESD_CONFIG, else the user's own, else /etc/zmesd/zmesd.toml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to check, and who reads the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print the findings as JSON, in the format of zmesctl doctor.
    #[arg(long)]
    pub json: bool,
    /// Also check what else a start needs: state directory, free addresses, database, providers.
    #[arg(long, requires = "json")]
    pub rehearse: bool,
}

/// How to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Log level, in place of log.level: error, warn, info, debug, trace, or "info,zmesd::ws=debug".
    #[arg(long, value_name = "LEVEL", value_parser = log_level)]
    pub log_level: Option<String>,
}

pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, clap::Error> {
    let Arguments { command, run } = Arguments::try_parse_from(args)?;
    let Some(mut command) = command else { return Ok(Command::Run(run)) };
    // Options may also stand before the command, where it has them.
    match (&mut command, run.config.config, run.log_level) {
        (_, None, None) => {}
        (Command::Run(own), config, level) => {
            own.config.config = own.config.config.take().or(config);
            own.log_level = own.log_level.take().or(level);
        }
        (Command::CheckConfig(own), config, None) => own.config.config = own.config.config.take().or(config),
        (_, _, level) => {
            let option = if level.is_some() { "--log-level" } else { "--config" };
            let message = format!("{option} cannot be used with this command\n");
            return Err(Arguments::command().error(clap::error::ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(command)
}

/// Returns the exit code for what [`parse`] refused; help and version are not errors.
pub fn exit_code(error: &clap::Error) -> u8 {
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

pub fn description() -> clap::Command {
    Arguments::command()
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub code: u8,
    pub stdout: String,
    pub stderr: String,
}

/// `zmesd check-config`: checks the configuration that `run` would take, with `looks` into the files that it names.
pub fn check_config(args: &ConfigArgs, environment: &Environment, looks: Looks<'_>) -> Report {
    let path = environment.config_file(args.config.as_deref());
    match Loaded::read(&path, environment, Some(looks)) {
        Ok(Loaded { config, warnings }) => {
            let mut stderr = String::new();
            for warning in warnings {
                // Writing to a String cannot fail.
                let _ = writeln!(stderr, "warning: {warning}");
            }
            Report { code: 0, stdout: summary(&path, &config), stderr }
        }
        Err(problems) => Report { code: EXIT_CONFIG, stdout: String::new(), stderr: format!("{problems}\n") },
    }
}

pub fn default_config() -> Report {
    Report { stdout: config::default_file(), ..Report::default() }
}

fn summary(path: &Path, config: &Config) -> String {
    let zoneminder = &config.zoneminder;
    let addresses: Vec<_> = config.server.listen.iter().map(ToString::to_string).collect();
    let server = match &config.server.tls {
        Some(tls) => format!("wss on {}, certificate {}", addresses.join(" "), tls.certificate.display()),
        None => format!("ws without TLS on {}", addresses.join(" ")),
    };
    format!(
        "configuration OK ({}): database {}, shared memory in {}, {server}\n",
        path.display(),
        zoneminder.database.place(),
        zoneminder.path_map.display(),
    )
}

fn log_level(text: &str) -> Result<String, String> {
    config::check_log_level(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests;
