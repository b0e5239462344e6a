//! `[picture]` as values.

use std::path::Path;

use toml::de::DeTable;

use super::PictureConfig;
use super::file::PictureSection;
use super::problem::Problems;
use super::reader::Reader;

impl Default for PictureConfig {
    /// What a file that does not mention `[picture]` means.
    fn default() -> Self {
        let mut problems = Problems::new(Path::new(""));
        PictureSection::once(&mut Reader::new("", &[], &mut problems), &DeTable::new()).config()
    }
}
