//! The vocabulary of decisions and their reasons: what the state file, the metrics, `why`, `watch`, `doctor` and
//! `zmesctl` call one thing.
//!
//! Each word is written here once. Code matches on the variants; [`word`](SkipReason::word) and
//! [`parse`](SkipReason::parse) are for what leaves and enters the process: JSON, SQL columns and metric labels.

/// Declares a closed set of words. A word of a newer version is read as `Unknown`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
            /// A word that this version does not know.
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl $name {
            /// All words of this version, without `Unknown`.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the word as JSON, the state file and labels have it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unknown => "unknown",
                }
            }

            /// Reads a word; one that this version does not know is `Unknown`.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($word => Self::$variant,)+
                    _ => Self::Unknown,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

// ---- what is decided about an alarm, for one client or one token

words! {
    /// What was decided about an alarm for a client or a token, and what became of it.
    Decision {
        /// It is still to be sent, or is tried again.
        Queued = "queued",
        /// It was sent to the app, or the provider accepted it.
        Sent = "sent",
        /// It was not sent, for a [`SkipReason`].
        Skipped = "skipped",
        /// It was given up: the provider refused it, or no transport takes the token.
        Failed = "failed",
    }
}

words! {
    /// Why an alarm was not sent to a client or a token.
    SkipReason {
        /// ZoneMinder does not let the user see the monitor.
        Rights = "rights",
        /// The monitor is not in the app's list.
        Filter = "filter",
        /// The app's interval for the monitor had not passed.
        Interval = "interval",
        /// The test alarm was for another client, token or user.
        OtherTarget = "other target",
        /// The app has not logged in.
        Pending = "not authenticated",
        /// The app did not read what was sent before, and was disconnected.
        Slow = "slow",
        /// The connection was closing.
        Ending = "ending",
        /// The owner is no user of ZoneMinder, is disabled, or has no right to view events.
        User = "user",
        /// The app asked for no pushes.
        Disabled = "disabled",
        /// An admin muted the token.
        Muted = "muted",
        /// `push.enabled` is false.
        PushOff = "push is off",
        /// `push.mode` is `shadow`.
        Shadow = "shadow",
        /// The token was revoked before the push was sent.
        Revoked = "revoked",
        /// The push was older than `push.retry-for` before it could be sent.
        Expired = "expired",
        /// The token was registered by another user before the push was sent.
        AnotherUser = "another user",
    }
}

words! {
    /// How an alarm was found.
    Origin {
        /// In shared memory.
        Poll = "poll",
        /// In the Events table, after the fact.
        Reconciled = "reconciled",
        /// `zmesctl alarm test`.
        Test = "test",
    }
}

// ---- conditions of monitors

// ---- answers of push providers
