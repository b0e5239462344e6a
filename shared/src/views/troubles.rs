//! `zmesctl troubles`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::severity::Severity;
use crate::sentence::{Sentence, SentencePart};
use crate::words::TroubleKind;

/// What keeps zmesd from seeing alarms or from telling of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Troubles {
    /// Those that stand, the oldest first; with a history those that are over, the newest first, follow.
    pub troubles: Vec<TroubleView>,
}

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TroubleView {
    /// Its name: `camera:3`, `push:fcm`, `database`.
    pub id: String,
    /// What it is about.
    pub kind: TroubleKind,
    /// How severe it is.
    pub severity: Severity,
    /// When the condition began.
    pub since: Timestamp,
    /// When it was over; `null` while it stands.
    pub cleared_at: Option<Timestamp>,
    /// One sentence.
    pub text: String,
    /// The same in pieces, where it holds times: a reader can show them in its own zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do about it, often a command.
    pub hint: String,
}

/// The troubles that stand, for `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TroubleSummary {
    /// How many there are.
    pub standing: u64,
    /// The oldest of them, at most three.
    pub oldest: Vec<TroubleView>,
}

impl TroubleView {
    /// Returns its sentence.
    pub fn sentence(&self) -> Sentence {
        Sentence::of(&self.text, &self.parts)
    }
}
