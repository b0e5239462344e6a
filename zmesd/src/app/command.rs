//! What each command line does, and how the process ends.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use zmes_shared::views::Doctor;

use super::config_file::{ConfigFile, with_looks};
use super::descriptors;
use super::exit::Exit;
use super::inherited::{Inherited, ListenVariables};
use super::parts::Parts;
use super::rehearsal;
use super::start::Start;
use super::{App, StartError};
use crate::cli::{self, CheckArgs, Command, Report, RunArgs};
use crate::config::Environment;
use crate::demo::{self, Demo};
use crate::lifecycle::Lifecycle;
use crate::ports::{Clock, SystemClock};
use crate::telemetry::log::{self, LogHandle};

/// Runs the command line and returns how the process ends.
///
/// `journal_stream` is the variable `JOURNAL_STREAM`, with which systemd says that standard error is the journal;
/// `listen` holds those with which it passes sockets. No other thread may exist yet.
pub fn main(
    arguments: impl Iterator<Item = OsString>,
    journal_stream: Option<&str>,
    listen: &ListenVariables,
) -> ExitCode {
    let command = match cli::parse(arguments) {
        Ok(cli) => cli,
        Err(problem) => {
            // Prints to standard output or standard error, depending on the kind of message.
            problem.print().ok();
            return ExitCode::from(cli::exit_code(&problem));
        }
    };
    match command {
        Command::Run(arguments) => run(&arguments, journal_stream, listen).into(),
        Command::CheckConfig(arguments) => say(&check_config(&arguments)),
        Command::DefaultConfig => say(&cli::default_config()),
        Command::ImportConfig(arguments) => say(&cli::import_config(&arguments)),
        Command::Demo(arguments) => demo(&arguments, journal_stream).into(),
    }
}

fn say(report: &Report) -> ExitCode {
    io::stdout().write_all(report.stdout.as_bytes()).ok();
    io::stderr().write_all(report.stderr.as_bytes()).ok();
    ExitCode::from(report.code)
}

/// Checks the configuration, its certificates and keys, as at a start.
fn check_config(arguments: &CheckArgs) -> Report {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let environment = Environment::of_process();
    if !arguments.json {
        return with_looks(&clock, |looks| cli::check_config(&arguments.config, &environment, looks));
    }
    let path = environment.config_file(arguments.config.config.as_deref());
    let file = ConfigFile { path, environment };
    let loaded = file.examine(&clock);
    let code = if loaded.is_ok() { 0 } else { cli::EXIT_CONFIG };
    let other = rehearsal::other_user(&loaded).filter(|_| arguments.rehearse);
    if let Some(stdout) = other.and_then(|user| rehearsal::as_user(&user, &file.path)) {
        let stdout = String::from_utf8_lossy(&stdout).into_owned();
        return Report { code, stdout, stderr: String::new() };
    }
    let findings = rehearsal::findings(&file.path, &loaded, arguments.rehearse, &clock);
    let stdout = serde_json::to_string(&Doctor::new(findings)).unwrap_or_default() + "\n";
    Report { code, stdout, stderr: String::new() }
}

fn run(arguments: &RunArgs, journal_stream: Option<&str>, listen: &ListenVariables) -> Exit {
    let inherited = match Inherited::take(listen) {
        Ok(inherited) => inherited,
        Err(problem) => return refuse(&problem.into()),
    };
    let bootstrap = log::bootstrap(arguments.log_level.as_deref());
    let environment = Environment { log_level: arguments.log_level.clone(), ..Environment::of_process() };
    let path = environment.config_file(arguments.config.config.as_deref());
    let file = ConfigFile { path, environment };
    let config = match file.load() {
        Ok(config) => config,
        Err(problems) => {
            log::complain(&problems.to_string());
            return Exit::Config;
        }
    };
    let log = match bootstrap.replace_with(&config.log, journal_stream) {
        Ok(log) => log,
        Err(problem) => {
            log::complain(&format!("zmesd: cannot set up the log: {problem}"));
            return Exit::Config;
        }
    };
    descriptors::raise_limit();
    descriptors::warn_if_short(config.server.max_clients);
    let parts = Parts::production(&config);
    let start = Start { config, file: Some(file), parts, log, inherited };
    on_runtime(serve(start))
}

async fn serve(start: Start) -> Exit {
    let lifecycle = match install() {
        Ok(lifecycle) => lifecycle,
        Err(exit) => return exit,
    };
    match App::start(start, &lifecycle).await {
        Ok(app) => app.run(lifecycle).await,
        Err(problem) => refuse(&problem),
    }
}

fn refuse(problem: &StartError) -> Exit {
    log::complain(&problem.report());
    problem.exit()
}

fn install() -> Result<Lifecycle, Exit> {
    Lifecycle::install()
        .map_err(|source| refuse(&StartError::System { what: "install signal handlers", source }))
}

fn demo(options: &demo::Options, journal_stream: Option<&str>) -> Exit {
    let bootstrap = log::bootstrap(None);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let zmesctl = demo::zmesctl_command(std::env::current_exe().ok().as_deref());
    let demo = match Demo::prepare(options, &zmesctl, &clock) {
        Ok(demo) => demo,
        Err(problem) => {
            log::complain(&format!("zmesd: {problem}"));
            return if problem.is_usage() { Exit::Usage } else { Exit::Internal };
        }
    };
    match bootstrap.replace_with(&demo.config.log, journal_stream) {
        Ok(log) => on_runtime(serve_demo(demo, clock, log)),
        Err(problem) => {
            log::complain(&format!("zmesd: cannot set up the log: {problem}"));
            Exit::Internal
        }
    }
}

/// Runs the simulated ZoneMinder, with cameras that detect motion and an app that gets alarms.
async fn serve_demo(demo: Demo, clock: Arc<dyn Clock>, log: LogHandle) -> Exit {
    let lifecycle = match install() {
        Ok(lifecycle) => lifecycle,
        Err(exit) => return exit,
    };
    let parts = Parts::demo(&demo, clock);
    let Demo { config, simulation, client, push_proxy, directory, introduction, .. } = demo;
    let start = Start { config, file: None, parts, log, inherited: Inherited::default() };
    let app = match App::start(start, &lifecycle).await {
        Ok(app) => app,
        Err(problem) => return refuse(&problem),
    };
    io::stdout().write_all(introduction.as_bytes()).ok();
    let (soft, tracker) = (lifecycle.soft(), lifecycle.tracker());
    let ends_all = soft.clone();
    let cameras = simulation.run(soft.clone());
    tracker.spawn(async move {
        on_error("simulation", cameras).await;
        ends_all.cancel();
    });
    // If it fails, the demo continues without it.
    tracker.spawn(on_error("simulated PushProxy", push_proxy.run(soft.clone())));
    tracker.spawn(async move {
        // An error means that standard output is closed: then the demo ends.
        client.run(&mut io::stdout(), soft.clone()).await.ok();
        soft.cancel();
    });
    let exit = app.run(lifecycle).await;
    if let Err(problem) = directory.close() {
        log::complain(&format!("zmesd: {problem}"));
    }
    exit
}

async fn on_error(what: &str, serving: impl Future<Output = io::Result<()>>) {
    if let Err(problem) = serving.await {
        log::complain(&format!("zmesd: {what} failed: {problem}"));
    }
}

fn on_runtime(serve: impl Future<Output = Exit>) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("zmesd").build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(serve);
            // Tasks that are still running must not delay the exit.
            runtime.shutdown_background();
            exit
        }
        Err(source) => refuse(&StartError::System { what: "start the runtime", source }),
    }
}
