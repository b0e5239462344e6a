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
    /// In the order of registration.
    pub tokens: Vec<TokenView>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One registered device. `Debug` hides the token.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenView {
    /// Its name: 8 hexadecimal digits of the token's SHA-256, more if two tokens share them.
    pub handle: String,
    /// What kind of phone.
    pub platform: PlatformKind,
    /// Its state.
    pub state: TokenState,
    /// The ZoneMinder user whose rights apply to it; empty: it was imported.
    pub user: String,
    /// The app, if known: `zmninja`, `zmninjang`.
    pub app: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// The app's own name for this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The monitors on its list; `null`: all.
    pub monitors: Option<Vec<MonitorId>>,
    /// The minimum interval between two alarms of each of `monitors`, in milliseconds; `null` if `monitors` is `null`.
    pub intervals: Option<Vec<u64>>,
    /// The badge: the number on the app's icon.
    pub badge: u32,
    /// When it was first registered.
    pub created_at: Timestamp,
    /// When its app was last seen.
    pub last_seen_at: Timestamp,
    /// When a provider last accepted a push for it.
    pub last_delivered_at: Option<Timestamp>,
    /// Why the last attempt failed; `null` after a success.
    pub last_error: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<Timestamp>,
    /// Attempts that have failed since the last success.
    pub failures: u32,
    /// When the mute ends; absent if it is not muted, or muted until unmuted (see `state`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mute_until: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked: `admin`, `prune`, `not in zmesd.toml` (a target), `revoked at another node`, or the provider's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_reason: Option<String>,
    /// The transport that last accepted it, if another one refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The token itself, if an admin asked to reveal it.
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

/// One registered device with its latest deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenShown {
    /// The device.
    #[serde(flatten)]
    pub token: TokenView,
    /// Its latest deliveries, newest first.
    pub recent: Vec<DeliveryView>,
}

/// The result of a change of tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensChanged {
    /// `revoked`, `blocked`, `unblocked`, `restored`, `muted`, `unmuted`, `badge_reset`.
    pub change: String,
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// The number of tokens that were, or would be, changed.
    pub count: u64,
    /// These tokens, after the change; at most 10,000.
    pub tokens: Vec<TokenView>,
    /// Tokens that could not be changed.
    #[serde(default)]
    pub failed: Vec<TokenFailure>,
}

/// A token that could not be changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenFailure {
    /// Its name in the request.
    pub token: String,
    /// Why not.
    #[serde(flatten)]
    pub error: ControlError,
}

/// The result of an import.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensImported {
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// One entry for each token of the request, in the same order.
    pub tokens: Vec<TokenImported>,
}

/// The result for one imported token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenImported {
    /// Its handle, if it is a token.
    pub handle: Option<String>,
    /// The result.
    pub outcome: ImportOutcome,
    /// Why it was refused, or a remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The result for an imported token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ImportOutcome {
    /// It is new.
    Added,
    /// It existed, and was changed to match the file.
    Changed,
    /// It existed with the same or newer data: not changed.
    Unchanged,
    /// Not imported: a later line of the file has the same token, or the entry has no data but a counter.
    Skipped,
    /// It was refused.
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

/// Exported tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokensExported {
    /// In the order of registration.
    pub tokens: Vec<TokenRecord>,
    /// Where the next page begins; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
