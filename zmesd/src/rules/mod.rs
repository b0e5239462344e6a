//! Rules (`[[rule]]` in `zmesd.toml`): which alarms are muted for which receivers, and which are urgent.
//!
//! Pure: given an alarm, a receiver and a time, returns the deciding rule. Rules are in the order of the file; the
//! first one whose conditions all hold decides. If there is none, the alarm is sent as usual.

mod index;
mod receiver;
mod rule;
mod schedule;

pub use receiver::{Channel, ReceiverFacts, ReceiverName, is_same_name};
pub use rule::{AlarmFacts, Mismatch, MonitorName, Rule, RuleAction};
pub use schedule::{Days, InvalidTime, LocalTimes, Schedule, TimeOfDay, Window};

use self::index::{ReceiverIndex, RuleBits};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Maximum number of rules.
pub const MAX_RULES: usize = 256;

/// The rules in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    rules: Vec<Rule>,
    receivers: ReceiverIndex,
}

impl RuleSet {
    /// Takes at most [`MAX_RULES`] rules in the order of the file: the configuration refuses more.
    pub fn new(mut rules: Vec<Rule>) -> Self {
        rules.truncate(MAX_RULES);
        let receivers = ReceiverIndex::new(&rules);
        Self { rules, receivers }
    }

    /// Returns the rules in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Returns whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the rules whose conditions on the alarm hold; the conditions on receivers are not checked yet. This is
    /// done once per alarm, [`Candidates::decide`] once per receiver.
    pub fn candidates(&self, alarm: &AlarmFacts<'_>) -> Candidates<'_> {
        let (mut holding, mut times) = (RuleBits::default(), LocalTimes::new(alarm.time));
        for (place, rule) in self.rules.iter().enumerate() {
            if rule.holds_for(alarm, &mut times).is_ok() {
                holding.insert(place);
            }
        }
        Candidates { set: self, holding }
    }

    /// Returns the result of each rule for an alarm and a receiver, up to and including the one that decides.
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

/// The rules whose conditions on the alarm hold.
#[derive(Debug)]
pub struct Candidates<'a> {
    set: &'a RuleSet,
    holding: RuleBits,
}

impl<'a> Candidates<'a> {
    /// Returns the rule that decides for a receiver; `None` if the alarm is sent as usual.
    pub fn decide(&self, receiver: &ReceiverFacts<'_>) -> Option<&'a Rule> {
        let place = self.set.receivers.rules_for(receiver).and(self.holding).first()?;
        self.set.rules.get(place)
    }
}

/// The time of an alarm, for rules with and without their own time zone.
#[derive(Debug, Clone, Copy)]
pub struct AlarmTime<'a> {
    /// When the alarm was found. Rules never use the time of sending.
    pub at: Timestamp,
    /// The machine's time zone.
    pub machine: &'a TimeZone,
}

#[cfg(test)]
pub(crate) mod fakes;
#[cfg(test)]
mod tests;
