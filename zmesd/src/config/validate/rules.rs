//! `[[rule]]`: what entries have to do with each other.

use std::collections::BTreeSet;

use super::{Checker, Reported};
use crate::config::file::RuleSection;
use crate::rules::{Channel, MAX_RULES, Rule, RuleAction, RuleSet, Schedule};

impl Checker<'_> {
    /// Returns the rules in the order of the file. An entry as the default file has it is no rule yet.
    pub(super) fn rules(&mut self, sections: &[RuleSection]) -> Result<RuleSet, Reported> {
        let (mut rules, mut names, mut complete) = (Vec::new(), BTreeSet::new(), Ok(()));
        for section in sections.iter().filter(|section| section.is_filled_in()) {
            let (name, place) = (&section.name.value, &section.name.place);
            if name.is_empty() {
                complete = Err(self.problem(
                    place,
                    "is empty",
                    "give the rule a name, such as \"night\": `zmesctl why` shows it",
                ));
            } else if !names.insert(name.clone()) {
                complete = Err(self.problem(
                    place,
                    format!("`{name}` is listed twice"),
                    "give each rule a name of its own",
                ));
            }
            if rules.len() == MAX_RULES {
                let hint = "one rule can name many monitors, receivers and times";
                return Err(self.problem(place, format!("too many rules (limit {MAX_RULES})"), hint));
            }
            if section.channels.value.is_empty() {
                let hint = "write [\"push\"], [\"websocket\"], [\"mqtt\"] or several";
                complete = Err(self.problem(&section.channels.place, "is empty", hint));
            }
            let channels = &section.channels.value;
            let pushes = channels.is_empty() || channels.contains(&Channel::Push);
            if section.action.value == RuleAction::Urgent && !pushes {
                let hint = "only pushes can be urgent: add \"push\", or write action = \"notify\"";
                self.warn(&section.action.place, "\"urgent\", but the rule is not for pushes", hint);
            }
            rules.push(section.rule());
        }
        self.unreachable(sections, &rules);
        complete.map(|()| RuleSet::new(rules))
    }
}

impl Checker<'_> {
    /// Warns of rules that never decide, because one without conditions stands above them.
    fn unreachable(&mut self, sections: &[RuleSection], rules: &[Rule]) {
        let Some(place) = rules.iter().position(Rule::is_unconditional) else { return };
        let Some(above) = rules.get(place) else { return };
        let below = rules.iter().skip(place + 1);
        let below = below.filter(|rule| rule.channels.iter().all(|channel| above.channels.contains(channel)));
        let names: Vec<_> = below.map(|rule| format!("`{}`", rule.name)).collect();
        let section = sections.iter().filter(|section| section.is_filled_in()).nth(place);
        if let (Some(section), Some((first, others))) = (section, names.split_first()) {
            let never = match others.len() {
                0 => format!("{first} never decides"),
                1 => format!("{first} and {} never decide", others.concat()),
                more => format!("{first} and {more} more rules never decide"),
            };
            self.warn(
                &section.name.place,
                format!("`{}` has no conditions: {never}", above.name),
                "the first rule whose conditions hold decides: move this one to the end, or give it conditions",
            );
        }
    }
}

impl RuleSection {
    /// Says whether it differs from the entry in the default file.
    pub(in crate::config) fn is_filled_in(&self) -> bool {
        let conditions = [
            self.monitors.value.is_empty(),
            self.receivers.value.is_empty(),
            self.cause_has.value.is_empty(),
            self.cause_lacks.value.is_empty(),
            self.labels.value.is_empty(),
            self.labels_lack.value.is_empty(),
            self.min_confidence.value == 0,
            self.comment.value.is_empty(),
            self.schedule() == Schedule::default(),
            self.action.value == RuleAction::Mute,
        ];
        !self.name.value.is_empty() || conditions.contains(&false)
    }

    fn schedule(&self) -> Schedule {
        Schedule {
            days: self.days.value,
            windows: self.between.value.clone(),
            zone: self.time_zone.value.clone(),
        }
    }

    fn rule(&self) -> Rule {
        Rule {
            name: self.name.value.as_str().into(),
            monitors: self.monitors.value.clone(),
            receivers: self.receivers.value.clone(),
            channels: self.channels.value.clone(),
            schedule: self.schedule(),
            cause_has: self.cause_has.value.clone(),
            cause_lacks: self.cause_lacks.value.clone(),
            labels: self.labels.value.clone(),
            labels_lack: self.labels_lack.value.clone(),
            min_confidence: self.min_confidence.value,
            action: self.action.value,
            comment: self.comment.value.clone(),
        }
    }
}
