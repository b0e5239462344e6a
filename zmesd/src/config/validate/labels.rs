//! `[labels]`, and what rules ask of it.

use super::Checker;
use crate::config::file::{File, RuleSection};
use crate::config::{LabelsConfig, WithoutLabels};
use crate::rules::Channel;

impl Checker<'_> {
    /// Warns of what loses alarms, and of rules that rarely decide.
    pub(super) fn labels(&mut self, file: &File) -> LabelsConfig {
        let (section, labels) = (&file.labels, file.labels.config());
        let (waits, looks) = (!labels.wait.is_zero(), labels.sources().any());
        if labels.without == WithoutLabels::Drop {
            let (message, hint) = if waits && looks {
                (
                    "\"drop\": pushes of alarms without labels are not sent",
                    "write \"send\" if detection can fail or some cameras have none; a rule with action \"notify\" sends \
                     them for single cameras",
                )
            } else {
                ("\"drop\" has no effect: pushes do not wait for labels", "set labels.wait, such as \"10s\"")
            };
            self.warn(&section.without.place, message, hint);
        }
        if waits && !looks {
            let hint = "write source = [\"notes\", \"tags\"]";
            self.warn(&section.wait.place, "has no effect: labels.source is empty", hint);
        }
        if labels.update && !looks {
            let hint = "write source = [\"notes\", \"tags\"]";
            self.warn(&section.update.place, "has no effect: labels.source is empty", hint);
        }
        for rule in file.rules.iter().filter(|rule| rule.is_filled_in()) {
            self.rule_about_labels(rule, waits, looks);
        }
        labels
    }

    fn rule_about_labels(&mut self, rule: &RuleSection, waits: bool, looks: bool) {
        let (has, lacks) = (!rule.labels.value.is_empty(), !rule.labels_lack.value.is_empty());
        if !has && !lacks {
            if rule.min_confidence.value > 0 {
                let hint = "add labels or labels-lack";
                self.warn(&rule.min_confidence.place, "has no effect without labels", hint);
            }
            return;
        }
        let place = if has { &rule.labels.place } else { &rule.labels_lack.place };
        if !looks {
            let hint = "write source = [\"notes\", \"tags\"] in [labels]";
            self.warn(place, "never match: labels.source is empty", hint);
        } else if !rule.channels.value.is_empty() && !rule.channels.value.contains(&Channel::Push) {
            let hint = "add \"push\" to channels: only pushes wait for labels";
            self.warn(place, "rarely match: connected apps and MQTT are told before labels are known", hint);
        } else if !waits {
            let hint = "set labels.wait, such as \"10s\": detection takes seconds";
            self.warn(place, "rarely match: pushes leave before labels are known (labels.wait is 0s)", hint);
        }
    }
}
