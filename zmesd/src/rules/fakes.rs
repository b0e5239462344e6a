//! Rules for tests of all rooms.

use super::{Channel, Rule, RuleAction, Schedule};

/// Returns a rule for pushes that has no other condition.
pub(crate) fn rule(name: &str, action: RuleAction) -> Rule {
    Rule {
        name: name.into(),
        monitors: Vec::new(),
        receivers: Vec::new(),
        channels: vec![Channel::Push],
        schedule: Schedule::default(),
        cause_has: Vec::new(),
        cause_lacks: Vec::new(),
        labels: Vec::new(),
        labels_lack: Vec::new(),
        min_confidence: 0,
        action,
        comment: String::new(),
    }
}
