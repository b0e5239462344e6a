//! `token:monlist:intlist:platform:pushstate`, one per line, and the shorter lines of older servers.
//!
//! A token may contain colons, so fields are counted from the right. Older lines have fewer: `token`,
//! `token:monlist`, `token:monlist:platform`, `token:monlist:intlist:platform`.

use super::{EntryRefusal, FileEntry, FilePlace, Raw, shown};

/// Parses all lines; blank ones are ignored.
pub(super) fn parse(text: &[u8]) -> Vec<FileEntry> {
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    lines.filter_map(|(index, line)| entry(FilePlace::Line(index + 1), line)).collect()
}

fn entry(place: FilePlace, line: &[u8]) -> Option<FileEntry> {
    let Ok(line) = std::str::from_utf8(line) else {
        let content = Err(EntryRefusal::Damaged("not UTF-8".to_owned()));
        return Some(FileEntry { place, shown: "…".to_owned(), content });
    };
    // This also trims the carriage return of Windows files.
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    let fields: Vec<&str> = line.split(':').collect();
    let (raw, token) = split(&fields);
    let raw = Raw { token: &token, ..raw };
    if token.trim().is_empty() {
        let content = Err(EntryRefusal::Useless("no token".to_owned()));
        return Some(FileEntry { place, shown: shown(""), content });
    }
    let mut entry = raw.judge(place);
    if let (Err(EntryRefusal::Damaged(reason)), true) = (&mut entry.content, is_shifted(&fields)) {
        "damaged by an early event server 0.93, which cut the token at a colon and lost the platform"
            .clone_into(reason);
    }
    Some(entry)
}

/// Assigns the fields. The token is returned separately, because its pieces may have to be joined.
fn split<'a>(fields: &[&'a str]) -> (Raw<'a>, String) {
    let last = fields.len().saturating_sub(1);
    // The platform is the last field, or the one before it if the push state follows.
    let (before, platform, pushstate) = match fields {
        [before @ .., platform, pushstate] if is_platform(platform) && !is_platform(pushstate) => {
            (before, *platform, *pushstate)
        }
        [before @ .., platform] if !before.is_empty() && is_platform(platform) => (before, *platform, ""),
        // No platform. With five fields, this is the usual layout with an unknown word in its place.
        [before @ .., platform, pushstate] if last >= 4 => (before, *platform, *pushstate),
        _ => (fields, "", ""),
    };
    let full = !pushstate.is_empty() || fields.len() > 4 && before.len() == last - 1;
    let (token, monlist, intlist) = match before {
        [token @ .., monlist, intlist]
            if !token.is_empty() && (full || is_list(monlist) && is_list(intlist)) =>
        {
            (token, *monlist, *intlist)
        }
        [token @ .., monlist] if !token.is_empty() && is_list(monlist) => (token, *monlist, ""),
        token => (token, "", ""),
    };
    (Raw { monlist, intlist, platform, pushstate, ..Raw::default() }, token.join(":"))
}

/// `a:b:1,2:0,0:android:enabled` was sometimes written as `a:b:1,2:0,0:enabled`: the second list replaced the platform.
fn is_shifted(fields: &[&str]) -> bool {
    matches!(fields, [.., intlist, "enabled" | "disabled"] if fields.len() >= 4 && is_list(intlist))
}

fn is_platform(field: &str) -> bool {
    ["ios", "android"].iter().any(|platform| field.trim().eq_ignore_ascii_case(platform))
}

/// Returns whether a field can be a list: numbers and commas, or empty.
fn is_list(field: &str) -> bool {
    field.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b' ' | b'-'))
}
