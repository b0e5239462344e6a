//! For any rules, snoozes, mutes, filters and intervals, the decision matches that of a slow, obvious model, and an
//! alarm that is not sent has a reason that names its cause.

use jiff::SignedDuration;
use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use zmes_providers::{Platform, PushToken};

use super::*;
use crate::domain::{SnoozeScope, TokenId};
use crate::route::fakes::snooze;
use crate::route::snoozes::Snoozes;
use crate::rules::fakes::rule;
use crate::rules::{
    AlarmFacts, AlarmTime, Channel, MonitorName, ReceiverFacts, ReceiverName, RuleSet, Schedule,
};

/// A rule in the model's form.
#[derive(Debug, Clone)]
struct PlannedRule {
    monitor: Option<u32>,
    user: Option<&'static str>,
    push: bool,
    /// Hours of the day; spans midnight if the first is greater.
    between: Option<(i8, i8)>,
    cause: Option<&'static str>,
    action: RuleAction,
}

#[derive(Debug, Clone)]
struct PlannedSnooze {
    monitor: Option<u32>,
    scope: SnoozeScope,
    /// Minutes after the alarm; negative if already over.
    until: i64,
    hard: bool,
}

#[derive(Debug, Clone)]
struct PlannedCase {
    rules: Vec<PlannedRule>,
    snoozes: Vec<PlannedSnooze>,
    monitor: u32,
    hour: i8,
    cause: &'static str,
    user: &'static str,
    /// The monitors that the owner may see; `None` if there is no such user.
    owner: Option<Vec<u32>>,
    disabled: bool,
    /// Minutes after the alarm.
    muted_until: Option<i64>,
    /// Monitors with an interval in seconds; empty: all of them.
    filter: Vec<(u32, u32)>,
    default_seconds: u64,
    /// Seconds before the alarm.
    last_sent: Option<i64>,
}

const CAUSES: [&str; 3] = ["Motion", "Linked person", "Signal"];
const USERS: [&str; 2] = ["amy", "bob"];

fn monitors() -> impl Strategy<Value = u32> {
    1..4_u32
}

fn planned_rule() -> impl Strategy<Value = PlannedRule> {
    let user = option::of(prop::sample::select(USERS.to_vec()));
    let cause = option::of(prop::sample::select(vec!["motion", "PERSON"]));
    let action = prop::sample::select(RuleAction::ALL.to_vec());
    let between = option::of((0..24_i8, 0..24_i8));
    (option::of(monitors()), user, prop::bool::weighted(0.8), between, cause, action).prop_map(
        |(monitor, user, push, between, cause, action)| PlannedRule {
            monitor,
            user,
            push,
            between,
            cause,
            action,
        },
    )
}

fn planned_snooze() -> impl Strategy<Value = PlannedSnooze> {
    let scope = prop_oneof![
        Just(SnoozeScope::Everybody),
        prop::sample::select(USERS.to_vec()).prop_map(|user| SnoozeScope::User(user.to_owned())),
        (1..3_i64).prop_map(|id| SnoozeScope::Token(TokenId(id))),
    ];
    (option::of(monitors()), scope, -5..6_i64, any::<bool>())
        .prop_map(|(monitor, scope, until, hard)| PlannedSnooze { monitor, scope, until, hard })
}

fn planned_case() -> impl Strategy<Value = PlannedCase> {
    let alarm = (monitors(), 0..24_i8, prop::sample::select(CAUSES.to_vec()));
    let owner = prop_oneof![1 => Just(None), 9 => vec(monitors(), 1..4).prop_map(Some)];
    let token = (
        prop::sample::select(USERS.to_vec()),
        owner,
        prop::bool::weighted(0.1),
        option::weighted(0.2, -5..6_i64),
        prop_oneof![Just(Vec::new()), vec((monitors(), 0..120_u32), 1..4)],
    );
    let set = (vec(planned_rule(), 0..6), vec(planned_snooze(), 0..4));
    (set, alarm, token, 0..120_u64, option::of(-10..200_i64)).prop_map(
        |(
            (rules, snoozes),
            (monitor, hour, cause),
            (user, owner, disabled, muted_until, filter),
            default_seconds,
            last_sent,
        )| PlannedCase {
            rules,
            snoozes,
            monitor,
            hour,
            cause,
            user,
            owner,
            disabled,
            muted_until,
            filter,
            default_seconds,
            last_sent,
        },
    )
}

/// The model's answer: why the alarm is not sent, which rule (by index) decided, whether it is urgent.
#[derive(Debug, PartialEq)]
struct Expected {
    skipped: Option<SkipReason>,
    rule: Option<usize>,
    urgent: bool,
}

impl From<SkipReason> for Expected {
    fn from(reason: SkipReason) -> Self {
        Self { skipped: Some(reason), rule: None, urgent: false }
    }
}

fn applies(rule: &PlannedRule, case: &PlannedCase) -> bool {
    let in_time = match rule.between {
        None => true,
        Some((from, to)) if from < to => (from..to).contains(&case.hour),
        Some((from, to)) => case.hour >= from || case.hour < to,
    };
    let of_cause = |word: &str| case.cause.to_lowercase().contains(&word.to_lowercase());
    rule.push
        && in_time
        && rule.monitor.is_none_or(|monitor| monitor == case.monitor)
        && rule.user.is_none_or(|user| user == case.user)
        && rule.cause.is_none_or(of_cause)
}

fn silences(snooze: &PlannedSnooze, case: &PlannedCase) -> bool {
    let in_scope = match &snooze.scope {
        SnoozeScope::Everybody => true,
        SnoozeScope::User(user) => user == case.user,
        SnoozeScope::Token(id) => id.0 == 1,
    };
    in_scope && snooze.until > 0 && snooze.monitor.is_none_or(|monitor| monitor == case.monitor)
}

/// Checks one condition after another, in the order of the manual.
fn expected(case: &PlannedCase) -> Expected {
    let Some(visible) = &case.owner else { return SkipReason::User.into() };
    if case.disabled {
        return SkipReason::Disabled.into();
    }
    if case.muted_until.is_some_and(|until| until > 0) {
        return SkipReason::Muted.into();
    }
    if !visible.contains(&case.monitor) {
        return SkipReason::Rights.into();
    }
    let listed = case.filter.iter().find(|(monitor, _)| *monitor == case.monitor);
    let interval = match listed {
        Some((_, seconds)) => i64::from(*seconds),
        None if case.filter.is_empty() => i64::try_from(case.default_seconds).unwrap(),
        None => return SkipReason::Filter.into(),
    };
    let rule = case.rules.iter().position(|rule| applies(rule, case));
    let action = rule.map(|place| case.rules[place].action);
    let urgent = action == Some(RuleAction::Urgent);
    if case.snoozes.iter().any(|snooze| silences(snooze, case) && (snooze.hard || !urgent)) {
        return SkipReason::Snoozed.into();
    }
    if action == Some(RuleAction::Mute) {
        return Expected { skipped: Some(SkipReason::Rule), rule, urgent: false };
    }
    if case.last_sent.is_some_and(|ago| ago >= 0 && ago < interval) {
        return SkipReason::Interval.into();
    }
    Expected { skipped: None, rule, urgent }
}

fn set_rule((place, planned): (usize, &PlannedRule)) -> Rule {
    let window = |(from, to): (i8, i8)| format!("{from:02}:00-{to:02}:00").parse().unwrap();
    Rule {
        monitors: planned.monitor.map(|id| MonitorName::Id(MonitorId(id))).into_iter().collect(),
        receivers: planned.user.map(|user| ReceiverName::User(user.to_owned())).into_iter().collect(),
        channels: vec![if planned.push { Channel::Push } else { Channel::WebSocket }],
        schedule: Schedule {
            windows: planned.between.map(window).into_iter().collect(),
            ..Schedule::default()
        },
        cause_has: planned.cause.map(ToOwned::to_owned).into_iter().collect(),
        ..rule(&place.to_string(), planned.action)
    }
}

/// Decides as the router does.
fn decided(case: &PlannedCase) -> (Verdict, Snoozes) {
    let at = date(2027, 1, 4).at(case.hour, 30, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
    let minutes = |minutes: i64| at + SignedDuration::from_mins(minutes);
    let mut snoozes = Snoozes::default();
    for planned in &case.snoozes {
        let snooze = snooze(planned.monitor, planned.scope.clone(), minutes(planned.until));
        snoozes.set(Snooze { hard: planned.hard, ..snooze }).unwrap();
    }
    let secret = PushToken::parse("token-1").unwrap();
    let entries = |of: fn(&(u32, u32)) -> u32| {
        case.filter.iter().map(|entry| of(entry).to_string()).collect::<Vec<_>>().join(",")
    };
    let token = Token {
        user: case.user.to_owned(),
        state: if case.disabled { PushState::Disabled } else { PushState::Enabled },
        mute_until: case.muted_until.map(minutes),
        filter: MonitorFilter::parse(&entries(|entry| entry.0), &entries(|entry| entry.1)).unwrap(),
        ..Token::new(TokenId(1), secret, Platform::Android, at)
    };
    let rights = case
        .owner
        .as_ref()
        .map(|visible| MonitorRights::Only(Arc::new(visible.iter().copied().map(MonitorId).collect())));
    let rules = RuleSet::new(case.rules.iter().enumerate().map(set_rule).collect());
    let (monitor, zone) = (MonitorId(case.monitor), TimeZone::UTC);
    let time = AlarmTime { at, machine: &zone };
    let facts = AlarmFacts { monitor, monitor_name: "Garage", cause: case.cause, labels: None, time };
    let receiver = ReceiverFacts {
        channel: Channel::Push,
        user: &token.user,
        handle: Some(token.handle),
        platform: Some(token.platform),
    };
    let candidates = rules.candidates(&facts);
    let wishes = Wishes { rule: candidates.decide(&receiver), snooze: snoozes.covering(monitor, &token, at) };
    let last_sent = case.last_sent.map(|ago| at - SignedDuration::from_secs(ago));
    let default = Duration::from_secs(case.default_seconds);
    let interval = interval(&token.filter, default, monitor);
    let verdict = decide_token(monitor, at, &token, rights.as_ref(), interval, last_sent, wishes);
    (verdict, snoozes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_mix_is_decided_as_the_model_says_and_what_withholds_an_alarm_has_a_name(case in planned_case()) {
        // Setting the same snooze again replaces it.
        let mut case = case;
        let mut seen = Vec::new();
        case.snoozes.reverse();
        case.snoozes.retain(|snooze| {
            let key = (snooze.monitor, snooze.scope.clone());
            let new = !seen.contains(&key);
            seen.push(key);
            new
        });
        let (verdict, snoozes) = decided(&case);
        let Expected { skipped, rule, urgent } = expected(&case);
        let decision = skipped.map_or(Decision::Send, Decision::Skip);
        prop_assert_eq!((verdict.decision, verdict.urgent), (decision, urgent), "{:?}", &verdict);
        match (verdict.decision, &verdict.by) {
            (Decision::Skip(SkipReason::Snoozed), Some(DecidedBy::Snooze(id))) => {
                let snooze = &snoozes.get(*id).unwrap().snooze;
                prop_assert!(snooze.hard || rule.is_none_or(|place| case.rules[place].action != RuleAction::Urgent));
            }
            (Decision::Skip(SkipReason::Rule), Some(DecidedBy::Rule(name))) => {
                prop_assert_eq!(rule, name.parse().ok());
                prop_assert!(case.rules[rule.unwrap()].action == RuleAction::Mute && !verdict.urgent);
            }
            (Decision::Send, by) => {
                let named = by.as_ref().and_then(DecidedBy::rule).map(|name| name.parse().unwrap());
                prop_assert_eq!(named, rule);
                prop_assert!(rule.is_none_or(|place| case.rules[place].action != RuleAction::Mute));
            }
            // Each of these words has its own sentence that says what to do.
            (Decision::Skip(reason), None) => {
                prop_assert!(!matches!(reason, SkipReason::Snoozed | SkipReason::Rule | SkipReason::Unknown));
            }
            (Decision::Skip(_), Some(by)) => {
                return Err(TestCaseError::fail(format!("{by:?} is not its reason")));
            }
        }
    }
}
