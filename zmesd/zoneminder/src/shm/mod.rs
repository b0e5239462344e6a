//! ZoneMinder's shared memory: the files `zm.mmap.N` that each `zmc` writes.
//!
//! [`ShmSource`] owns the open files and what was found out about them. It does not know alarms.

mod decode;
mod file;
pub(crate) mod fuzzing;
pub mod layout;
mod read_error;
#[cfg(test)]
mod synthetic;
pub(crate) mod trigger;

pub use read_error::{Denied, Ownership, ReadError};
#[cfg(test)]
pub(crate) use synthetic::Synthetic;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;
use zmes_shared::MonitorId;

use self::decode::{Context, decode};
use self::file::ShmFile;
use self::layout::{MAX_READ, Numbering};
use crate::MonitorSource;
use crate::{Reading, ZmVersion};

/// The layout that was used both before and after the states were renumbered.
const AMBIGUOUS: u32 = 760;

/// How often in a row a state that only one numbering has must be seen: once could be a torn read.
const WITNESSES: u8 = 2;

/// Returns the path of a monitor's shared memory.
pub fn path_of(directory: &Path, monitor: MonitorId) -> PathBuf {
    directory.join(format!("zm.mmap.{monitor}"))
}

/// Reads monitors from the files in one directory (`ZM_PATH_MAP`).
pub struct ShmSource {
    directory: PathBuf,
    assumed: Numbering,
    slots: BTreeMap<MonitorId, Slot>,
    buffer: Box<[u8; MAX_READ]>,
}

impl fmt::Debug for ShmSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmSource").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// What is kept of one monitor.
#[derive(Debug)]
struct Slot {
    file: ShmFile,
    /// Why the file could not be opened; returned again until the next attempt.
    refused: Option<ReadError>,
    /// How often the file was empty and then filled again without being replaced.
    refilled: u64,
    unfilled: bool,
    cause: Arc<str>,
    observed: Option<Numbering>,
    witness: (u32, u8),
    startup_time: i64,
}

impl ShmSource {
    /// Returns a source that has opened nothing yet.
    pub fn new(path_map: PathBuf) -> Self {
        Self {
            directory: path_map,
            assumed: Numbering::FromUnknown,
            slots: BTreeMap::new(),
            buffer: Box::new([0; MAX_READ]),
        }
    }
}

impl MonitorSource for ShmSource {
    fn read(&mut self, monitor: MonitorId, now: Instant) -> Result<Reading, ReadError> {
        let directory = &self.directory;
        let slot = self.slots.entry(monitor).or_insert_with(|| Slot::new(path_of(directory, monitor)));
        slot.read(&mut *self.buffer, self.assumed, now)
    }

    fn assume_version(&mut self, version: Option<ZmVersion>) {
        self.assumed = version.map_or(Numbering::FromUnknown, Numbering::of);
    }

    fn forget(&mut self, monitor: MonitorId) {
        self.slots.remove(&monitor);
    }

    fn other_numbering(&self, monitor: MonitorId) -> Option<Numbering> {
        self.slots.get(&monitor)?.observed.filter(|observed| *observed != self.assumed)
    }
}

impl Slot {
    fn new(path: PathBuf) -> Self {
        Self {
            file: ShmFile::new(path),
            refused: None,
            refilled: 0,
            unfilled: false,
            cause: Arc::default(),
            observed: None,
            witness: (0, 0),
            startup_time: 0,
        }
    }

    fn read(&mut self, buffer: &mut [u8], assumed: Numbering, now: Instant) -> Result<Reading, ReadError> {
        if self.file.resting(now)
            && let Some(refused) = &self.refused
        {
            return Err(refused.clone());
        }
        let mut result = self.look(buffer, assumed, now);
        // A zmc that ends unlinks the path first and then marks its memory: the next one may already run.
        if matches!(result, Err(ReadError::Stopped)) && self.file.compare(now) {
            result = self.look(buffer, assumed, now);
        }
        match &result {
            Ok(reading) => self.startup_time = reading.startup_time,
            Err(error) => self.unfilled |= error.zmc_is_away(),
        }
        result
    }

    fn look(&mut self, buffer: &mut [u8], assumed: Numbering, now: Instant) -> Result<Reading, ReadError> {
        let opened = self.file.opened();
        let length = match self.file.read(buffer, now) {
            Ok(length) => length,
            Err(error) => return Err(self.refuse(&error)),
        };
        self.refused = None;
        if self.file.opened() != opened {
            (self.observed, self.witness) = (None, (0, 0));
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        let context = Context {
            numbering: self.observed.unwrap_or(assumed),
            generation: self.file.opened() + self.refilled,
            cause: Arc::clone(&self.cause),
        };
        let mut decoded = decode(bytes, &context)?;
        if std::mem::take(&mut self.unfilled) {
            self.refilled += 1;
            decoded.reading.generation += 1;
        }
        self.cause = Arc::clone(&decoded.reading.alarm_cause);
        if decoded.reading.layout == AMBIGUOUS && self.testify(decoded.number, decoded.reading.startup_time) {
            let numbering = self.observed.unwrap_or(assumed);
            decoded.reading.state = decode(bytes, &Context { numbering, ..context })?.reading.state;
        }
        Ok(decoded.reading)
    }

    /// Counts a state that only one numbering has; true: the numbering differs from the assumed one.
    fn testify(&mut self, number: u32, startup_time: i64) -> bool {
        if startup_time != self.startup_time {
            // Another zmc, perhaps of another version.
            (self.observed, self.witness) = (None, (0, 0));
        }
        let numbering = match number {
            0 => Numbering::FromIdle,
            5 => Numbering::FromUnknown,
            _ => return false,
        };
        let (witnessed, times) = self.witness;
        let times = if witnessed == number { times.saturating_add(1) } else { 1 };
        self.witness = (number, times);
        times >= WITNESSES && self.observed.replace(numbering) != Some(numbering)
    }

    fn refuse(&mut self, error: &io::Error) -> ReadError {
        let path = self.file.path();
        let kind = error.kind();
        let refused = if kind == io::ErrorKind::NotFound {
            let part = |part: Option<&OsStr>| Arc::from(part.unwrap_or_default().to_string_lossy());
            let directory = path.parent().map(Path::as_os_str);
            ReadError::NotThere { name: part(path.file_name()), directory: part(directory) }
        } else if kind == io::ErrorKind::PermissionDenied {
            ReadError::Permission(Denied::of(path))
        } else {
            ReadError::Io { path: Arc::from(path.to_string_lossy()), detail: Arc::from(error.to_string()) }
        };
        self.refused = Some(refused.clone());
        refused
    }
}

#[cfg(test)]
mod tests;
