//! How grave a finding is, of a check or of the doctor.

use serde::{Deserialize, Serialize};

/// How grave a finding is, the least first. What a later version adds counts as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// It works, but not for all, not for long, or an admin should know.
    Warning,
    /// It does not work: alarms do not arrive, or will not. Red.
    #[serde(other)]
    Error,
}
