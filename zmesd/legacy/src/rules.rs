//! `es_rules`: times and causes for which the old server did not announce a monitor. What can be said as a `[[rule]]` is
//! taken over; the report lists every other one in words.

mod meaning;

use std::collections::{BTreeMap, BTreeSet};

use self::meaning::{CauseWords, OldWindow, Untaken};
use super::draft::NewValue;
use super::entry::FileLine;
use super::report::{Fate, Finding};
use super::takeover::Takeover;
use super::yaml::{NodeContent, YamlNode};

/// Longest part of a rule that the report quotes, in characters.
const SHOWN: usize = 60;
/// Longest comment of a rule, in characters.
const COMMENT: usize = 200;
/// Most rules that zmesd takes.
const MAX_RULES: usize = 256;

const OVER_MIDNIGHT: &str = "rules with a time over midnight now apply before midnight, too: the old server applied \
    only the part after it. Their days are now those on which the time begins";
const URGENT: &str = "`critical_notify` had no effect in the old server; the rule now makes pushes urgent, also \
    through a snooze";
const CAUSES: &str = "rules by cause see ZoneMinder's own cause, such as \"Motion: All\", and not what a hook detected: for that, write labels in place of cause-has, and set labels.wait";

/// A rule as it goes into the new file.
#[derive(Debug, Clone)]
pub(super) struct NewRule {
    /// The old line.
    pub(super) from: String,
    pub(super) settings: Vec<(&'static str, NewValue)>,
}

/// Takes over every rule that has a counterpart, and reports all.
pub(super) fn take(taking: &mut Takeover<'_>) {
    if let Some(entry) = taking.old.latest("customize", "es_rules")
        && taking.old.absent.iter().all(|wanted| wanted.what != "rules")
    {
        taking.say(entry, Fate::Needless("the rules were read; each of them is listed".to_owned()));
    }
    let hooks = taking.is_on(("customize", "use_hooks"));
    let mut notes = Vec::new();
    let mut let_through = BTreeSet::<&str>::new();
    let mut numbers = BTreeMap::<&str, usize>::new();
    for (file, root) in &taking.old.rules {
        let monitors = root.get("notifications").and_then(|notifications| notifications.get("monitors"));
        let Some(monitors) = monitors else { continue };
        for (monitor, _, node) in monitors.entries() {
            let rules: &[YamlNode] = match node.get("rules").map(|rules| &rules.content) {
                Some(NodeContent::List(rules)) => rules,
                Some(NodeContent::Scalar(_) | NodeContent::Map(_) | NodeContent::Alias) | None => &[],
            };
            for rule in rules {
                let place = FileLine { file: std::sync::Arc::clone(file), line: rule.line };
                let old = format!("monitor {}: {}", clean(monitor), words(rule));
                let number = numbers.entry(monitor).or_default();
                *number += 1;
                let mutes = text(rule, "action") == "mute";
                let converted = if mutes && let_through.contains(monitor.as_str()) {
                    let why = "an earlier rule of this monitor is not taken over, and let some of these alarms through";
                    Err(Untaken::missing(why.to_owned()))
                } else {
                    converted(monitor, *number, rule, hooks)
                };
                let taken = converted.and_then(|converted| {
                    let from = format!("{place} {old}");
                    taking.take_rule(NewRule { from, settings: converted.settings })?;
                    notes.extend(converted.notes);
                    Ok(converted.fate)
                });
                if taken.is_err() && !mutes {
                    let_through.insert(monitor.as_str());
                }
                let fate = taken.unwrap_or_else(Untaken::fate);
                taking.find(Finding { place: Some(place), old, fate });
            }
        }
    }
    notes.sort_unstable();
    notes.dedup();
    for note in notes {
        taking.note(note);
    }
}

impl Takeover<'_> {
    /// Adds a rule to the new file, if that accepts all of it.
    fn take_rule(&mut self, rule: NewRule) -> Result<(), Untaken> {
        if self.new.rules.len() == MAX_RULES {
            return Err(Untaken::missing(format!("zmesd takes {MAX_RULES} rules at most")));
        }
        for (key, value) in &rule.settings {
            let checked = value.propose(|proposal| self.new.file.check("rule", key, proposal));
            checked.map_err(|objection| Untaken::missing(format!("rule.{key}: {}", objection.message)))?;
        }
        self.new.rules.push(rule);
        Ok(())
    }
}

#[derive(Debug)]
struct ConvertedRule {
    settings: Vec<(&'static str, NewValue)>,
    fate: Fate,
    notes: Vec<&'static str>,
}

fn converted(monitor: &str, number: usize, rule: &YamlNode, hooks: bool) -> Result<ConvertedRule, Untaken> {
    let action = match text(rule, "action") {
        "mute" => "mute",
        "critical_notify" => "urgent",
        _ => {
            return Err(Untaken::needless(
                "the old server did not know this action and announced every alarm",
            ));
        }
    };
    // Ids are what MySQL has: no sign, no zeros in front.
    let Ok(id) = monitor.parse::<u32>() else {
        return Err(Untaken::needless("it never applied: monitors have numbers"));
    };
    let mut notes = Vec::new();
    let window = OldWindow::of(rule)?;
    let days = meaning::days(rule)?;
    let cause = CauseWords::of(rule)?;
    if hooks && action == "mute" && matches!(cause, CauseWords::Lacks(_)) {
        return Err(Untaken::missing(
            "it would mute every alarm: the words are those of a detection hook, which are no cause here: write a rule with labels-lack, and set labels.wait"
                .to_owned(),
        ));
    }
    let name = format!("monitor-{id}-{number}");
    let mut settings =
        vec![("name", NewValue::Text(name.clone())), ("monitors", NewValue::List(vec![id.to_string()]))];
    if action == "mute" {
        let channels = ["push", "websocket"].map(str::to_owned).to_vec();
        settings.push(("channels", NewValue::List(channels)));
    } else {
        notes.push(URGENT);
    }
    if !days.is_empty() {
        settings.push(("days", NewValue::List(days.into_iter().map(str::to_owned).collect())));
    }
    if let Some(window) = window {
        settings.push(("between", NewValue::List(vec![window.to_string()])));
        notes.extend(window.over_midnight.then_some(OVER_MIDNIGHT));
    }
    match cause {
        CauseWords::Any => {}
        CauseWords::Has(words) => settings.push(("cause-has", NewValue::List(words))),
        CauseWords::Lacks(words) => settings.push(("cause-lacks", NewValue::List(words))),
    }
    if settings.iter().any(|(key, _)| key.starts_with("cause")) {
        notes.push(CAUSES);
    }
    settings.push(("action", NewValue::Text(action.to_owned())));
    let comment = zmes_shared::text::stripped(text(rule, "comment"), COMMENT);
    if !comment.trim().is_empty() {
        settings.push(("comment", NewValue::Text(comment.trim().to_owned())));
    }
    let value = Some(format!("\"{name}\""));
    Ok(ConvertedRule { settings, fate: Fate::Taken { key: "rule.name".to_owned(), value }, notes })
}

/// Puts a rule into words.
fn words(rule: &YamlNode) -> String {
    let mut words =
        vec![clean(Some(text(rule, "action")).filter(|action| !action.is_empty()).unwrap_or("rule"))];
    let (from, to) = (text(rule, "from"), text(rule, "to"));
    if !from.is_empty() || !to.is_empty() {
        words.push(format!("from {} to {}", clean(from), clean(to)));
    }
    for (key, word) in [("daysofweek", "on"), ("cause_has", "where the cause has")] {
        let text = text(rule, key);
        if !text.is_empty() {
            words.push(format!("{word} {}", clean(text)));
        }
    }
    words.join(" ")
}

fn text<'r>(rule: &'r YamlNode, key: &str) -> &'r str {
    rule.get(key).and_then(YamlNode::text).unwrap_or_default()
}

fn clean(text: &str) -> String {
    zmes_shared::text::stripped(text, SHOWN)
}
