//! The demo's directory, and whether it is removed at the end.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::DemoError;

/// The directory of one demo; a temporary one is removed when this is dropped.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Directory {
    /// Creates the directory: `keep`, which must be empty or not exist, or a temporary one. Only its owner has access.
    pub(super) fn create(keep: Option<&Path>) -> Result<Self, DemoError> {
        let Some(keep) = keep else {
            let temporary = tempfile::Builder::new().prefix("zmesd-demo-").tempdir();
            let temporary = temporary.map_err(DemoError::writing(&std::env::temp_dir()))?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        DirBuilder::new().recursive(true).mode(0o700).create(keep).map_err(DemoError::writing(keep))?;
        let keep = keep.canonicalize().map_err(DemoError::writing(keep))?;
        let mut entries = fs::read_dir(&keep).map_err(DemoError::writing(&keep))?;
        if entries.next().is_some() {
            return Err(DemoError::NotEmpty(keep));
        }
        Ok(Self { path: keep, temporary: None })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// Removes a temporary directory with everything in it; leaves a kept one alone.
    pub fn close(self) -> Result<(), DemoError> {
        self.temporary.map_or(Ok(()), TempDir::close).map_err(DemoError::writing(&self.path))
    }

    pub(super) fn subdirectory(&self, name: &str) -> Result<PathBuf, DemoError> {
        let path = self.path().join(name);
        DirBuilder::new().mode(0o700).create(&path).map_err(DemoError::writing(&path))?;
        Ok(path)
    }
}
