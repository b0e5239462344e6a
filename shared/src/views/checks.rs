//! `zmesctl check …`.

use serde::{Deserialize, Serialize};

use super::severity::Severity;
use crate::sentence::SentencePart;

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// Whether the check passed.
    pub ok: bool,
    /// Which: `ping`, `shm`, `db`, `tls`, `push`, `mqtt`, `cluster`, `store`, `troubles`, `all`.
    pub check: String,
    /// One sentence.
    pub detail: String,
    /// The same in pieces, if it contains times: a reader can show them in its own time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How severe a failure is; absent: an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Measured values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perf: Vec<Perf>,
    /// For `all`: each check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckPart>,
}

/// One check within `all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckPart {
    /// Whether the check passed.
    pub ok: bool,
    /// Which.
    pub check: String,
    /// One sentence.
    pub detail: String,
    /// The same in pieces, if it contains times: a reader can show them in its own time zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How severe a failure is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Measured values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perf: Vec<Perf>,
}

/// One measured value, for plotting by monitoring systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Perf {
    /// Its name: `tls_days`.
    pub label: String,
    /// The value.
    pub value: i64,
    /// `ms`, `B`, or empty for a plain number.
    #[serde(default)]
    pub unit: String,
    /// The warning threshold, as a range of the Nagios plugin guidelines: `14:` warns below 14, `0` above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The critical threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<String>,
}
