//! Finds the program to run, before the first alarm needs it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use crate::error::CliError;
use crate::render::clean;

/// Finds a program as a shell would: a path is used unchanged, a name is looked up in `$PATH`.
pub(super) fn find(command: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, CliError> {
    let refused = |why: &str, hint: String| {
        Err(CliError::Usage { message: format!("cannot run {}: {why}", shown(command)), hint })
    };
    if command.is_empty() {
        return refused("no command is given", "zmesctl hook -- /usr/local/bin/on-alarm".to_owned());
    }
    let candidates: Vec<PathBuf> = if command.as_bytes().contains(&b'/') {
        vec![PathBuf::from(command)]
    } else {
        let path = path.map_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"), OsStr::to_owned);
        std::env::split_paths(&path)
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(command))
            .collect()
    };
    let files = candidates.iter().filter_map(|file| Some((file, fs::metadata(file).ok()?)));
    let files: Vec<_> = files.collect();
    let runnable = |file: &Path| access(file, AccessFlags::X_OK).is_ok();
    if let Some((file, _)) = files.iter().find(|(file, seen)| seen.is_file() && runnable(file)) {
        return Ok((*file).clone());
    }
    match files.first() {
        None if command.as_bytes().contains(&b' ') => refused(
            "there is no such file",
            "the command is not run by a shell: write its arguments as words of their own, or use sh -c '...'".to_owned(),
        ),
        None => refused("there is no such file", format!("check the path with: ls -l {}", shown(command))),
        Some((_, seen)) if seen.is_dir() => {
            refused("it is a directory", "name the program that is in it".to_owned())
        }
        Some((file, _)) => refused(
            "this user may not execute it",
            format!("chmod 755 {}, and check who may enter its directory", shown(file.as_os_str())),
        ),
    }
}

fn shown(name: &OsStr) -> String {
    clean(&name.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_found_or_it_is_said_why_not() {
        let directory = tempfile::tempdir().unwrap();
        let script = directory.path().join("on-alarm");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let path = directory.path().as_os_str();
        let why = |command: &OsStr| match find(command, Some(path)) {
            Err(CliError::Usage { message, .. }) => message,
            other => panic!("{other:?}"),
        };
        fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(why(script.as_os_str()).ends_with("this user may not execute it"));
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(script.as_os_str(), None).unwrap(), script);
        assert_eq!(find(OsStr::new("on-alarm"), Some(path)).unwrap(), script);
        assert!(why(OsStr::new("on-alarn")).ends_with("there is no such file"));
        assert!(why(path).ends_with("it is a directory"));
        assert!(why(OsStr::new("")).ends_with("no command is given"));
        let Err(CliError::Usage { hint, .. }) = find(OsStr::new("on-alarm --loud"), Some(path)) else {
            panic!()
        };
        assert!(hint.contains("not run by a shell"), "{hint}");
    }
}
