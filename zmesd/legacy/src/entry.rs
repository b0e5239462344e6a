//! One setting of an old configuration, independent of the format of its file.

use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileLine {
    /// The file's name without directories.
    pub(super) file: Arc<str>,
    /// From 1.
    pub(super) line: usize,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct OldEntry {
    /// Section, as the latest server calls it; [`super::names::SCRIPT`] for settings that only scripts have.
    pub(super) section: String,
    /// Key, as the latest server calls it.
    pub(super) key: String,
    /// Section and key as the file spells them, for people.
    pub(super) shown: String,
    /// The value as the file has it: with quotes, marks of secrets, a comment behind it. May be a secret.
    pub(super) value: String,
    pub(super) place: FileLine,
}

impl OldEntry {
    pub(super) fn is(&self, section: &str, key: &str) -> bool {
        self.section == section && self.key == key
    }
}

impl fmt::Debug for OldEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldEntry")
            .field("shown", &self.shown)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// What a reader found in a file.
#[derive(Debug, Default)]
pub(super) struct FileContent {
    pub(super) settings: Vec<RawSetting>,
    /// Lines, from 1, that are not understood, and why. The reason never quotes the file.
    pub(super) unread: Vec<(usize, &'static str)>,
}

/// A setting under the name that its file has for it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RawSetting {
    /// Empty in a script.
    pub(super) section: String,
    /// Its key, or the name of a variable without `$`.
    pub(super) key: String,
    pub(super) value: String,
    /// Line of the key, from 1.
    pub(super) line: usize,
}

impl fmt::Debug for RawSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSetting").field("key", &self.key).field("line", &self.line).finish_non_exhaustive()
    }
}
