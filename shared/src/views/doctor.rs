//! `zmesctl doctor`.

use serde::{Deserialize, Serialize};

use super::severity::Severity;
use crate::sentence::{Sentence, SentencePart};

/// What a walk over the installation, or after one alarm for one phone, has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// Whether nothing is red: no finding is an error.
    pub ok: bool,
    /// In the order in which things break; the first that is not `ok` explains those after it.
    pub findings: Vec<Finding>,
}

/// What one step has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which step: `configuration`, `database`, `monitor 3`, `push proxy`, `filter`. There may be several of one step.
    pub step: String,
    /// Whether it stops no alarm: false for errors alone.
    pub ok: bool,
    /// How grave it is.
    pub severity: Severity,
    /// One sentence. Never a secret.
    pub detail: String,
    /// The same in pieces, where it holds times: a reader can show them in its own zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do about it, mostly a command; `null` where there is nothing to do.
    pub hint: Option<String>,
    /// Whom it is about, where a user's phones and sessions are looked at: `token 1a2b3c4d`, `client 4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

impl Doctor {
    /// Puts findings together.
    pub fn new(findings: Vec<Finding>) -> Self {
        Self { ok: findings.iter().all(|finding| finding.ok), findings }
    }
}

impl Finding {
    /// Returns a finding that is as it should be.
    pub fn good(step: impl Into<String>, detail: impl Into<Sentence>) -> Self {
        Self::new(step, Severity::Ok, detail, None)
    }

    /// Returns a finding that an admin should know of.
    pub fn warning(step: impl Into<String>, detail: impl Into<Sentence>, hint: impl Into<String>) -> Self {
        Self::new(step, Severity::Warning, detail, Some(hint.into()))
    }

    /// Returns a red finding.
    pub fn error(step: impl Into<String>, detail: impl Into<Sentence>, hint: impl Into<String>) -> Self {
        Self::new(step, Severity::Error, detail, Some(hint.into()))
    }

    /// Returns what was found, with typed times.
    pub fn sentence(&self) -> Sentence {
        Sentence::of(&self.detail, &self.parts)
    }

    /// Says whom it is about.
    #[must_use]
    pub fn about(self, whom: impl Into<String>) -> Self {
        Self { about: Some(whom.into()), ..self }
    }

    fn new(
        step: impl Into<String>,
        severity: Severity,
        detail: impl Into<Sentence>,
        hint: Option<String>,
    ) -> Self {
        let (detail, parts) = detail.into().split();
        let ok = severity != Severity::Error;
        Self { step: step.into(), ok, severity, detail, parts, hint, about: None }
    }
}
