//! The command line of `zmesd`, and the commands that no daemon is needed for: `check-config`, `default-config` and
//! `import-config`.
//!
//! It prints nothing and ends nothing: `main` does both with what it gets from here. ZoneMinder's `zmdc.pl` starts
//! the daemon as `zmeventnotification.pl` without arguments; that is `zmesd run` like any call without arguments.

#![expect(clippy::doc_markdown, reason = "the texts go as they are onto a terminal")]

mod import;

pub(crate) use import::new_file;
pub use import::{ImportArgs, import_config};

use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};
use zmes_shared::duration;

use crate::config::{self, Config, Environment, Loaded, Looks};
use crate::demo::{DEFAULT_MONITORS, MAX_MONITORS};

/// Exit code of a command line that is wrong (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
/// Exit code of a configuration that does not hold (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Shortest and longest time between two alarms of the demo.
const EVERY: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

const IMPORT_EXAMPLES: &str = "\
Examples:
  zmesd import-config /etc/zm/zmeventnotification.ini
      shows what would become of it, and writes nothing
  zmesd import-config /etc/zm/zmeventnotification.ini --output /etc/zmesd/zmesd.toml --force
      does it, over the configuration that the package has brought
  zmesd import-config zmeventnotification.yml secrets.yml es_rules.yml --output zmesd.toml --json
      reports as JSON, for scripts

Exit codes: 0 done, 64 no such file, or one that is there already, 69 disk full, 77 permission, 78 not understood.";

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cli {
    /// The command; `run` where none is named.
    pub command: Command,
}

/// Event notification server for ZoneMinder.
#[derive(Debug, Parser)]
#[command(
    name = "zmesd",
    bin_name = "zmesd",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 64 usage, 69 port or socket taken, 70 internal, 77 permission, 78 configuration."
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
    /// Serve in the foreground; log to standard error or the journal (the default).
    Run(RunArgs),
    /// Say all that is wrong with the configuration, each with file, line, key and a hint; exit 0 or 78.
    CheckConfig(CheckArgs),
    /// Print the commented default configuration.
    DefaultConfig,
    /// Make a zmesd.toml of an older event server's configuration, with a report of what became of each line.
    ///
    /// The configuration that is written is complete: every key with its default, and above each value that was taken
    /// over a comment that says where it came from. Passwords and keys go into files of their own, readable for owner
    /// and group alone; the report names no secret. The old files stay as they are. Phones are taken over by a command
    /// of their own, once the daemon runs: zmesctl tokens import.
    #[command(after_help = IMPORT_EXAMPLES)]
    ImportConfig(ImportArgs),
    /// Run the real daemon on a simulated ZoneMinder, with a client that prints each alarm as it arrives.
    Demo(DemoArgs),
}

/// Which configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConfigArgs {
    /// The configuration [default: $ZMESD_CONFIG, the user's own if it exists, /etc/zmesd/zmesd.toml].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to check, and who reads the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct CheckArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print the findings as one JSON document, in the form of zmesctl doctor.
    #[arg(long)]
    pub json: bool,
    /// Look also at what else a start needs: a place for the state, addresses that are free.
    #[arg(long, requires = "json")]
    pub rehearse: bool,
}

/// How to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The level of the log, in place of log.level: error, warn, info, debug, trace, or "info,zmesd::ws=debug".
    #[arg(long, value_name = "LEVEL", value_parser = log_level)]
    pub log_level: Option<String>,
}

/// How to demonstrate.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DemoArgs {
    /// Address of the WebSocket server; port 0: a free one [default: 127.0.0.1:9000, or a free port].
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// How many cameras to simulate.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MONITORS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MONITORS)))]
    pub monitors: u32,
    /// How often one of them sees something.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = every)]
    pub every: Duration,
    /// Keep all files in this directory instead of removing them at the end.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Reads the arguments of the process, its name first.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let Arguments { command, run } = Arguments::try_parse_from(args)?;
    let Some(mut command) = command else { return Ok(Cli { command: Command::Run(run) }) };
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
            let message = format!("{option} does not go with this command\n");
            return Err(Arguments::command().error(clap::error::ErrorKind::ArgumentConflict, message));
        }
    }
    Ok(Cli { command })
}

/// Returns the exit code of what [`parse`] refused: help and version are no mistakes.
pub fn exit_code(error: &clap::Error) -> u8 {
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

/// Returns the description of the command line, for the manual and completions.
pub fn description() -> clap::Command {
    Arguments::command()
}

/// What a command has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Exit code.
    pub code: u8,
    /// For standard output.
    pub stdout: String,
    /// For standard error.
    pub stderr: String,
}

/// `zmesd check-config`: checks the configuration that `run` would take, with `looks` into the files that it names.
pub fn check_config(args: &ConfigArgs, environment: &Environment, looks: Looks<'_>) -> Report {
    let path = environment.config_file(args.config.as_deref());
    match Loaded::read_with(&path, environment, looks) {
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

/// `zmesd default-config`: prints the commented default file.
pub fn default_config() -> Report {
    Report { stdout: config::default_file(), ..Report::default() }
}

/// Says on one line what the configuration leads to.
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

fn every(text: &str) -> Result<Duration, String> {
    let every = duration::parse(text).map_err(|error| error.to_string())?;
    if EVERY.contains(&every) {
        return Ok(every);
    }
    Err(format!("must be from {} to {}", duration::format(*EVERY.start()), duration::format(*EVERY.end())))
}

#[cfg(test)]
mod tests;
