//! Finds the `zmesd` program, which alone understands the configuration.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Looks for `zmesd` beside this binary, then in `$PATH`. Relative entries in `$PATH` are ignored: this may run as root
/// in a directory that others can write to.
pub(crate) fn find(environment: &Environment) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("zmesd")));
    beside.filter(|file| is_executable(file)).or_else(|| find_in_path(environment, "zmesd"))
}

/// Looks for another program in the absolute directories of `$PATH`.
pub(crate) fn find_in_path(environment: &Environment, program: &str) -> Option<PathBuf> {
    let path = environment.path.as_deref()?;
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    std::fs::metadata(file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
