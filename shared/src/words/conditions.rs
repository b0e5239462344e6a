//! The vocabulary of conditions of monitors.

words! {
    /// Whether the alarms of a monitor are seen. If not, or if something is unusual: why.
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
        /// The trigger part of the shared memory does not exist yet.
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
        /// More alarms per minute than `zoneminder.alarm-limit`: only the last of the others is announced.
        Flapping = "flapping",
        /// Its states are numbered as in another version of ZoneMinder.
        Numbering = "numbering",
        /// It is followed in the Events table, as configured.
        EventsTable = "events_table",
        /// It is followed in the Events table, and the database does not answer.
        DatabaseAway = "database_away",
    }
}

words! {
    /// The conditions of monitors in groups, as `monitors list` shows them for scripts.
    MonitorTrouble {
        /// ZoneMinder is configured so that the monitor never alarms.
        SwitchedOff = "switched_off",
        /// The daemon has not polled it yet.
        NotLookedAt = "not_looked_at",
        /// It has no shared memory.
        NoMemory = "no_memory",
        /// Its `zmc` is starting, or has stopped.
        NotCaptured = "not_captured",
        /// Its `zmc` gives no sign of life.
        Frozen = "frozen",
        /// Its `zmc` runs, but the camera delivers no picture.
        NoPicture = "no_picture",
        /// More alarms per minute than `zoneminder.alarm-limit`: only the last of the others is announced.
        Flapping = "flapping",
        /// The layout is of a ZoneMinder version that the daemon does not know: alarms come late, from the database.
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
    /// Returns the group of a condition; `None` if there is no remark.
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
