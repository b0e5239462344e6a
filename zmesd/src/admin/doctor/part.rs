//! The parts of an installation, in the order in which things break.

/// A part of the installation. `check` names one or some of them; `doctor` checks all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) enum Part {
    Daemon,
    Configuration,
    Database,
    /// Cameras and their shared memory.
    Monitors,
    Port,
    Certificate,
    /// Clients that were refused at that port.
    Refused,
    Clock,
    State,
    Push,
    /// Pictures of events.
    Pictures,
    /// The connection to the MQTT broker.
    Mqtt,
    /// The ledger that this zmesd shares with others, and the other nodes.
    Cluster,
    /// Phones and apps: their lists and the rights of their owners.
    Tokens,
}

impl Part {
    pub(in crate::admin) const ALL: [Self; 14] = [
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
        Self::Pictures,
        Self::Mqtt,
        Self::Cluster,
        Self::Tokens,
    ];
}
