//! `zmesd.toml`, built key by key.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The content of a configuration file. Values are TOML text: `"5s"` needs its quotes.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    tables: BTreeMap<String, BTreeMap<String, String>>,
    blocks: Vec<(String, String)>,
}

impl Settings {
    /// Sets `key` in `[table]` to a piece of TOML.
    pub fn set(&mut self, table: &str, key: &str, value: impl Into<String>) {
        self.tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value.into());
    }

    /// Sets `key` in `[table]` to a string.
    pub fn set_text(&mut self, table: &str, key: &str, value: &str) {
        self.set(table, key, quoted(value));
    }

    /// Sets `key` in `[table]` to a path.
    pub fn set_path(&mut self, table: &str, key: &str, path: &Path) {
        self.set_text(table, key, &path.to_string_lossy());
    }

    /// Adds a block `[[table]]` with these keys, all of them strings.
    pub fn add_block(&mut self, table: &str, keys: &[(&str, &str)]) {
        let lines = keys.iter().map(|(key, value)| format!("{key} = {}\n", quoted(value)));
        self.blocks.push((table.to_owned(), lines.collect()));
    }

    /// Copies every key and every block of `other`.
    pub fn overlay(&mut self, other: Self) {
        self.blocks.extend(other.blocks);
        for (table, keys) in other.tables {
            self.tables.entry(table).or_default().extend(keys);
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, table: &str, key: &str) {
        if let Some(keys) = self.tables.get_mut(table) {
            keys.remove(key);
        }
    }

    /// Returns the file's text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (table, keys) in &self.tables {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "[{table}]");
            for (key, value) in keys {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        for (table, keys) in &self.blocks {
            let _ = writeln!(text, "[[{table}]]\n{keys}");
        }
        text
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.render()).with_context(|| path.display().to_string())
    }
}

/// JSON strings are valid TOML basic strings, as far as paths and words go.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
