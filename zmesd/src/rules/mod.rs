//! Rules (`[[rule]]` in `zmesd.toml`): which alarms are muted for which receivers, and which are urgent.
//!
//! Pure: an alarm, a receiver and a time go in, the deciding rule comes out. Rules stand in the order of the file; the
//! first one whose conditions all hold decides. Where none holds, the alarm is sent as usual.

mod receiver;
mod rule;
mod schedule;

pub use receiver::{Channel, ReceiverFacts, ReceiverName, is_same_name};
pub use rule::{AlarmFacts, Mismatch, MonitorName, Rule, RuleAction};
pub use schedule::{Days, InvalidTime, LocalTimes, Schedule, TimeOfDay, Window};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Maximum number of rules.
pub const MAX_RULES: usize = 256;

/// The rules in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// Takes rules in the order of the file.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Returns them in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the rules whose conditions on the alarm hold; what they say of receivers is still to be compared. This
    /// is done once for each alarm, [`Candidates::decide`] once for each receiver.
    pub fn candidates(&self, alarm: &AlarmFacts<'_>) -> Candidates<'_> {
        let mut times = LocalTimes::new(alarm.time);
        Candidates(self.rules.iter().filter(|rule| rule.holds_for(alarm, &mut times).is_ok()).collect())
    }

    /// Returns what each rule says of an alarm and a receiver, up to and including the one that decides.
    pub fn examine(
        &self,
        alarm: &AlarmFacts<'_>,
        receiver: &ReceiverFacts<'_>,
    ) -> Vec<(&Rule, Result<(), Mismatch>)> {
        let (mut examined, mut times) = (Vec::new(), LocalTimes::new(alarm.time));
        for rule in &self.rules {
            let verdict = rule.holds_for(alarm, &mut times).and_then(|()| rule.is_for(receiver));
            examined.push((rule, verdict));
            if verdict.is_ok() {
                break;
            }
        }
        examined
    }
}

/// The rules that an alarm meets.
#[derive(Debug)]
pub struct Candidates<'a>(Vec<&'a Rule>);

impl<'a> Candidates<'a> {
    /// Returns the rule that decides for a receiver; `None`: the alarm is sent as usual.
    pub fn decide(&self, receiver: &ReceiverFacts<'_>) -> Option<&'a Rule> {
        self.0.iter().copied().find(|rule| rule.is_for(receiver).is_ok())
    }
}

/// When an alarm happened, for rules with and without a time zone of their own.
#[derive(Debug, Clone, Copy)]
pub struct AlarmTime<'a> {
    /// When the alarm was found. Rules never look at the time of sending.
    pub at: Timestamp,
    /// The machine's time zone.
    pub machine: &'a TimeZone,
}

#[cfg(test)]
pub(crate) mod fakes;
#[cfg(test)]
mod tests;
