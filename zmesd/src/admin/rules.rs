//! `rules list` and `rules test`, and how people read what a rule has decided.

use std::sync::Arc;

use jiff::Timestamp;
use zmes_shared::Label;
use zmes_shared::control::{ChannelKind, ControlError, ErrorCode, Role, RulesTest};
use zmes_shared::views::{RuleTested, RuleView, Rules, RulesTested};
use zmes_shared::words::RuleMismatch;

use super::answers::{off_loop, unknown_monitor};
use super::token_names::{TokenNames, TokenScope};
use crate::admin::AdminParts;
use crate::domain::{DecidedBy, Token};
use crate::monitors::Catalog;
use crate::route::RulesInUse;
use crate::rules::{AlarmFacts, AlarmTime, Channel, Mismatch, ReceiverFacts, Rule, RuleAction, is_same_name};

/// Longest cause that is compared; ZoneMinder's own are shorter than 100 characters.
const CAUSE: usize = 4096;
/// Names that a sentence lists.
const NAMED: usize = 5;
/// Longest name that a sentence quotes.
const SHOWN: usize = 40;

pub(super) async fn list(parts: &AdminParts) -> Result<Rules, ControlError> {
    let (used, now) = (parts.router.rules().await?, parts.clock.now());
    off_loop(move || Rules { rules: views(&used, now) }).await
}

fn views(used: &RulesInUse, now: Timestamp) -> Vec<RuleView> {
    let time = AlarmTime { at: now, machine: &used.zone };
    let view = |(order, rule): (u32, &Rule)| {
        let hits = used.hits.get(&rule.name);
        RuleView {
            name: rule.name.to_string(),
            order,
            monitors: texts(&rule.monitors),
            receivers: texts(&rule.receivers),
            channels: texts(&rule.channels),
            when: rule.schedule.to_string(),
            cause_has: rule.cause_has.clone(),
            cause_lacks: rule.cause_lacks.clone(),
            labels: rule.labels.clone(),
            labels_lack: rule.labels_lack.clone(),
            min_confidence: Some(rule.min_confidence).filter(|percent| *percent > 0),
            action: rule.action.word().to_owned(),
            comment: rule.comment.clone(),
            active: rule.schedule.covers(time),
            changes_at: rule.schedule.changes_after(time).map(|change| change.timestamp()),
            hits_24h: hits.map_or(0, |hits| hits.day),
            last_hit: hits.map(|hits| hits.last),
        }
    };
    (1..).zip(used.rules.iter()).map(view).collect()
}

fn texts<T: ToString>(entries: &[T]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}

/// Receivers that rules are tested for.
#[derive(Debug)]
enum TestedReceiver {
    Anyone,
    User(String),
    Token(Arc<Token>, String),
}

pub(super) async fn test(
    parts: &AdminParts,
    asker: Role,
    request: RulesTest,
) -> Result<RulesTested, ControlError> {
    let RulesTest { monitor, at, cause, labels, target, channel } = request;
    let labels = tested_labels(labels)?;
    if cause.len() > CAUSE {
        let message = format!("the cause has {} bytes: the limit is {CAUSE}", cause.len());
        return Err(ControlError::new(ErrorCode::TooLarge, message));
    }
    let catalog = parts.catalog.now();
    let Some(name) = catalog.name_of(monitor).map(Arc::clone) else {
        return Err(unknown_monitor(monitor, &catalog));
    };
    let receiver = match target {
        None => TestedReceiver::Anyone,
        Some(target) => receiver(parts, asker, &catalog, &target).await?,
    };
    let (used, at) = (parts.router.rules().await?, at.unwrap_or(parts.clock.now()));
    let channel = match channel.unwrap_or_default() {
        ChannelKind::Push => Channel::Push,
        ChannelKind::WebSocket => Channel::WebSocket,
        ChannelKind::Mqtt => Channel::Mqtt,
    };
    off_loop(move || {
        let time = AlarmTime { at, machine: &used.zone };
        let known = Some(&*labels).filter(|labels| !labels.is_empty());
        let alarm = AlarmFacts { monitor, monitor_name: &name, cause: &cause, labels: known, time };
        tested(&used, &alarm, &receiver, channel)
    })
    .await
}

/// Returns labels that detection could have written, each name once.
fn tested_labels(labels: Vec<Label>) -> Result<Vec<Label>, ControlError> {
    let mut known = Vec::new();
    for Label { name, confidence } in labels {
        let Some(label) = Label::new(&name, confidence.map(u32::from)) else {
            let message = format!("\"{}\" is not a label", zmes_shared::text::stripped(&name, SHOWN));
            return Err(ControlError::new(ErrorCode::BadRequest, message)
                .with_hint("labels are names such as person, with or without a confidence: person:95"));
        };
        label.merge_into(&mut known);
    }
    Ok(known)
}

/// Finds the user or token of that name.
async fn receiver(
    parts: &AdminParts,
    asker: Role,
    catalog: &Catalog,
    target: &str,
) -> Result<TestedReceiver, ControlError> {
    if let Some(name) = user(catalog, target) {
        return Ok(TestedReceiver::User(name));
    }
    let names = TokenNames::load(&parts.state, asker).await?;
    if !names.names_any(target) {
        // A handle has hexadecimal digits only; other names are taken as users.
        let digits = target.bytes().all(|byte| byte.is_ascii_hexdigit());
        let message = if digits {
            "no user and no token is called so"
        } else {
            "no user of ZoneMinder is called so, and no token"
        };
        return Err(ControlError::new(ErrorCode::NotFound, message)
            .with_hint("zmesctl tokens list shows tokens and their users"));
    }
    let token = Arc::new(names.find(target, TokenScope::Any)?.token.clone());
    let handle = names.handle(&token);
    Ok(TestedReceiver::Token(token, handle))
}

/// Returns a user as ZoneMinder writes the name, which MySQL compares without regard to case.
fn user(catalog: &Catalog, name: &str) -> Option<String> {
    let name = name.strip_prefix("user:").unwrap_or(name);
    catalog.users.keys().find(|known| is_same_name(known, name)).cloned()
}

fn tested(
    in_use: &RulesInUse,
    alarm: &AlarmFacts<'_>,
    receiver: &TestedReceiver,
    channel: Channel,
) -> RulesTested {
    let facts = ReceiverFacts { channel, user: "", handle: None, platform: None };
    let facts = match receiver {
        TestedReceiver::Anyone => facts,
        TestedReceiver::User(user) => ReceiverFacts { user, ..facts },
        TestedReceiver::Token(token, _) => ReceiverFacts {
            user: &token.user,
            handle: Some(token.handle),
            platform: Some(token.platform),
            ..facts
        },
    };
    let examined = in_use.rules.examine(alarm, &facts);
    let decides = examined.last().filter(|(_, verdict)| verdict.is_ok()).map(|(rule, _)| *rule);
    let anyone = matches!(receiver, TestedReceiver::Anyone);
    let rules = (1..).zip(&examined);
    let rules = rules.map(|(order, (rule, verdict))| rule_tested(order, rule, *verdict, alarm.time, anyone));
    let (user, token) = match receiver {
        TestedReceiver::Anyone => (None, None),
        TestedReceiver::User(user) => (Some(user.clone()), None),
        TestedReceiver::Token(token, handle) => (Some(token.user.clone()), Some(handle.clone())),
    };
    RulesTested {
        at: alarm.time.at,
        monitor_id: alarm.monitor,
        monitor: alarm.monitor_name.to_owned(),
        cause: alarm.cause.to_owned(),
        labels: alarm.labels.unwrap_or_default().to_vec(),
        channel: channel.word().to_owned(),
        user: user.filter(|user| !user.is_empty()),
        token,
        rule: decides.map(|rule| rule.name.to_string()),
        action: decides.map_or(RuleAction::Notify, |rule| rule.action).word().to_owned(),
        explanation: outcome(decides, in_use.rules.is_empty()),
        rules: rules.collect(),
    }
}

fn outcome(decides: Option<&Rule>, none: bool) -> String {
    let Some(rule) = decides else {
        let why = if none { "zmesd.toml has no rules" } else { "no rule decides" };
        return format!("{why}: the alarm is sent as usual");
    };
    format!("rule \"{}\" {}{}", rule.name, effect(rule.action), times(rule))
}

fn effect(action: RuleAction) -> &'static str {
    match action {
        RuleAction::Mute => "mutes it",
        RuleAction::Notify => "lets it through",
        RuleAction::Urgent => "makes it urgent",
    }
}

/// ` (22:00-06:00, mon-fri)`; empty where it has no schedule.
fn times(rule: &Rule) -> String {
    if rule.schedule == crate::rules::Schedule::default() {
        String::new()
    } else {
        format!(" ({})", rule.schedule)
    }
}

fn rule_tested(
    order: u32,
    rule: &Rule,
    verdict: Result<(), Mismatch>,
    time: AlarmTime<'_>,
    anyone: bool,
) -> RuleTested {
    let (mut active_from, mut active_until) = (None, None);
    match verdict {
        Ok(()) => active_until = rule.schedule.changes_after(time),
        Err(Mismatch::Schedule) => {
            active_from = rule.schedule.changes_after(time);
            let begin = active_from.as_ref().map(|from| AlarmTime { at: from.timestamp(), ..time });
            active_until = begin.and_then(|begin| rule.schedule.changes_after(begin));
        }
        Err(_) => {}
    }
    RuleTested {
        name: rule.name.to_string(),
        order,
        action: rule.action.word().to_owned(),
        when: rule.schedule.to_string(),
        decides: verdict.is_ok(),
        mismatch: verdict.err().map(word),
        explanation: match verdict {
            Ok(()) => format!("decides: it {}", effect(rule.action)),
            Err(mismatch) => explained(rule, mismatch, anyone),
        },
        active_from: active_from.map(|from| from.timestamp()),
        active_until: active_until.map(|until| until.timestamp()),
    }
}

fn word(mismatch: Mismatch) -> RuleMismatch {
    match mismatch {
        Mismatch::Monitor => RuleMismatch::Monitor,
        Mismatch::Schedule => RuleMismatch::Schedule,
        Mismatch::CauseHas => RuleMismatch::CauseHas,
        Mismatch::CauseLacks => RuleMismatch::CauseLacks,
        Mismatch::LabelsUnknown => RuleMismatch::LabelsUnknown,
        Mismatch::Labels => RuleMismatch::Labels,
        Mismatch::LabelsLack => RuleMismatch::LabelsLack,
        Mismatch::Channel => RuleMismatch::Channel,
        Mismatch::Receiver => RuleMismatch::Receiver,
    }
}

/// Explains why a rule does not match.
fn explained(rule: &Rule, mismatch: Mismatch, anyone: bool) -> String {
    match mismatch {
        Mismatch::Monitor => format!("is for other monitors: {}", listed(&rule.monitors)),
        Mismatch::Schedule => format!("is not active then: {}", rule.schedule),
        Mismatch::CauseHas => format!("the cause has none of: {}", listed(&rule.cause_has)),
        Mismatch::CauseLacks => format!("the cause has one of: {}", listed(&rule.cause_lacks)),
        Mismatch::LabelsUnknown => "asks for labels, and none are known".to_owned(),
        Mismatch::Labels => format!("none of these labels{}: {}", sure(rule), listed(&rule.labels)),
        Mismatch::LabelsLack => format!("one of these labels{}: {}", sure(rule), listed(&rule.labels_lack)),
        Mismatch::Channel => format!("is for {} only", listed(&rule.channels)),
        Mismatch::Receiver if anyone => {
            format!("is for {} only: name a user or a token to test it", listed(&rule.receivers))
        }
        Mismatch::Receiver => format!("is for {} only", listed(&rule.receivers)),
    }
}

/// ` by at least 80 %`; empty where every label counts.
fn sure(rule: &Rule) -> String {
    if rule.min_confidence == 0 { String::new() } else { format!(" by at least {} %", rule.min_confidence) }
}

/// Returns the first few entries, bounded.
fn listed<T: ToString>(entries: &[T]) -> String {
    let shown =
        entries.iter().take(NAMED).map(|entry| zmes_shared::text::stripped(&entry.to_string(), SHOWN));
    let mut shown: Vec<_> = shown.collect();
    if entries.len() > NAMED {
        shown.push(format!("{} more", entries.len() - NAMED));
    }
    shown.join(", ")
}

/// Returns the name of the rule that decided, for views.
pub(super) fn name(by: Option<&DecidedBy>) -> Option<String> {
    by.and_then(DecidedBy::rule).map(ToString::to_string)
}

/// Explains that a rule muted an alarm. `zmesd.toml` may have changed since: `used` is the current version.
pub(super) fn muted(name: &str, used: &RulesInUse) -> String {
    match find(name, used) {
        Some(rule) => format!("rule \"{name}\" mutes it{}", times(rule)),
        None => format!("rule \"{name}\" muted it; zmesd.toml no longer has it"),
    }
}

/// Explains that a rule let an alarm through.
pub(super) fn passed(name: &str, used: &RulesInUse) -> String {
    match find(name, used) {
        Some(rule) if rule.action != RuleAction::Mute => {
            format!("rule \"{name}\" {}{}", effect(rule.action), times(rule))
        }
        Some(_) => format!("rule \"{name}\" let it through at the time"),
        None => format!("rule \"{name}\" let it through; zmesd.toml no longer has it"),
    }
}

fn find<'r>(name: &str, used: &'r RulesInUse) -> Option<&'r Rule> {
    used.rules.iter().find(|rule| *rule.name == *name)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use jiff::tz::TimeZone;
    use zmes_shared::MonitorId;

    use super::*;
    use crate::rules::fakes::rule;
    use crate::rules::{Days, MonitorName, ReceiverName, RuleSet, Schedule};

    fn used(rules: Vec<Rule>) -> RulesInUse {
        RulesInUse { rules: Arc::new(RuleSet::new(rules)), zone: TimeZone::UTC, hits: HashMap::new() }
    }

    fn weeknights() -> Schedule {
        let days = Days::parse(["mon", "tue", "wed", "thu", "fri"]).unwrap();
        Schedule { days, windows: vec!["22:00-06:00".parse().unwrap()], zone: None }
    }

    #[test]
    fn a_test_names_the_rule_and_why_no_earlier_one_decides() {
        let texts = |text: &str| vec![text.to_owned()];
        let used = used(vec![
            Rule { monitors: vec![MonitorName::parse("Door")], ..rule("door", RuleAction::Mute) },
            Rule { schedule: weeknights(), ..rule("night", RuleAction::Mute) },
            Rule { cause_has: texts("person"), ..rule("people", RuleAction::Urgent) },
            Rule { cause_lacks: texts("motion"), ..rule("still", RuleAction::Mute) },
            Rule { labels: texts("person"), ..rule("visitors", RuleAction::Urgent) },
            Rule { labels: texts("cat"), min_confidence: 60, ..rule("animals", RuleAction::Mute) },
            Rule { labels_lack: texts("Cat"), ..rule("no-cat", RuleAction::Mute) },
            Rule { channels: vec![Channel::WebSocket], ..rule("screens", RuleAction::Mute) },
            Rule { receivers: vec![ReceiverName::parse("ios")], ..rule("apple", RuleAction::Mute) },
            rule("rest", RuleAction::Notify),
            rule("never", RuleAction::Mute),
        ]);
        // A Friday.
        let at = "2026-11-27T12:00:00Z".parse().unwrap();
        let time = AlarmTime { at, machine: &used.zone };
        let (monitor, monitor_name, cause) = (MonitorId(4), "Garden", "Motion");
        let labels = [Label { name: "cat".to_owned(), confidence: Some(51) }];
        let alarm = AlarmFacts { monitor, monitor_name, cause, labels: Some(&labels), time };
        let answer = tested(&used, &alarm, &TestedReceiver::User("amy".to_owned()), Channel::Push);
        assert_eq!(answer.explanation, "rule \"rest\" lets it through");
        let told: Vec<_> = answer.rules.iter().map(|rule| (&*rule.name, &*rule.explanation)).collect();
        assert_eq!(
            told,
            [
                ("door", "is for other monitors: Door"),
                ("night", "is not active then: 22:00-06:00, mon-fri"),
                ("people", "the cause has none of: person"),
                ("still", "the cause has one of: motion"),
                ("visitors", "none of these labels: person"),
                ("animals", "none of these labels by at least 60 %: cat"),
                ("no-cat", "one of these labels: Cat"),
                ("screens", "is for websocket only"),
                ("apple", "is for ios only"),
                ("rest", "decides: it lets it through"),
            ]
        );
        let night = &answer.rules[1];
        let times = [night.active_from, night.active_until].map(|time| time.map(|time| time.to_string()));
        assert_eq!(times, ["2026-11-27T22:00:00Z", "2026-11-28T06:00:00Z"].map(|time| Some(time.to_owned())));
        let unlabelled = AlarmFacts { labels: None, ..alarm };
        let second = tested(&used, &unlabelled, &TestedReceiver::User("amy".to_owned()), Channel::Push);
        assert_eq!(second.rules[4].explanation, "asks for labels, and none are known");
        let all = answer.rules.iter().chain(&second.rules);
        let words: BTreeSet<_> = all.filter_map(|rule| rule.mismatch).collect();
        assert_eq!(words.len(), RuleMismatch::ALL.len(), "each mismatch has a sentence");
    }

    #[test]
    fn without_rules_nothing_is_decided() {
        let used = used(Vec::new());
        let time = AlarmTime { at: Timestamp::UNIX_EPOCH, machine: &used.zone };
        let alarm =
            AlarmFacts { monitor: MonitorId(4), monitor_name: "Garden", cause: "", labels: None, time };
        let answer = tested(&used, &alarm, &TestedReceiver::Anyone, Channel::Push);
        assert_eq!((answer.rule, answer.action.as_str(), answer.rules), (None, "notify", vec![]));
        assert_eq!(answer.explanation, "zmesd.toml has no rules: the alarm is sent as usual");
    }

    #[test]
    fn a_rule_is_named_also_when_the_file_has_it_no_more() {
        let used = used(vec![Rule { schedule: weeknights(), ..rule("night", RuleAction::Mute) }]);
        assert_eq!(muted("night", &used), "rule \"night\" mutes it (22:00-06:00, mon-fri)");
        assert_eq!(muted("old", &used), "rule \"old\" muted it; zmesd.toml no longer has it");
        assert_eq!(passed("night", &used), "rule \"night\" let it through at the time");
    }
}
