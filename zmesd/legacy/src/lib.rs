//! Converts the configuration of ZoneMinder's older event servers (`zmeventnotification.pl`, `.ini`, `.yml`; versions 0.93
//! to 7) to a `zmesd.toml`. Input: bytes of files. Output: the new file, files for its secrets, and a report that names
//! every line of the old files except comments.
//!
//! This crate does not know the keys of `zmesd.toml`. The caller hands in the commented default file and a check of
//! values ([`NewFile`]).
//!
//! ```
//! use zmes_legacy::{Audience, Collection, NewFile, OldFile, ReportView};
//!
//! let old = OldFile { path: "es.ini".into(), bytes: b"[ssl]\ncert = /c.pem\nkey = /k.pem\n".to_vec() };
//! let defaults = "# Defaults.\n\n[server]\nlisten = []\nplaintext = false\n\n[server.tls]\ncertificate = \"\"\nkey = \"\"\n";
//! let new_file = NewFile { defaults: defaults.to_owned(), check: |_table, _key, _value| Ok(()) };
//!
//! let imported = Collection::of(&[old]).expect("it is a configuration").convert(new_file);
//! assert!(imported.toml(Audience::File).contains("# from es.ini:2 [ssl] cert\ncertificate = \"/c.pem\"\n"));
//! assert!(imported.report.human(&ReportView::default()).contains("Taken over (2)"));
//! ```
//!
//! # Map
//!
//! | step | modules |
//! |---|---|
//! | bytes to text (UTF-8, Latin-1, line ends) | `text` |
//! | what a file is, by its content | `format` |
//! | one reader per generation | `script` (0.93–0.98), `ini` (1.0–6.1), `yaml` (7) |
//! | entries under the names of the latest server | `entry`, `names`, `values`, `collection` |
//! | what becomes of each entry | `takeover` with `push`, `picture`, `mqtt` and `hooks`; `fates` (no counterpart), `rules` (`es_rules`) |
//! | the new file and the report | `draft`, `template`, `writer`, `report` |
//! | reading and writing files | [`disk`]; all else is pure |
//!
//! # Sources
//!
//! The event server's own history: <https://github.com/ZoneMinder/zmeventnotification> (formerly pliablepixels), its
//! configuration files and `Constants.pm` of each release.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod collection;
pub mod disk;
mod draft;
mod entry;
mod fates;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod hooks;
mod ini;
mod mqtt;
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

pub use collection::{Collection, ReferencedFile};
pub use draft::SecretFile;
pub use report::{ImportReport, ReportView};
pub use template::{NewFile, Objection, Proposal};
pub use writer::{Audience, Conversion};

use std::path::PathBuf;

/// Largest file that is read, in bytes; real ones have up to 40 KiB.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Longest value that is read, in bytes: no key of zmesd takes more.
const MAX_VALUE: usize = 4096;
/// Most settings that are read from one file; all servers together had fewer than 200.
const MAX_SETTINGS: usize = 5000;
/// Longest name of another value in `{{name}}`, in bytes.
const MAX_NAME: usize = 64;

/// A file of the old server.
#[derive(Clone)]
pub struct OldFile {
    /// Its path.
    pub path: PathBuf,
    /// Its content. May contain secrets.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for OldFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OldFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why a file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", .path.display(), .line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ImportRefusal {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, if the problem is in one line.
    pub line: Option<usize>,
    /// What is wrong. Never quotes the file, which may contain secrets.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

#[cfg(test)]
mod tests;
