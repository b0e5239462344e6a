//! The parts of an installation, in the order in which things break.

/// A part of the installation. `check` names one or some of them; `doctor` checks all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) enum Part {
    /// Router and poller.
    Daemon,
    /// `zmesd.toml` and `zm.conf`.
    Configuration,
    /// ZoneMinder's database.
    Database,
    /// Cameras and their shared memory.
    Monitors,
    /// The port of the apps.
    Port,
    /// The certificate of that port.
    Certificate,
    /// Clients that were refused at that port.
    Refused,
    /// The clocks.
    Clock,
    /// The state file and its disk.
    State,
    /// The providers of pushes.
    Push,
    /// Phones and apps: their lists and the rights of their owners.
    Tokens,
}

impl Part {
    /// All of them.
    pub(in crate::admin) const ALL: [Self; 11] = [
        Self::Daemon,
        Self::Configuration,
        Self::Database,
        Self::Monitors,
        Self::Port,
        Self::Certificate,
        Self::Refused,
        Self::Clock,
        Self::State,
        Self::Push,
        Self::Tokens,
    ];
}
