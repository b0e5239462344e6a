//! One simulated monitor's shared memory, written as ZoneMinder's `zmc` writes it.
//!
//! Owns the file and knows the field offsets in the layout of ZoneMinder 1.39.17 and later; does not know when an alarm
//! happens. Uses plain positioned writes: all readers of the file share the page cache.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use jiff::Timestamp;
use zmes_shared::{EventId, MonitorId};

/// `sizeof(SharedData)` of ZoneMinder 1.39.17 and later.
pub(super) const SHARED_SIZE: u32 = 888;
/// `sizeof(TriggerData)`, the same in every version.
const TRIGGER_SIZE: u32 = 560;
/// Length of the file: both structures, and room for the pictures after them.
const FILE_SIZE: u64 = 8192;
/// `TriggerData.trigger_state` for a forced alarm.
const TRIGGER_ON: u32 = 1;

/// Offsets in bytes, from the start of the file.
mod offset {
    pub(super) const SIZE: u64 = 0;
    pub(super) const IMAGE_COUNT: u64 = 12;
    pub(super) const STATE: u64 = 16;
    pub(super) const CAPTURE_FPS: u64 = 24;
    pub(super) const ANALYSIS_FPS: u64 = 32;
    pub(super) const LAST_EVENT: u64 = 56;
    pub(super) const VALID: u64 = 92;
    pub(super) const CAPTURING: u64 = 93;
    pub(super) const ANALYSING: u64 = 94;
    pub(super) const RECORDING: u64 = 95;
    pub(super) const SIGNAL: u64 = 96;
    pub(super) const STARTUP_TIME: u64 = 120;
    pub(super) const HEARTBEAT_TIME: u64 = 128;
    pub(super) const LAST_WRITE_TIME: u64 = 136;
    pub(super) const LAST_READ_TIME: u64 = 144;
    pub(super) const ALARM_CAUSE: u64 = 424;
    pub(super) const TRIGGER: u64 = super::SHARED_SIZE as u64;
    pub(super) const TRIGGER_STATE: u64 = TRIGGER + 4;
    pub(super) const TRIGGER_SCORE: u64 = TRIGGER + 8;
    pub(super) const TRIGGER_CAUSE: u64 = TRIGGER + 16;
}

/// `char alarm_cause[256]`
const ALARM_CAUSE_LENGTH: usize = 256;
/// `char trigger_cause[32]`
const TRIGGER_CAUSE_LENGTH: usize = 32;

/// `SharedData.state` in the numbering since 1.36.16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle = 1,
    Alarm = 3,
    Alert = 4,
}

#[derive(Debug)]
pub(super) struct Memory {
    file: File,
}

impl Memory {
    /// Creates the file as a starting `zmc` does: zeroes first, then the fields, `valid` last.
    pub(super) fn create(directory: &Path, monitor: MonitorId, fps: f64, now: Timestamp) -> io::Result<Self> {
        let path = directory.join(format!("zm.mmap.{monitor}"));
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o660).open(path)?;
        file.set_len(FILE_SIZE)?;
        let memory = Self { file };
        memory.put(offset::SIZE, SHARED_SIZE.to_ne_bytes())?;
        memory.put(offset::TRIGGER, TRIGGER_SIZE.to_ne_bytes())?;
        memory.enter(State::Idle)?;
        memory.put(offset::CAPTURE_FPS, fps.to_ne_bytes())?;
        memory.put(offset::ANALYSIS_FPS, fps.to_ne_bytes())?;
        // Capturing and analysing are Always (3 and 2), recording is OnMotion (2).
        memory.put(offset::CAPTURING, [3])?;
        memory.put(offset::ANALYSING, [2])?;
        memory.put(offset::RECORDING, [2])?;
        memory.put(offset::SIGNAL, [1])?;
        memory.put(offset::STARTUP_TIME, now.as_second().to_ne_bytes())?;
        memory.beat(0, now)?;
        memory.put(offset::VALID, [1])?;
        Ok(memory)
    }

    pub(super) fn beat(&self, images: u32, now: Timestamp) -> io::Result<()> {
        self.put(offset::IMAGE_COUNT, images.to_ne_bytes())?;
        for time in [offset::HEARTBEAT_TIME, offset::LAST_WRITE_TIME, offset::LAST_READ_TIME] {
            self.put(time, now.as_second().to_ne_bytes())?;
        }
        Ok(())
    }

    pub(super) fn enter(&self, state: State) -> io::Result<()> {
        self.put(offset::STATE, (state as u32).to_ne_bytes())
    }

    pub(super) fn set_last_event(&self, event: EventId) -> io::Result<()> {
        self.put(offset::LAST_EVENT, event.0.to_ne_bytes())
    }

    pub(super) fn set_alarm_cause(&self, cause: &str) -> io::Result<()> {
        // The last byte stays 0, as with a `strncpy` of one byte less.
        let mut text = [0; ALARM_CAUSE_LENGTH];
        for (to, from) in text.iter_mut().take(ALARM_CAUSE_LENGTH - 1).zip(cause.bytes()) {
            *to = from;
        }
        self.put(offset::ALARM_CAUSE, text)
    }

    /// Returns the cause of a forced alarm while one is requested (`trigger_state` is ON, with a score).
    pub(super) fn forced(&self) -> io::Result<Option<String>> {
        let state = u32::from_ne_bytes(self.take(offset::TRIGGER_STATE)?);
        let score = u32::from_ne_bytes(self.take(offset::TRIGGER_SCORE)?);
        if state != TRIGGER_ON || score == 0 {
            return Ok(None);
        }
        let text: [u8; TRIGGER_CAUSE_LENGTH] = self.take(offset::TRIGGER_CAUSE)?;
        let cause = text.split(|&byte| byte == 0).next().unwrap_or_default();
        Ok(Some(String::from_utf8_lossy(cause).into_owned()))
    }

    fn put<const N: usize>(&self, at: u64, bytes: [u8; N]) -> io::Result<()> {
        self.file.write_all_at(&bytes, at)
    }

    fn take<const N: usize>(&self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number<const N: usize>(file: &[u8], at: usize) -> [u8; N] {
        file[at..at + N].try_into().unwrap()
    }

    #[test]
    fn the_file_is_what_zoneminder_1_39_writes() {
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let memory = Memory::create(directory.path(), MonitorId(7), 10.0, now).unwrap();
        memory.enter(State::Alarm).unwrap();
        memory.set_last_event(EventId(0x1_0000_0002)).unwrap();
        memory.set_alarm_cause("Motion:All").unwrap();
        let file = std::fs::read(directory.path().join("zm.mmap.7")).unwrap();
        assert_eq!(u32::from_ne_bytes(number(&file, 0)), 888, "sizeof(SharedData)");
        assert_eq!(u32::from_ne_bytes(number(&file, 16)), 3, "ALARM");
        assert_eq!(u64::from_ne_bytes(number(&file, 56)), 0x1_0000_0002);
        assert_eq!(file[92..97], [1, 3, 2, 2, 1], "valid, capturing, analysing, recording, signal");
        assert_eq!(i64::from_ne_bytes(number(&file, 120)), 1_800_000_000, "startup_time");
        assert_eq!(i64::from_ne_bytes(number(&file, 128)), 1_800_000_000, "heartbeat_time");
        assert_eq!(&file[424..435], b"Motion:All\0");
        assert_eq!(u32::from_ne_bytes(number(&file, 888)), 560, "sizeof(TriggerData)");
    }

    #[test]
    fn a_cause_is_cut_before_the_last_byte() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::create(directory.path(), MonitorId(1), 10.0, Timestamp::UNIX_EPOCH).unwrap();
        memory.set_alarm_cause(&"x".repeat(400)).unwrap();
        let file = std::fs::read(directory.path().join("zm.mmap.1")).unwrap();
        assert_eq!((file[424 + 254], file[424 + 255]), (b'x', 0));
    }

    #[test]
    fn a_trigger_counts_only_while_it_is_on_with_a_score() {
        let directory = tempfile::tempdir().unwrap();
        let memory = Memory::create(directory.path(), MonitorId(1), 10.0, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(memory.forced().unwrap(), None);
        memory.file.write_all_at(b"by hand\0", 888 + 16).unwrap();
        memory.file.write_all_at(&1_u32.to_ne_bytes(), 888 + 4).unwrap();
        assert_eq!(memory.forced().unwrap(), None, "without a score");
        memory.file.write_all_at(&255_u32.to_ne_bytes(), 888 + 8).unwrap();
        assert_eq!(memory.forced().unwrap().as_deref(), Some("by hand"));
        memory.file.write_all_at(&0_u32.to_ne_bytes(), 888 + 4).unwrap();
        assert_eq!(memory.forced().unwrap(), None, "cancelled");
    }
}
