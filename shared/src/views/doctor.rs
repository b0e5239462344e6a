//! `zmesctl doctor`.

use serde::{Deserialize, Serialize};

use super::severity::Severity;
use crate::sentence::{Sentence, SentencePart};

/// The findings of `doctor`, for the installation or for the delivery of alarms to one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Doctor {
    /// Whether no finding is an error.
    pub ok: bool,
    /// In order of dependence: the first one that is not `ok` explains those after it.
    pub findings: Vec<Finding>,
}

/// A finding of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The step: `configuration`, `database`, `monitor 3`, `push proxy`, `filter`. A step may have several findings.
    pub step: String,
    /// False for errors only.
    pub ok: bool,
    /// How severe it is.
    pub severity: Severity,
    /// One sentence, without secrets.
    pub detail: String,
    /// The same in pieces, if it contains times: a reader can show them in its own time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do about it, often a command; `null` if there is nothing to do.
    pub hint: Option<String>,
    /// The phone or client that it is about, for `doctor USER`: `token 1a2b3c4d`, `client 4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Doctor {
    /// Collects findings.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self { ok: findings.iter().all(|finding| finding.ok), findings }
    }
}

impl Finding {
    /// Returns a finding without a problem.
    pub fn good(step: impl Into<String>, detail: impl Into<Sentence>) -> Self {
        Self::new(step, Severity::Ok, detail, None)
    }

    /// Returns a warning.
    pub fn warning(step: impl Into<String>, detail: impl Into<Sentence>, hint: impl Into<String>) -> Self {
        Self::new(step, Severity::Warning, detail, Some(hint.into()))
    }

    /// Returns an error.
    pub fn error(step: impl Into<String>, detail: impl Into<Sentence>, hint: impl Into<String>) -> Self {
        Self::new(step, Severity::Error, detail, Some(hint.into()))
    }

    /// Returns the finding's text, with typed times.
    pub fn sentence(&self) -> Sentence {
        Sentence::of(&self.detail, &self.parts)
    }

    /// Sets the phone or client that it is about.
    #[must_use]
    pub fn about(self, whom: impl Into<String>) -> Self {
        Self { about: Some(whom.into()), ..self }
    }

    /// Returns a finding with this severity.
    pub fn new(
        step: impl Into<String>,
        severity: Severity,
        detail: impl Into<Sentence>,
        hint: Option<String>,
    ) -> Self {
        let (detail, parts) = detail.into().into_parts();
        let ok = severity != Severity::Error;
        Self { step: step.into(), ok, severity, detail, parts, hint, about: None }
    }
}
