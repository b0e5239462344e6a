//! The token table: every registered device, including revoked ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use zmes_shared::MonitorId;
use zmes_shared::views::TokenCounts;

use super::pace::TokenPace;
use super::registration::RegistrationOutcome;
use crate::domain::{PushState, Registration, Revoked, Token, TokenBlock, TokenId};
use crate::links::TokenMark;
use crate::telemetry::{Labels, TokenState};
use zmes_providers::{Platform, PushToken};

/// When a receiver last got an alarm of each monitor that has an interval. Intervals count from these times.
pub(super) type SentTimes = BTreeMap<MonitorId, Timestamp>;

/// Maximum number of live tokens: only an app that invents tokens exceeds it.
const MAX_LIVE: usize = 20_000;
/// Maximum number of live tokens per user: a family shares one login, and every phone leaves old tokens behind.
const MAX_LIVE_OF_USER: usize = 100;
/// Maximum number of tokens per user, including revoked ones: far more than providers reject in the time they are kept.
const MAX_KNOWN_OF_USER: usize = 1000;
/// Maximum number of tokens, including revoked ones, which can come back.
const MAX_KNOWN: usize = 50_000;
/// The last-seen time of an app is written at most this often.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct TokenTable {
    by_id: BTreeMap<TokenId, TokenEntry>,
    by_token: HashMap<PushToken, TokenId>,
    by_mark: BTreeSet<(TokenMark, TokenId)>,
    last: i64,
    /// Tokens whose last change found no room on its way to the disk.
    unwritten: BTreeSet<TokenId>,
    /// Tokens whose provider was informed a moment ago and must be informed of a later change.
    unregistered: BTreeSet<TokenId>,
}

/// A token, with the values that change too often to be part of the shared [`Token`].
#[derive(Debug)]
pub(super) struct TokenEntry {
    /// Its badge may be older than the field `badge`.
    token: Arc<Token>,
    badge: u32,
    /// When it was last sent an alarm of each monitor that has an interval.
    sent: SentTimes,
    pace: TokenPace,
}

impl TokenTable {
    pub(super) fn remembered(tokens: Vec<Token>, sent: HashMap<(TokenId, MonitorId), Timestamp>) -> Self {
        let mut table = Self::default();
        for token in tokens {
            table.insert(token);
        }
        for ((token, monitor), at) in sent {
            if let Some(entry) = table.by_id.get_mut(&token) {
                entry.sent.insert(monitor, at);
            }
        }
        table
    }

    pub(super) fn next_id(&self) -> TokenId {
        TokenId(self.last + 1)
    }

    pub(super) fn insert(&mut self, token: Token) {
        self.last = self.last.max(token.id.0);
        self.by_token.insert(token.token.clone(), token.id);
        self.by_mark.insert((TokenMark::of(&token.handle), token.id));
        match self.by_id.get_mut(&token.id) {
            Some(entry) => entry.replace(token),
            None => drop(self.by_id.insert(token.id, TokenEntry::new(token))),
        }
    }

    pub(super) fn find(&self, token: &PushToken) -> Option<&TokenEntry> {
        self.by_id.get(self.by_token.get(token)?)
    }

    /// Returns the live token that a link names; `None`: there is none, or more than one.
    pub(super) fn marked(&self, mark: TokenMark) -> Option<TokenId> {
        let of_mark = self.by_mark.range((mark, TokenId(i64::MIN))..=(mark, TokenId(i64::MAX)));
        let is_live = |id: &TokenId| self.get(*id).is_some_and(TokenEntry::is_live);
        let mut live = of_mark.map(|(_, id)| *id).filter(is_live);
        live.next().filter(|_| live.next().is_none())
    }

    pub(super) fn get(&self, id: TokenId) -> Option<&TokenEntry> {
        self.by_id.get(&id)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &TokenEntry> {
        self.by_id.values().filter(|entry| entry.is_live())
    }

    /// Returns all tokens, the revoked ones too.
    pub(super) fn all(&self) -> impl Iterator<Item = &TokenEntry> {
        self.by_id.values()
    }

    pub(super) fn room(&self) -> usize {
        let live = MAX_LIVE.saturating_sub(self.live().count());
        live.min(MAX_KNOWN.saturating_sub(self.by_id.len()))
    }

    /// Returns whether this user may have one more live token; `token` itself may be known already.
    pub(super) fn has_room_for(&self, user: &str, token: &PushToken) -> bool {
        let of_user = || {
            self.by_id.values().filter(|entry| entry.token.user == user && !entry.token.handle.is_target())
        };
        let live = self.live().count() < MAX_LIVE
            && of_user().filter(|entry| entry.is_live()).count() < MAX_LIVE_OF_USER;
        let known = self.by_token.contains_key(token)
            || (self.by_id.len() < MAX_KNOWN && of_user().count() < MAX_KNOWN_OF_USER);
        live && known
    }

    /// Registers a token as its app asks, whatever it was before. A revoked token comes back with its id.
    pub(super) fn register(
        &mut self,
        registration: &Registration,
        owner: &str,
        badge: Option<u32>,
        now: Instant,
        wall: Timestamp,
    ) -> RegistrationOutcome {
        let before = self.find(&registration.token).map(|entry| Arc::clone(entry.token()));
        let id = before.as_ref().map_or_else(|| self.next_id(), |before| before.id);
        let Registration { token, platform, .. } = registration;
        let first = || TokenEntry::new(Token::new(id, token.clone(), *platform, wall));
        self.last = self.last.max(id.0);
        self.by_token.entry(registration.token.clone()).or_insert(id);
        let entry = self.by_id.entry(id).or_insert_with(first);
        self.by_mark.insert((TokenMark::of(&entry.token.handle), id));
        let anew = before.as_deref().is_some_and(|before| Registration::begins_anew(before, owner));
        let changed = entry.change(|token| registration.apply(owner, badge, anew, token)).is_some();
        let seen = entry.see(wall).is_some();
        let token = entry.snapshot();
        let is_new = before.as_deref().is_none_or(|before| before.revoked.is_some());
        let write = is_new || changed || seen;
        let log = if is_new || changed { entry.pace.may_log(now) } else { None };
        let for_provider = write && token.state == PushState::Enabled;
        let register_now = for_provider && (entry.pace.may_register(now) || is_new);
        let forgotten = if anew { std::mem::take(&mut entry.sent) } else { SentTimes::default() };
        if register_now {
            self.unregistered.remove(&id);
        } else if for_provider {
            self.unregistered.insert(id);
        }
        let withdrawn = before.as_deref().and_then(|before| registration.withdraws(before, owner));
        RegistrationOutcome {
            created: before.is_none(),
            change: (is_new || changed).then_some(if is_new { "registered" } else { "changed" }),
            token,
            write,
            log,
            register_now,
            forgotten,
            withdrawn,
        }
    }

    /// Makes the token of a target match the configuration, whatever it was before; it comes back with its id. Returns
    /// it for writing to disk if anything has changed.
    pub(super) fn configure(
        &mut self,
        token: PushToken,
        wall: Timestamp,
        change: impl FnOnce(&mut Token),
    ) -> (TokenId, Option<Arc<Token>>) {
        let known = self.find(&token).map(|entry| entry.token.id);
        let id = known.unwrap_or_else(|| self.next_id());
        if known.is_none() {
            self.insert(Token::new(id, token, Platform::Target, wall));
        }
        let changed = self.change(id, change);
        let new = known.is_none().then(|| self.get(id).map(|entry| Arc::clone(&entry.token))).flatten();
        (id, changed.or(new))
    }

    /// Changes a token. Returns it for writing to disk if anything has changed.
    pub(super) fn change(&mut self, id: TokenId, change: impl FnOnce(&mut Token)) -> Option<Arc<Token>> {
        self.by_id.get_mut(&id)?.change(change)
    }

    pub(super) fn revoke(&mut self, id: TokenId, at: Timestamp, reason: &str) -> Option<Arc<Token>> {
        let entry = self.by_id.get_mut(&id).filter(|entry| entry.is_live())?;
        let revoked = Revoked { at, reason: reason.to_owned(), blocked: false };
        entry.change(|token| token.revoked = Some(revoked))
    }

    /// Blocks a revoked token, so that its app cannot register it again, or unblocks it.
    pub(super) fn set_blocked(&mut self, id: TokenId, block: TokenBlock) -> Option<Arc<Token>> {
        self.change(id, |token| {
            if token.revoked.is_some() {
                token.set_block(block);
            }
        })
    }

    /// Undoes a revocation. Returns `None` if the token is not revoked, or is blocked.
    pub(super) fn restore(&mut self, id: TokenId) -> Option<Arc<Token>> {
        let entry = self.by_id.get_mut(&id).filter(|entry| !entry.is_live() && !entry.token.blocked())?;
        entry.change(|token| token.revoked = None)
    }

    /// Records that the app was seen. Returns the token if that is worth a write.
    pub(super) fn see(&mut self, id: TokenId, now: Timestamp) -> Option<Arc<Token>> {
        self.by_id.get_mut(&id)?.see(now)
    }

    /// Returns the badge for a token's next push, and counts that push if it `counts`.
    pub(super) fn next_badge(&mut self, id: TokenId, counts: bool) -> u32 {
        let Some(entry) = self.by_id.get_mut(&id) else { return 0 };
        entry.badge = entry.badge.saturating_add(u32::from(counts));
        entry.badge
    }

    /// Returns the badge of a token; it grows in memory before it does on disk.
    pub(super) fn badge(&self, id: TokenId) -> u32 {
        self.by_id.get(&id).map_or(0, |entry| entry.badge)
    }

    pub(super) fn note_sent(&mut self, id: TokenId, monitor: MonitorId, at: Timestamp) {
        if let Some(entry) = self.by_id.get_mut(&id) {
            entry.sent.insert(monitor, at);
        }
    }

    /// Undoes that a token was sent a monitor's alarm of that time. Returns false if another alarm was the last.
    pub(super) fn undo_sent(&mut self, id: TokenId, monitor: MonitorId, at: Timestamp) -> bool {
        let Some(entry) = self.by_id.get_mut(&id) else { return false };
        entry.sent.get(&monitor) == Some(&at) && entry.sent.remove(&monitor).is_some()
    }

    pub(super) fn may_log(&mut self, id: TokenId, now: Instant) -> Option<u64> {
        self.by_id.get_mut(&id)?.pace.may_log(now)
    }

    pub(super) fn due_registrations(&mut self, now: Instant) -> Vec<Arc<Token>> {
        let mut due = Vec::new();
        self.unregistered.retain(|id| {
            let entry = self.by_id.get_mut(id).filter(|entry| entry.is_live());
            let Some(entry) = entry else { return false };
            let may = entry.pace.may_register(now);
            if may {
                due.push(entry.snapshot());
            }
            !may
        });
        due
    }

    pub(super) fn not_written(&mut self, ids: impl IntoIterator<Item = TokenId>) {
        self.unwritten.extend(ids);
    }

    pub(super) fn none_written(&mut self) {
        self.unwritten.extend(self.by_id.keys());
    }

    /// Returns the current state of the tokens that could not be written; call [`Self::not_written`] if that fails
    /// again.
    pub(super) fn take_unwritten(&mut self) -> Vec<Arc<Token>> {
        let ids = std::mem::take(&mut self.unwritten);
        ids.iter().filter_map(|id| self.by_id.get_mut(id).map(TokenEntry::snapshot)).collect()
    }

    pub(super) fn any_waiting(&self) -> bool {
        !self.unwritten.is_empty() || !self.unregistered.is_empty()
    }

    pub(super) fn census(&self, now: Timestamp) -> Vec<((Platform, TokenState), u64)> {
        let mut counts: Vec<_> = <(Platform, TokenState)>::all().into_iter().map(|kind| (kind, 0)).collect();
        for entry in self.by_id.values() {
            let token = &entry.token;
            let state = match token.state {
                _ if token.revoked.is_some() => TokenState::Revoked,
                _ if token.muted(now) => TokenState::Muted,
                PushState::Enabled => TokenState::Enabled,
                PushState::Disabled => TokenState::Disabled,
            };
            let kind = (token.platform, state);
            counts.iter_mut().filter(|(known, _)| *known == kind).for_each(|(_, number)| *number += 1);
        }
        counts
    }

    pub(super) fn counts(&self, now: Timestamp) -> TokenCounts {
        let enabled =
            |entry: &&TokenEntry| entry.token.state == PushState::Enabled && !entry.token.muted(now);
        TokenCounts { total: self.live().count() as u64, enabled: self.live().filter(enabled).count() as u64 }
    }
}

impl TokenEntry {
    fn new(token: Token) -> Self {
        Self {
            badge: token.badge,
            token: Arc::new(token),
            sent: SentTimes::default(),
            pace: TokenPace::default(),
        }
    }

    fn replace(&mut self, token: Token) {
        self.badge = token.badge;
        self.token = Arc::new(token);
    }

    /// Returns the token; its badge may be out of date.
    pub(super) fn token(&self) -> &Arc<Token> {
        &self.token
    }

    pub(super) fn is_live(&self) -> bool {
        self.token.revoked.is_none()
    }

    pub(super) fn sent(&self) -> &SentTimes {
        &self.sent
    }

    /// Returns the token with everything up to date, for writing to disk.
    fn snapshot(&mut self) -> Arc<Token> {
        if self.token.badge != self.badge {
            Arc::make_mut(&mut self.token).badge = self.badge;
        }
        Arc::clone(&self.token)
    }

    fn change(&mut self, change: impl FnOnce(&mut Token)) -> Option<Arc<Token>> {
        let before = self.snapshot();
        let mut token = Token::clone(&before);
        change(&mut token);
        if token == *before {
            return None;
        }
        self.replace(token);
        Some(Arc::clone(&self.token))
    }

    fn see(&mut self, now: Timestamp) -> Option<Arc<Token>> {
        let before = self.token.last_seen_at;
        let seen_lately = now >= before && now.duration_since(before) < SEEN_EVERY;
        if seen_lately { None } else { self.change(|token| token.last_seen_at = now) }
    }
}

#[cfg(test)]
mod tests;
