//! Times in findings.

use jiff::{Timestamp, Unit};

/// Returns a time as findings tell it: RFC 3339 for programs, whole seconds because people read it, too. `zmesctl` shows
/// it in the zone of the reader.
pub(super) fn moment(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}
