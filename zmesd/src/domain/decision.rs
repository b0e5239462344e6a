//! The router's decision for one target of an alarm.

use std::sync::Arc;

use zmes_shared::words::{DeliveryState, Reason, SkipReason};

use super::{DeliveryId, SnoozeId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Send,
    Skip(SkipReason),
}

impl Decision {
    /// Returns the word used by `watch`, `why` and `alarm test`: the frame is queued, or the push is about to be.
    pub fn state(self) -> DeliveryState {
        match self {
            Self::Send => DeliveryState::Sent,
            Self::Skip(_) => DeliveryState::Skipped,
        }
    }

    pub fn reason(self) -> Reason {
        match self {
            Self::Send => Reason::None,
            Self::Skip(reason) => Reason::Skip(reason),
        }
    }
}

/// The state of the push for a start: its end is sent only if the start was sent as a separate push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StartState {
    /// It was sent, or is in progress.
    #[default]
    Sent,
    /// It would have been sent, but for shadow mode.
    Shadow,
    /// It was refused, given up, withdrawn, or was part of a digest.
    NotSent,
}

/// The push to which an end or an update belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldStart {
    /// The last one that told of the alarm.
    pub id: DeliveryId,
    /// The first one of the same event: what the phone shows if the last one was not sent.
    pub first: Option<DeliveryId>,
}

impl From<DeliveryId> for ToldStart {
    fn from(id: DeliveryId) -> Self {
        Self { id, first: None }
    }
}

/// What an admin or a user has set that made a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecidedBy {
    /// The `[[rule]]` with this name.
    Rule(Arc<str>),
    Snooze(SnoozeId),
}

impl DecidedBy {
    const RULE: &'static str = "rule:";
    const SNOOZE: &'static str = "snooze:";

    /// Returns the name of the rule; `None` if it was a snooze.
    pub fn rule(&self) -> Option<&Arc<str>> {
        match self {
            Self::Rule(name) => Some(name),
            Self::Snooze(_) => None,
        }
    }

    /// Returns the snooze; `None` if it was a rule.
    pub fn snooze(&self) -> Option<SnoozeId> {
        match self {
            Self::Snooze(id) => Some(*id),
            Self::Rule(_) => None,
        }
    }

    /// Returns the text for the state file.
    pub fn stored(&self) -> String {
        match self {
            Self::Rule(name) => format!("{}{name}", Self::RULE),
            Self::Snooze(id) => format!("{}{id}", Self::SNOOZE),
        }
    }

    /// Parses the text of [`Self::stored`]; `None` if it is empty, or from a newer version.
    pub fn parse(text: &str) -> Option<Self> {
        let snooze = |id: &str| id.parse().ok().map(|id| Self::Snooze(SnoozeId(id)));
        match (text.strip_prefix(Self::RULE), text.strip_prefix(Self::SNOOZE)) {
            (Some(name), _) => Some(Self::Rule(name.into())),
            (_, Some(id)) => snooze(id),
            (None, None) => None,
        }
    }
}
