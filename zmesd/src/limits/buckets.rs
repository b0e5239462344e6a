//! Token buckets that refill over time: single ones, or many by key, bounded in number.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// Capacity of a full bucket.
    pub burst: f64,
    /// Time until one more is added.
    pub every: Duration,
}

/// One bucket: its level at some time. A negative level is debt, for what was allowed in parallel and charged
/// afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    pub fn full(quota: Quota, now: Instant) -> Self {
        Self { left: quota.burst, at: now }
    }

    pub fn left(&self, quota: Quota, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() / quota.every.as_secs_f64();
        (self.left + gained).min(quota.burst)
    }

    /// Takes `cost`, going into debt (at most the burst) if there is not enough. Returns false if the bucket is then in
    /// debt.
    pub fn charge(&mut self, cost: f64, quota: Quota, now: Instant) -> bool {
        *self = Self { left: (self.left(quota, now) - cost).max(-quota.burst), at: now };
        self.left >= 0.0
    }

    pub fn credit(&mut self, amount: f64, quota: Quota) {
        self.left = (self.left + amount).min(quota.burst);
    }
}

/// Buckets of one kind. A missing key means a full bucket.
#[derive(Debug)]
pub struct Buckets<K> {
    limit: usize,
    levels: HashMap<K, Bucket>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Returns buckets for at most `limit` keys. Full buckets are forgotten first, then the fullest.
    pub fn new(limit: usize) -> Self {
        Self { limit, levels: HashMap::new() }
    }

    /// Returns whether at least one remains.
    pub fn allows<Q>(&self, key: &Q, quota: Quota, now: Instant) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.levels.get(key).is_none_or(|bucket| bucket.left(quota, now) >= 1.0)
    }

    /// Takes one, going into debt if there is none.
    pub fn take(&mut self, key: K, quota: Quota, now: Instant) {
        if !self.levels.contains_key(&key) {
            self.make_room(quota, now);
        }
        self.levels.entry(key).or_insert_with(|| Bucket::full(quota, now)).charge(1.0, quota, now);
    }

    /// Takes one if there is one. Returns false if the bucket was empty; then nothing is taken.
    pub fn try_take(&mut self, key: K, quota: Quota, now: Instant) -> bool {
        let allowed = self.allows(&key, quota, now);
        if allowed {
            self.take(key, quota, now);
        }
        allowed
    }

    /// Forgets all full buckets, which carry no information; if there are none, forgets the fullest.
    fn make_room(&mut self, quota: Quota, now: Instant) {
        if self.levels.len() < self.limit {
            return;
        }
        self.levels.retain(|_, bucket| bucket.left(quota, now) < quota.burst);
        if self.levels.len() < self.limit {
            return;
        }
        let by_level = |(_, a): &(&K, &Bucket), (_, b): &(&K, &Bucket)| {
            a.left(quota, now).total_cmp(&b.left(quota, now))
        };
        if let Some(key) = self.levels.iter().max_by(by_level).map(|(key, _)| key.clone()) {
            self.levels.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { burst: 30.0, every: Duration::from_secs(2) };

    #[test]
    fn a_burst_then_one_after_each_pause() {
        let (mut buckets, now) = (Buckets::new(10), Instant::now());
        for _ in 0..30 {
            assert!(buckets.try_take("a", QUOTA, now));
        }
        assert!(!buckets.try_take("a", QUOTA, now));
        assert!(buckets.try_take("b", QUOTA, now), "others are not concerned");
        assert!(buckets.try_take("a", QUOTA, now + Duration::from_secs(2)));
        assert!(!buckets.try_take("a", QUOTA, now + Duration::from_secs(2)));
    }

    #[test]
    fn debt_is_bounded() {
        let (mut buckets, now) = (Buckets::new(10), Instant::now());
        for _ in 0..5000 {
            buckets.take(1, QUOTA, now);
        }
        assert!(
            !buckets.allows(&1, QUOTA, now + Duration::from_secs(61)),
            "what came side by side is paid for"
        );
        assert!(buckets.allows(&1, QUOTA, now + Duration::from_secs(63)), "but not for ever");
    }

    #[test]
    fn memory_is_bounded_and_the_worst_are_remembered() {
        let (mut buckets, now) = (Buckets::new(3), Instant::now());
        for _ in 0..30 {
            buckets.take(1, QUOTA, now);
        }
        for key in 2..100 {
            buckets.take(key, QUOTA, now);
        }
        assert_eq!(buckets.levels.len(), 3);
        assert!(!buckets.allows(&1, QUOTA, now), "the emptiest bucket is not forgotten for the others");
        buckets.take(100, QUOTA, now + Duration::from_hours(1));
        assert_eq!(buckets.levels.len(), 1, "full buckets say nothing");
    }
}
