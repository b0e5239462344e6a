//! Programs that some tests need and not every machine has.

use std::process::Command;

use anyhow::{Result, ensure};

/// Says whether a program is in `$PATH`: loudly if it is not, and with an error where `CI` is set.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn installed(program: &str) -> Result<bool> {
    let found =
        Command::new("sh").args(["-c", "command -v \"$1\"", "sh", program]).output()?.status.success();
    if !found {
        ensure!(
            std::env::var_os("CI").is_none(),
            "{program} is missing: see the list of packages in tests/run"
        );
        eprintln!("SKIPPED: no {program}; nothing was shown");
    }
    Ok(found)
}
