//! What can be asked of the push side: which tokens, which transports, and tokens as files have them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::MonitorId;

/// Which tokens to list. What is absent does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFilter {
    /// What kind of phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PlatformKind>,
    /// ZoneMinder user name; `*` stands for any run of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How it stands; absent: all that are not revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TokenState>,
    /// Only those of which nothing was heard for so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_ms: Option<u64>,
    /// Only those whose last attempt failed.
    #[serde(default)]
    pub failing: bool,
    /// Only those that want to hear of this monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<MonitorId>,
    /// The tokens themselves, too.
    #[serde(default)]
    pub reveal: bool,
    /// Where the last page ended (`next` of the answer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Which tokens a request changes: an array names them, an object is a [`TokenFilter`] that they match (`{}`: all).
///
/// A filter with a member that this version does not know is refused: without it more tokens would match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum TokenSelection {
    /// Tokens in any form that names them; at most 1,000.
    Named(Vec<String>),
    /// All that match.
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

/// A filter, and the members that it does not have.
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

/// Reads a filter that narrows what a request changes.
pub(super) fn strict_filter<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TokenFilter>, D::Error> {
    Option::<StrictFilter>::deserialize(from)?.map(StrictFilter::known).transpose()
}

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TokenState {
    /// It gets pushes.
    Enabled,
    /// Its app wants no pushes.
    Disabled,
    /// An admin has silenced it.
    Muted,
    /// It is gone, and can be restored.
    Revoked,
    /// It is gone, and its app cannot register it again until an admin unblocks it.
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
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum PlatformKind {
    /// iPhones and iPads.
    Ios,
    /// Everything with Android.
    Android,
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
            Self::Unknown => "unknown",
        }
    }
}

/// A kind of way to phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TransportKind {
    /// A PushProxy in the style of AirNotifier.
    Proxy,
    /// Firebase, directly or through function proxies.
    Fcm,
    /// Apple, directly.
    Apns,
    /// A transport of a newer client.
    #[serde(other)]
    #[cfg_attr(feature = "clap", value(skip))]
    Unknown,
}

impl TransportKind {
    /// Returns the word for the daemon and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Fcm => "fcm",
            Self::Apns => "apns",
            Self::Unknown => "unknown",
        }
    }
}

/// Tokens from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenImport {
    /// The tokens; as many as fit into a request.
    pub tokens: Vec<TokenRecord>,
    /// The ZoneMinder user whose rights hold for them; empty: nobody's, somebody who may see everything vouches.
    #[serde(default)]
    pub user: String,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// One token as `tokens.txt` has it, which is also what an export gives back. Prints without the token.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The token itself.
    pub token: String,
    /// Monitor ids with commas between; empty: all.
    #[serde(default)]
    pub monlist: String,
    /// Seconds with commas between, one for each monitor.
    #[serde(default)]
    pub intlist: String,
    /// `ios` or `android`.
    pub platform: String,
    /// `enabled` or `disabled`.
    #[serde(default)]
    pub pushstate: String,
    /// The app's version; empty: not known.
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
