//! The ids of troubles.

use std::fmt;

use zmes_shared::MonitorId;
use zmes_shared::words::TroubleKind;

/// The id of a trouble: `camera:3`, `push:fcm`, `database`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TroubleId {
    pub kind: TroubleKind,
    /// The monitor, transport or token handle; empty if there is only one trouble of this kind.
    pub subject: String,
}

impl TroubleId {
    pub fn of(kind: TroubleKind) -> Self {
        Self { kind, subject: String::new() }
    }

    pub fn about(kind: TroubleKind, subject: impl Into<String>) -> Self {
        Self { kind, subject: subject.into() }
    }

    pub fn camera(monitor: MonitorId) -> Self {
        Self::about(TroubleKind::Camera, monitor.to_string())
    }

    /// Returns the monitor, if this is the trouble of a camera.
    pub fn monitor(&self) -> Option<MonitorId> {
        if self.kind != TroubleKind::Camera {
            return None;
        }
        self.subject.parse().ok().map(MonitorId)
    }

    /// Returns the transport, if this is the trouble of one.
    pub fn transport(&self) -> Option<&str> {
        let of_transport =
            [TroubleKind::Push, TroubleKind::Credentials, TroubleKind::Quota, TroubleKind::Probe];
        of_transport.contains(&self.kind).then_some(self.subject.as_str())
    }

    /// Parses the output of its `Display`; `None` for kinds of a newer version.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, subject) = text.split_once(':').unwrap_or((text, ""));
        let kind = TroubleKind::parse(kind);
        (kind != TroubleKind::Unknown).then(|| Self::about(kind, subject))
    }
}

impl fmt::Display for TroubleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.as_str() {
            "" => write!(f, "{}", self.kind),
            subject => write!(f, "{}:{subject}", self.kind),
        }
    }
}
