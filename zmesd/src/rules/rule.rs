//! One rule: its conditions, and its action.

use std::fmt;
use std::sync::Arc;

use zmes_shared::{Label, MonitorId};

use super::AlarmTime;
use super::receiver::{Channel, ReceiverFacts, ReceiverName, is_same_name};
use super::schedule::{LocalTimes, Schedule};

/// What a rule does with an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleAction {
    /// The alarm is not sent.
    Mute,
    /// The alarm is sent, whatever later rules say.
    Notify,
    /// The alarm is sent with the highest priority that the provider allows an app, and despite a snooze.
    Urgent,
}

impl RuleAction {
    pub const ALL: [Self; 3] = [Self::Mute, Self::Notify, Self::Urgent];

    /// Returns the word used in `action` in `zmesd.toml`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::Notify => "notify",
            Self::Urgent => "urgent",
        }
    }
}

/// One entry of `monitors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MonitorName {
    Id(MonitorId),
    /// `Monitors.Name`, compared without regard to case.
    Name(String),
}

impl MonitorName {
    /// Parses an entry: digits are an id.
    pub fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), |id| Self::Id(MonitorId(id)))
    }

    /// Returns whether the entry names this monitor.
    pub fn names(&self, id: MonitorId, name: &str) -> bool {
        match self {
            Self::Id(own) => *own == id,
            Self::Name(own) => is_same_name(own, name),
        }
    }
}

impl fmt::Display for MonitorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// What a rule can use about an alarm.
#[derive(Debug, Clone, Copy)]
pub struct AlarmFacts<'a> {
    pub monitor: MonitorId,
    pub monitor_name: &'a str,
    pub cause: &'a str,
    /// What was detected; `None` if unknown, or not known yet.
    pub labels: Option<&'a [Label]>,
    pub time: AlarmTime<'a>,
}

/// The first condition of a rule that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    Monitor,
    /// Not on one of its days, or outside its times.
    Schedule,
    /// None of `cause-has` is in the cause.
    CauseHas,
    /// One of `cause-lacks` is in the cause.
    CauseLacks,
    /// The rule requires labels, and none are known.
    LabelsUnknown,
    /// None of `labels` was detected, or none with enough confidence.
    Labels,
    /// One of `labels-lack` was detected.
    LabelsLack,
    Channel,
    Receiver,
}

/// One `[[rule]]`. An empty list means no condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Unique; `why` and `rules list` show it.
    pub name: Arc<str>,
    pub monitors: Vec<MonitorName>,
    pub receivers: Vec<ReceiverName>,
    pub channels: Vec<Channel>,
    pub schedule: Schedule,
    /// The cause must contain one of these texts, without regard to case.
    pub cause_has: Vec<String>,
    /// The cause must contain none of these texts, without regard to case.
    pub cause_lacks: Vec<String>,
    /// One of these labels must have been detected, without regard to case.
    pub labels: Vec<String>,
    /// None of these labels may have been detected, without regard to case.
    pub labels_lack: Vec<String>,
    /// Labels with less confidence, in percent, do not count.
    pub min_confidence: u8,
    pub action: RuleAction,
    pub comment: String,
}

impl Rule {
    /// Checks the conditions that do not depend on the receiver. `times` is for this alarm.
    pub fn holds_for(&self, alarm: &AlarmFacts<'_>, times: &mut LocalTimes<'_>) -> Result<(), Mismatch> {
        let of = |monitor: &MonitorName| monitor.names(alarm.monitor, alarm.monitor_name);
        if !self.monitors.is_empty() && !self.monitors.iter().any(of) {
            return Err(Mismatch::Monitor);
        }
        if !self.schedule.covers_at(times) {
            return Err(Mismatch::Schedule);
        }
        self.cause_holds(alarm.cause)?;
        self.labels_hold(alarm.labels)
    }

    fn cause_holds(&self, cause: &str) -> Result<(), Mismatch> {
        if self.cause_has.is_empty() && self.cause_lacks.is_empty() {
            return Ok(());
        }
        let cause = cause.to_lowercase();
        let has = |text: &String| cause.contains(&text.to_lowercase());
        if !self.cause_has.is_empty() && !self.cause_has.iter().any(has) {
            return Err(Mismatch::CauseHas);
        }
        if self.cause_lacks.iter().any(has) { Err(Mismatch::CauseLacks) } else { Ok(()) }
    }

    fn labels_hold(&self, known: Option<&[Label]>) -> Result<(), Mismatch> {
        if !self.asks_for_labels() {
            return Ok(());
        }
        let known = known.ok_or(Mismatch::LabelsUnknown)?;
        // Tags have no confidence: their source had its own threshold.
        let sure = |label: &&Label| label.confidence.is_none_or(|percent| percent >= self.min_confidence);
        let detected = |name: &String| known.iter().filter(sure).any(|label| label.is_called(name));
        if !self.labels.is_empty() && !self.labels.iter().any(detected) {
            return Err(Mismatch::Labels);
        }
        if self.labels_lack.iter().any(detected) { Err(Mismatch::LabelsLack) } else { Ok(()) }
    }

    /// Returns whether it can decide only once labels are known.
    pub fn asks_for_labels(&self) -> bool {
        !self.labels.is_empty() || !self.labels_lack.is_empty()
    }

    /// Returns whether it decides every alarm on its channels.
    pub fn is_unconditional(&self) -> bool {
        self.monitors.is_empty()
            && self.receivers.is_empty()
            && self.cause_has.is_empty()
            && self.cause_lacks.is_empty()
            && !self.asks_for_labels()
            && self.schedule == Schedule::default()
    }

    /// Checks the conditions that depend on the receiver.
    pub fn is_for(&self, receiver: &ReceiverFacts<'_>) -> Result<(), Mismatch> {
        if !self.channels.contains(&receiver.channel) {
            return Err(Mismatch::Channel);
        }
        if !self.receivers.is_empty() && !self.receivers.iter().any(|name| name.names(receiver)) {
            return Err(Mismatch::Receiver);
        }
        Ok(())
    }
}
