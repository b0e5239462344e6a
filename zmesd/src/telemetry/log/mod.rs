//! The log: where it goes, how it looks, and its level, which can change while the daemon runs.
//!
//! Standard error is the only stream: files and rotation are left to the service manager.

mod fields;
mod journal;
mod json;
mod levels;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{fstat, makedev};
use tracing::Subscriber;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, reload};

pub use levels::{InvalidLevel, parse};

use crate::config::{LogConfig, LogFormat};
pub(crate) use fields::Chain;
use fields::HarmlessFields;
use journal::{Journal, JournalEntry};
use json::JsonLine;

const BOOTSTRAP_LEVEL: &str = "info";

type Filter = reload::Layer<Targets, Registry>;
type Output = Box<dyn Layer<Layered<Filter, Registry>> + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(transparent)]
    Level(#[from] InvalidLevel),
    /// `format = "journald"`, but no journal is there.
    #[error("cannot reach the journal")]
    Journal(#[source] io::Error),
    #[error("the log is set up already")]
    Twice(#[from] TryInitError),
    #[error("the log cannot be changed any more")]
    Gone(#[from] reload::Error),
}

/// The log before the configuration is read: text on standard error, for this thread.
#[derive(Debug)]
pub struct Bootstrap {
    _installed: DefaultGuard,
}

/// Logs to standard error until [`Bootstrap::replace_with`]; an invalid `level` is ignored until then.
pub fn bootstrap(level: Option<&str>) -> Bootstrap {
    let wanted = level.and_then(|level| parse(level).ok());
    let filter = wanted.or_else(|| parse(BOOTSTRAP_LEVEL).ok()).unwrap_or_default();
    let subscriber = tracing_subscriber::registry().with(filter).with(text_to_stderr());
    // Not `SubscriberInitExt::set_default`: that takes the process's one `log` facade, which is for the final log.
    Bootstrap { _installed: tracing::subscriber::set_default(subscriber) }
}

impl Bootstrap {
    /// Installs the configured log for the whole process.
    ///
    /// `journal_stream` is the environment variable `JOURNAL_STREAM`, by which systemd says that standard error is
    /// the journal. Crates that log through the `log` facade stay at the level of this moment.
    pub fn replace_with(
        self,
        config: &LogConfig,
        journal_stream: Option<&str>,
    ) -> Result<LogHandle, LogError> {
        drop(self);
        let (filter, handle) = LogHandle::new(&config.level)?;
        let output = output(config.format, journal_stream)?;
        tracing_subscriber::registry().with(filter).with(output).try_init()?;
        Ok(handle)
    }
}

fn output(format: LogFormat, journal_stream: Option<&str>) -> Result<Output, LogError> {
    Ok(match format {
        LogFormat::Json => json(io::stderr).boxed(),
        LogFormat::Journald => journal(connect().map_err(LogError::Journal)?).boxed(),
        LogFormat::Auto if is_journal(journal_stream) || is_deaf(&io::stderr()) => match connect() {
            Ok(socket) => journal(socket).boxed(),
            Err(_) => text_to_stderr().boxed(),
        },
        LogFormat::Text | LogFormat::Auto => text_to_stderr().boxed(),
    })
}

/// Writes why the process ends to standard error, or to the journal where standard error leads nowhere.
pub fn complain(text: &str) {
    writeln!(io::stderr(), "{text}").ok();
    if is_deaf(&io::stderr())
        && let Ok(journal) = connect()
    {
        journal.complain(text);
    }
}

fn connect() -> io::Result<Journal> {
    Journal::connect(Path::new(journal::SOCKET))
}

fn text_to_stderr<S>() -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    text(io::stderr().is_terminal(), io::stderr)
}

fn text<S, W>(colour: bool, writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().fmt_fields(HarmlessFields).with_ansi(colour).with_writer(writer)
}

fn json<S, W>(writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().json().event_format(JsonLine).with_writer(writer)
}

fn journal<S>(journal: Journal) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = tracing_subscriber::fmt::layer().fmt_fields(HarmlessFields).with_ansi(false);
    layer.event_format(JournalEntry).with_writer(journal)
}

/// Says whether standard error is the stream that systemd connected to the journal.
///
/// The variable alone proves nothing: child processes inherit it, even with a redirected stream.
fn is_journal(journal_stream: Option<&str>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let Ok(stderr) = fstat(io::stderr()) else { return false };
    device.parse() == Ok(stderr.st_dev) && inode.parse() == Ok(stderr.st_ino)
}

/// Says whether what is written there is lost: it leads to `/dev/null`, or is open for reading only, which is what
/// ZoneMinder's zmdc leaves to the daemons that it starts.
fn is_deaf(stream: &impl AsFd) -> bool {
    let Ok(flags) = fcntl(stream, FcntlArg::F_GETFL) else { return true };
    let reads_only = OFlag::from_bits_truncate(flags) & OFlag::O_ACCMODE == OFlag::O_RDONLY;
    reads_only || fstat(stream).is_ok_and(|found| found.st_rdev == makedev(1, 3))
}

/// The log's level: cheap to clone.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<Targets, Registry>,
    level: Arc<Mutex<Level>>,
}

#[derive(Debug)]
struct Level {
    lasting: String,
    now: String,
    /// Grows with each change, so that an expiry knows whether a later change has replaced its own.
    change: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelChange {
    pub before: String,
    /// Identifies the change for [`LogHandle::expire`].
    pub number: u64,
}

impl LogHandle {
    /// Returns a filter for a subscriber, and the handle that changes it.
    pub(crate) fn new(level: &str) -> Result<(Filter, Self), InvalidLevel> {
        let (layer, filter) = reload::Layer::new(parse(level)?);
        let level = Level { lasting: level.to_owned(), now: level.to_owned(), change: 0 };
        Ok((layer, Self { filter, level: Arc::new(Mutex::new(level)) }))
    }

    pub fn level(&self) -> String {
        self.lock().now.clone()
    }

    pub fn set(&self, level: &str) -> Result<LevelChange, LogError> {
        self.apply(level, true)
    }

    /// Changes the level until [`Self::expire`] restores the lasting one.
    pub fn set_for_now(&self, level: &str) -> Result<LevelChange, LogError> {
        self.apply(level, false)
    }

    /// Ends the temporary change of that number and returns the restored level. `None`: a later change has replaced it, and
    /// nothing happens.
    pub fn expire(&self, number: u64) -> Result<Option<String>, LogError> {
        let mut level = self.lock();
        if level.change != number {
            return Ok(None);
        }
        let lasting = level.lasting.clone();
        self.change(&mut level, &lasting)?;
        Ok(Some(lasting))
    }

    fn apply(&self, text: &str, lasting: bool) -> Result<LevelChange, LogError> {
        let mut level = self.lock();
        let before = self.change(&mut level, text)?;
        if lasting {
            text.clone_into(&mut level.lasting);
        }
        Ok(LevelChange { before, number: level.change })
    }

    fn change(&self, level: &mut Level, text: &str) -> Result<String, LogError> {
        self.filter.reload(parse(text)?)?;
        level.change += 1;
        Ok(std::mem::replace(&mut level.now, text.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
