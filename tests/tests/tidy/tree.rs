//! The files of the repository, without build output and third-party files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use zmes_tests::repository;

/// Directories that are not ours to judge: built, version control, recorded from elsewhere, bytes of the fuzzer.
const SKIPPED: [&str; 8] = ["target", ".git", ".bench", "fixtures", "lab", "corpus", "artifacts", "found"];
/// Extensions of text files.
const EXTENSIONS: [&str; 10] = ["rs", "md", "toml", "lock", "sh", "service", "conf", "json", "sql", "yml"];

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    /// Path below the repository, with `/`.
    pub(crate) name: String,
    /// Its content.
    pub(crate) text: String,
}

impl File {
    /// Says whether the name ends in `.extension`.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.name).extension().is_some_and(|found| found == extension)
    }

    /// Returns the name without directories.
    pub(crate) fn base_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// Iterates over the lines that are not comments, each with its number.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Returns every text file, ordered by name.
pub(crate) fn files() -> Result<Vec<File>> {
    let mut found = Vec::new();
    collect(repository()?, "", &mut found)?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn collect(directory: &Path, prefix: &str, found: &mut Vec<File>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let base = entry.file_name().to_string_lossy().into_owned();
        let name = format!("{prefix}{base}");
        if entry.file_type()?.is_dir() {
            if !SKIPPED.contains(&base.as_str()) {
                collect(&entry.path(), &format!("{name}/"), found)?;
            }
        } else if is_text(&base) {
            let text = fs::read_to_string(entry.path()).with_context(|| name.clone())?;
            found.push(File { name, text });
        }
    }
    Ok(())
}

/// Scripts have no extension here (`tests/run`), and every binary file has one.
fn is_text(name: &str) -> bool {
    match Path::new(name).extension() {
        Some(extension) => EXTENSIONS.iter().any(|known| extension == *known),
        None => !name.starts_with('.'),
    }
}

/// Returns every line that contains one of `words`, in every file but `except`.
pub(crate) fn lines_with(words: &[&str], except: &[&str]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files()?.iter().filter(|file| !except.contains(&file.name.as_str())) {
        for (number, line) in (1..).zip(file.text.lines()) {
            findings.extend(
                words
                    .iter()
                    .filter(|word| line.contains(*word))
                    .map(|word| format!("{}:{number}: `{word}`", file.name)),
            );
        }
    }
    Ok(findings)
}
