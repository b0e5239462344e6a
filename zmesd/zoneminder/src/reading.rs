//! One reading of one monitor.

use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::MonitorState;

use crate::Recording;

/// The content of a monitor's shared memory at one moment, decoded and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `SharedData.state`, translated from the numbering of the layout.
    pub state: MonitorState,
    /// `SharedData.last_event`: the event opened last by this `zmc`, 0 if none. Not monotonic.
    pub last_event: u64,
    /// `SharedData.startup_time` in seconds since 1970; 0 where the layout has none. A change means a new `zmc`.
    pub startup_time: i64,
    /// `SharedData.alarm_cause`, trimmed, at most 255 bytes; empty where the layout has none.
    pub alarm_cause: Arc<str>,
    /// The trigger, where it is on.
    pub trigger: Option<Trigger>,
    /// `SharedData.recording` (1.37+); `None` where the layout has none.
    pub recording: Option<Recording>,
    /// `SharedData.signal`: the camera delivers pictures.
    pub signal: bool,
    /// `zmc`'s last sign of life: heartbeat, or the last picture where the layout has no heartbeat.
    pub heartbeat: Option<Timestamp>,
    /// `sizeof(SharedData)`.
    pub layout: u32,
    /// Whether `state` is written after `last_event` (layouts 760 and 768), so that both belong together.
    pub state_written_last: bool,
    /// The order differs between releases of the layout (600: 1.32.3 to 1.34.26), so the detector waits for both.
    pub order_unknown: bool,
    /// Grows when the file was opened again (new inode): state of the old file no longer applies.
    pub generation: u64,
}

/// `TriggerData` while its state is ON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// `trigger_cause`, at most 31 bytes.
    pub cause: Arc<str>,
    /// `trigger_text`, at most 255 bytes.
    pub text: Arc<str>,
}
