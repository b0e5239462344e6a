//! Push tokens: each is one registered device and its settings.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use zmes_providers::{App, Destination, Platform, PushToken, TokenHandle};

use super::MonitorFilter;

/// The number of a token in the state file; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub i64);

/// The number of a delivery in the state file: one alarm for one token. Grows with time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a token wants pushes (`state` of the app protocol, `PushState` of ZoneMinder).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PushState {
    /// Alarms are pushed, and an open socket gets a supplementary copy.
    Enabled,
    /// Nothing is pushed; an open socket gets the alarms as they are.
    Disabled,
}

impl PushState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the apps' word; anything but `disabled` means enabled.
    pub fn parse(text: &str) -> Self {
        if text.trim().eq_ignore_ascii_case("disabled") { Self::Disabled } else { Self::Enabled }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub token: PushToken,
    pub handle: TokenHandle,
    pub platform: Platform,
    pub state: PushState,
    /// The ZoneMinder user who registered it, whose rights apply to it. Empty for imported tokens, which may see all
    /// monitors.
    pub user: String,
    pub app: App,
    /// Empty if the app does not send it.
    pub app_version: String,
    /// The app's own name for this server; may be empty.
    pub profile: String,
    pub filter: MonitorFilter,
    /// The number on the app's icon (iOS): the next push adds one.
    pub badge: u32,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// An admin muted it until then; [`Timestamp::MAX`]: until it is unmuted.
    pub mute_until: Option<Timestamp>,
    /// The transport that last accepted it, if another one rejected it as belonging to a different app.
    pub transport: Option<Arc<str>>,
    /// Revoked tokens can be restored for a while.
    pub revoked: Option<Revoked>,
    /// When an admin blocked or unblocked it last, at any node; `None`: never.
    pub block_changed: Option<Timestamp>,
}

/// That an admin has blocked a token, or has unblocked it. Of two the later counts, whatever else was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBlock {
    pub at: Timestamp,
    pub is_on: bool,
}

/// What an app asks for when it registers its token. A member missing from the message is `None` (or `Unknown`).
#[derive(Debug, Clone)]
pub struct Registration {
    pub token: PushToken,
    pub platform: Platform,
    pub state: PushState,
    /// The lists; `None` if not stated: then the filter stated on the socket applies, else the stored one of the same
    /// owner, else all monitors. A filter for all monitors counts only if no filter was stated in this session.
    pub filter: Option<MonitorFilter>,
    /// Which app, as far as this message shows.
    pub kind: App,
    /// The app's version; `None`: the one from `auth`, else unchanged.
    pub app_version: Option<String>,
    /// The app's name for this server; `None`: unchanged.
    pub profile: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    pub at: Timestamp,
    /// [`Revoked::ADMIN`], [`Revoked::PRUNED`], [`Revoked::ELSEWHERE`], [`Revoked::NOT_CONFIGURED`], or the provider's answer.
    pub reason: String,
    /// An admin has blocked it: its app cannot register it again.
    pub blocked: bool,
}

impl Revoked {
    /// The reason of `tokens revoke` and `tokens block`.
    pub const ADMIN: &'static str = "admin";
    /// The reason of `tokens prune`.
    pub const PRUNED: &'static str = "prune";

    /// The reason for a token that the nodes of the cluster have revoked and forgotten while this one was away.
    pub const ELSEWHERE: &'static str = "revoked at another node";

    /// The reason for a target that was removed from the configuration.
    pub const NOT_CONFIGURED: &'static str = "not in zmesd.toml";

    /// Returns whether a person decided it (an admin, or the configuration), or may have, and not a provider.
    pub fn by_person(&self) -> bool {
        matches!(self.reason.as_str(), Self::ADMIN | Self::PRUNED | Self::ELSEWHERE | Self::NOT_CONFIGURED)
    }
}

impl Token {
    /// Returns a token without an owner that wants all alarms.
    pub fn new(id: TokenId, token: PushToken, platform: Platform, now: Timestamp) -> Self {
        Self {
            id,
            handle: token.handle(),
            token,
            platform,
            state: PushState::Enabled,
            user: String::new(),
            app: App::Unknown,
            app_version: String::new(),
            profile: String::new(),
            filter: MonitorFilter::All,
            badge: 0,
            created_at: now,
            last_seen_at: now,
            mute_until: None,
            transport: None,
            revoked: None,
            block_changed: None,
        }
    }

    pub fn destination(&self) -> Destination<'_> {
        let (token, platform, app) = (&self.token, self.platform, self.app);
        Destination { token, platform, app, proven: self.transport.as_deref() }
    }

    pub fn blocked(&self) -> bool {
        self.revoked.as_ref().is_some_and(|revoked| revoked.blocked)
    }

    /// Returns whether an admin has blocked it, and since when; `None`: no admin has said so.
    pub fn block(&self) -> Option<TokenBlock> {
        let is_on = self.blocked();
        let at = self.block_changed.or(self.revoked.as_ref().filter(|_| is_on).map(|revoked| revoked.at));
        at.map(|at| TokenBlock { at, is_on })
    }

    /// Takes over a block, or the end of one.
    pub fn set_block(&mut self, TokenBlock { at, is_on }: TokenBlock) {
        self.block_changed = Some(at);
        match &mut self.revoked {
            Some(revoked) => revoked.blocked = is_on,
            None if is_on => {
                self.revoked = Some(Revoked { at, reason: Revoked::ADMIN.to_owned(), blocked: true });
            }
            None => {}
        }
    }

    pub fn muted(&self, now: Timestamp) -> bool {
        self.mute_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_disabled_is_enabled() {
        for (word, state) in
            [("", PushState::Enabled), ("Disabled", PushState::Disabled), ("on", PushState::Enabled)]
        {
            assert_eq!(PushState::parse(word), state, "{word}");
        }
    }
}
