//! Finds the two programs that cargo built, and refuses stale ones.
//!
//! Cargo builds the binaries of a package only for that package's own integration tests. So `tests/run` builds them
//! first; a test that is run by hand fails if they are older than the sources.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

const BUILD: &str = "run: cargo build --workspace --bins";

/// Returns the path of the daemon.
pub fn zmesd_binary() -> Result<PathBuf> {
    binary("zmesd")
}

/// Returns the path of the admin tool.
pub fn zmesctl_binary() -> Result<PathBuf> {
    binary("zmesctl")
}

/// Returns `target`, in which this test was built.
pub(crate) fn target_directory() -> Result<PathBuf> {
    Ok(profile_directory()?.parent().context("the profile directory has no parent")?.to_path_buf())
}

/// Returns the top of the repository.
pub fn repository() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in no directory")
}

/// Returns `target/debug`: a test executable is `target/debug/deps/name-hash`.
fn profile_directory() -> Result<PathBuf> {
    let test = env::current_exe().context("own executable")?;
    let directory = test.parent().and_then(Path::parent).context("the test lies in no target directory")?;
    Ok(directory.to_path_buf())
}

fn binary(name: &str) -> Result<PathBuf> {
    let path = profile_directory()?.join(name);
    let built = fs::metadata(&path)
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("no {}; {BUILD}", path.display()))?;
    for package in [name, "shared"] {
        let sources = repository()?.join(package).join("src");
        let newest = newest_below(&sources)?;
        ensure!(newest <= built, "{} is older than {}; {BUILD}", path.display(), sources.display());
    }
    Ok(path)
}

/// Returns when the newest file below `directory` was written.
fn newest_below(directory: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let modified = if metadata.is_dir() { newest_below(&entry.path())? } else { metadata.modified()? };
        newest = newest.max(modified);
    }
    Ok(newest)
}
