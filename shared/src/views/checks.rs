//! `zmesctl check …`.

use serde::{Deserialize, Serialize};

use super::severity::Severity;
use crate::sentence::SentencePart;

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Whether it holds.
    pub ok: bool,
    /// Which: `ping`, `shm`, `db`, `tls`, `push`, `store`, `all`.
    pub check: String,
    /// One sentence.
    pub detail: String,
    /// The same in pieces, where it holds times: a reader can show them in its own zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How bad it is; absent from daemons that do not tell: as bad as can be, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perf: Vec<Perf>,
    /// For `all`: the single checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckPart>,
}

/// One check within `all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPart {
    /// Whether it holds.
    pub ok: bool,
    /// Which.
    pub check: String,
    /// One sentence.
    pub detail: String,
    /// The same in pieces, where it holds times: a reader can show them in its own zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<SentencePart>,
    /// What to do, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub perf: Vec<Perf>,
}

/// One measured value, as monitoring systems draw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Perf {
    /// Its name: `tls_days`.
    pub label: String,
    /// The value.
    pub value: i64,
    /// `ms`, `B`, or empty: a number.
    #[serde(default)]
    pub unit: String,
    /// Which values are a warning, as a range of the plugins' conventions: `14:` is below 14, `0` is above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Which are critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<String>,
}
