//! `[[target]]` as values.

use std::fmt;
use std::time::Duration;

use zmes_providers::targets::{PictureForm, TargetName};
use zmes_shared::MonitorId;
use zmes_shared::words::Phase;

use crate::rules::MonitorName;

/// Who hears of what through a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetReceiver {
    pub name: TargetName,
    /// The user of ZoneMinder whose rights apply; empty only without a login.
    pub user: String,
    /// Empty: all that the user may see.
    pub monitors: Vec<MonitorName>,
    /// The least time between two alarms of one monitor.
    pub interval: Duration,
    pub phases: Vec<TargetPhase>,
}

impl TargetReceiver {
    pub fn hears(&self, phase: TargetPhase) -> bool {
        self.phases.contains(&phase)
    }

    /// Says whether it is told of this monitor.
    pub fn wants(&self, monitor: MonitorId, name: &str) -> bool {
        self.monitors.is_empty() || self.monitors.iter().any(|wanted| wanted.names(monitor, name))
    }
}

/// One entry of `phases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetPhase {
    /// Alarms.
    Start,
    /// Alarms that were sent without labels, once labels are known.
    Update,
    /// The ends of alarms that were sent.
    End,
    /// Troubles of the daemon, as those of `watchdog.notify` hear of them.
    Trouble,
}

impl TargetPhase {
    pub(super) const ALL: [Self; 4] = [Self::Start, Self::Update, Self::End, Self::Trouble];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Update => Phase::Update.word(),
            Self::End => "end",
            Self::Trouble => "trouble",
        }
    }
}

impl fmt::Display for TargetPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `picture` of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PictureChoice {
    /// As the service takes it best.
    Auto,
    This(PictureForm),
}

impl ProviderKind {
    /// Returns what the service can do with a picture, the best first.
    pub(super) fn pictures(self) -> &'static [PictureForm] {
        use PictureForm::{Base64, File, Link, Multipart, None};
        match self {
            Self::Ntfy => &[File, Link, None],
            Self::Pushover | Self::Telegram => &[File, None],
            Self::Gotify => &[Link, None],
            // Whoever receives it: a picture goes there only if somebody says so.
            Self::Webhook => &[None, Link, Base64, Multipart],
        }
    }
}

/// `kind` of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProviderKind {
    Ntfy,
    Pushover,
    Telegram,
    Gotify,
    Webhook,
}

/// One target of each kind, with the least that each needs.
#[cfg(test)]
pub(super) const ONE_OF_EACH_KIND: &str = "
[[target]]
name = 'guard'
user = 'amy'
topic = 'squeamish-topic'
[[target]]
name = 'pager'
kind = 'pushover'
user = 'amy'
token = 'squeamish'
user-key = 'squeamish'
[[target]]
name = 'family'
kind = 'telegram'
user = 'amy'
token = '1:squeamish'
chat = '-100'
[[target]]
name = 'gotify'
kind = 'gotify'
user = 'amy'
url = 'https://gotify.example.org'
token = 'squeamish'
[[target]]
name = 'red'
kind = 'webhook'
user = 'amy'
url = 'https://red.example.org/squeamish'
";
