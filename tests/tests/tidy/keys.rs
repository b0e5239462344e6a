//! A key of `zmesd.toml` is declared once: everything else that knows it is made from that declaration.
//!
//! In the room `config` a string that is a key, or a dotted key, stands in its declaration alone. Sentences may name keys
//! everywhere: they must exist.

use anyhow::{Result, ensure};
use zmesd::config::SECTIONS;

use crate::tree::File;
use crate::{none, sources};

/// Says which step of `doctor` a key belongs to.
const STEPS_OF_DOCTOR: &str = "zmesd/src/config/problem.rs";
/// A key of `[watchdog]` that is also an action of `[[rule]]`.
const ACTION: &str = "notify";
/// A section that is also a key of `[[rule]]`.
const SECTION: &str = "labels";
/// A section that is also a key of `[[target]]`.
const PICTURE_SECTION: &str = "picture";
/// A key of `[[target]]` that is also a form of its picture.
const FORM: &str = "link";
/// A key of `[[target]]` that is also a format of the log.
const FORMAT: &str = "text";
/// A key of `[end]` that is also a section, and a channel of `[[rule]]`.
const WAY: &str = "push";
/// Values of `cluster.alone` that are also keys.
const ALONE: [&str; 2] = ["push", "wait"];
/// The file name of the control socket, which looks like a key of `[control]`.
const SOCKET_FILE: &str = "control.sock";
/// Where sentences for people are.
const SPEAKING: [&str; 2] = ["zmesd/src/", "zmesctl/src/"];

#[test]
fn a_key_of_the_configuration_is_declared_once() -> Result<()> {
    let (mut findings, mut declared) = (Vec::new(), 0);
    let of_config =
        |file: &&File| file.name.starts_with("zmesd/src/config/") && !file.name.contains("/tests/");
    for file in sources()?.iter().filter(of_config) {
        for (number, line) in code_before_tests(file) {
            for text in strings(line).filter(|text| is_key(text) || is_dotted_key(text)) {
                let declaration = is_declaration(line, text);
                declared += usize::from(declaration);
                let action = text == ACTION && line.contains("RuleAction::");
                let section = text == SECTION && line.contains("LabelsSection:");
                let section = section || text == PICTURE_SECTION && line.contains("PictureSection:");
                let form = text == FORM && line.contains("PictureChoice::");
                let format = text == FORMAT && line.contains("LogFormat::");
                let way = text == WAY && (line.contains("once {") || line.contains("\"channels\""));
                let alone = ALONE.contains(&text) && line.contains("Alone::");
                let other = action || section || form || format || way || alone;
                if !declaration && !other && file.name != STEPS_OF_DOCTOR {
                    findings.push(format!("{}:{number}: `{text}` is declared in the table", file.name));
                }
            }
        }
    }
    let keys: usize = SECTIONS.iter().map(|section| section.keys.len()).sum();
    ensure!(declared == keys, "{declared} declarations for {keys} keys");
    none(&findings)
}

#[test]
fn sentences_name_keys_that_exist() -> Result<()> {
    let (mut findings, mut seen) = (Vec::new(), 0);
    for file in sources()? {
        let tests = file.base_name() == "tests.rs" || file.name.contains("/tests/");
        if tests || !SPEAKING.iter().any(|room| file.name.starts_with(room)) {
            continue;
        }
        for (number, line) in code_before_tests(&file) {
            for word in strings(line).flat_map(|text| text.split(|c: char| !is_part_of_word(c))) {
                let word = word.trim_end_matches('.');
                let section = SECTIONS.iter().find(|section| {
                    let rest = word.strip_prefix(section.path).and_then(|rest| rest.strip_prefix('.'));
                    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('.'))
                });
                let Some(section) = section.filter(|_| word != SOCKET_FILE) else { continue };
                seen += 1;
                if !is_dotted_key(word) && !SECTIONS.iter().any(|section| section.path == word) {
                    findings.push(format!("{}:{number}: [{}] has no `{word}`", file.name, section.path));
                }
            }
        }
    }
    ensure!(seen > 10, "only {seen} keys found in sentences: the check does not see");
    none(&findings)
}

/// Says whether the line declares that key: `"name" field: Form = …`.
fn is_declaration(line: &str, key: &str) -> bool {
    let rest = line.trim_start().strip_prefix(&format!("\"{key}\" "));
    rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()))
}

fn is_key(text: &str) -> bool {
    SECTIONS.iter().flat_map(|section| section.keys).any(|key| key.name == text)
}

fn is_dotted_key(text: &str) -> bool {
    let Some((path, name)) = text.rsplit_once('.') else { return false };
    let path = path.split('[').next().unwrap_or_default();
    SECTIONS
        .iter()
        .filter(|section| section.path == path)
        .flat_map(|section| section.keys)
        .any(|key| key.name == name || (key.form.by_file() && name.strip_suffix("-file") == Some(key.name)))
}

fn is_part_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || ".-_/[]@".contains(character)
}

/// Iterates over the lines of code up to the unit tests.
fn code_before_tests(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.code_lines()
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|_| !file.name.ends_with("tests.rs"))
}

/// Iterates over the string literals of a line.
fn strings(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}
