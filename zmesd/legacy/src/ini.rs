//! The INI files of the event server 1.0 to 6.1, as Perl's `Config::IniFiles` reads them.
//!
//! Comments begin a line with `#` or `;`. A value is what stands behind the first `=`, with all that looks like a comment
//! or a quote in it (see [`super::values`]); `key=<<WORD` goes on to a line that says `WORD`; a `\` at the end of a line
//! joins it with the next one.

use super::MAX_VALUE;
use super::entry::{FileContent, RawSetting};

/// Longest here-document, in lines.
const MAX_HERE_LINES: usize = 200;

pub(super) fn read(text: &str) -> FileContent {
    let mut found = FileContent::default();
    let mut section: Option<String> = None;
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = header(line) {
            section = Some(name.to_owned());
            continue;
        }
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            found.unread.push((number, "neither a section, a comment nor key = value"));
            continue;
        };
        if key.is_empty() {
            found.unread.push((number, "no key before the ="));
            continue;
        }
        let Some(section) = &section else {
            found.unread.push((number, "a key before the first [section]"));
            continue;
        };
        let value = if let Some(word) = here_document(value) {
            match gather(&mut lines, word) {
                Ok(value) => value,
                Err(rest) => {
                    found.unread.push((number, "a here-document without an end"));
                    lines = rest;
                    continue;
                }
            }
        } else {
            continued(&mut lines, value)
        };
        let (section, key) = (section.clone(), key.to_owned());
        found.settings.push(RawSetting { section, key, value, line: number });
    }
    found
}

/// Returns the name of a section; a comment may follow it.
pub(super) fn header(line: &str) -> Option<&str> {
    let (name, rest) = line.trim().strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    let ends = rest.is_empty() || rest.starts_with(['#', ';']);
    ends.then(|| name.trim()).filter(|name| !name.is_empty())
}

/// Returns the word that ends a here-document.
fn here_document(value: &str) -> Option<&str> {
    let word = value.strip_prefix("<<")?.trim().trim_matches(['"', '\'']);
    let plain =
        !word.is_empty() && word.chars().all(|character| character.is_alphanumeric() || character == '_');
    plain.then_some(word)
}

/// Takes lines up to `word`; gives the lines back if it does not come.
fn gather<'t, L>(lines: &mut L, word: &str) -> Result<String, L>
where
    L: Iterator<Item = (usize, &'t str)> + Clone,
{
    let before = lines.clone();
    let mut taken = Vec::new();
    for (_, line) in lines {
        if line.trim() == word {
            return Ok(taken.join("\n"));
        }
        taken.push(line);
        if taken.len() > MAX_HERE_LINES {
            break;
        }
    }
    Err(before)
}

/// Joins a value that ends with `\` with the lines that follow.
fn continued<'t>(lines: &mut impl Iterator<Item = (usize, &'t str)>, value: &str) -> String {
    let mut whole = value.to_owned();
    while let Some(so_far) = whole.strip_suffix('\\').filter(|so_far| so_far.len() <= MAX_VALUE) {
        let so_far = so_far.trim_end().to_owned();
        let Some((_, next)) = lines.next() else { return so_far };
        whole = format!("{so_far} {}", next.trim());
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<String> {
        let found = read(text);
        found.settings.iter().map(|s| format!("{} {}.{}={}", s.line, s.section, s.key, s.value)).collect()
    }

    fn unread(text: &str) -> Vec<String> {
        read(text).unread.iter().map(|(line, why)| format!("{line} {why}")).collect()
    }

    #[test]
    fn sections_keys_and_comments_are_told_apart() {
        let text = "# c\n[network]\nport = 9000\n\n ; c\n\taddress\t=\t[::]\n[ fcm ] # c\nkey=a=b#c;d 'e'\nempty =\n";
        assert_eq!(
            settings(text),
            ["3 network.port=9000", "6 network.address=[::]", "8 fcm.key=a=b#c;d 'e'", "9 fcm.empty="]
        );
        assert_eq!(unread(text), Vec::<String>::new());
    }

    #[test]
    fn values_go_on_over_lines() {
        assert_eq!(settings("[a]\nk = one \\\n   two\nl = 3"), ["2 a.k=one two", "4 a.l=3"]);
        assert_eq!(settings("[a]\nk=<<EOT\none\n# two\nEOT\nl=3"), ["2 a.k=one\n# two", "6 a.l=3"]);
        assert_eq!(settings("[a]\nk=<<\"END\"\nEND\n"), ["2 a.k="]);
        assert_eq!(settings("[a]\nk = end\\"), ["2 a.k=end"]);
        assert_eq!(settings("[a]\nk = << not one\n"), ["2 a.k=<< not one"]);
    }

    #[test]
    fn a_here_document_without_end_takes_nothing_with_it() {
        let text = "[a]\nk=<<EOT\nl = 3\n";
        assert_eq!(settings(text), ["3 a.l=3"]);
        assert_eq!(unread(text), ["2 a here-document without an end"]);
    }

    #[test]
    fn lines_that_say_nothing_are_named() {
        let text = "early = 1\n[a]\nwhat is this\n= 3\n[broken\n";
        assert_eq!(
            unread(text),
            [
                "1 a key before the first [section]",
                "3 neither a section, a comment nor key = value",
                "4 no key before the =",
                "5 neither a section, a comment nor key = value"
            ]
        );
    }
}
