//! How many failed logins an address and a user have left: token buckets, filled by time, emptied by failures alone.
//!
//! A success costs nothing, so any number of phones behind one address may come back at the same time; neither does
//! an app that never shows credentials, which some do at every cold start. An address whose bucket is empty is not
//! listened to; a user's bucket stops those who guess from many addresses at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures of one address: enough for a household with an old password in every phone, then one every 2 s. An app
/// with a wrong password comes again every 10 s, so five of them do not shut out the others behind their address.
const PER_ADDRESS: Quota = Quota { burst: 30.0, every: Duration::from_secs(2) };

/// Failures of one user: more than one address can cause, so that nobody can lock somebody else out from one place.
const PER_USER: Quota = Quota { burst: 90.0, every: Duration::from_millis(500) };

/// Buckets that are remembered of each kind, some 100 bytes each. Full buckets are forgotten first.
const MAX_BUCKETS: usize = 10_000;

/// The failures of all addresses and users.
#[derive(Debug)]
pub(super) struct Limiter {
    addresses: Mutex<Buckets<IpAddr>>,
    users: Mutex<Buckets<String>>,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self {
            addresses: Mutex::new(Buckets::new(PER_ADDRESS, MAX_BUCKETS)),
            users: Mutex::new(Buckets::new(PER_USER, MAX_BUCKETS)),
        }
    }

    /// Says whether a login may be looked at. A token's user is not known before it was checked.
    pub(super) fn allows(&self, address: IpAddr, user: Option<&str>) -> bool {
        let now = Instant::now();
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if !addresses.allows(&network(address), now) {
            return false;
        }
        drop(addresses);
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        user.is_none_or(|user| users.allows(user, now))
    }

    /// Takes note of a failed login.
    pub(super) fn failed(&self, address: IpAddr, user: Option<&str>) {
        let now = Instant::now();
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).take(network(address), now);
        if let Some(user) = user {
            self.users.lock().unwrap_or_else(PoisonError::into_inner).take(user.to_owned(), now);
        }
    }
}

/// Whom an address stands for: one customer has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// How much a bucket holds, and how fast it fills.
#[derive(Debug, Clone, Copy)]
struct Quota {
    burst: f64,
    every: Duration,
}

/// What was left at some time. Below zero is debt: logins that were let in side by side and all failed.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

#[derive(Debug)]
struct Buckets<K> {
    quota: Quota,
    limit: usize,
    levels: HashMap<K, Bucket>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(quota: Quota, limit: usize) -> Self {
        Self { quota, limit, levels: HashMap::new() }
    }

    /// Says whether at least one failure is left.
    fn allows<Q>(&self, key: &Q, now: Instant) -> bool
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.levels.get(key).is_none_or(|bucket| self.left(*bucket, now) >= 1.0)
    }

    /// Takes one out.
    fn take(&mut self, key: K, now: Instant) {
        let left = if let Some(bucket) = self.levels.get(&key) {
            self.left(*bucket, now)
        } else {
            self.make_room(now);
            self.quota.burst
        };
        // Debt ends somewhere: twice the burst must be enough of a lesson.
        let left = (left - 1.0).max(-self.quota.burst);
        self.levels.insert(key, Bucket { left, at: now });
    }

    fn left(&self, bucket: Bucket, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() / self.quota.every.as_secs_f64();
        (bucket.left + gained).min(self.quota.burst)
    }

    /// Forgets all full buckets, which say nothing, or else the one that is fullest.
    fn make_room(&mut self, now: Instant) {
        if self.levels.len() < self.limit {
            return;
        }
        let quota = self.quota;
        let mut buckets = std::mem::take(&mut self.levels);
        buckets.retain(|_, bucket| self.left(*bucket, now) < quota.burst);
        if buckets.len() >= self.limit {
            let left = |bucket: &Bucket| self.left(*bucket, now);
            let fullest = buckets.iter().max_by(|(_, a), (_, b)| left(a).total_cmp(&left(b)));
            if let Some(key) = fullest.map(|(key, _)| key.clone()) {
                buckets.remove(&key);
            }
        }
        self.levels = buckets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(limiter: &Limiter, times: usize, from: &str, user: Option<&str>) {
        for _ in 0..times {
            limiter.failed(address(from), user);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn thirty_failures_then_one_every_two_seconds() {
        let limiter = Limiter::new();
        fail(&limiter, 29, "192.0.2.1", None);
        assert!(limiter.allows(address("192.0.2.1"), None));
        fail(&limiter, 1, "192.0.2.1", None);
        assert!(!limiter.allows(address("192.0.2.1"), None));
        assert!(limiter.allows(address("192.0.2.2"), None), "others are not concerned");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(limiter.allows(address("192.0.2.1"), None));
        fail(&limiter, 1, "192.0.2.1", None);
        assert!(!limiter.allows(address("192.0.2.1"), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_customer_of_ipv6_is_a_whole_64() {
        let limiter = Limiter::new();
        fail(&limiter, 30, "2001:db8:1:2::1", None);
        assert!(!limiter.allows(address("2001:db8:1:2:ffff::9"), None));
        assert!(limiter.allows(address("2001:db8:1:3::1"), None));
    }

    #[tokio::test(start_paused = true)]
    async fn ipv4_through_a_dual_stack_socket_is_the_same_address() {
        let limiter = Limiter::new();
        fail(&limiter, 30, "::ffff:192.0.2.1", None);
        assert!(!limiter.allows(address("192.0.2.1"), None));
        assert!(limiter.allows(address("::ffff:192.0.2.9"), None), "not all of IPv4 is one /64");
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_guarded_over_all_addresses_but_not_locked_out_from_one() {
        let limiter = Limiter::new();
        fail(&limiter, 30, "192.0.2.1", Some("amy"));
        assert!(limiter.allows(address("192.0.2.2"), Some("amy")), "one address alone");
        fail(&limiter, 30, "192.0.2.2", Some("amy"));
        fail(&limiter, 30, "192.0.2.3", Some("amy"));
        assert!(!limiter.allows(address("192.0.2.4"), Some("amy")));
        assert!(limiter.allows(address("192.0.2.4"), Some("bob")));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(limiter.allows(address("192.0.2.4"), Some("amy")));
    }

    #[tokio::test(start_paused = true)]
    async fn debt_is_bounded() {
        let limiter = Limiter::new();
        fail(&limiter, 5000, "192.0.2.1", None);
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!limiter.allows(address("192.0.2.1"), None), "what failed side by side is paid for");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(limiter.allows(address("192.0.2.1"), None), "but not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_the_worst_are_remembered() {
        let mut buckets = Buckets::new(PER_ADDRESS, 3);
        let now = Instant::now();
        for _ in 0..30 {
            buckets.take(1, now);
        }
        for key in 2..100 {
            buckets.take(key, now);
        }
        assert_eq!(buckets.levels.len(), 3);
        assert!(!buckets.allows(&1, now), "the guilty one is not forgotten for the others");
        tokio::time::advance(Duration::from_hours(1)).await;
        buckets.take(100, Instant::now());
        assert_eq!(buckets.levels.len(), 1, "full buckets say nothing");
    }
}
