//! One setting of an old configuration, whatever its file looks like.

use std::fmt;
use std::sync::Arc;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileLine {
    /// The file's name without directories.
    pub(super) file: Arc<str>,
    /// The line, from 1.
    pub(super) line: usize,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One setting.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct OldEntry {
    /// Section, as the latest server calls it; [`super::names::SCRIPT`] where a script says what no file has a name for.
    pub(super) section: String,
    /// Key, as the latest server calls it.
    pub(super) key: String,
    /// Both as the file spells them, for people.
    pub(super) shown: String,
    /// The value as it stands there: with quotes, marks of secrets, comments behind it. May be a secret.
    pub(super) value: String,
    /// Where.
    pub(super) place: FileLine,
}

impl OldEntry {
    /// Says whether it has this name.
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

/// A line that says nothing that can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnreadLine {
    /// Its number, from 1.
    pub(super) line: usize,
    /// Why. Never a piece of the file.
    pub(super) why: &'static str,
}

/// What a reader found in a file.
#[derive(Debug, Default)]
pub(super) struct FileContent {
    /// Section, key, value, line: as the file has them.
    pub(super) settings: Vec<RawSetting>,
    /// What is not understood.
    pub(super) unread: Vec<UnreadLine>,
}

/// A setting under the name that its file has for it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RawSetting {
    /// Empty in a script.
    pub(super) section: String,
    /// Its key, or the name of a variable without `$`.
    pub(super) key: String,
    /// As it stands there.
    pub(super) value: String,
    /// Line of the key, from 1.
    pub(super) line: usize,
}

impl fmt::Debug for RawSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSetting").field("key", &self.key).field("line", &self.line).finish_non_exhaustive()
    }
}
