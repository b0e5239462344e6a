//! Ids as newtypes, so that the compiler distinguishes monitors from events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct InvalidId {
    /// The expected kind, with its article: "a monitor id".
    pub what: &'static str,
    /// The offending text.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self).map_err(|_| InvalidId { what: $what, text: text.to_owned() })
            }
        }
    };
}

id! {
    /// A ZoneMinder monitor: `Monitors.Id` (`int unsigned`).
    MonitorId(u32), "a monitor id"
}
id! {
    /// A ZoneMinder event, which is a recording: `Events.Id` (`bigint unsigned` since 1.32). Never 0.
    EventId(u64), "an event id"
}
id! {
    /// One WebSocket connection of an app, numbered from 1 since the daemon started.
    SessionId(u64), "a client id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_numbers_in_json() {
        assert_eq!(serde_json::to_string(&EventId(32910)).unwrap(), "32910");
        assert_eq!(serde_json::from_str::<MonitorId>("7").unwrap(), MonitorId(7));
    }

    #[test]
    fn a_wrong_id_is_named() {
        let error = "seven".parse::<MonitorId>().unwrap_err();
        assert_eq!(error.to_string(), "`seven` is not a monitor id");
    }
}
