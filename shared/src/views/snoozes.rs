//! `zmesctl snooze …`, and the view of a push that a snooze withheld.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::MonitorId;
use crate::sentence::Sentence;
use crate::words::{SnoozeOrigin, SnoozeScopeKind};

/// The snoozes that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snoozes {
    /// Ordered by number.
    pub snoozes: Vec<SnoozeView>,
}

/// One snooze: alarms of a monitor are not pushed for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnoozeView {
    /// Its number.
    pub id: u64,
    /// The monitor; `null`: all monitors.
    pub monitor_id: Option<MonitorId>,
    /// The monitor's name, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// Whose phones it silences.
    pub scope: SnoozeScopeKind,
    /// The user, for scope `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The handle, for scope `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it ends.
    pub until: Timestamp,
    /// When it was first set.
    pub since: Timestamp,
    /// Who set it: a user of the machine or of ZoneMinder.
    pub by: String,
    /// How it was set.
    pub origin: SnoozeOrigin,
    /// The number of pushes that it has withheld.
    pub withheld: u64,
    /// Whether alarms that a rule calls urgent are withheld, too.
    #[serde(default)]
    pub hard: bool,
    /// Whether phones get the number of withheld alarms at its end.
    #[serde(default)]
    pub tell: bool,
}

/// The answer to `snooze_set` and `snooze_end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnoozesChanged {
    /// `set`, `changed` (there was a snooze for the same monitor and phones) or `ended`.
    pub change: String,
    /// These snoozes, after the change.
    pub snoozes: Vec<SnoozeView>,
}

/// The snooze that withheld a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnoozedBy {
    /// The number of the snooze.
    pub snooze: u64,
    /// Until when it is, or was, set.
    pub snoozed_until: Timestamp,
    /// Who set it.
    pub snoozed_by: String,
    /// Whether it has ended since.
    #[serde(default, skip_serializing_if = "crate::views::is_false")]
    pub snooze_ended: bool,
}

impl SnoozedBy {
    /// Returns a sentence for people: `snoozed until 18:00 by amy (snooze 17): zmesctl snooze end 17`.
    pub fn sentence(&self) -> Sentence {
        let Self { snooze, snoozed_until, snoozed_by, snooze_ended } = self;
        if *snooze_ended {
            let begin = format!("snoozed by {snoozed_by} (snooze {snooze}, set until ");
            return Sentence::from(begin).time(*snoozed_until).text(", ended since)");
        }
        let end = format!(" by {snoozed_by} (snooze {snooze}): zmesctl snooze end {snooze}");
        Sentence::from("snoozed until ").time(*snoozed_until).text(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snooze_that_goes_on_is_told_with_the_way_out() {
        let until = "2026-11-30T18:00:00Z".parse().unwrap();
        let by = "amy".to_owned();
        let by = SnoozedBy { snooze: 17, snoozed_until: until, snoozed_by: by, snooze_ended: false };
        let local = |by: &SnoozedBy| by.sentence().render(|at| at.strftime("%H:%M").to_string());
        assert_eq!(local(&by), "snoozed until 18:00 by amy (snooze 17): zmesctl snooze end 17");
        let ended = SnoozedBy { snooze_ended: true, ..by };
        assert_eq!(local(&ended), "snoozed by amy (snooze 17, set until 18:00, ended since)");
    }
}
