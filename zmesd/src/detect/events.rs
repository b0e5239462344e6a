//! What ZoneMinder's texts and rows say about alarms.

use std::sync::Arc;

use zmes_shared::EventId;
use zmes_zoneminder::{EventRow, Reading, Trigger};

/// The cause of an event (or of a section of one) that was opened without an alarm.
const CONTINUOUS: &str = "Continuous";

/// The cause of an alarm that has none: the word that ZoneMinder uses for nearly all alarms.
pub(super) const MOTION: &str = "Motion";

/// Returns `last_event` as an id; 0 means none in ZoneMinder.
pub(super) fn event_id(last_event: u64) -> Option<EventId> {
    (last_event != 0).then_some(EventId(last_event))
}

/// Returns the text unless it says nothing about an alarm.
fn telling(cause: &str) -> Option<&str> {
    let cause = cause.trim();
    (!cause.is_empty() && !cause.eq_ignore_ascii_case(CONTINUOUS)).then_some(cause)
}

/// Returns whether an event contains an alarm. An alarm inside a continuous event does not change its cause. A
/// continuous event that begins because the camera is back ("Signal: Reacquired", 1.36 and later) contains none.
pub(super) fn has_alarm(row: &EventRow) -> bool {
    let calm = |part: &str| part.trim().starts_with("Signal") || telling(part).is_none();
    row.alarm_frames > 0 || !row.cause.split(',').all(calm)
}

/// Returns the cause of a row's event. If the alarm is inside a continuous event, the cause stays "Continuous"; then
/// this returns the first line of the notes ("Motion: All"), which ZoneMinder also writes for such alarms.
pub(super) fn cause_of_row(row: &EventRow) -> Arc<str> {
    let notes = telling(&row.notes).filter(|notes| !notes.starts_with(CONTINUOUS));
    Arc::from(telling(&row.cause).or(notes).unwrap_or(MOTION))
}

/// Returns why a monitor is in alarm: `alarm_cause`, or if that is empty (ZoneMinder does not write it for an alarm
/// inside an open event), the trigger's text.
pub(super) fn cause_of_reading(reading: &Reading) -> Arc<str> {
    if telling(&reading.alarm_cause).is_some() {
        return Arc::clone(&reading.alarm_cause);
    }
    match &reading.trigger {
        Some(Trigger { cause, text }) if cause.is_empty() => Arc::clone(text),
        Some(Trigger { cause, .. }) => Arc::clone(cause),
        None => Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zmes_shared::MonitorId;

    use super::*;

    #[test]
    fn a_row_has_an_alarm_by_its_frames_or_by_its_cause() {
        let row = |cause: &str, alarm_frames| EventRow {
            id: EventId(1),
            monitor: MonitorId(1),
            cause: cause.to_owned(),
            notes: String::new(),
            alarm_frames,
            age: Duration::ZERO,
            open: true,
        };
        for (cause, frames, expected) in [
            ("Continuous", 0, false),
            (" continuous ", 0, false),
            ("", 0, false),
            ("Continuous", 1, true),
            ("", 1, true),
            ("Motion", 0, true),
            ("Forced Web", 0, true),
            ("Signal: Reacquired", 0, false),
            ("Continuous, Signal: Lost", 0, false),
            ("Signal: Reacquired", 3, true),
            ("Signal: Reacquired, Motion", 0, true),
        ] {
            assert_eq!(has_alarm(&row(cause, frames)), expected, "{cause:?} {frames}");
        }
        assert_eq!(&*cause_of_row(&row(" Motion ", 1)), "Motion");
        assert_eq!(&*cause_of_row(&row("Continuous", 1)), "Motion");
        for (cause, notes, expected) in [
            ("Continuous", "Motion: All", "Motion: All"),
            (" Continuous ", " Motion: Front, Yard ", "Motion: Front, Yard"),
            ("", "ABC: longMotion: All", "ABC: longMotion: All"),
            ("Motion:Door", "Motion: All", "Motion:Door"),
            ("Continuous", "Continuous: ", "Motion"),
            ("Continuous", "", "Motion"),
        ] {
            let row = EventRow { notes: notes.to_owned(), ..row(cause, 1) };
            assert_eq!(&*cause_of_row(&row), expected, "{cause:?} {notes:?}");
        }
    }
}
