//! Field offsets in ZoneMinder's `zm.mmap.N`: the harness's own table, checked against the lab's Python decoder.
//!
//! It deliberately differs from the daemon's table: two independent tables that agree prove more than one used twice.

/// One generation of ZoneMinder's `SharedData`, identified by its size. Offsets are in bytes (64-bit ABI).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// `sizeof(SharedData)`, the first word of the file; `TriggerData` follows it.
    pub size: u32,
    /// Releases that write it.
    pub releases: &'static str,
    pub(crate) state: u64,
    pub(crate) last_event: u64,
    /// `last_event` is 4 bytes wide (up to 1.30), else 8.
    pub(crate) narrow_event: bool,
    pub(crate) valid: u64,
    pub(crate) signal: u64,
    /// `recording` (1 none, 2 on motion, 3 always), since 1.37.
    pub(crate) recording: Option<u64>,
    pub(crate) startup_time: Option<u64>,
    pub(crate) heartbeat_time: Option<u64>,
    pub(crate) last_write_time: u64,
    pub(crate) alarm_cause: Option<u64>,
    /// The order in which an alarm is written.
    pub(crate) order: Order,
}

/// The order in which ZoneMinder writes the parts of a starting alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The state, then the row in Events, then the event id and the cause (up to 1.34.16, since 1.37).
    StateFirst,
    /// The cause, the row in Events, the event id, and last the state (1.34.19 to 1.36).
    StateLast,
}

/// How states are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// IDLE is 0 (up to 1.36.15).
    IdleIsZero,
    /// IDLE is 1 (since 1.36.16).
    IdleIsOne,
}

/// A monitor's state, in ZoneMinder's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// No motion.
    Idle,
    /// Motion begins.
    Prealarm,
    /// Motion.
    Alarm,
    /// Motion has ended, the event continues.
    Alert,
    /// Continuous recording (up to 1.36).
    Tape,
}

impl State {
    pub(crate) fn number(self, numbering: Numbering) -> u32 {
        self as u32 + u32::from(numbering == Numbering::IdleIsOne)
    }
}

impl Layout {
    /// Returns the layout with this size.
    pub fn of(size: u32) -> Self {
        LAYOUTS.into_iter().find(|layout| layout.size == size).unwrap_or(LAYOUTS[3])
    }

    /// Returns every layout that ZoneMinder has released.
    pub fn all() -> [Self; 8] {
        LAYOUTS
    }

    /// Returns the usual numbering of a layout. Layout 760 has two; this returns that of nearly all installations.
    pub fn numbering(self) -> Numbering {
        if self.size < 760 { Numbering::IdleIsZero } else { Numbering::IdleIsOne }
    }
}

const OLD: Layout = Layout {
    size: 336,
    releases: "1.26 to 1.30",
    state: 12,
    last_event: 16,
    narrow_event: true,
    valid: 48,
    signal: 50,
    recording: None,
    startup_time: None,
    heartbeat_time: None,
    last_write_time: 64,
    alarm_cause: None,
    order: Order::StateFirst,
};

const V1_38: Layout = Layout {
    size: 872,
    releases: "1.38.0 to 1.39.16",
    state: 16,
    last_event: 56,
    narrow_event: false,
    valid: 92,
    signal: 96,
    recording: Some(95),
    startup_time: Some(120),
    heartbeat_time: Some(128),
    last_write_time: 136,
    alarm_cause: Some(424),
    order: Order::StateFirst,
};

const V1_36: Layout = Layout {
    size: 760,
    releases: "1.36.0 to 1.36.33",
    state: 12,
    last_event: 32,
    narrow_event: false,
    valid: 68,
    signal: 70,
    recording: None,
    startup_time: Some(88),
    heartbeat_time: Some(96),
    last_write_time: 104,
    alarm_cause: Some(376),
    order: Order::StateLast,
};

const V1_32: Layout = Layout {
    size: 608,
    releases: "1.32.0 to 1.32.2",
    narrow_event: false,
    valid: 52,
    signal: 54,
    startup_time: Some(72),
    last_write_time: 80,
    alarm_cause: Some(352),
    ..OLD
};

const LAYOUTS: [Layout; 8] = [
    OLD,
    V1_32,
    Layout {
        size: 600,
        releases: "1.32.3 to 1.34",
        startup_time: Some(64),
        last_write_time: 72,
        alarm_cause: Some(344),
        ..V1_32
    },
    V1_36,
    Layout {
        size: 768,
        releases: "1.36.34 to 1.36.38",
        state: 16,
        last_event: 40,
        valid: 76,
        signal: 78,
        startup_time: Some(96),
        heartbeat_time: Some(104),
        last_write_time: 112,
        alarm_cause: Some(384),
        ..V1_36
    },
    Layout { size: 864, releases: "1.37.60 to 1.37.76", alarm_cause: Some(416), ..V1_38 },
    V1_38,
    Layout { size: 888, releases: "since 1.39.17", ..V1_38 },
];
