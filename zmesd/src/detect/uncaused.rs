//! Holds an alarm without a cause in shared memory for a moment, until the row of its event is read.
//!
//! Up to 1.30 ZoneMinder has no cause in shared memory at all, and from 1.37 on it writes the cause after the id.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zmes_zoneminder::EventRow;

use super::events::cause_of_row;
use crate::domain::Alarm;

/// How long the database may take before the alarm is announced without a cause.
const MOMENT: Duration = Duration::from_millis(300);
/// First number for these questions: far beyond those of the detector.
const NUMBERS: u64 = 1 << 63;

/// The alarm of one monitor that waits for its cause.
#[derive(Debug, Default)]
pub(super) struct Uncaused {
    held: Option<Alarm>,
    asked: u64,
}

impl Uncaused {
    /// Returns whether an alarm can be held: only one at a time; others are announced as they are.
    pub(super) fn is_free(&self) -> bool {
        self.held.is_none()
    }

    /// Holds an alarm. Returns the number of the question.
    pub(super) fn hold(&mut self, alarm: Alarm) -> u64 {
        self.asked += 1;
        self.held = Some(alarm);
        NUMBERS + self.asked
    }

    /// Handles the monitor's open events as the answer to a question, if it was one of these; `None` if the database
    /// cannot tell.
    pub(super) fn answer(&mut self, question: u64, open: Option<&[EventRow]>) -> Option<Alarm> {
        let held = self.held.take_if(|_| question == NUMBERS + self.asked)?;
        let row = open.into_iter().flatten().find(|row| Some(row.id) == held.event);
        let cause = row.map_or_else(|| Arc::clone(&held.cause), cause_of_row);
        Some(Alarm { cause, ..held })
    }

    pub(super) fn expired(&mut self, now: Instant) -> Option<Alarm> {
        self.held.take_if(|alarm| now.saturating_duration_since(alarm.detected) >= MOMENT)
    }
}
