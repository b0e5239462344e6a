//! `es_rules`: times and causes for which the old server did not announce a monitor. zmesd cannot do this, so the report
//! lists each rule in words.

use super::entry::FileLine;
use super::report::{Fate, Finding};
use super::takeover::Takeover;
use super::yaml::{NodeContent, YamlNode};

/// Longest part of a rule that the report quotes, in characters.
const SHOWN: usize = 60;

pub(super) fn take(taking: &mut Takeover<'_>) {
    if let Some(entry) = taking.old.latest("customize", "es_rules")
        && taking.old.absent.iter().all(|wanted| wanted.what != "rules")
    {
        taking.say(entry, Fate::Needless("the rules were read; each of them is listed".to_owned()));
    }
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
                taking.find(Finding { place: Some(place), old, fate: fate(rule) });
            }
        }
    }
}

fn fate(rule: &YamlNode) -> Fate {
    match text(rule, "action") {
        "mute" => Fate::Missing {
            why: "zmesd cannot mute a monitor at certain times".to_owned(),
            instead:
                "use a timer that runs `zmesctl tokens mute T --for 8h`, or a ZoneMinder run state in which the \
                      monitor does not detect"
                    .to_owned(),
        },
        "critical_notify" => {
            Fate::Needless("it never had an effect: every alarm is announced".to_owned())
        }
        _ => Fate::Needless("the old server did not know this action and announced every alarm".to_owned()),
    }
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
