//! Reads old files and writes the new ones: all or none, readable only by the owner and the daemon's group.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use secrecy::ExposeSecret;
use tempfile::NamedTempFile;
use zmes_files::{FileError, read_bounded};

use super::{MAX_FILE, OldFile, SecretFile};

/// Owner reads and writes, the group reads.
const FILE_MODE: u32 = 0o640;
/// The same for the directory of the secrets.
const DIRECTORY_MODE: u32 = 0o750;
/// The group that the daemon runs as where a package has installed it.
const GROUP: &str = "zmesd";

/// Why a file was not read or not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", .path.display())]
pub struct FileProblem {
    /// Which file.
    pub path: PathBuf,
    /// What kind of problem.
    pub kind: FileProblemKind,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Kinds of problems with files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileProblemKind {
    /// It does not exist.
    Missing,
    /// It exists and must not be overwritten.
    Exists,
    /// Permission denied.
    Permission,
    /// It is not a regular file, or too large.
    Unfit,
    /// The disk is full, or another I/O error.
    Disk,
}

/// Reads a file that is to be imported.
pub fn read(path: &Path) -> Result<OldFile, FileProblem> {
    let error = match read_bounded(path, MAX_FILE) {
        Ok(bytes) => return Ok(OldFile { path: path.to_owned(), bytes }),
        Err(error) => error,
    };
    let (kind, hint) = match &error {
        FileError::Missing => (FileProblemKind::Missing, "check the path"),
        FileError::Denied => (FileProblemKind::Permission, "run it as root"),
        FileError::Irregular => (FileProblemKind::Unfit, "pass the files one by one"),
        FileError::TooLarge(_) => (FileProblemKind::Unfit, "is it the right file?"),
        FileError::Other(_) => (FileProblemKind::Disk, "check the file system"),
    };
    Err(FileProblem { path: path.to_owned(), kind, message: error.to_string(), hint: hint.to_owned() })
}

/// Returns the paths of the secrets of a `zmesd.toml`.
pub fn secret_paths(output: &Path, secrets: &[SecretFile]) -> Vec<PathBuf> {
    let directory = output.parent().unwrap_or(Path::new(""));
    secrets.iter().map(|secret| directory.join(&secret.name)).collect()
}

/// Writes `zmesd.toml` and the files of its secrets. Without `force` nothing is overwritten, and what was read for it
/// never is.
pub fn publish(
    output: &Path,
    toml: &str,
    secrets: &[SecretFile],
    force: bool,
    sources: &[PathBuf],
) -> Result<(), FileProblem> {
    // A symbolic link stays one.
    let output = fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
    let directory = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(error) = directory.and_then(|directory| fs::metadata(directory).err()) {
        return Err(failed(&output, &error));
    }
    let paths = secret_paths(&output, secrets);
    let targets = || paths.iter().chain([&output]);
    for target in targets() {
        refuse_source(target, sources)?;
    }
    let there: Vec<_> = targets().filter(|path| path.symlink_metadata().is_ok()).collect();
    if let (Some(first), false) = (there.first(), force) {
        let others =
            if there.len() > 1 { format!(", as do {} other files", there.len() - 1) } else { String::new() };
        return Err(FileProblem {
            path: PathBuf::clone(first),
            kind: FileProblemKind::Exists,
            message: format!("exists already{others}"),
            hint: "use another --output, or --force to overwrite; nothing has been written".to_owned(),
        });
    }
    let mut undo = Undo::default();
    let result = write_all(&output, toml, secrets, &paths, force, &mut undo);
    undo.finish(result.is_err());
    result
}

fn refuse_source(target: &Path, sources: &[PathBuf]) -> Result<(), FileProblem> {
    let same = |source: &&PathBuf| fs::canonicalize(source).is_ok_and(|source| source == *target);
    match sources.iter().find(same) {
        None => Ok(()),
        Some(source) => Err(FileProblem {
            path: source.clone(),
            kind: FileProblemKind::Exists,
            message: "is one of the imported files, which are never overwritten".to_owned(),
            hint: "use another --output".to_owned(),
        }),
    }
}

/// The steps done so far, to undo them.
#[derive(Default)]
struct Undo {
    directory: Option<PathBuf>,
    /// Files moved to their paths, each with the name under which the previous file is kept.
    placed: Vec<(PathBuf, Option<PathBuf>)>,
}

impl Undo {
    /// Undoes everything after a failure, else removes the previous files. Errors here are ignored.
    fn finish(self, failed: bool) {
        for (path, before) in self.placed.iter().rev() {
            match (failed, before) {
                (true, Some(before)) => drop(fs::rename(before, path)),
                (true, None) => drop(fs::remove_file(path)),
                (false, Some(before)) => drop(fs::remove_file(before)),
                (false, None) => {}
            }
        }
        if let (true, Some(directory)) = (failed, self.directory) {
            drop(fs::remove_dir(directory));
        }
    }
}

fn write_all(
    output: &Path,
    toml: &str,
    secrets: &[SecretFile],
    paths: &[PathBuf],
    force: bool,
    undo: &mut Undo,
) -> Result<(), FileProblem> {
    let group = group_for(output);
    if let Some(directory) = paths.first().and_then(|path| path.parent()) {
        make_directory(directory, group, undo)?;
    }
    let mut ready = Vec::new();
    for (path, secret) in paths.iter().zip(secrets) {
        ready.push((prepare(path, secret.content.expose_secret().as_bytes(), group)?, path.as_path()));
    }
    ready.push((prepare(output, toml.as_bytes(), group)?, output));
    for (file, path) in ready {
        place(file, path, force, undo)?;
    }
    Ok(())
}

fn make_directory(directory: &Path, group: Option<u32>, undo: &mut Undo) -> Result<(), FileProblem> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        Ok(()) => {
            undo.directory = Some(directory.to_owned());
            if let Ok(opened) = File::open(directory) {
                give(&opened, group);
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(failed(directory, &error)),
    }
}

/// Writes a temporary file in the directory of `path`.
fn prepare(path: &Path, content: &[u8], group: Option<u32>) -> Result<NamedTempFile, FileProblem> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(".zmesd-import-").tempfile_in(directory)?;
        file.write_all(content)?;
        give(file.as_file(), group);
        file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|error| failed(path, &error))
}

/// Moves a temporary file to its path.
fn place(file: NamedTempFile, path: &Path, force: bool, undo: &mut Undo) -> Result<(), FileProblem> {
    let mut before = None;
    if force && path.symlink_metadata().is_ok() {
        let kept = PathBuf::from(format!("{}.before", file.path().display()));
        fs::hard_link(path, &kept).map_err(|error| failed(path, &error))?;
        before = Some(kept);
    }
    let placed = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match placed {
        Ok(_) => {
            undo.placed.push((path.to_owned(), before));
            Ok(())
        }
        Err(error) => {
            if let Some(before) = before {
                drop(fs::remove_file(before));
            }
            Err(failed(path, &error.error))
        }
    }
}

/// Returns the group that may read the files: that of the previous file or of the directory, unless it is root's, else the
/// daemon's own.
fn group_for(output: &Path) -> Option<u32> {
    let of = |path: &Path| path.metadata().ok().map(|metadata| metadata.gid()).filter(|gid| *gid != 0);
    let daemon = || Group::from_name(GROUP).ok().flatten().map(|group| group.gid.as_raw());
    of(output).or_else(|| output.parent().and_then(of)).or_else(daemon)
}

/// Sets the group of a file. Without the permission to do so the file keeps its group.
fn give(file: &File, group: Option<u32>) {
    drop(fchown(file, None, group));
}

fn failed(path: &Path, error: &io::Error) -> FileProblem {
    use io::ErrorKind::{AlreadyExists, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    let (kind, hint) = if is(&[NotFound, NotADirectory]) {
        (FileProblemKind::Missing, "create the directory first")
    } else if is(&[PermissionDenied, ReadOnlyFilesystem]) {
        (FileProblemKind::Permission, "run it as root")
    } else if is(&[AlreadyExists]) {
        (FileProblemKind::Exists, "another process has just created it")
    } else {
        (FileProblemKind::Disk, "is the disk full?")
    };
    FileProblem {
        path: path.to_owned(),
        kind,
        message: format!("cannot be written: {}", without_number(error)),
        hint: format!("{hint}; nothing has been written"),
    }
}

/// Returns the error's words without ` (os error 13)`.
fn without_number(error: &io::Error) -> String {
    let said = error.to_string();
    said.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(names: &[&str]) -> Vec<SecretFile> {
        let secret = |name: &&str| SecretFile {
            name: format!("secrets/{name}"),
            content: format!("of {name}").into(),
        };
        names.iter().map(secret).collect()
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn files_are_for_owner_and_group_alone() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("zmesd.toml");
        publish(&output, "a = 1\n", &secrets(&["one", "two"]), false, &[]).unwrap();
        assert_eq!(fs::read_to_string(&output).unwrap(), "a = 1\n");
        let secrets = directory.path().join("secrets");
        assert_eq!(fs::read_to_string(secrets.join("two")).unwrap(), "of two");
        assert_eq!((mode(&output), mode(&secrets), mode(&secrets.join("one"))), (0o640, 0o750, 0o640));
        assert_eq!(names(directory.path()), ["secrets", "zmesd.toml"]);
        assert_eq!(names(&secrets), ["one", "two"]);
    }

    #[test]
    fn nothing_is_overwritten_without_force_and_all_or_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("zmesd.toml");
        fs::create_dir(directory.path().join("secrets")).unwrap();
        let old = directory.path().join("secrets/two");
        fs::write(&old, "old").unwrap();
        let refused = publish(&output, "new", &secrets(&["one", "two"]), false, &[]).unwrap_err();
        assert_eq!((refused.kind, &refused.path), (FileProblemKind::Exists, &old));
        assert_eq!(names(directory.path()), ["secrets"]);
        assert_eq!(names(&directory.path().join("secrets")), ["two"]);

        publish(&output, "new", &secrets(&["one", "two"]), true, &[]).unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "of two");
        assert_eq!(mode(&old), 0o640);
        assert_eq!(names(&directory.path().join("secrets")), ["one", "two"], "nothing of the way is left");
    }

    #[test]
    fn a_failure_puts_back_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("zmesd.toml");
        // A directory where the file should go lets the last step fail.
        fs::create_dir(&output).unwrap();
        fs::create_dir(directory.path().join("secrets")).unwrap();
        fs::write(directory.path().join("secrets/one"), "old").unwrap();
        publish(&output, "new", &secrets(&["one", "two"]), true, &[]).unwrap_err();
        assert_eq!(names(&directory.path().join("secrets")), ["one"]);
        assert_eq!(fs::read_to_string(directory.path().join("secrets/one")).unwrap(), "old");
        assert_eq!(names(directory.path()), ["secrets", "zmesd.toml"]);
    }

    #[test]
    fn what_is_imported_stays() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("zmeventnotification.ini");
        fs::write(&source, "old").unwrap();
        let refused = publish(&source, "new", &[], true, std::slice::from_ref(&source)).unwrap_err();
        assert_eq!(refused.kind, FileProblemKind::Exists);
        assert_eq!(fs::read_to_string(&source).unwrap(), "old");
    }

    #[test]
    fn a_link_stays_one_and_a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real.toml"), directory.path().join("link.toml"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        publish(&link, "new", &[], true, &[]).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        let refused = publish(&directory.path().join("none/zmesd.toml"), "new", &[], false, &[]).unwrap_err();
        assert_eq!(refused.kind, FileProblemKind::Missing);
        assert_eq!(read(&directory.path().join("none")).unwrap_err().kind, FileProblemKind::Missing);
        assert_eq!(read(directory.path()).unwrap_err().kind, FileProblemKind::Unfit);
    }
}
