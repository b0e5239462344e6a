//! Decides which logins are still checked after wrong ones: token buckets that only failures empty.
//!
//! A success costs nothing, so any number of phones behind one address may reconnect at the same time. An app that
//! never sends credentials costs nothing, nor does the same wrong credential once more (as in Dovecot's auth penalty):
//! a script with an old password that retries every 3 s locks out no client, itself included. New guesses cost: first
//! the pair of user and network, then the network, and the user over all networks. A user who has logged in from a
//! network before may continue to do so, whatever others at that network, or guessers elsewhere, have used up.
//!
//! Networks are those of [`network`]: for IPv6, a whole /64. All tables are bounded and live as long as the process.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use zmes_zoneminder::User;

use crate::limits::{Buckets, Quota, network};

/// Wrong passwords for one user from one network.
const PER_PAIR: Quota = Quota { burst: 15.0, every: Duration::from_secs(4) };
/// Wrong passwords from one network: enough for a household with an old password in every phone.
const PER_NETWORK: Quota = Quota { burst: 30.0, every: Duration::from_secs(2) };
/// Wrong passwords for one user from all networks: stops guessing from many networks at once.
const PER_USER: Quota = Quota { burst: 90.0, every: Duration::from_millis(500) };

/// Maximum number of buckets of each kind, about 100 bytes each.
const MAX_BUCKETS: usize = 10_000;
/// Number of networks remembered per user, the latest from which the user has logged in.
const MAX_HOMES: usize = 64;
/// Maximum number of users with such networks.
const MAX_USERS: usize = 10_000;
/// Maximum number of networks whose wrong credentials are remembered.
const MAX_NETWORKS: usize = 4096;
/// Number of wrong credentials remembered per network, the latest.
const MAX_MISTAKES: usize = 32;
/// How long a wrong credential is remembered after its last use.
const REMEMBERED: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    /// Checked only because this user has logged in from there before: a wrong password must look like
    /// [`Standing::Locked`].
    Familiar,
    Locked,
}

/// A keyed hash of a credential and what it was compared with: equal fingerprints have the same verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

#[derive(Debug)]
pub(super) struct Limiter {
    key: RandomState,
    state: Mutex<LimiterState>,
}

#[derive(Debug)]
struct LimiterState {
    pairs: Buckets<(String, IpAddr)>,
    networks: Buckets<IpAddr>,
    users: Buckets<String>,
    /// The networks from which each user has logged in.
    homes: HashMap<String, VecDeque<IpAddr>>,
    mistakes: HashMap<IpAddr, VecDeque<Mistake>>,
}

#[derive(Debug)]
struct Mistake {
    credential: Fingerprint,
    verdict: &'static str,
    at: Instant,
}

impl Limiter {
    pub(super) fn new() -> Self {
        let state = LimiterState {
            pairs: Buckets::new(MAX_BUCKETS),
            networks: Buckets::new(MAX_BUCKETS),
            users: Buckets::new(MAX_BUCKETS),
            homes: HashMap::new(),
            mistakes: HashMap::new(),
        };
        Self { key: RandomState::new(), state: Mutex::new(state) }
    }

    /// Returns whether a login may be checked. The user of a token is unknown before the check.
    pub(super) fn standing(&self, address: IpAddr, user: Option<&str>) -> Standing {
        let (now, network) = (Instant::now(), network(address));
        let state = self.state();
        let network_open = state.networks.allows(&network, PER_NETWORK, now);
        let Some(user) = user.map(folded) else {
            return if network_open { Standing::Open } else { Standing::Locked };
        };
        let familiar = state.homes.get(&user).is_some_and(|homes| homes.contains(&network));
        let open = network_open && state.users.allows(&user, PER_USER, now);
        if !state.pairs.allows(&(user, network), PER_PAIR, now) {
            Standing::Locked
        } else if open {
            Standing::Open
        } else if familiar {
            Standing::Familiar
        } else {
            Standing::Locked
        }
    }

    /// Records a wrong credential. Returns false if it was wrong at this network before, so that it costs nothing.
    pub(super) fn failed(
        &self,
        address: IpAddr,
        user: Option<&str>,
        credential: Option<Fingerprint>,
        verdict: &'static str,
    ) -> bool {
        let (now, network) = (Instant::now(), network(address));
        let mut state = self.state();
        if credential.is_some_and(|credential| !state.learn(network, credential, verdict, now)) {
            return false;
        }
        state.networks.take(network, PER_NETWORK, now);
        if let Some(user) = user.map(folded) {
            state.users.take(user.clone(), PER_USER, now);
            state.pairs.take((user, network), PER_PAIR, now);
        }
        true
    }

    pub(super) fn succeeded(&self, address: IpAddr, user: &str) {
        let (user, network) = (folded(user), network(address));
        let mut state = self.state();
        if !state.homes.contains_key(&user) && state.homes.len() >= MAX_USERS {
            return;
        }
        let homes = state.homes.entry(user).or_default();
        homes.retain(|home| *home != network);
        if homes.len() >= MAX_HOMES {
            homes.pop_front();
        }
        homes.push_back(network);
    }

    /// Returns the verdict on a credential that was wrong at this network before.
    pub(super) fn known(&self, address: IpAddr, credential: Fingerprint) -> Option<&'static str> {
        let now = Instant::now();
        let state = self.state();
        let mistakes = state.mistakes.get(&network(address))?;
        let same = |mistake: &&Mistake| mistake.credential == credential && mistake.fresh(now);
        mistakes.iter().find(same).map(|mistake| mistake.verdict)
    }

    /// Returns the fingerprint of a password and of everything that its verdict depends on.
    pub(super) fn password(&self, name: &str, given: &SecretString, found: Option<&User>) -> Fingerprint {
        let stored = found.map(|user| (user.name.as_str(), user.password.expose_secret(), user.barred()));
        Fingerprint(self.key.hash_one(("password", name, given.expose_secret(), stored)))
    }

    pub(super) fn token(&self, token: &SecretString) -> Fingerprint {
        Fingerprint(self.key.hash_one(("token", token.expose_secret())))
    }

    fn state(&self) -> MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LimiterState {
    /// Remembers a wrong credential. Returns false if it is already known.
    fn learn(
        &mut self,
        network: IpAddr,
        credential: Fingerprint,
        verdict: &'static str,
        now: Instant,
    ) -> bool {
        if !self.mistakes.contains_key(&network) && self.mistakes.len() >= MAX_NETWORKS {
            self.forget_oldest();
        }
        let mistakes = self.mistakes.entry(network).or_default();
        let before = mistakes.len();
        mistakes.retain(|mistake| mistake.credential != credential || !mistake.fresh(now));
        let new = mistakes.len() == before;
        if mistakes.len() >= MAX_MISTAKES {
            mistakes.pop_front();
        }
        mistakes.push_back(Mistake { credential, verdict, at: now });
        new
    }

    fn forget_oldest(&mut self) {
        let last_use = |mistakes: &VecDeque<Mistake>| mistakes.back().map(|mistake| mistake.at);
        let oldest = self.mistakes.iter().min_by_key(|(_, mistakes)| last_use(mistakes));
        if let Some(network) = oldest.map(|(network, _)| *network) {
            self.mistakes.remove(&network);
        }
    }
}

impl Mistake {
    fn fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < REMEMBERED
    }
}

/// `Amy` and `amy` may be the same user (`ZM_CASE_INSENSITIVE_USERNAMES`).
fn folded(user: &str) -> String {
    user.to_lowercase()
}

#[cfg(test)]
mod tests;
