//! Programs that some tests need and that not every machine has.

use std::process::Command;

use anyhow::Result;

use crate::skip::skipped;

/// Returns whether a program is in `$PATH`. If not, prints a message, and fails if `CI` is set.
pub fn installed(program: &str) -> Result<bool> {
    let found =
        Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]).output()?.status.success();
    if !found {
        skipped(&format!("{program} is missing: see the list of packages in tests/run"))?;
    }
    Ok(found)
}
