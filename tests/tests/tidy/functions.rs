//! No function is longer than a person keeps in mind.

use anyhow::{Result, ensure};

use crate::tree::File;
use crate::{none, sources};

/// Longest function, in lines, from `fn` to its closing brace.
const MAX_LINES: usize = 100;

#[test]
fn no_function_is_too_long() -> Result<()> {
    let (mut findings, mut seen) = (Vec::new(), 0);
    for file in sources()? {
        for (line, name, length) in functions(&file) {
            seen += 1;
            if length > MAX_LINES {
                findings
                    .push(format!("{}:{line}: `{name}` has {length} lines, at most {MAX_LINES}", file.name));
            }
        }
    }
    ensure!(seen > 1000, "only {seen} functions found: the check does not see");
    none(&findings)
}

/// Returns line, name and length of each function that has a body. rustfmt closes a body below the beginning of its
/// `fn`.
fn functions(file: &File) -> Vec<(usize, &str, usize)> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closes = |line: &&str| line.trim_end() == format!("{}}}", " ".repeat(indent));
        let body = lines.iter().skip(start);
        // A declaration of a trait has no body; a short body closes on its own line.
        let length = body.clone().position(closes).map_or(1, |end| end + 1);
        let opens = body.clone().position(|line| line.ends_with('{')).unwrap_or(usize::MAX);
        if opens < length && !body.take(opens).any(|line| line.ends_with([';', '}'])) {
            found.push((start + 1, name, length));
        }
    }
    found
}

/// Returns the name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = ["pub", "const", "async", "unsafe", "pub(super)", "pub(crate)"];
    let begins =
        before.split_whitespace().all(|word| modifiers.contains(&word) || word.starts_with("pub(in"));
    let end = after.find(|character: char| !character.is_alphanumeric() && character != '_')?;
    after.get(..end).filter(|name| begins && !name.is_empty())
}

#[test]
fn functions_are_measured_from_their_first_to_their_last_line() {
    let text = "trait T {\n    fn declared(&self) -> u8;\n    fn short(&self) {}\n}\n\
                pub(super) async fn long(\n    a: u8,\n) -> u8 {\n    if a > 0 {\n    }\n    a\n}\n";
    let file = File { name: "a.rs".into(), text: text.into() };
    assert_eq!(functions(&file), [(5, "long", 7)]);
}
