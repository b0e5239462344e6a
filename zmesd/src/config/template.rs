//! The commented default file, written from the table of keys.

use std::fmt::Write;

use super::file::SECTIONS;
use super::section::{Key, Section};

const HEAD: &str = "\
# The configuration of zmesd, the event notification server for ZoneMinder.
#
# Every key stands here with its default: change what you need, leave out what you do not.
# Durations are written 20ms, 5s, 10m, 1h, 60d. Relative paths are looked up in $CREDENTIALS_DIRECTORY, then beside
# this file. `zmesd check-config` says all that is wrong; `zmesctl reload` puts most changes in force.
";

/// A section of a file, and which of several of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TablePlace {
    /// Its dotted name.
    pub path: &'static str,
    /// From 0.
    pub index: usize,
}

/// What stands in a file in place of a default.
#[derive(Debug, Clone)]
pub struct Fill {
    /// In which section.
    pub place: TablePlace,
    /// In place of which key.
    pub key: &'static str,
    /// Comments above it, on one line each.
    pub comments: Vec<String>,
    /// The line: `key = value`.
    pub line: String,
}

/// Returns the commented default file.
pub fn default_file() -> String {
    filled_file(HEAD, &[])
}

/// Returns the commented default file under another head, with other values in some places.
pub fn filled_file(head: &str, fills: &[Fill]) -> String {
    let mut text = head.to_owned();
    for section in SECTIONS {
        let of_section = fills.iter().filter(|fill| fill.place.path == section.path);
        let last = of_section.map(|fill| fill.place.index).max().unwrap_or_default();
        for index in 0..=last {
            write_section(&mut text, section, index, fills);
        }
    }
    text
}

// Writing to a String cannot fail, hence the dropped results.
fn write_section(text: &mut String, section: &Section, index: usize, fills: &[Fill]) {
    text.push('\n');
    // What the section is about stands above the first of several.
    for line in section.about.iter().filter(|_| index == 0) {
        let _ = writeln!(text, "#{line}");
    }
    let (open, close) = if section.repeated { ("[[", "]]") } else { ("[", "]") };
    let _ = writeln!(text, "{open}{}{close}", section.path);
    for key in section.keys {
        let place = |fill: &&Fill| fill.place.path == section.path && fill.place.index == index;
        let fill = fills.iter().filter(place).find(|fill| fill.key == key.name);
        write_key(text, key, fill, index == 0);
    }
}

fn write_key(text: &mut String, key: &Key, fill: Option<&Fill>, explained: bool) {
    for line in key.doc.iter().filter(|_| explained) {
        let _ = writeln!(text, "#{line}");
    }
    if key.form.by_file() && explained {
        let _ = writeln!(text, "# Or {}-file = \"/path\" of a file that holds it alone.", key.name);
    }
    for comment in fill.map(|fill| fill.comments.as_slice()).unwrap_or_default() {
        let _ = writeln!(text, "# {comment}");
    }
    let _ = match fill {
        Some(fill) => writeln!(text, "{}", fill.line),
        None => writeln!(text, "{} = {}", key.name, key.default),
    };
}

#[cfg(test)]
mod tests;
