//! A `zmc` for tests: writes shared memory of any layout, field by field.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zmes_shared::{MonitorId, MonitorState};

use super::layout::{LastEvent, Layout, Numbering, TRIGGER_SIZE, trigger};
use super::path_of;

/// The shared memory of one monitor, as a `zmc` holds it.
#[derive(Debug)]
pub(crate) struct Synthetic {
    pub(crate) layout: &'static Layout,
    path: PathBuf,
    file: File,
}

impl Synthetic {
    /// Starts a `zmc`: a new file, filled, valid, idle.
    pub(crate) fn start(directory: &Path, monitor: MonitorId, size: u32) -> Self {
        let path = path_of(directory, monitor);
        std::fs::remove_file(&path).ok();
        let zmc = Self::empty(directory, monitor, size);
        zmc.fill(1_795_000_000);
        zmc
    }

    /// Creates (or takes over) the file without filling it.
    pub(crate) fn empty(directory: &Path, monitor: MonitorId, size: u32) -> Self {
        let path = path_of(directory, monitor);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        Self { layout: Layout::find(size).unwrap(), path, file }
    }

    /// Writes the header; `valid` comes last.
    pub(crate) fn fill(&self, startup_time: i64) {
        self.file.set_len(0).unwrap();
        self.file.set_len(4096).unwrap();
        self.put(0, &self.layout.size.to_ne_bytes());
        self.put(self.layout.trigger(), &TRIGGER_SIZE.to_ne_bytes());
        self.state(MonitorState::Idle);
        self.startup_time(startup_time);
        self.byte(self.layout.signal, 1);
        self.byte(self.layout.valid, 1);
    }

    pub(crate) fn put(&self, offset: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset as u64).unwrap();
    }

    pub(crate) fn byte(&self, offset: usize, value: u8) {
        self.put(offset, &[value]);
    }

    /// Writes a state in the numbering of the layout (760: the newer one).
    pub(crate) fn state(&self, state: MonitorState) {
        let from_unknown: u32 = match state {
            MonitorState::Idle => 1,
            MonitorState::Prealarm => 2,
            MonitorState::Alarm => 3,
            MonitorState::Alert => 4,
            MonitorState::Tape => 5,
            MonitorState::Unknown | MonitorState::Down | _ => 0,
        };
        let old = self.layout.numbering == Some(Numbering::FromIdle);
        self.number(if old { from_unknown.wrapping_sub(1) } else { from_unknown });
    }

    /// Writes the bare number of a state.
    pub(crate) fn number(&self, number: u32) {
        self.put(self.layout.state, &number.to_ne_bytes());
    }

    pub(crate) fn last_event(&self, event: u64) {
        match self.layout.last_event {
            LastEvent::Word(offset) => self.put(offset, &u32::try_from(event).unwrap().to_ne_bytes()),
            LastEvent::Long(offset) => self.put(offset, &event.to_ne_bytes()),
        }
    }

    pub(crate) fn startup_time(&self, secs: i64) {
        if let Some(offset) = self.layout.startup_time {
            self.put(offset, &secs.to_ne_bytes());
        }
    }

    pub(crate) fn heartbeat(&self, secs: i64) {
        let offset = self.layout.heartbeat_time.unwrap_or(self.layout.last_write_time);
        self.put(offset, &secs.to_ne_bytes());
    }

    pub(crate) fn cause(&self, cause: &[u8]) {
        if let Some(offset) = self.layout.alarm_cause {
            self.put(offset, cause);
            self.byte(offset + cause.len(), 0);
        }
    }

    pub(crate) fn trigger_on(&self, cause: &str, text: &str) {
        let base = self.layout.trigger();
        self.put(base + trigger::CAUSE, cause.as_bytes());
        self.put(base + trigger::TEXT, text.as_bytes());
        self.put(base + trigger::STATE, &trigger::ON.to_ne_bytes());
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the `zmc` as TERM does: unlinks the file, then marks it invalid; its state stays as it was.
    pub(crate) fn stop(&self) {
        std::fs::remove_file(&self.path).unwrap();
        self.byte(self.layout.valid, 0);
    }
}
