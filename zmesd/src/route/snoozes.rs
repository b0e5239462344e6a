//! The table of snoozes: which are set, what each has withheld, which one ends next.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use zmes_shared::MonitorId;

use crate::domain::{Snooze, SnoozeId, SnoozeScope, Token, TokenId};

/// Maximum number of snoozes at a time.
pub const MAX_SNOOZES: usize = 1000;

/// A snooze, and how many alarms it has withheld from each token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SnoozeEntry {
    pub(super) snooze: Snooze,
    pub(super) withheld: BTreeMap<TokenId, u32>,
    /// Sum over all tokens.
    total: u64,
}

/// A snooze as seen outside the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnoozeSummary {
    pub snooze: Snooze,
    /// How many pushes it has withheld, all tokens together.
    pub withheld: u64,
}

impl SnoozeEntry {
    fn new(snooze: Snooze, withheld: BTreeMap<TokenId, u32>) -> Self {
        let total = withheld.values().map(|count| u64::from(*count)).sum();
        Self { snooze, withheld, total }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the snooze without its tokens, of which there may be many.
    pub(super) fn summary(&self) -> SnoozeSummary {
        SnoozeSummary { snooze: self.snooze.clone(), withheld: self.total }
    }
}

/// The limit of [`MAX_SNOOZES`] is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MAX_SNOOZES} snoozes are set already")]
pub struct TooManySnoozes;

/// The snoozes of one scope, by monitor; `None` stands for all monitors.
type ByMonitor = BTreeMap<Option<MonitorId>, SnoozeId>;

/// The snoozes that are set. Owned by the router and written through to the state file.
#[derive(Debug, Default)]
pub(super) struct Snoozes {
    entries: BTreeMap<SnoozeId, SnoozeEntry>,
    /// These maps are looked up for each token and alarm. There is at most one snooze per monitor and scope.
    for_everybody: ByMonitor,
    by_user: HashMap<String, ByMonitor>,
    by_token: HashMap<TokenId, ByMonitor>,
    last: SnoozeId,
}

impl Snoozes {
    /// Restores the snoozes of the state file. `last` is the highest number ever assigned.
    pub(super) fn remembered(
        snoozes: Vec<Snooze>,
        mut withheld: BTreeMap<SnoozeId, BTreeMap<TokenId, u32>>,
        last: SnoozeId,
    ) -> Self {
        let mut remembered = Self { last, ..Self::default() };
        for snooze in snoozes {
            let withheld = withheld.remove(&snooze.id).unwrap_or_default();
            remembered.put_back(SnoozeEntry::new(snooze, withheld));
        }
        remembered
    }

    pub(super) fn get(&self, id: SnoozeId) -> Option<&SnoozeEntry> {
        self.entries.get(&id)
    }

    /// Puts back a snooze whose end could not be saved: it is due again.
    pub(super) fn put_back(&mut self, entry: SnoozeEntry) {
        let Snooze { id, monitor, scope, .. } = &entry.snooze;
        self.of_scope(scope).insert(*monitor, *id);
        self.entries.insert(*id, entry);
    }

    /// Sets a snooze. If there is one for the same monitor and scope, its number, start and withheld counts stay.
    pub(super) fn set(&mut self, mut snooze: Snooze) -> Result<SnoozeSummary, TooManySnoozes> {
        let same = self.of_scope(&snooze.scope).get(&snooze.monitor).copied();
        if let Some(entry) = same.and_then(|id| self.entries.get_mut(&id)) {
            (snooze.id, snooze.since) = (entry.snooze.id, entry.snooze.since);
            entry.snooze = snooze;
            return Ok(entry.summary());
        }
        if self.entries.len() >= MAX_SNOOZES {
            self.tidy(&snooze.scope);
            return Err(TooManySnoozes);
        }
        self.last = SnoozeId(self.last.0 + 1);
        snooze.id = self.last;
        let entry = SnoozeEntry::new(snooze, BTreeMap::new());
        let summary = entry.summary();
        self.put_back(entry);
        Ok(summary)
    }

    /// Ends a snooze.
    pub(super) fn end(&mut self, id: SnoozeId) -> Option<SnoozeEntry> {
        let entry = self.entries.remove(&id)?;
        self.of_scope(&entry.snooze.scope).remove(&entry.snooze.monitor);
        self.tidy(&entry.snooze.scope);
        Some(entry)
    }

    /// Returns the snoozes of a scope.
    fn of_scope(&mut self, scope: &SnoozeScope) -> &mut ByMonitor {
        match scope {
            SnoozeScope::Everybody => &mut self.for_everybody,
            SnoozeScope::User(user) => self.by_user.entry(user.clone()).or_default(),
            SnoozeScope::Token(token) => self.by_token.entry(*token).or_default(),
        }
    }

    /// Forgets a scope without snoozes.
    fn tidy(&mut self, scope: &SnoozeScope) {
        if self.of_scope(scope).is_empty() {
            match scope {
                SnoozeScope::Everybody => {}
                SnoozeScope::User(user) => drop(self.by_user.remove(user)),
                SnoozeScope::Token(token) => drop(self.by_token.remove(token)),
            }
        }
    }

    /// Ends and returns the snoozes that are due.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<SnoozeEntry> {
        let due = self.entries.values().filter(|entry| entry.snooze.until <= now);
        let due: Vec<_> = due.map(|entry| entry.snooze.id).collect();
        due.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// Returns the number of snoozes.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns all snoozes, by number.
    pub(super) fn all(&self) -> impl Iterator<Item = &SnoozeEntry> {
        self.entries.values()
    }

    /// Returns the snooze that silences an alarm for a token. If several do, hard ones come first, then the one that
    /// lasts longest.
    pub(super) fn covering(&self, monitor: MonitorId, token: &Token, at: Timestamp) -> Option<&Snooze> {
        let scopes = [Some(&self.for_everybody), self.by_user.get(&token.user), self.by_token.get(&token.id)];
        let scopes = scopes.into_iter().flatten();
        let ids = scopes.flat_map(|scope| [scope.get(&None), scope.get(&Some(monitor))]).flatten();
        let covering = ids.filter_map(|id| self.entries.get(id)).map(|entry| &entry.snooze);
        let covering = covering.filter(|snooze| snooze.covers(monitor, token, at));
        covering.max_by_key(|snooze| (snooze.hard, snooze.until))
    }

    /// Counts an alarm that was withheld from a token.
    pub(super) fn withheld(&mut self, id: SnoozeId, token: TokenId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            let count = entry.withheld.entry(token).or_default();
            *count = count.saturating_add(1);
            entry.total += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zmes_providers::{Platform, PushToken};

    use super::*;
    use crate::route::fakes;

    fn at(minute: u64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + Duration::from_mins(minute)
    }

    fn token(id: i64, user: &str) -> Token {
        let text = PushToken::parse(&format!("token-{id}")).unwrap();
        Token { user: user.to_owned(), ..Token::new(TokenId(id), text, Platform::Android, at(0)) }
    }

    /// Returns a snooze that ends at this minute.
    fn snooze(monitor: Option<u32>, scope: SnoozeScope, until: u64) -> Snooze {
        Snooze { since: at(0), ..fakes::snooze(monitor, scope, at(until)) }
    }

    #[test]
    fn monitor_scope_and_time_must_all_fit() {
        use SnoozeScope::{Everybody, User};
        for (monitor, scope, minute, expected) in [
            (Some(3), Everybody, 9, true),
            (None, Everybody, 9, true),
            (Some(4), Everybody, 9, false),
            (Some(3), Everybody, 10, false),
            (Some(3), User("amy".into()), 9, true),
            (Some(3), User("bob".into()), 9, false),
            (Some(3), SnoozeScope::Token(TokenId(1)), 9, true),
            (Some(3), SnoozeScope::Token(TokenId(2)), 9, false),
        ] {
            let mut snoozes = Snoozes::default();
            snoozes.set(snooze(monitor, scope.clone(), 10)).unwrap();
            let covered = snoozes.covering(MonitorId(3), &token(1, "amy"), at(minute)).is_some();
            assert_eq!(covered, expected, "{monitor:?} {scope:?} {minute}");
        }
    }

    #[test]
    fn one_for_the_same_takes_the_others_place_and_keeps_what_it_withheld() {
        let mut snoozes = Snoozes::default();
        let first = snoozes.set(snooze(Some(3), SnoozeScope::Everybody, 10)).unwrap();
        snoozes.withheld(first.snooze.id, TokenId(1));
        let longer =
            snoozes.set(Snooze { hard: true, ..snooze(Some(3), SnoozeScope::Everybody, 60) }).unwrap();
        assert_eq!((longer.snooze.id, longer.withheld, longer.snooze.hard), (first.snooze.id, 1, true));
        assert_eq!(snoozes.all().count(), 1);
        let other = snoozes.set(snooze(None, SnoozeScope::Everybody, 5)).unwrap();
        assert_ne!(other.snooze.id, first.snooze.id);
    }

    #[test]
    fn a_hard_one_and_then_the_longest_one_is_named() {
        let mut snoozes = Snoozes::default();
        snoozes.set(snooze(Some(3), SnoozeScope::Everybody, 10)).unwrap();
        let longest = snoozes.set(snooze(None, SnoozeScope::Everybody, 60)).unwrap().snooze.id;
        let named = |snoozes: &Snoozes| snoozes.covering(MonitorId(3), &token(1, "amy"), at(1)).unwrap().id;
        assert_eq!(named(&snoozes), longest);
        let hard = Snooze { hard: true, ..snooze(None, SnoozeScope::User("amy".into()), 5) };
        let hard = snoozes.set(hard).unwrap().snooze.id;
        assert_eq!(named(&snoozes), hard);
    }

    #[test]
    fn they_end_by_themselves_and_numbers_are_never_used_again() {
        let mut snoozes = Snoozes::default();
        let short = snoozes.set(snooze(Some(3), SnoozeScope::Everybody, 10)).unwrap().snooze.id;
        let long = snoozes.set(snooze(Some(4), SnoozeScope::Everybody, 60)).unwrap().snooze.id;
        assert_eq!(snoozes.take_due(at(9)), []);
        let ended: Vec<_> = snoozes.take_due(at(10)).into_iter().map(|entry| entry.snooze.id).collect();
        assert_eq!(ended, [short]);
        assert_eq!(snoozes.end(long).unwrap().snooze.id, long);
        assert_eq!(snoozes.end(long), None);
        assert!(snoozes.set(snooze(Some(3), SnoozeScope::Everybody, 70)).unwrap().snooze.id > long);
    }

    #[test]
    fn there_is_a_limit() {
        let mut snoozes = Snoozes::default();
        for monitor in 0..MAX_SNOOZES {
            snoozes.set(snooze(Some(u32::try_from(monitor).unwrap()), SnoozeScope::Everybody, 10)).unwrap();
        }
        assert_eq!(snoozes.set(snooze(None, SnoozeScope::Everybody, 10)), Err(TooManySnoozes));
        assert!(
            snoozes.set(snooze(Some(5), SnoozeScope::Everybody, 20)).is_ok(),
            "one that is there can be changed"
        );
    }
}
