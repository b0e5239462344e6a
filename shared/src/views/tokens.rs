//! `zmesctl tokens …` and `zmesctl badges …`.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::DeliveryView;
use crate::MonitorId;
use crate::control::{ControlError, PlatformKind, TokenRecord, TokenState};

/// The registered devices.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tokens {
    /// In the order in which they were registered.
    pub tokens: Vec<TokenView>,
    /// Where the next page begins; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One registered device. Prints without the token itself.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenView {
    /// Its name: 8 hexadecimal digits of the token's SHA-256, more where two tokens share them.
    pub handle: String,
    /// What kind of phone.
    pub platform: PlatformKind,
    /// How it stands.
    pub state: TokenState,
    /// The ZoneMinder user whose rights hold for it; empty: an admin has imported it.
    pub user: String,
    /// Which app, where its messages tell: `zmninja`, `zmninjang`.
    pub app: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// The app's own name for this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The monitors that it wants to hear of; `null`: all.
    pub monitors: Option<Vec<MonitorId>>,
    /// The least time between two alarms of each of `monitors`, in milliseconds; `null` as `monitors` is.
    pub intervals: Option<Vec<u64>>,
    /// The number on the app's icon.
    pub badge: u32,
    /// When it was registered first.
    pub created_at: Timestamp,
    /// When its app last said anything about it.
    pub last_seen_at: Timestamp,
    /// When a provider last took a push for it.
    pub last_delivered_at: Option<Timestamp>,
    /// Why the last attempt failed; `null` once one has succeeded.
    pub last_error: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// Attempts that have failed since the last success.
    pub failures: u32,
    /// Until when it is silenced; absent: it is not, or until it is unmuted (see `state`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_until: Option<Timestamp>,
    /// Since when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// By whom or why: `admin`, `prune`, or the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// The transport that last took it, where another had refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The token itself, where an admin wants it revealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl fmt::Debug for TokenView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenView")
            .field("handle", &self.handle)
            .field("platform", &self.platform)
            .field("state", &self.state)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// One registered device and what was lately sent to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenShown {
    /// The device.
    #[serde(flatten)]
    pub token: TokenView,
    /// Its newest deliveries, newest first.
    pub recent: Vec<DeliveryView>,
}

/// What became of a change of tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensChanged {
    /// `revoked`, `blocked`, `unblocked`, `restored`, `muted`, `unmuted`, `badge_reset`.
    pub change: String,
    /// Nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// How many were (would be) changed.
    pub count: u64,
    /// Those, as they are now; at most 10,000 of them.
    pub tokens: Vec<TokenView>,
    /// What was asked for and could not be done.
    #[serde(default)]
    pub failed: Vec<TokenFailure>,
}

/// One token of several for which something could not be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenFailure {
    /// As it was asked for.
    pub token: String,
    /// Why not.
    #[serde(flatten)]
    pub error: ControlError,
}

/// What became of tokens from a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensImported {
    /// Nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// One for each token that was sent, in that order.
    pub tokens: Vec<TokenImported>,
}

/// What became of one token from a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenImported {
    /// Its name, where it is a token at all.
    pub handle: Option<String>,
    /// What was done.
    pub outcome: ImportOutcome,
    /// Why it was not taken, or what there is to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done with a token from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ImportOutcome {
    /// It is new.
    Added,
    /// It was there, and is now as the file says.
    Changed,
    /// It was there as the file says, or better: nothing was done.
    Unchanged,
    /// The file has it, but it is no use: a later line counts, or nothing is known but a counter.
    Skipped,
    /// It cannot be taken.
    #[serde(other)]
    Refused,
}

impl ImportOutcome {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
        }
    }
}

/// Tokens as files have them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensExported {
    /// In the order in which they were registered.
    pub tokens: Vec<TokenRecord>,
    /// Where the next page begins; absent: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
