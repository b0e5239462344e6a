//! A test that cannot run here is skipped with a message, and fails in continuous integration.

use anyhow::{Result, ensure};

/// Prints that the test was skipped, and why; fails if `$CI` is set.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn skipped(why: &str) -> Result<()> {
    ensure!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}; nothing was shown");
    Ok(())
}
