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

words! {
    /// Whether the alarms of a monitor are seen; if not, or if there is something to know, why.
    MonitorCondition {
        /// Its alarms are seen.
        Captured = "captured",
        /// `Function` or `Capturing` is `None` in ZoneMinder.
        NotCapturing = "not_capturing",
        /// `Function` is `Monitor` in ZoneMinder: it is shown, but never alarms.
        NoDetection = "no_detection",
        /// `Type` is `WebSite` in ZoneMinder.
        WebSite = "web_site",
        /// The daemon has not polled it yet.
        NotLookedAt = "not_looked_at",
        /// There is no shared memory: `zmc` does not run, or writes elsewhere.
        NotThere = "not_there",
        /// `zmc` has not filled the shared memory yet.
        Starting = "starting",
        /// `zmc` has marked the shared memory as invalid and ended.
        Stopped = "stopped",
        /// The shared memory has a layout that this version of zmesd does not know.
        UnknownLayout = "unknown_layout",
        /// The trigger part of the shared memory is not there yet.
        HalfInitialised = "half_initialised",
        /// The file of the shared memory is too short.
        Short = "short",
        /// A field of the shared memory holds a value that `zmc` never writes.
        Implausible = "implausible",
        /// The operating system does not let zmesd read the shared memory.
        Permission = "permission",
        /// Reading the shared memory failed in another way.
        Io = "io",
        /// `zmc` has given no sign of life for longer than `ZM_WATCH_MAX_DELAY`.
        Frozen = "frozen",
        /// `zmc` runs, but the camera delivers no picture.
        NoPicture = "no_picture",
        /// More alarms a minute than `zoneminder.alarm-limit`: only the last of the others is announced.
        Flapping = "flapping",
        /// Its states are numbered as another version of ZoneMinder numbers them.
        Numbering = "numbering",
        /// It is followed in the Events table, as configured.
        EventsTable = "events_table",
        /// It is followed in the Events table, and the database does not answer.
        DatabaseAway = "database_away",
    }
}

words! {
    /// The conditions of monitors in groups, as `monitors list` has them for scripts.
    MonitorTrouble {
        /// ZoneMinder is set up so that the monitor never alarms.
        SwitchedOff = "switched_off",
        /// The daemon has not polled it yet.
        NotLookedAt = "not_looked_at",
        /// There is no shared memory of it.
        NoMemory = "no_memory",
        /// Its `zmc` is starting, or has stopped.
        NotCaptured = "not_captured",
        /// Its `zmc` gives no sign of life.
        Frozen = "frozen",
        /// Its `zmc` runs, but the camera delivers no picture.
        NoPicture = "no_picture",
        /// More alarms a minute than `zoneminder.alarm-limit`: only the last of the others is announced.
        Flapping = "flapping",
        /// A version of ZoneMinder that the daemon does not know: alarms come late, from the database.
        UnknownLayout = "unknown_layout",
        /// Its shared memory holds values that `zmc` never writes.
        Damaged = "damaged",
        /// The daemon may not read its shared memory.
        Permission = "permission",
        /// Reading its shared memory fails.
        Io = "io",
        /// It is followed in the database, which does not answer.
        Database = "database",
        /// Worth knowing, but no alarm is missed.
        Remark = "remark",
    }
}

words! {
    /// Where the state of a monitor comes from.
    StateSource {
        /// Shared memory.
        SharedMemory = "shm",
        /// The Events table.
        Database = "db",
        /// Nowhere: it is not watched, or not polled yet.
        Nowhere = "none",
    }
}

impl MonitorCondition {
    /// Returns the group of a condition; `None` where there is nothing to say.
    pub fn trouble(self) -> Option<MonitorTrouble> {
        match self {
            Self::Captured | Self::EventsTable => None,
            Self::NotCapturing | Self::NoDetection | Self::WebSite => Some(MonitorTrouble::SwitchedOff),
            Self::NotLookedAt => Some(MonitorTrouble::NotLookedAt),
            Self::NotThere => Some(MonitorTrouble::NoMemory),
            Self::Starting | Self::Stopped => Some(MonitorTrouble::NotCaptured),
            Self::UnknownLayout => Some(MonitorTrouble::UnknownLayout),
            Self::HalfInitialised | Self::Short | Self::Implausible => Some(MonitorTrouble::Damaged),
            Self::Permission => Some(MonitorTrouble::Permission),
            Self::Io => Some(MonitorTrouble::Io),
            Self::Frozen => Some(MonitorTrouble::Frozen),
            Self::NoPicture => Some(MonitorTrouble::NoPicture),
            Self::Flapping => Some(MonitorTrouble::Flapping),
            Self::Numbering => Some(MonitorTrouble::Remark),
            Self::DatabaseAway => Some(MonitorTrouble::Database),
            Self::Unknown => Some(MonitorTrouble::Unknown),
        }
    }
}

// ---- answers of push providers

words! {
    /// What is wrong between zmesd and a push provider, from the network up. It says nothing about the token or the
    /// message.
    FaultKind {
        /// The provider's name has no address.
        Dns = "dns",
        /// Nothing listens there.
        Refused = "refused",
        /// There is no way to that address.
        NoRoute = "no_route",
        /// No answer in time.
        Timeout = "timeout",
        /// The connection ended before the answer did.
        Closed = "closed",
        /// The provider's certificate has expired.
        CertificateExpired = "certificate_expired",
        /// The provider's certificate is for another name.
        CertificateName = "certificate_name",
        /// The provider's certificate is signed by an authority that this machine does not trust.
        UnknownAuthority = "unknown_authority",
        /// The provider's certificate cannot be used for another reason.
        BadCertificate = "bad_certificate",
        /// The provider does not accept the certificate that zmesd shows (or wants one).
        OwnCertificate = "own_certificate",
        /// TLS failed for another reason.
        Tls = "tls",
        /// A web page came where the provider should have answered: a wrong path, a parked domain, a captive portal.
        WebPage = "web_page",
        /// The answer points somewhere else; zmesd follows no redirects.
        Redirect = "redirect",
        /// The status says success, but the answer is not what this kind of provider answers.
        BadAnswer = "bad_answer",
        /// The provider does not accept the key, the account or the name of the app.
        Credentials = "credentials",
        /// The provider does not know the path (or the method) that was asked for.
        NotFound = "not_found",
        /// This machine's clock and the provider's are too far apart for signed requests.
        Clock = "clock",
        /// Too many requests, or a quota is used up.
        Limited = "limited",
        /// The provider says that it has a problem of its own (5xx, or an outage by its words).
        Provider = "provider",
        /// Nothing was asked: the transport rests after earlier failures.
        Resting = "resting",
    }
}

impl FaultKind {
    /// Says whether the provider did not answer at all.
    pub fn unanswered(self) -> bool {
        match self {
            Self::Dns
            | Self::Refused
            | Self::NoRoute
            | Self::Timeout
            | Self::Closed
            | Self::CertificateExpired
            | Self::CertificateName
            | Self::UnknownAuthority
            | Self::BadCertificate
            | Self::OwnCertificate
            | Self::Tls => true,
            Self::WebPage
            | Self::Redirect
            | Self::BadAnswer
            | Self::Credentials
            | Self::NotFound
            | Self::Clock
            | Self::Limited
            | Self::Provider
            | Self::Resting
            | Self::Unknown => false,
        }
    }

    /// Returns who can fix it.
    pub fn mender(self) -> Mender {
        match self {
            Self::UnknownAuthority
            | Self::OwnCertificate
            | Self::Redirect
            | Self::BadAnswer
            | Self::Credentials
            | Self::NotFound
            | Self::WebPage => Mender::Configuration,
            Self::Dns | Self::NoRoute | Self::Clock => Mender::Machine,
            Self::Refused
            | Self::Timeout
            | Self::Closed
            | Self::CertificateExpired
            | Self::CertificateName
            | Self::BadCertificate
            | Self::Tls
            | Self::Provider => Mender::Provider,
            Self::Limited | Self::Resting => Mender::Time,
            Self::Unknown => Mender::Unknown,
        }
    }
}

words! {
    /// Who can fix a fault of a push provider.
    Mender {
        /// The admin, in `zmesd.toml` or at the provider's console.
        Configuration = "configuration",
        /// The admin, on this machine or its network.
        Machine = "machine",
        /// Only the operator of the provider.
        Provider = "provider",
        /// It passes without anyone's help.
        Time = "time",
    }
}
