//! A small file system for one test, to be filled.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::skip::skipped;

/// A small file system; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// Mounts a file system of this size (in the notation of mount(8): `4m`); `None` if that is not allowed.
    pub fn mount(place: &Path, size: &str) -> Result<Option<Self>> {
        fs::create_dir_all(place)?;
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(place).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Ok(Some(Self { place: place.to_path_buf() }));
        }
        skipped("a disk cannot be filled: mount needs root")?;
        Ok(None)
    }

    /// Returns where it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Fills it completely. Returns the file that does so.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.place.join("filler");
        let mut file = File::create(&path)?;
        for length in [64 * 1024, 1024, 1] {
            while file.write_all(&vec![b'x'; length]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a daemon that is still ending may have files open.
        drop(Command::new("umount").arg("--lazy").arg(&self.place).status());
    }
}
