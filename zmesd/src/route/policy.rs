//! The decision: a pure function of alarm and receiver.

use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::MonitorId;
use zmes_zoneminder::MonitorRights;

use crate::domain::{Decision, MonitorFilter, PushState, SkipReason, Token};

#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver<'a> {
    pub(super) rights: &'a MonitorRights,
    pub(super) filter: &'a MonitorFilter,
    /// The interval where the filter names none at all.
    pub(super) interval_default: Duration,
    /// When it got its last alarm of this monitor; `None` exempts from the interval.
    pub(super) last_sent: Option<Timestamp>,
}

/// Rights come before the filter, so that the reason never tells what a filter would have let through. An interval
/// is kept from the last alarm sent, and has passed when it is reached (`>=`); a clock that was set back counts as
/// passed, because silence would be the worse mistake.
pub(super) fn decide(monitor: MonitorId, now: Timestamp, receiver: Receiver<'_>) -> Decision {
    if !receiver.rights.allow(monitor) {
        return Decision::Skip(SkipReason::Rights);
    }
    let Some(interval) = interval(receiver.filter, receiver.interval_default, monitor) else {
        return Decision::Skip(SkipReason::Filter);
    };
    match receiver.last_sent {
        Some(last) if within(last, now, interval) => Decision::Skip(SkipReason::Interval),
        Some(_) | None => Decision::Send,
    }
}

/// What only people can change comes first (the owner, `state`, mute), then what depends on the alarm. `owner`: the
/// rights of the token's owner at this moment; `None`: the owner does not exist or is barred.
pub(super) fn decide_token(
    monitor: MonitorId,
    now: Timestamp,
    token: &Token,
    owner: Option<&MonitorRights>,
    interval_default: Duration,
    last_sent: Option<Timestamp>,
) -> Decision {
    let Some(rights) = owner else { return Decision::Skip(SkipReason::User) };
    if token.state == PushState::Disabled {
        return Decision::Skip(SkipReason::Disabled);
    }
    if token.muted(now) {
        return Decision::Skip(SkipReason::Muted);
    }
    decide(monitor, now, Receiver { rights, filter: &token.filter, interval_default, last_sent })
}

/// Returns the least time between two alarms of that monitor, or `None` if it is not wanted at all. A filter that
/// names monitors names their intervals, too, and `0` means each alarm.
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
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use zmes_providers::{Platform, PushToken};

    use super::*;
    use crate::domain::TokenId;

    const NOW: i64 = 1_800_000_000;

    fn decided(rights: &MonitorRights, monlist: &str, intlist: &str, seconds_ago: Option<i64>) -> Decision {
        let filter = MonitorFilter::parse(monlist, intlist).unwrap();
        let last_sent = seconds_ago.map(|ago| Timestamp::from_second(NOW - ago).unwrap());
        let receiver = Receiver { rights, filter: &filter, interval_default: Duration::ZERO, last_sent };
        decide(MonitorId(5), Timestamp::from_second(NOW).unwrap(), receiver)
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
        decide_token(MonitorId(5), now, token, owner, Duration::ZERO, last_sent)
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
            let decision = decide_token(MonitorId(5), now, &token, owner, Duration::from_mins(1), Some(last));
            assert_eq!(decision, expected, "{monlist} {intlist}");
        }
    }
}
