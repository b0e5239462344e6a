//! An older event server's configuration becomes a `zmesd.toml`: bytes in; a file, the files of its secrets and a
//! report out. Only [`disk`] touches the disk.
//!
//! The way of a line: [`text`] makes characters of bytes, [`format`](mod@format) tells by content what a file is, and one reader for
//! each generation ([`script`], [`ini`], [`yaml`]) makes entries ([`entry`]) of it under the names of the latest server
//! ([`names`]). [`takeover`] moves what zmesd has a key for into a [`draft`], [`fates`] says why the rest is not needed
//! or not there, [`rules`] does so for `es_rules`. Every line of the old files that says something is in the report.

mod collection;
pub mod disk;
mod draft;
mod entry;
mod fates;
mod format;
pub(crate) mod fuzzing;
mod ini;
mod names;
mod picture;
mod push;
mod report;
mod rules;
mod script;
mod takeover;
mod template;
mod text;
mod values;
mod writer;
mod yaml;

pub use collection::{Collection, Wanted};
pub use draft::SecretFile;
pub use report::{Report, View};
pub use template::{NewFile, Objection, Proposal};
pub use writer::{Shown, Written};

use std::path::PathBuf;

/// Largest file that is read, in bytes; the largest that anybody has seen has 40 KiB.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Longest value that is read, in bytes: no key of zmesd takes more.
const MAX_VALUE: usize = 4096;
/// So many settings are read of one file; all servers together had not two hundred.
const MAX_SETTINGS: usize = 5000;
/// Longest name of another value in `{{name}}`, in bytes.
const MAX_NAME: usize = 64;

/// A file as it was found.
#[derive(Clone)]
pub struct Source {
    /// Where.
    pub path: PathBuf,
    /// What is in it. May hold secrets.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why nothing at all is imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", .path.display(), .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct Refusal {
    /// In which file.
    pub path: PathBuf,
    /// In which line, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong. Never a piece of the file: it could be a secret.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

#[cfg(test)]
mod tests;
