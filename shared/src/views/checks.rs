//! `zmesctl check …`.

use serde::{Deserialize, Serialize};

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Whether it holds.
    pub ok: bool,
    /// Which: `ping`, `shm`, `db`, `tls`, `push`, `store`, `all`.
    pub check: String,
    /// One sentence.
    pub detail: String,
    /// What to do, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
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
    /// What to do, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
