//! Tokens and transports in requests.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::MonitorId;

/// Which tokens to list; an absent member does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenFilter {
    /// What kind of phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformKind>,
    /// ZoneMinder user name; `*` matches any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its state; absent: all except revoked ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TokenState>,
    /// Only tokens not seen for at least this many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_ms: Option<u64>,
    /// Only tokens whose last push failed.
    #[serde(default)]
    pub failing: bool,
    /// Only tokens whose list contains this monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// Also return the tokens themselves; for admins.
    #[serde(default)]
    pub reveal: bool,
    /// Where the previous page ended (`next` of the answer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Which tokens a request changes: an array names them, an object is a [`TokenFilter`] (`{}`: all tokens).
///
/// A filter with a member that this version does not know is refused: without it more tokens would match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, try_from = "Value")]
pub enum TokenSelection {
    /// Tokens in any form that names them; at most 1,000.
    Named(Vec<String>),
    /// All tokens that match.
    Matching(TokenFilter),
}

impl TryFrom<Value> for TokenSelection {
    type Error = serde_json::Error;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        if value.is_array() {
            return Ok(Self::Named(Vec::deserialize(value)?));
        }
        Ok(Self::Matching(StrictFilter::deserialize(value)?.known()?))
    }
}

/// A filter that rejects unknown members.
#[derive(Deserialize)]
struct StrictFilter {
    #[serde(flatten)]
    filter: TokenFilter,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl StrictFilter {
    fn known<E: serde::de::Error>(self) -> Result<TokenFilter, E> {
        match self.others.keys().next() {
            Some(name) => Err(E::custom(format_args!("unknown member `{name}` of a filter of tokens"))),
            None => Ok(self.filter),
        }
    }
}

/// Parses a filter for a request that changes tokens.
pub(super) fn strict_filter<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TokenFilter>, D::Error> {
    Option::<StrictFilter>::deserialize(from)?.map(StrictFilter::known).transpose()
}

/// The state of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TokenState {
    /// It receives pushes.
    Enabled,
    /// Its app has switched pushes off.
    Disabled,
    /// An admin muted it.
    Muted,
    /// It was revoked, and can be restored.
    Revoked,
    /// It was revoked, and its app cannot register it again until an admin unblocks it.
    Blocked,
    /// A state of a newer daemon.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}

impl TokenState {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Muted => "muted",
            Self::Revoked => "revoked",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

/// What kind of phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum PlatformKind {
    /// iPhones and iPads.
    Ios,
    /// Android devices.
    Android,
    /// Not a phone, but a `[[target]]`.
    Target,
    /// A platform of a newer daemon.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}

impl PlatformKind {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Target => "target",
            Self::Unknown => "unknown",
        }
    }
}

/// A kind of transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TransportKind {
    /// A PushProxy (AirNotifier).
    Proxy,
    /// Firebase Cloud Messaging, directly or through a function proxy.
    Fcm,
    /// Apple's push service (APNs).
    Apns,
    /// Targets of ntfy.
    Ntfy,
    /// Targets of Pushover.
    Pushover,
    /// Targets of Telegram.
    Telegram,
    /// Targets of Gotify.
    Gotify,
    /// Targets that are webhooks.
    Webhook,
    /// A transport of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}

impl TransportKind {
    /// Returns the word for JSON and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Fcm => "fcm",
            Self::Apns => "apns",
            Self::Ntfy => "ntfy",
            Self::Pushover => "pushover",
            Self::Telegram => "telegram",
            Self::Gotify => "gotify",
            Self::Webhook => "webhook",
            Self::Unknown => "unknown",
        }
    }

    /// All kinds of this version.
    pub const ALL: [Self; 8] = [
        Self::Proxy,
        Self::Fcm,
        Self::Apns,
        Self::Ntfy,
        Self::Pushover,
        Self::Telegram,
        Self::Gotify,
        Self::Webhook,
    ];

    /// Returns whether transports of this kind send to targets.
    pub fn is_of_targets(self) -> bool {
        match self {
            Self::Ntfy | Self::Pushover | Self::Telegram | Self::Gotify | Self::Webhook => true,
            Self::Proxy | Self::Fcm | Self::Apns | Self::Unknown => false,
        }
    }
}

/// Which transports: all of one kind, or that of one target. In JSON a string: `fcm`, `@night-guard`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "String", into = "String")]
pub enum TransportChoice {
    /// All of this kind.
    Kind(TransportKind),
    /// That of the target with this name (without the `@`).
    Target(String),
}

impl From<String> for TransportChoice {
    fn from(text: String) -> Self {
        if let Some(name) = text.strip_prefix('@') {
            return Self::Target(name.to_owned());
        }
        let known = TransportKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        Self::Kind(known.unwrap_or(TransportKind::Unknown))
    }
}

impl From<TransportChoice> for String {
    fn from(choice: TransportChoice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for TransportChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => f.write_str(kind.as_str()),
            Self::Target(name) => write!(f, "@{name}"),
        }
    }
}

/// Tokens from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenImport {
    /// The tokens; as many as fit into a request.
    pub tokens: Vec<TokenRecord>,
    /// The ZoneMinder user whose rights apply to them; empty: no user, they may see all monitors.
    #[serde(default)]
    pub user: String,
    /// Only report what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// One token, in the form of `tokens.txt` and exports. `Debug` hides the token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenRecord {
    /// The token itself.
    pub token: String,
    /// Monitor ids, separated by commas; empty: all.
    #[serde(default)]
    pub monlist: String,
    /// Seconds, separated by commas, one for each monitor.
    #[serde(default)]
    pub intlist: String,
    /// `ios` or `android`.
    pub platform: String,
    /// `enabled` or `disabled`.
    #[serde(default)]
    pub pushstate: String,
    /// The app's version; empty: unknown.
    #[serde(default)]
    pub appversion: String,
    /// The app's own name for this server; empty: none.
    #[serde(default)]
    pub profile: String,
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("monlist", &self.monlist)
            .field("intlist", &self.intlist)
            .field("platform", &self.platform)
            .finish_non_exhaustive()
    }
}
