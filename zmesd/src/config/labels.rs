//! `[labels]` as values.

use std::fmt;
use std::path::Path;

use toml::de::DeTable;
use zmes_zoneminder::LabelSources;

use super::LabelsConfig;
use super::file::LabelsSection;
use super::problem::Problems;
use super::reader::Reader;

impl Default for LabelsConfig {
    /// The values for a file without `[labels]`.
    fn default() -> Self {
        let mut problems = Problems::new(Path::new(""));
        LabelsSection::once(&mut Reader::new("", &[], &mut problems), &DeTable::new()).config()
    }
}

impl LabelsConfig {
    /// Returns where labels are looked for.
    pub fn sources(&self) -> LabelSources {
        LabelSources {
            notes: self.source.contains(&LabelSource::Notes),
            tags: self.source.contains(&LabelSource::Tags),
        }
    }
}

/// One entry of `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelSource {
    Notes,
    Tags,
}

impl LabelSource {
    const ALL: [Self; 2] = [Self::Notes, Self::Tags];

    fn word(self) -> &'static str {
        match self {
            Self::Notes => "notes",
            Self::Tags => "tags",
        }
    }

    /// Reads the word.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.word() == text)
    }
}

impl fmt::Display for LabelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `without`: what becomes of a push whose wait is over without labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutLabels {
    Send,
    Drop,
}
