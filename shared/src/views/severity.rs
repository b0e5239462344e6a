//! How severe a finding of `check` or `doctor` is.

use serde::{Deserialize, Serialize};

/// How severe a finding is, in ascending order. Unknown words of a later version count as errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// No problem.
    Ok,
    /// It works, but not for everyone or not for long.
    Warning,
    /// It does not work: alarms do not arrive, or soon will not.
    #[serde(other)]
    Error,
}
