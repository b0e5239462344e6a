//! How often each rule decided for at least one receiver, for `rules list`: hours of the last day, and the last time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::oneshot;

use super::handle::{Busy, RouterCommand, RouterHandle};
use crate::rules::{MAX_RULES, RuleSet};
use crate::state::RuleHitRow;

/// Number of hours counted: the current one and those before it.
const HOURS: i64 = 24;
const HOUR: i64 = 3600;
/// Number of hours kept for a rule.
const KEPT: usize = 24;

/// The active rules and their hits.
#[derive(Debug, Clone)]
pub struct RulesInUse {
    pub rules: Arc<RuleSet>,
    /// The machine's time zone.
    pub zone: TimeZone,
    /// Hits by rule name; rules without hits are left out.
    pub hits: HashMap<Arc<str>, RuleHits>,
}

/// How many alarms a rule decided for at least one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleHits {
    /// In the last 24 hours.
    pub day: u64,
    pub last: Timestamp,
}

impl RouterHandle {
    /// Returns the rules that apply to the next alarm, with their hits.
    pub async fn rules(&self) -> Result<RulesInUse, Busy> {
        self.call(RouterCommand::Rules).await
    }
}

/// The reply to a request for rules.
pub type RulesReply = oneshot::Sender<RulesInUse>;

#[derive(Debug)]
struct Tracked {
    /// Alarms by hour since 1970.
    hours: BTreeMap<i64, u64>,
    last: Timestamp,
}

/// The hits of all rules.
#[derive(Debug, Default)]
pub(super) struct HitCounts {
    by_name: HashMap<Arc<str>, Tracked>,
}

impl HitCounts {
    /// Takes what the state file has, oldest first.
    pub(super) fn remembered(hits: Vec<RuleHitRow>) -> Self {
        let mut counts = Self::default();
        for RuleHitRow { rule, last, alarms } in hits {
            counts.add(&rule, last, alarms);
        }
        counts
    }

    /// Counts one alarm for a rule.
    pub(super) fn count(&mut self, name: &Arc<str>, at: Timestamp) {
        self.add(name, at, 1);
    }

    fn add(&mut self, name: &Arc<str>, at: Timestamp, alarms: u64) {
        if self.by_name.len() >= 2 * MAX_RULES && !self.by_name.contains_key(name) {
            self.forget(at);
        }
        let hour = at.as_second().div_euclid(HOUR);
        let tracked = self
            .by_name
            .entry(Arc::clone(name))
            .or_insert_with(|| Tracked { hours: BTreeMap::new(), last: at });
        *tracked.hours.entry(hour).or_default() += alarms;
        tracked.last = tracked.last.max(at);
        while tracked.hours.len() > KEPT {
            tracked.hours.pop_first();
        }
    }

    pub(super) fn at(&self, now: Timestamp) -> HashMap<Arc<str>, RuleHits> {
        let first = now.as_second().div_euclid(HOUR) - (HOURS - 1);
        let hits = |tracked: &Tracked| RuleHits {
            day: tracked.hours.range(first..).map(|(_, alarms)| alarms).sum(),
            last: tracked.last,
        };
        self.by_name.iter().map(|(name, tracked)| (Arc::clone(name), hits(tracked))).collect()
    }

    /// Removes names without any counted hit: rules are renamed, and names must not accumulate. If that frees nothing,
    /// the name with the oldest hit goes.
    fn forget(&mut self, now: Timestamp) {
        let since = now.saturating_sub(SignedDuration::from_hours(HOURS)).unwrap_or(Timestamp::MIN);
        self.by_name.retain(|_, tracked| tracked.last >= since);
        if self.by_name.len() >= 2 * MAX_RULES
            && let Some(oldest) = self.by_name.iter().min_by_key(|(_, tracked)| tracked.last)
        {
            let oldest = Arc::clone(oldest.0);
            self.by_name.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * HOUR).unwrap()
    }

    #[test]
    fn hits_are_those_of_a_day_and_the_last_one_stays() {
        let night: Arc<str> = "night".into();
        let row = RuleHitRow { rule: Arc::clone(&night), last: hour(0), alarms: 2 };
        let mut counts = HitCounts::remembered(vec![row]);
        counts.count(&night, hour(5));
        assert_eq!(counts.at(hour(6))[&night], RuleHits { day: 3, last: hour(5) });
        assert_eq!(counts.at(hour(24))[&night], RuleHits { day: 1, last: hour(5) });
        assert_eq!(counts.at(hour(40))[&night], RuleHits { day: 0, last: hour(5) });
        for number in 0..100 {
            counts.count(&night, hour(number));
        }
        assert!(counts.by_name[&night].hours.len() <= 24);
    }

    #[test]
    fn names_do_not_pile_up() {
        let mut counts = HitCounts::default();
        for number in 0..10_000_i64 {
            counts.count(&format!("rule-{number}").into(), hour(0) + SignedDuration::from_secs(number));
        }
        assert_eq!(counts.by_name.len(), 2 * MAX_RULES);
        assert!(counts.by_name.contains_key("rule-9999"));
        counts.count(&"later".into(), hour(100));
        assert_eq!(counts.by_name.len(), 1);
    }
}
