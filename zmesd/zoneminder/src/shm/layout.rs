//! The layouts of `SharedData` and `TriggerData`, from ZoneMinder 1.26 to 1.39: one table, nothing else.
//!
//! Offsets are those of the C structures (`zm_monitor.h`) under natural alignment, as on every 64-bit Linux and on
//! 32-bit ARM, MIPS and PowerPC. On i386 eight-byte numbers are aligned to four, so that some paddings are missing.

use crate::ZmVersion;

/// `sizeof(TriggerData)`, in every version.
pub const TRIGGER_SIZE: u32 = 560;
/// Maximum number of bytes read: the largest `SharedData` and its `TriggerData`.
pub const MAX_READ: usize = 888 + TRIGGER_SIZE as usize;

/// Offsets within `TriggerData`, which follows `SharedData`.
pub mod trigger {
    /// `trigger_state`, u32: [`CANCEL`], [`ON`], or 2 to suppress alarms.
    pub const STATE: usize = 4;
    /// `trigger_score`, u32; with 0 the trigger does nothing.
    pub const SCORE: usize = 8;
    /// `trigger_cause`.
    pub const CAUSE: usize = 16;
    /// Bytes of `trigger_cause` with its NUL.
    pub const CAUSE_LEN: usize = 32;
    /// `trigger_text`.
    pub const TEXT: usize = 48;
    /// Bytes of `trigger_text` with its NUL.
    pub const TEXT_LEN: usize = 256;
    /// No trigger.
    pub const CANCEL: u32 = 0;
    /// An alarm is forced.
    pub const ON: u32 = 1;
}

/// Bytes of `alarm_cause` with its NUL.
pub const CAUSE_LEN: usize = 256;

/// How `state` is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// IDLE is 0: up to ZoneMinder 1.36.15.
    FromIdle,
    /// UNKNOWN is 0, IDLE is 1: from ZoneMinder 1.36.16.
    FromUnknown,
}

impl Numbering {
    /// Returns what that version of ZoneMinder uses.
    pub fn of(version: ZmVersion) -> Self {
        if version < ZmVersion(1, 36, 16) { Self::FromIdle } else { Self::FromUnknown }
    }
}

/// `last_event`, which was widened in ZoneMinder 1.32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastEvent {
    /// u32 at that offset.
    Word(usize),
    /// u64 at that offset.
    Long(usize),
}

/// One version of `SharedData`: offsets of the fields that matter, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// `sizeof(SharedData)`, which is also its first word; `TriggerData` follows there.
    pub size: u32,
    /// The releases that use it.
    pub releases: &'static str,
    /// `state`, u32.
    pub state: usize,
    /// `last_event`.
    pub last_event: LastEvent,
    /// `valid`, u8.
    pub valid: usize,
    /// `recording`, u8: 1 never, 2 on motion, 3 always (1.37+).
    pub recording: Option<usize>,
    /// `signal`, u8.
    pub signal: usize,
    /// `startup_time`, 8 bytes.
    pub startup_time: Option<usize>,
    /// `heartbeat_time` or `zmc_heartbeat_time`, 8 bytes (1.36+).
    pub heartbeat_time: Option<usize>,
    /// `last_write_time`, 8 bytes: the last decoded picture.
    pub last_write_time: usize,
    /// `alarm_cause`, [`CAUSE_LEN`] bytes.
    pub alarm_cause: Option<usize>,
    /// How `state` is numbered; `None`: the layout alone does not say (760).
    pub numbering: Option<Numbering>,
    /// `state` is written after `last_event` in every release of the layout, so that both belong together.
    pub state_written_last: bool,
    /// That differs between releases of this layout.
    pub order_unknown: bool,
    /// Offsets before which four bytes of padding are missing on i386.
    padded: &'static [usize],
}

/// Layouts under natural alignment.
const NATURAL: [Layout; 8] = [
    Layout {
        size: 336,
        releases: "1.26 to 1.30",
        state: 12,
        last_event: LastEvent::Word(16),
        valid: 48,
        recording: None,
        signal: 50,
        startup_time: None,
        heartbeat_time: None,
        last_write_time: 64,
        alarm_cause: None,
        numbering: Some(Numbering::FromIdle),
        state_written_last: false,
        order_unknown: false,
        padded: &[],
    },
    Layout {
        size: 608,
        releases: "1.32.0 to 1.32.2",
        state: 12,
        last_event: LastEvent::Long(16),
        valid: 52,
        recording: None,
        signal: 54,
        startup_time: Some(72),
        heartbeat_time: None,
        last_write_time: 80,
        alarm_cause: Some(352),
        numbering: Some(Numbering::FromIdle),
        state_written_last: false,
        order_unknown: false,
        padded: &[72],
    },
    // From 1.34.19 on `state` comes last here too, but the layout does not tell 1.34.19 from 1.34.16.
    Layout {
        size: 600,
        releases: "1.32.3 to 1.34.26",
        state: 12,
        last_event: LastEvent::Long(16),
        valid: 52,
        recording: None,
        signal: 54,
        startup_time: Some(64),
        heartbeat_time: None,
        last_write_time: 72,
        alarm_cause: Some(344),
        numbering: Some(Numbering::FromIdle),
        state_written_last: false,
        order_unknown: true,
        padded: &[],
    },
    Layout {
        size: 760,
        releases: "1.36.0 to 1.36.33",
        state: 12,
        last_event: LastEvent::Long(32),
        valid: 68,
        recording: None,
        signal: 70,
        startup_time: Some(88),
        heartbeat_time: Some(96),
        last_write_time: 104,
        alarm_cause: Some(376),
        numbering: None,
        state_written_last: true,
        order_unknown: false,
        padded: &[],
    },
    Layout {
        size: 768,
        releases: "1.36.34 to 1.36.38",
        state: 16,
        last_event: LastEvent::Long(40),
        valid: 76,
        recording: None,
        signal: 78,
        startup_time: Some(96),
        heartbeat_time: Some(104),
        last_write_time: 112,
        alarm_cause: Some(384),
        numbering: Some(Numbering::FromUnknown),
        state_written_last: true,
        order_unknown: false,
        padded: &[24],
    },
    Layout { size: 864, releases: "1.37.60 to 1.37.76", alarm_cause: Some(416), ..NEWEST },
    Layout { size: 872, releases: "1.38.0 to 1.39.16", ..NEWEST },
    Layout { padded: &[], ..NEWEST },
];

/// ZoneMinder 1.39.17 and later; 1.37 and 1.38 differ from it behind `last_write_time` alone.
const NEWEST: Layout = Layout {
    size: 888,
    releases: "1.39.17 and later",
    state: 16,
    last_event: LastEvent::Long(56),
    valid: 92,
    recording: Some(95),
    signal: 96,
    startup_time: Some(120),
    heartbeat_time: Some(128),
    last_write_time: 136,
    alarm_cause: Some(424),
    numbering: Some(Numbering::FromUnknown),
    state_written_last: false,
    order_unknown: false,
    padded: &[24, 120],
};

impl Layout {
    /// All layouts as this machine's ABI lays them out.
    pub const ALL: [Self; 8] = if cfg!(target_arch = "x86") { packed_table() } else { NATURAL };

    /// Returns the layout of that `sizeof(SharedData)`.
    pub fn find(size: u32) -> Option<&'static Self> {
        const TABLE: &[Layout; 8] = &Layout::ALL;
        TABLE.iter().find(|layout| layout.size == size)
    }

    /// Returns where `TriggerData` begins.
    pub fn trigger(&self) -> usize {
        self.size as usize
    }

    /// Returns how many bytes must be read: `SharedData` and `TriggerData`.
    pub fn needed(&self) -> usize {
        self.trigger() + TRIGGER_SIZE as usize
    }

    const fn packed_offset(&self, offset: usize) -> usize {
        let mut index = 0;
        let mut result = offset;
        while index < self.padded.len() {
            if self.padded[index] <= offset {
                result -= 4;
            }
            index += 1;
        }
        result
    }

    const fn packed_optional(&self, offset: Option<usize>) -> Option<usize> {
        match offset {
            Some(offset) => Some(self.packed_offset(offset)),
            None => None,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "sizes are below 1000")]
    const fn packed(self) -> Self {
        Self {
            size: self.packed_offset(self.size as usize) as u32,
            state: self.packed_offset(self.state),
            last_event: match self.last_event {
                LastEvent::Word(offset) => LastEvent::Word(self.packed_offset(offset)),
                LastEvent::Long(offset) => LastEvent::Long(self.packed_offset(offset)),
            },
            valid: self.packed_offset(self.valid),
            recording: self.packed_optional(self.recording),
            signal: self.packed_offset(self.signal),
            startup_time: self.packed_optional(self.startup_time),
            heartbeat_time: self.packed_optional(self.heartbeat_time),
            last_write_time: self.packed_offset(self.last_write_time),
            alarm_cause: self.packed_optional(self.alarm_cause),
            ..self
        }
    }
}

/// The layouts of i386.
const fn packed_table() -> [Layout; 8] {
    let mut table = NATURAL;
    let mut index = 0;
    while index < table.len() {
        table[index] = NATURAL[index].packed();
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packed_table_is_that_of_i386() {
        let table = packed_table();
        let sizes: Vec<u32> = table.iter().map(|layout| layout.size).collect();
        assert_eq!(sizes, [336, 604, 600, 760, 764, 856, 864, 888]);
        let v138 = table.iter().find(|layout| layout.size == 864).unwrap();
        assert_eq!((v138.last_event, v138.valid, v138.signal), (LastEvent::Long(52), 88, 92));
        assert_eq!((v138.startup_time, v138.alarm_cause), (Some(112), Some(416)));
        let v132 = table.iter().find(|layout| layout.size == 604).unwrap();
        assert_eq!((v132.startup_time, v132.valid, v132.alarm_cause), (Some(68), 52, Some(348)));
    }

    #[test]
    fn every_field_lies_inside_and_sizes_are_unique() {
        for layout in NATURAL {
            assert_eq!(NATURAL.iter().filter(|other| other.size == layout.size).count(), 1);
            let cause_end = layout.alarm_cause.map_or(0, |offset| offset + CAUSE_LEN);
            assert!(cause_end.max(layout.last_write_time + 8) <= layout.trigger(), "{}", layout.size);
            assert!(layout.needed() <= MAX_READ);
        }
    }
}
