//! The token table: every registered device, the revoked ones among them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use zmes_providers::PushToken;
use zmes_shared::views::TokenCounts;
use zmes_shared::{MonitorId, SessionId};

use super::pace::Pace;
use crate::domain::{PushState, Token, TokenId};

/// Live tokens in all: more can only come from an app that invents them.
const MAX_LIVE: usize = 20_000;
/// Live tokens of one user: a family shares one login, and every phone leaves old tokens behind.
const MAX_LIVE_OF_USER: usize = 100;
/// Tokens of one user, revoked ones among them: far more than providers give up in the time these are kept.
const MAX_KNOWN_OF_USER: usize = 1000;
/// Tokens in all, revoked ones among them, which can come back.
const MAX_KNOWN: usize = 50_000;
/// How often it is worth a write that an app was seen again.
const SEEN_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// The tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_id: BTreeMap<TokenId, Entry>,
    by_token: HashMap<PushToken, TokenId>,
    last: i64,
}

/// One token, with what changes too often to be part of the shared one.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its badge may be older than `badge`.
    token: Arc<Token>,
    badge: u32,
    /// When it was last told of a monitor, where an interval is kept.
    pub(super) sent: BTreeMap<MonitorId, Timestamp>,
    /// The session that is attached to it.
    pub(super) session: Option<SessionId>,
    /// How often is told what changes of it.
    pub(super) pace: Pace,
}

impl Tokens {
    /// Takes over what the daemon before had written down.
    pub(super) fn restore(tokens: Vec<Token>, sent: HashMap<(TokenId, MonitorId), Timestamp>) -> Self {
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

    /// Returns an id that no known token has had.
    pub(super) fn next_id(&self) -> TokenId {
        TokenId(self.last + 1)
    }

    /// Adds a token, or replaces the one of that id.
    pub(super) fn insert(&mut self, token: Token) {
        self.last = self.last.max(token.id.0);
        self.by_token.insert(token.token.clone(), token.id);
        match self.by_id.get_mut(&token.id) {
            Some(entry) => entry.replace(token),
            None => drop(self.by_id.insert(token.id, Entry::new(token))),
        }
    }

    /// Finds a token, revoked or not.
    pub(super) fn find(&self, token: &PushToken) -> Option<&Entry> {
        self.by_id.get(self.by_token.get(token)?)
    }

    /// Returns a token, revoked or not.
    pub(super) fn get(&self, id: TokenId) -> Option<&Entry> {
        self.by_id.get(&id)
    }

    /// Returns a token, revoked or not, to change it.
    pub(super) fn get_mut(&mut self, id: TokenId) -> Option<&mut Entry> {
        self.by_id.get_mut(&id)
    }

    /// Returns a token that is not revoked, to change it.
    pub(super) fn live_mut(&mut self, id: TokenId) -> Option<&mut Entry> {
        self.get_mut(id).filter(|entry| entry.is_live())
    }

    /// Returns all tokens, the revoked ones among them, by ascending id.
    pub(super) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.by_id.values()
    }

    /// Returns the tokens that are not revoked, by ascending id.
    pub(super) fn live(&self) -> impl Iterator<Item = &Entry> {
        self.by_id.values().filter(|entry| entry.is_live())
    }

    /// Returns how many new tokens there is room for.
    pub(super) fn room(&self) -> usize {
        let live = MAX_LIVE.saturating_sub(self.live().count());
        live.min(MAX_KNOWN.saturating_sub(self.by_id.len()))
    }

    /// Says whether this user may have one more live token, which may be known already.
    pub(super) fn has_room_for(&self, user: &str, token: &PushToken) -> bool {
        let of_user = || self.by_id.values().filter(|entry| entry.token.user == user);
        let live = self.live().count() < MAX_LIVE
            && of_user().filter(|entry| entry.is_live()).count() < MAX_LIVE_OF_USER;
        let known = self.by_token.contains_key(token)
            || (self.by_id.len() < MAX_KNOWN && of_user().count() < MAX_KNOWN_OF_USER);
        live && known
    }

    /// Counts the live ones, and those that get pushes.
    pub(super) fn counts(&self, now: Timestamp) -> TokenCounts {
        let enabled = |entry: &&Entry| entry.token.state == PushState::Enabled && !entry.token.muted(now);
        TokenCounts { total: self.live().count() as u64, enabled: self.live().filter(enabled).count() as u64 }
    }
}

impl Entry {
    fn new(token: Token) -> Self {
        Self {
            badge: token.badge,
            token: Arc::new(token),
            sent: BTreeMap::new(),
            session: None,
            pace: Pace::default(),
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

    /// Says whether it is not revoked.
    pub(super) fn is_live(&self) -> bool {
        self.token.revoked.is_none()
    }

    /// Returns the number on the app's icon.
    pub(super) fn badge(&self) -> u32 {
        self.badge
    }

    /// Counts one more push on the app's icon.
    pub(super) fn count(&mut self) {
        self.badge = self.badge.saturating_add(1);
    }

    /// Returns the token with everything up to date, to be written down.
    pub(super) fn snapshot(&mut self) -> Arc<Token> {
        if self.token.badge != self.badge {
            Arc::make_mut(&mut self.token).badge = self.badge;
        }
        Arc::clone(&self.token)
    }

    /// Changes the token; returns it as it is to be written down, if anything has changed at all.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Token)) -> Option<Arc<Token>> {
        let before = self.snapshot();
        let mut token = Token::clone(&before);
        change(&mut token);
        if token == *before {
            return None;
        }
        self.replace(token);
        Some(Arc::clone(&self.token))
    }

    /// Notes that the app was there; returns the token where that is worth a write.
    pub(super) fn see(&mut self, now: Timestamp) -> Option<Arc<Token>> {
        let before = self.token.last_seen_at;
        let seen_lately = now >= before && now.duration_since(before) < SEEN_EVERY;
        if seen_lately { None } else { self.change(|token| token.last_seen_at = now) }
    }
}
