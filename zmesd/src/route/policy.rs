//! The decision: a pure function of alarm and receiver.

use std::time::Duration;

use jiff::Timestamp;
use zmes_shared::MonitorId;

use crate::domain::{Decision, MonitorFilter, MonitorRights, SkipReason};

/// What is known of a receiver when an alarm is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver<'a> {
    /// Its user's rights.
    pub(super) rights: &'a MonitorRights,
    /// What it asked for.
    pub(super) filter: &'a MonitorFilter,
    /// When it got its last alarm of this monitor; `None` exempts from the interval.
    pub(super) last_sent: Option<Timestamp>,
}

/// Decides whether `receiver` gets an alarm of `monitor` at the time `now`.
///
/// Rights come before the filter, so that the reason never tells what a filter would have let through. An interval
/// is kept from the last alarm sent, and has passed when it is reached (`>=`); a clock that was set back counts as
/// passed, because silence would be the worse mistake.
pub(super) fn decide(monitor: MonitorId, now: Timestamp, receiver: Receiver<'_>) -> Decision {
    if !receiver.rights.allow(monitor) {
        return Decision::Skip(SkipReason::Rights);
    }
    let Some(interval) = receiver.filter.interval(monitor) else {
        return Decision::Skip(SkipReason::Filter);
    };
    match receiver.last_sent {
        Some(last) if within(last, now, interval) => Decision::Skip(SkipReason::Interval),
        Some(_) | None => Decision::Send,
    }
}

fn within(last: Timestamp, now: Timestamp, interval: Duration) -> bool {
    Duration::try_from(now.duration_since(last)).is_ok_and(|passed| passed < interval)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn decided(rights: &MonitorRights, monlist: &str, intlist: &str, seconds_ago: Option<i64>) -> Decision {
        let filter = MonitorFilter::parse(monlist, intlist).unwrap();
        let last_sent = seconds_ago.map(|ago| Timestamp::from_second(NOW - ago).unwrap());
        let receiver = Receiver { rights, filter: &filter, last_sent };
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
}
