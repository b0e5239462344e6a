//! Facts stay facts: where admins are answered, no code looks for words in a sentence.
//!
//! What this sees: a search or a cut (`contains`, `split_once`, …) on a name that holds a sentence, or for one, in the code
//! that ships, over broken lines too. What it cannot see: a sentence under another name (`text`), and a `match` or `==` on
//! one; review has to.

use crate::tree::File;

/// Where it holds.
const ROOMS: [&str; 3] = ["zmesd/src/admin/", "zmesd/src/control/", "zmesctl/src/"];
/// Names of sentences.
const SENTENCES: [&str; 8] =
    ["detail", "message", "reason", "hint", "explanation", "error", "sentence", "refusal"];
/// Functions that search for words.
const SEARCHES: [&str; 12] = [
    "starts_with",
    "ends_with",
    "contains",
    "find",
    "rfind",
    "split",
    "rsplit",
    "split_once",
    "rsplit_once",
    "strip_prefix",
    "strip_suffix",
    "matches",
];
/// What makes text of a value, or another form of it: the name before it counts.
const FORMS: [&str; 8] =
    ["to_string", "as_str", "as_deref", "as_ref", "clone", "trim", "to_lowercase", "unwrap_or_default"];

/// Returns the lines of a file that search for words in a sentence, with the function used.
pub(crate) fn searches(file: &File) -> Vec<(usize, String)> {
    if !ROOMS.iter().any(|room| file.name.starts_with(room)) || file.name.contains("/tests") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in statements(file) {
        for search in SEARCHES {
            let call = format!(".{search}(");
            for (at, _) in line.match_indices(&call) {
                let before = line.get(..at).unwrap_or_default();
                let after = line.get(at + call.len()..).unwrap_or_default();
                let argument = after.trim_start_matches(['&', '*']);
                let argument = argument.split(|c: char| !is_of_chain(c)).next().unwrap_or_default();
                let chain = before.rsplit(|c: char| !is_of_chain(c)).next().unwrap_or_default();
                if names_a_sentence(chain) || names_a_sentence(argument) {
                    found.push((number, format!("{chain}{call}{argument}")));
                }
            }
        }
    }
    found
}

/// Joins what rustfmt has broken before a dot; the unit tests at the end are left out.
fn statements(file: &File) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    for (number, line) in file.code_lines().take_while(|(_, line)| line.trim() != "#[cfg(test)]") {
        let line = line.trim();
        match statements.last_mut() {
            Some((_, last)) if line.starts_with('.') => last.push_str(line),
            Some(_) | None => statements.push((number, line.to_owned())),
        }
    }
    statements
}

fn is_of_chain(c: char) -> bool {
    c.is_alphanumeric() || "_.()?".contains(c)
}

/// Says whether the last name of `finding.detail.as_str()` is that of a sentence.
fn names_a_sentence(chain: &str) -> bool {
    let mut names =
        chain.split('.').map(|name| name.trim_end_matches(['(', ')', '?']).trim_start_matches('('));
    let last = names.rfind(|name| !name.is_empty() && !FORMS.contains(name));
    last.is_some_and(|name| SENTENCES.contains(&name))
}

#[test]
fn a_search_in_a_sentence_is_seen() {
    let seen = |code: &str| {
        let file = File { name: "zmesd/src/admin/x.rs".to_owned(), text: code.to_owned() };
        searches(&file).len()
    };
    for wrong in [
        "if finding.detail.contains(\"layout\") {",
        "let cause = error.to_string().split_once(\": \");",
        "meant.contains(&last.reason.as_str())",
        "let known = view\n    .reason\n    .as_deref()\n    .unwrap_or_default()\n    .starts_with(\"permission\");",
        "(message.trim()).rsplit(\"; \")",
    ] {
        assert_eq!(seen(wrong), 1, "{wrong}");
    }
    for right in [
        "names.contains(&name)",
        "let (key, value) = line.split_once('=')?;",
        "// error.contains is not said here",
        "catalog.find(id).map(|monitor| monitor.reason)",
        "#[cfg(test)]\nassert!(finding.detail.contains(\"x\"));",
    ] {
        assert_eq!(seen(right), 0, "{right}");
    }
}
