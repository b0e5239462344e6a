//! Parses token files of older event servers: bytes in, records and reasons out. No I/O, no daemon.
//!
//! `tokens.txt` consisted of lines with colons until 5.x (five layouts, see [`colon`]) and is JSON from 6.0 on (see
//! [`json`]). Each token in a file becomes a [`FileEntry`], imported or refused with a reason. An [`Unparsable`] file
//! is refused as a whole.

mod colon;
pub(crate) mod fuzzing;
mod json;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use zmes_shared::control::TokenRecord;
use zmes_shared::text::is_hidden;

/// Maximum length of an imported token in bytes; the daemon has the same limit.
const MAX_TOKEN: usize = 4096;
/// Maximum length of a list of monitors or intervals in bytes: more than any ZoneMinder needs.
const MAX_LIST: usize = 16 * 1024;
/// Maximum number of characters kept of the app's version and profile.
const MAX_NAME: usize = 128;
/// Number of characters of a token that are shown.
const SHOWN: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenFile {
    pub(crate) format: FileFormat,
    /// All entries that contain a token, in the order of the file.
    pub(crate) entries: Vec<FileEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileFormat {
    Empty,
    /// Lines with colons, until 5.x.
    Colon,
    /// JSON, from 6.0 on.
    Json,
}

/// One token in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEntry {
    pub(crate) place: FilePlace,
    /// The end of the token, for people. Only the record contains the whole token.
    pub(crate) shown: String,
    /// The record, or why it cannot be imported.
    pub(crate) content: Result<TokenRecord, EntryRefusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilePlace {
    /// Line number, from 1.
    Line(usize),
    /// Number of the token in a JSON file, from 1.
    Entry(usize),
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Entry(number) => write!(f, "token {number}"),
        }
    }
}

/// Why an entry is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryRefusal {
    /// It contains no data to import.
    Useless(String),
    Damaged(String),
}

/// Why a file is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unparsable {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// What is wrong there. Never contains text of the file: it could be a token.
    pub(crate) detail: String,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<TokenFile, Unparsable> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let detail = "the file is UTF-16: save it as UTF-8".to_owned();
        return Err(Unparsable { line: 1, column: 1, detail });
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut parsed = match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => TokenFile { format: FileFormat::Empty, entries: Vec::new() },
        Some(b'{' | b'[') => TokenFile { format: FileFormat::Json, entries: json::parse(text)? },
        Some(_) => TokenFile { format: FileFormat::Colon, entries: colon::parse(text) },
    };
    let mut last = HashMap::new();
    for (index, entry) in parsed.entries.iter().enumerate() {
        if let Ok(record) = &entry.content {
            last.insert(record.token.clone(), (index, entry.place));
        }
    }
    for (index, entry) in parsed.entries.iter_mut().enumerate() {
        let winner = entry.content.as_ref().ok().and_then(|record| last.get(&record.token));
        if let Some((_, place)) = winner.filter(|(winner, _)| *winner != index) {
            entry.content = Err(EntryRefusal::Useless(format!("replaced by {place}")));
        }
    }
    Ok(parsed)
}

/// What a file says about one token, before validation.
#[derive(Debug, Default)]
struct Raw<'a> {
    token: &'a str,
    monlist: &'a str,
    intlist: &'a str,
    platform: &'a str,
    pushstate: &'a str,
    appversion: &'a str,
    profile: &'a str,
}

impl Raw<'_> {
    fn judge(&self, place: FilePlace) -> FileEntry {
        let content = self.record().map_err(EntryRefusal::Damaged);
        FileEntry { place, shown: shown(self.token), content }
    }

    fn record(&self) -> Result<TokenRecord, String> {
        let token = self.token.trim();
        if token.len() > MAX_TOKEN {
            return Err(format!("the token is longer than {MAX_TOKEN} bytes"));
        }
        if token.chars().any(|character| is_hidden(character) || character.is_whitespace()) {
            return Err("the token contains white space or control characters".to_owned());
        }
        if self.monlist.len().max(self.intlist.len()) > MAX_LIST {
            return Err(format!("a list is longer than {MAX_LIST} bytes"));
        }
        let platform = match self.platform.trim().to_ascii_lowercase().as_str() {
            "ios" => "ios",
            "android" => "android",
            // The oldest files have no platform: at that time there was only iOS.
            "" if is_apns(token) => "ios",
            "" => return Err("no platform: neither ios nor android".to_owned()),
            _ => return Err("the platform is neither ios nor android".to_owned()),
        };
        let pushstate = if self.pushstate.trim() == "disabled" { "disabled" } else { "enabled" };
        Ok(TokenRecord {
            token: token.to_owned(),
            monlist: list(self.monlist),
            intlist: list(self.intlist),
            platform: platform.to_owned(),
            pushstate: pushstate.to_owned(),
            appversion: match name(self.appversion).as_str() {
                "unknown" => String::new(),
                _ => name(self.appversion),
            },
            profile: name(self.profile),
        })
    }
}

/// Parses a list; `-1` means an empty one.
fn list(text: &str) -> String {
    let text = text.trim();
    if text == "-1" { String::new() } else { text.to_owned() }
}

fn name(text: &str) -> String {
    zmes_shared::text::stripped(text.trim(), MAX_NAME)
}

/// Returns whether this looks like an APNs token: 64 hexadecimal digits.
fn is_apns(token: &str) -> bool {
    token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the end of a token: enough to find it in the file, too little to send to the phone.
fn shown(token: &str) -> String {
    let characters = token.trim().chars().count();
    if characters <= 2 * SHOWN {
        return "…".to_owned();
    }
    format!("…{}", token.trim().chars().skip(characters - SHOWN).collect::<String>())
}
