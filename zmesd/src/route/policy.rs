//! The decision: a pure function of alarm and receiver.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::MonitorId;
use zmes_zoneminder::MonitorRights;

use crate::config::EndConfig;
use crate::domain::{DecidedBy, Decision, MonitorFilter, PushState, SkipReason, Snooze, Token};
use crate::rules::{Rule, RuleAction};

#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver<'a> {
    pub(super) rights: &'a MonitorRights,
    /// The least time between two alarms of the monitor; `None`: the receiver's filter excludes it.
    pub(super) interval: Option<Duration>,
    /// When the receiver last got an alarm of this monitor; `None` skips the interval check.
    pub(super) last_sent: Option<Timestamp>,
    pub(super) wishes: Wishes<'a>,
}

/// What users and admins have set that affects this alarm for this receiver.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes<'a> {
    /// The rule that decides, if any.
    pub(super) rule: Option<&'a Rule>,
    /// The snooze that applies; never set for an app's connection.
    pub(super) snooze: Option<&'a Snooze>,
}

/// A decision and what caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) decision: Decision,
    /// The rule or snooze that decided.
    pub(super) by: Option<DecidedBy>,
    /// A rule marks the alarm as urgent.
    pub(super) urgent: bool,
}

impl From<SkipReason> for Verdict {
    fn from(reason: SkipReason) -> Self {
        Self { decision: Decision::Skip(reason), by: None, urgent: false }
    }
}

impl Wishes<'_> {
    /// Combines rule and snooze: an urgent rule overrides a snooze that is not hard.
    fn decide(self) -> Verdict {
        let action = self.rule.map(|rule| rule.action);
        let urgent = action == Some(RuleAction::Urgent);
        if let Some(snooze) = self.snooze.filter(|snooze| snooze.hard || !urgent) {
            return Verdict { by: Some(DecidedBy::Snooze(snooze.id)), ..SkipReason::Snoozed.into() };
        }
        let by = self.rule.map(|rule| DecidedBy::Rule(Arc::clone(&rule.name)));
        if action == Some(RuleAction::Mute) {
            return Verdict { by, ..SkipReason::Rule.into() };
        }
        Verdict { decision: Decision::Send, by, urgent }
    }
}

/// Decides whether `receiver` gets an alarm of `monitor` at the time `now`.
///
/// Rights come before the filter, so that the reason never reveals what the filter would have let through. Snooze and
/// rules come before the interval, because a muted alarm must not start one. An interval counts from the last alarm
/// sent and is over once that time is reached (`>=`). A clock that was set back counts as over, because silence would
/// be the worse mistake.
pub(super) fn decide(monitor: MonitorId, now: Timestamp, receiver: Receiver<'_>) -> Verdict {
    if !receiver.rights.allow(monitor) {
        return SkipReason::Rights.into();
    }
    let Some(interval) = receiver.interval else { return SkipReason::Filter.into() };
    let verdict = receiver.wishes.decide();
    match receiver.last_sent {
        Some(last) if verdict.decision == Decision::Send && within(last, now, interval) => {
            SkipReason::Interval.into()
        }
        Some(_) | None => verdict,
    }
}

/// First come the reasons that only people can change (owner, `state`, mute), then those that depend on the alarm.
/// `owner` is the current rights of the token's owner; `None` if the owner does not exist or is barred.
pub(super) fn decide_token(
    monitor: MonitorId,
    now: Timestamp,
    token: &Token,
    owner: Option<&MonitorRights>,
    interval: Option<Duration>,
    last_sent: Option<Timestamp>,
    wishes: Wishes<'_>,
) -> Verdict {
    let Some(rights) = owner else { return SkipReason::User.into() };
    if let Some(reason) = switched_off(token, now) {
        return reason.into();
    }
    decide(monitor, now, Receiver { rights, interval, last_sent, wishes })
}

/// A kind of receiver of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReceiver {
    /// An app that is connected.
    Session,
    /// A phone.
    Token,
    /// A `[[target]]`, and whether its phases include ends.
    Target(bool),
}

/// Returns whether receivers of this kind get ends.
pub(super) fn wants_end(receiver: EndReceiver, config: EndConfig) -> bool {
    match receiver {
        EndReceiver::Session => config.websocket,
        EndReceiver::Token => config.push,
        EndReceiver::Target(hears) => hears,
    }
}

/// Withholds an alarm without labels that would otherwise be sent, unless a rule decided to send it.
pub(super) fn drop_unlabelled(verdict: Verdict) -> Verdict {
    if verdict.decision == Decision::Send && verdict.by.is_none() {
        SkipReason::NoLabels.into()
    } else {
        verdict
    }
}

/// Returns why a token gets no pushes: its app or an admin has switched them off.
pub(super) fn switched_off(token: &Token, now: Timestamp) -> Option<SkipReason> {
    match token.state {
        PushState::Disabled => Some(SkipReason::Disabled),
        PushState::Enabled => token.muted(now).then_some(SkipReason::Muted),
    }
}

/// Returns the minimum time between two alarms of a monitor, or `None` if the filter excludes the monitor. A filter
/// that names monitors names their intervals, too; `0` means every alarm.
pub(super) fn interval(filter: &MonitorFilter, default: Duration, monitor: MonitorId) -> Option<Duration> {
    match filter {
        MonitorFilter::All => Some(default),
        MonitorFilter::Only(_) => filter.interval(monitor),
    }
}

fn within(last: Timestamp, now: Timestamp, interval: Duration) -> bool {
    Duration::try_from(now.duration_since(last)).is_ok_and(|passed| passed < interval)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use zmes_providers::{Platform, PushToken};

    use super::*;
    use crate::domain::{SnoozeId, SnoozeScope, TokenId};
    use crate::route::fakes::snooze;
    use crate::rules::fakes::rule;

    const NOW: i64 = 1_800_000_000;

    fn decided(rights: &MonitorRights, monlist: &str, intlist: &str, seconds_ago: Option<i64>) -> Decision {
        let filter = MonitorFilter::parse(monlist, intlist).unwrap();
        let last_sent = seconds_ago.map(|ago| Timestamp::from_second(NOW - ago).unwrap());
        let interval = interval(&filter, Duration::ZERO, MonitorId(5));
        let receiver = Receiver { rights, interval, last_sent, wishes: Wishes::default() };
        decide(MonitorId(5), Timestamp::from_second(NOW).unwrap(), receiver).decision
    }

    fn only(monitors: &[u32]) -> MonitorRights {
        MonitorRights::Only(Arc::new(monitors.iter().copied().map(MonitorId).collect::<BTreeSet<_>>()))
    }

    #[test]
    fn filter_and_rights_must_both_allow() {
        use Decision::{Send, Skip};
        let cases: [(&MonitorRights, &str, Decision); 6] = [
            (&MonitorRights::All, "", Send),
            (&MonitorRights::All, "5", Send),
            (&MonitorRights::All, "4,6", Skip(SkipReason::Filter)),
            (&only(&[4]), "5", Skip(SkipReason::Rights)),
            (&only(&[4]), "4", Skip(SkipReason::Rights)),
            (&MonitorRights::none(), "", Skip(SkipReason::Rights)),
        ];
        for (rights, monlist, expected) in cases {
            assert_eq!(decided(rights, monlist, "", None), expected, "{rights:?} {monlist}");
        }
    }

    #[test]
    fn an_interval_has_passed_when_it_is_reached() {
        let skip = Decision::Skip(SkipReason::Interval);
        for (intlist, ago, expected) in [
            ("60", Some(59), skip),
            ("60", Some(60), Decision::Send),
            ("60", None, Decision::Send),
            ("0", Some(0), Decision::Send),
            ("60", Some(-30), Decision::Send),
        ] {
            assert_eq!(decided(&MonitorRights::All, "5", intlist, ago), expected, "{intlist} {ago:?}");
        }
    }

    fn token(monlist: &str, intlist: &str) -> Token {
        let filter = MonitorFilter::parse(monlist, intlist).unwrap();
        let token = PushToken::parse("T").unwrap();
        Token { filter, ..Token::new(TokenId(1), token, Platform::Ios, Timestamp::UNIX_EPOCH) }
    }

    fn decided_token(owner: Option<&MonitorRights>, token: &Token, seconds_ago: Option<i64>) -> Decision {
        let last_sent = seconds_ago.map(|ago| Timestamp::from_second(NOW - ago).unwrap());
        let now = Timestamp::from_second(NOW).unwrap();
        let interval = interval(&token.filter, Duration::ZERO, MonitorId(5));
        decide_token(MonitorId(5), now, token, owner, interval, last_sent, Wishes::default()).decision
    }

    #[test]
    fn a_token_is_judged_by_its_owner_then_by_its_state_then_by_the_alarm() {
        use SkipReason::{Disabled, Filter, Interval, Muted, Rights, User};
        let (state, muted) = (PushState::Disabled, Some(Timestamp::MAX));
        let (all, none) = (Some(&MonitorRights::All), Some(&MonitorRights::none()));
        for (owner, token, ago, reason) in [
            (None, Token { state, ..token("", "") }, None, User),
            (all, Token { state, mute_until: muted, ..token("", "") }, None, Disabled),
            (none, Token { mute_until: muted, ..token("", "") }, None, Muted),
            (none, token("4", "0"), None, Rights),
            (all, token("4", "0"), Some(3599), Filter),
            (all, token("5", "3600"), Some(3599), Interval),
        ] {
            assert_eq!(decided_token(owner, &token, ago), Decision::Skip(reason), "{owner:?} {token:?}");
        }
        assert_eq!(decided_token(all, &token("", ""), None), Decision::Send);
        assert_eq!(decided_token(all, &token("5", "3600"), Some(3600)), Decision::Send);
    }

    #[test]
    fn the_default_interval_is_for_filters_that_name_none() {
        let skip = Decision::Skip(SkipReason::Interval);
        for (monlist, intlist, expected) in
            [("", "", skip), ("5", "0", Decision::Send), ("5", "", Decision::Send), ("5", "90", skip)]
        {
            let (now, last) =
                (Timestamp::from_second(NOW).unwrap(), Timestamp::from_second(NOW - 59).unwrap());
            let (token, owner) = (token(monlist, intlist), Some(&MonitorRights::All));
            let interval = interval(&token.filter, Duration::from_mins(1), MonitorId(5));
            let wishes = Wishes::default();
            let verdict = decide_token(MonitorId(5), now, &token, owner, interval, Some(last), wishes);
            assert_eq!(verdict.decision, expected, "{monlist} {intlist}");
        }
    }

    #[test]
    fn a_snooze_comes_before_rules_and_an_urgent_rule_breaks_through_it_unless_it_is_hard() {
        use RuleAction::{Mute, Notify, Urgent};
        let soft = Snooze { id: SnoozeId(17), ..snooze(None, SnoozeScope::Everybody, Timestamp::MAX) };
        let hard = Snooze { hard: true, ..soft.clone() };
        let by_rule = Some(DecidedBy::Rule("night".into()));
        let by_snooze = Some(DecidedBy::Snooze(SnoozeId(17)));
        let skip = Decision::Skip;
        for (action, snooze, decision, by, urgent) in [
            (None, None, Decision::Send, None, false),
            (Some(Mute), None, skip(SkipReason::Rule), by_rule.clone(), false),
            (Some(Notify), None, Decision::Send, by_rule.clone(), false),
            (Some(Urgent), None, Decision::Send, by_rule.clone(), true),
            (None, Some(&soft), skip(SkipReason::Snoozed), by_snooze.clone(), false),
            (Some(Mute), Some(&soft), skip(SkipReason::Snoozed), by_snooze.clone(), false),
            (Some(Notify), Some(&soft), skip(SkipReason::Snoozed), by_snooze.clone(), false),
            (Some(Urgent), Some(&soft), Decision::Send, by_rule, true),
            (Some(Urgent), Some(&hard), skip(SkipReason::Snoozed), by_snooze, false),
        ] {
            let rule = action.map(|action| rule("night", action));
            let wishes = Wishes { rule: rule.as_ref(), snooze };
            let token = token("", "");
            let now = Timestamp::from_second(NOW).unwrap();
            let all = Some(&MonitorRights::All);
            let interval = Some(Duration::ZERO);
            let verdict = decide_token(MonitorId(5), now, &token, all, interval, None, wishes);
            assert_eq!(verdict, Verdict { decision, by, urgent }, "{action:?} {snooze:?}");
        }
    }

    #[test]
    fn what_a_rule_mutes_is_no_interval_and_what_it_wants_keeps_the_interval() {
        let now = Timestamp::from_second(NOW).unwrap();
        let decided = |action, monlist, ago| {
            let (rule, last) = (rule("night", action), Timestamp::from_second(NOW - ago).unwrap());
            let (token, all) = (token(monlist, "60"), Some(&MonitorRights::All));
            let wishes = Wishes { rule: Some(&rule), snooze: None };
            let interval = interval(&token.filter, Duration::ZERO, MonitorId(5));
            decide_token(MonitorId(5), now, &token, all, interval, Some(last), wishes).decision
        };
        assert_eq!(decided(RuleAction::Mute, "5", 10), Decision::Skip(SkipReason::Rule));
        assert_eq!(decided(RuleAction::Notify, "5", 10), Decision::Skip(SkipReason::Interval));
        assert_eq!(decided(RuleAction::Notify, "5", 60), Decision::Send);
        assert_eq!(decided(RuleAction::Notify, "4", 60), Decision::Skip(SkipReason::Filter));
    }
}
