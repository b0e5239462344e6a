//! `zmesctl hook`: runs a command for each alarm, outside the daemon.
//!
//! The stream of `watch` goes through a [`Queue`] into runs of the command. The [`Cursor`] remembers what was handled,
//! so that nothing is lost when the daemon or the hook restarts. A run that was in progress is repeated, under the same
//! id.

mod child;
mod cursor;
mod journal;
mod picture;
mod program;
mod queue;
mod signals;
mod store;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};
use zmes_shared::MonitorId;
use zmes_shared::control::{WatchEvent, WatchFilter, WatchKind, WatchType};
use zmes_shared::machine::MachineMessage;
use zmes_shared::words::MachineKind;

use self::child::{Invocation, RunEnd, RunReport};
use self::cursor::Cursor;
use self::journal::HookLine;
use self::picture::RunPictures;
use self::queue::{Queue, lane};
use self::signals::Signals;
use self::store::CursorStore;
use crate::commands::follow::{Followed, Follower};
use crate::commands::named;
use crate::context::{Context, Outcome};
use crate::environment::now;
use crate::error::CliError;
use crate::exit::Exit;
use crate::options::Format;
use crate::render::clean;
use crate::values::{self, MonitorArg};

/// Default time limit of a run.
const LIMIT: Duration = Duration::from_secs(30);
/// How often the cursor follows the clock while nothing happens: the record forgets old entries.
const ADVANCE: Duration = Duration::from_mins(1);
/// How far the time of an alarm can be ahead of the clock.
const AHEAD: SignedDuration = SignedDuration::from_mins(1);
/// How long the daemon has to refuse what it is asked.
const REFUSAL: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  zmesctl hook -- /usr/local/bin/on-alarm
  zmesctl hook --on start,trouble --monitor Garage -- /usr/local/bin/siren on
  zmesctl hook --on start,update -- /usr/local/bin/on-alarm
  zmesctl hook --cursor /var/lib/zmes-hook/siren -- /usr/local/bin/siren
  zmesctl hook --es-arguments -- /var/lib/zmeventnotification/bin/my_hook.sh
  zmesctl hook --picture-wait 2s -- /usr/local/bin/on-alarm

Runs the command itself, never a shell, with one JSON object on its standard
input and with ZMES_EVENT, ZMES_MONITOR, ZMES_MONITOR_NAME, ZMES_CAUSE, ZMES_PHASE
(start, update, end, trouble, resolved, test) and ZMES_ID in its environment. Runs of one
monitor follow each other, those of others run beside them. Follows over restarts
of zmesd; with --cursor also over its own: a run that was not finished is repeated
with the same ZMES_ID. Test alarms run the command too. On SIGTERM the hook waits
for its runs, then exits.

With --picture-wait the picture of the alarm is in the file ZMES_PICTURE_FILE until the
run has ended; without a picture the variable is not set.")]
pub struct HookArgs {
    /// Phases to run the command for
    #[arg(long, value_enum, value_name = "PHASE", value_delimiter = ',', default_value = "start")]
    on: Vec<HookPhase>,
    /// Only this monitor; can be repeated
    #[arg(short, long, value_name = "ID|NAME")]
    monitor: Vec<MonitorArg>,
    /// Only monitors that this ZoneMinder user may see, at the moment of the alarm
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Maximum number of runs at the same time
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Time limit of a run: SIGTERM, 5 s later SIGKILL [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    timeout: Option<Duration>,
    /// Give each run its alarm's picture in a file; wait this long for it, at most 10s
    #[arg(long, value_name = "DURATION", value_parser = values::picture_wait)]
    picture_wait: Option<Duration>,
    /// Cursor file, created if missing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    cursor: Option<PathBuf>,
    /// Add event id, monitor id, monitor name and cause to the arguments, as the old event server did
    #[arg(long)]
    es_arguments: bool,
    /// Command to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::AnyPath)]
    command: Vec<OsString>,
}

/// What a hook can be run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HookPhase {
    /// Alarms that begin, and test alarms.
    Start,
    /// Alarms whose labels become known within a minute.
    Update,
    /// Alarms that are over.
    End,
    /// Troubles that are raised or over.
    Trouble,
}

pub(crate) async fn run(arguments: HookArgs, context: &mut Context) -> Outcome {
    let HookArgs { on, monitor, user, jobs, timeout, picture_wait, cursor, es_arguments, command } =
        arguments;
    if es_arguments && on.contains(&HookPhase::Trouble) {
        return Err(CliError::Usage {
            message: "--es-arguments cannot be used with --on trouble".to_owned(),
            hint: "the old event server knew no troubles: use a second hook without --es-arguments"
                .to_owned(),
        });
    }
    let (program, arguments) =
        command.split_first().map_or_else(Default::default, |(first, rest)| (first.clone(), rest.to_vec()));
    let program = program::find(&program, context.environment.path.as_deref())?;
    let store = cursor.map(|path| CursorStore::open(&path)).transpose()?;
    let mut signals = Signals::listen()?;
    let monitors = resolve(monitor, context).await?;
    let (store, known) = store.unzip();
    let mut cursor = known.flatten().unwrap_or_else(|| Cursor::starting(context.environment.now));
    cursor.follow_clock(context.environment.now);
    if let Some(store) = &store {
        store.begin(&cursor)?;
    }
    let filter = WatchFilter {
        // An older daemon knows neither troubles nor viewers: it refuses the type, instead of sending too much.
        types: vec![WatchType::Alarm, WatchType::Trouble],
        monitor: if let [one] = monitors.as_slice() { Some(*one) } else { None },
        viewer: user,
        since: Some(cursor.since()),
        ..WatchFilter::default()
    };
    let follower = Follower::open(context, filter).await?;
    let limit = timeout.unwrap_or(LIMIT);
    let pictures = match picture_wait {
        Some(wait) => Some(RunPictures::open(context, wait).await?),
        None => None,
    };
    let invocation = Arc::new(Invocation { program, arguments, es_arguments, limit, pictures });
    let hook = Hook::new(Wanted { on, monitors }, invocation, cursor, context.environment.now);
    let mut hook = Hook { jobs: jobs.into(), store, ..hook };
    hook.serve(follower, &mut signals, context).await
}

/// Returns the ids of the named monitors.
async fn resolve(named: Vec<MonitorArg>, context: &Context) -> Result<Vec<MonitorId>, CliError> {
    let mut monitors = Vec::with_capacity(named.len());
    for monitor in named {
        monitors.push(named::one(monitor, context).await?);
    }
    monitors.sort_unstable();
    monitors.dedup();
    Ok(monitors)
}

/// Which messages the command runs for.
#[derive(Debug)]
struct Wanted {
    on: Vec<HookPhase>,
    /// Empty: all monitors.
    monitors: Vec<MonitorId>,
}

impl Wanted {
    fn includes(&self, message: &MachineMessage) -> bool {
        let phase = match message.event_type {
            MachineKind::AlarmStart | MachineKind::Test => HookPhase::Start,
            MachineKind::AlarmEnd => HookPhase::End,
            MachineKind::Trouble | MachineKind::Resolved => HookPhase::Trouble,
            MachineKind::AlarmUpdate => HookPhase::Update,
            MachineKind::SnoozeEnd | MachineKind::Unknown => return false,
        };
        let monitor = message.monitor.as_ref();
        let meant =
            self.monitors.is_empty() || monitor.is_some_and(|monitor| self.monitors.contains(&monitor.id));
        self.on.contains(&phase) && meant
    }
}

/// State of the connection, as last reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// The hook has not reported yet that it follows alarms.
    Opening,
    Open,
    Away,
}

/// A running hook.
///
/// Owns: the queue, the runs, the cursor. Receives: lines of the stream, ends of runs, signals. Ends: on a signal, once
/// the running commands have ended; or when the daemon cannot serve it.
#[derive(Debug)]
struct Hook {
    wanted: Wanted,
    jobs: usize,
    invocation: Arc<Invocation>,
    queue: Queue,
    cursor: Cursor,
    store: Option<CursorStore>,
    runs: JoinSet<RunReport>,
    hurry: watch::Sender<bool>,
    hurried: watch::Receiver<bool>,
    dropped: u64,
    /// The log already says that the cursor cannot be written.
    unwritten: bool,
    connection: Connection,
    /// When to report that alarms are followed: a daemon that refuses does so before.
    announce: Option<Instant>,
    /// Ticks when the cursor must follow the clock.
    minutes: Interval,
    /// When the hook started, by both clocks.
    began: (Timestamp, Instant),
}

impl Hook {
    fn new(wanted: Wanted, invocation: Arc<Invocation>, cursor: Cursor, now: Timestamp) -> Self {
        let (hurry, hurried) = watch::channel(false);
        let mut minutes = interval(ADVANCE);
        minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            wanted,
            jobs: 1,
            invocation,
            queue: Queue::default(),
            cursor,
            store: None,
            runs: JoinSet::new(),
            hurry,
            hurried,
            dropped: 0,
            unwritten: false,
            connection: Connection::Opening,
            announce: None,
            minutes,
            began: (now, Instant::now()),
        }
    }

    async fn serve(
        &mut self,
        mut follower: Follower,
        signals: &mut Signals,
        context: &mut Context,
    ) -> Outcome {
        let outcome = loop {
            self.start();
            tokio::select! {
                biased;
                () = signals.next() => break Ok(Exit::Done),
                Some(ended) = self.runs.join_next() => {
                    if let Ok(report) = ended {
                        self.ended(report, context);
                    }
                }
                written = written(&mut self.store) => self.wrote(written, context),
                step = follower.next() => {
                    if let Err(error) = self.on_followed(step, &mut follower, context) {
                        break Err(error);
                    }
                }
                _ = self.minutes.tick() => self.follow_the_clock(),
                () = reached(self.announce) => {
                    self.announce = None;
                    let command = self.invocation.program.to_string_lossy().into_owned();
                    say(&HookLine::Following { command }, context);
                }
            }
        };
        self.stop(signals, context).await;
        outcome
    }

    /// Starts as many runs as possible.
    fn start(&mut self) {
        while self.runs.len() < self.jobs {
            let Some(message) = self.queue.next() else { return };
            let (invocation, hurried) = (Arc::clone(&self.invocation), self.hurried.clone());
            self.runs.spawn(async move { child::run(&invocation, message, hurried).await });
        }
    }

    fn on_followed(
        &mut self,
        step: Followed,
        follower: &mut Follower,
        context: &mut Context,
    ) -> Result<(), CliError> {
        match step {
            Followed::Connected => self.on_connected(context),
            Followed::Line(event) => self.on_line(&event, follower, context),
            Followed::Newer(_) => {}
            Followed::Lost(error) => {
                if follower.gives_up(&error) {
                    return Err(error);
                }
                self.announce = None;
                if self.connection != Connection::Away {
                    self.connection = Connection::Away;
                    say(&HookLine::lost(&error), context);
                }
                self.cursor.follow_clock(now());
                follower.resume(self.cursor.since());
            }
        }
        Ok(())
    }

    fn on_connected(&mut self, context: &mut Context) {
        match self.connection {
            Connection::Opening => self.announce = Some(Instant::now() + REFUSAL),
            Connection::Open => {}
            Connection::Away => say(&HookLine::Back, context),
        }
        self.connection = Connection::Open;
        // Recorded messages come first: the cursor must not move past them.
        self.minutes.reset();
    }

    fn on_line(&mut self, event: &WatchEvent, follower: &mut Follower, context: &mut Context) {
        if let WatchKind::Lagged { missed } = event.kind {
            if missed == 0 {
                say(&HookLine::Gap, context);
            } else {
                // Lines are missing: the record has them.
                self.cursor.follow_clock(now());
                follower.resume(self.cursor.since());
            }
        } else if let Some(message) = MachineMessage::of_watch(event) {
            self.take(message, context);
        }
    }

    fn take(&mut self, message: MachineMessage, context: &mut Context) {
        let now = now();
        self.cursor.follow_clock(now);
        // Only a record from before the clock was set back has such times, and it was heard then.
        if message.at > now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX) {
            return;
        }
        if !self.wanted.includes(&message) || !self.cursor.take(&message) {
            return;
        }
        if let Some(dropped) = self.queue.push(message) {
            self.dropped += 1;
            self.cursor.finish(&dropped.id);
            self.keep();
            say(&HookLine::dropped(dropped, self.dropped), context);
        }
    }

    /// A run has ended. If it was interrupted because the hook had to stop at once, it will be repeated.
    fn ended(&mut self, report: RunReport, context: &mut Context) {
        self.queue.ended(lane(&report.message));
        if !matches!(report.end, RunEnd::Stopped) {
            self.cursor.finish(&report.message.id);
            self.keep();
        }
        say(&HookLine::run(report), context);
    }

    /// While the daemon is connected and nothing happens, the cursor must not become older than the record.
    fn follow_the_clock(&mut self) {
        if self.connection == Connection::Open {
            let (began, since) = self.began;
            let elapsed = SignedDuration::try_from(since.elapsed()).unwrap_or_default();
            let lived = began.saturating_add(elapsed).unwrap_or(began);
            // Clocks are set; of both, the one that shows less misses nothing.
            self.cursor.follow_clock(now());
            self.cursor.advance(lived.min(now()).as_millisecond());
            self.keep();
        }
    }

    fn keep(&mut self) {
        if let Some(store) = &mut self.store {
            store.keep(&self.cursor);
        }
    }

    fn wrote(&mut self, written: std::io::Result<()>, context: &mut Context) {
        match written {
            Ok(()) => self.unwritten = false,
            Err(error) if !std::mem::replace(&mut self.unwritten, true) => {
                say(&HookLine::Unwritten { reason: error.to_string() }, context);
            }
            Err(_) => {}
        }
    }

    /// Starts no more runs, waits for those in progress, and writes the cursor. A second signal ends the runs at once.
    async fn stop(&mut self, signals: &mut Signals, context: &mut Context) {
        if !self.runs.is_empty() || self.queue.len() > 0 {
            let (running, waiting, cursor) = (self.runs.len(), self.queue.len(), self.store.is_some());
            say(&HookLine::Stopping { running, waiting, cursor }, context);
        }
        loop {
            tokio::select! {
                ended = self.runs.join_next() => match ended {
                    Some(Ok(report)) => self.ended(report, context),
                    Some(Err(_)) => {}
                    None => break,
                },
                () = signals.next() => drop(self.hurry.send(true)),
            }
        }
        if let Some(store) = &mut self.store {
            store.keep(&self.cursor);
            let written = store.finish().await;
            self.wrote(written, context);
        }
    }
}

/// Waits for a moment, or forever if there is none.
async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn written(store: &mut Option<CursorStore>) -> std::io::Result<()> {
    match store {
        Some(store) => store.written().await,
        None => std::future::pending().await,
    }
}

/// Writes a line; problems also with `--quiet`. Output errors are ignored: the runs matter more than their log.
fn say(line: &HookLine, context: &mut Context) {
    if line.is_problem() && (context.out.look().quiet || context.out.format() == Format::Human) {
        context.remark("warning", &clean(&line.sentence()));
    } else {
        context.out.item(line).ok();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, timeout};

    use super::*;
    use crate::environment::Environment;

    #[tokio::test(start_paused = true)]
    async fn the_cursor_does_not_follow_the_clock_past_what_comes_after_an_outage() {
        let cli = crate::cli::parse(&["zmesctl", "-q", "hook", "--", "true"].map(OsString::from)).unwrap();
        let mut context = Context::new(cli.global, Environment::of_process());
        let wanted = Wanted { on: vec![HookPhase::Start], monitors: Vec::new() };
        let program = PathBuf::from("true");
        let arguments = Vec::new();
        let invocation = Invocation { program, arguments, es_arguments: false, limit: LIMIT, pictures: None };
        let cursor = Cursor::starting(Timestamp::UNIX_EPOCH);
        let mut hook = Hook::new(wanted, Arc::new(invocation), cursor, Timestamp::UNIX_EPOCH);
        for connection in [Connection::Opening, Connection::Away] {
            hook.connection = connection;
            advance(ADVANCE * 2).await;
            hook.on_connected(&mut context);
            assert!(timeout(ADVANCE / 2, hook.minutes.tick()).await.is_err(), "{connection:?}");
        }
        assert!(timeout(ADVANCE, hook.minutes.tick()).await.is_ok());
    }
}
