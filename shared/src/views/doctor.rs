//! `zmesctl doctor`.

use serde::{Deserialize, Serialize};

use super::severity::Severity;

/// What `doctor` found, for the installation or for one alarm on its way to one phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// Whether no finding is an error.
    pub ok: bool,
    /// In the order of dependence: the first that is not `ok` explains those after it.
    pub findings: Vec<Finding>,
}

/// A finding of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The step: `configuration`, `database`, `monitor 3`, `push proxy`, `filter`. A step may have several findings.
    pub step: String,
    /// False for errors only.
    pub ok: bool,
    /// How severe it is.
    pub severity: Severity,
    /// One sentence, without secrets.
    pub detail: String,
    /// What to do about it, often a command; `null` if nothing is to be done.
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
    pub fn good(step: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(step, Severity::Ok, detail, None)
    }

    /// Returns a warning.
    pub fn warning(step: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(step, Severity::Warning, detail, Some(hint.into()))
    }

    /// Returns an error.
    pub fn error(step: impl Into<String>, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(step, Severity::Error, detail, Some(hint.into()))
    }

    /// Sets the phone or client that it is about.
    #[must_use]
    pub fn about(self, whom: impl Into<String>) -> Self {
        Self { about: Some(whom.into()), ..self }
    }

    fn new(
        step: impl Into<String>,
        severity: Severity,
        detail: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        let (step, detail) = (step.into(), detail.into());
        Self { step, ok: severity != Severity::Error, severity, detail, hint, about: None }
    }
}
