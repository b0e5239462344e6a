//! `zmesctl troubles`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::severity::Severity;
use crate::sentence::{Sentence, SentencePart};
use crate::words::TroubleKind;

/// What keeps zmesd from seeing or sending alarms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Troubles {
    /// The open ones, oldest first; with a history, those that are over follow, newest first.
    pub troubles: Vec<TroubleView>,
}

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TroubleView {
    /// Its name: `camera:3`, `push:fcm`, `database`.
    pub id: String,
    /// Subject of the trouble.
    pub kind: TroubleKind,
    /// How severe it is.
    pub severity: Severity,
    /// When the condition began.
    pub since: Timestamp,
    /// When it ended; `null` if it is open.
    pub cleared_at: Option<Timestamp>,
    /// One sentence.
    pub text: String,
    /// The same in pieces, if it contains times: a reader can show them in its own time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do about it, often a command.
    pub hint: String,
}

/// The open troubles, for `status`.
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
