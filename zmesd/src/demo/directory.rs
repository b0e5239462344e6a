//! Where the demo's files lie, and whether they vanish.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::DemoError;

/// The directory of one demo; a temporary one is removed when this is dropped.
#[derive(Debug)]
pub struct Directory(Place);

#[derive(Debug)]
enum Place {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Directory {
    /// Makes the directory: `keep`, which must be empty or not there, or a temporary one. Only its owner may enter.
    pub(super) fn create(keep: Option<&Path>) -> Result<Self, DemoError> {
        let Some(keep) = keep else {
            let temporary = tempfile::Builder::new().prefix("zmesd-demo-").tempdir();
            let temporary = temporary.map_err(DemoError::writing(&std::env::temp_dir()))?;
            return Ok(Self(Place::Temporary(temporary)));
        };
        DirBuilder::new().recursive(true).mode(0o700).create(keep).map_err(DemoError::writing(keep))?;
        let keep = keep.canonicalize().map_err(DemoError::writing(keep))?;
        let mut entries = fs::read_dir(&keep).map_err(DemoError::writing(&keep))?;
        if entries.next().is_some() {
            return Err(DemoError::NotEmpty(keep));
        }
        Ok(Self(Place::Kept(keep)))
    }

    pub fn path(&self) -> &Path {
        match &self.0 {
            Place::Temporary(directory) => directory.path(),
            Place::Kept(path) => path,
        }
    }

    pub fn is_kept(&self) -> bool {
        matches!(self.0, Place::Kept(_))
    }

    /// Removes a temporary directory with all that is in it; leaves a kept one alone.
    pub fn close(self) -> Result<(), DemoError> {
        match self.0 {
            Place::Temporary(directory) => {
                let path = directory.path().to_owned();
                directory.close().map_err(DemoError::writing(&path))
            }
            Place::Kept(_) => Ok(()),
        }
    }

    pub(super) fn subdirectory(&self, name: &str) -> Result<PathBuf, DemoError> {
        let path = self.path().join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(DemoError::writing(&path))?;
        Ok(path)
    }
}
