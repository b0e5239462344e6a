//! The habits of this repository that no compiler checks.
//!
//! Each test lists everything that is wrong, with file and line. What a check looks for is written in pieces where
//! it would otherwise find itself.

mod crates;
mod functions;
mod keys;
mod layers;
mod names;
mod prose;
mod tool;
mod tree;
mod walks;
mod words;

use std::fs;

use anyhow::{Context, Result, ensure};
use zmes_tests::repository;

use crate::layers::{Room, imports, may_import};
use crate::tree::{File, files};

/// Longest source file, in lines, tests included.
const MAX_LINES: usize = 500;
/// File names that do not describe their content.
const EMPTY_NAMES: [&str; 6] = ["utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "types.rs"];
/// What no type is called: words that mean everything.
const EMPTY_WORDS: [&str; 5] = ["Manager", "Handler", "Helper", "Service", "Notification"];

/// Fails with all findings at once.
fn none(findings: &[String]) -> Result<()> {
    ensure!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
    Ok(())
}

fn sources() -> Result<Vec<File>> {
    let sources: Vec<File> = files()?.into_iter().filter(|file| file.has_extension("rs")).collect();
    ensure!(sources.len() > 20, "only {} source files found: is this the repository?", sources.len());
    Ok(sources)
}

#[test]
fn no_source_file_is_too_long() -> Result<()> {
    let mut findings = Vec::new();
    for file in sources()? {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            findings.push(format!(
                "{}: {lines} lines, at most {MAX_LINES}: split it by reasons to change",
                file.name
            ));
        }
    }
    none(&findings)
}

#[test]
fn every_source_file_says_what_it_is_for() -> Result<()> {
    let mut findings = Vec::new();
    for file in sources()? {
        // The unit tests of `foo.rs` in `foo/tests.rs` are for what that file is for.
        if !file.text.starts_with("//! ") && file.base_name() != "tests.rs" {
            findings.push(format!("{}:1: no `//!` comment that says what this file owns", file.name));
        }
        if EMPTY_NAMES.contains(&file.base_name()) {
            findings.push(format!("{}: name it after what is in it", file.name));
        }
    }
    none(&findings)
}

#[test]
fn no_type_has_an_empty_name() -> Result<()> {
    let mut findings = Vec::new();
    for file in sources()? {
        for (number, line) in file.code_lines() {
            let mut words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
            let defined =
                words.find(|word| ["struct", "enum", "trait", "type"].contains(word)).and(words.next());
            let Some(name) = defined else { continue };
            if EMPTY_WORDS.iter().any(|word| name.contains(word)) {
                findings
                    .push(format!("{}:{number}: `{name}`: see the glossary in ARCHITECTURE.md", file.name));
            }
        }
    }
    none(&findings)
}

#[test]
fn no_type_has_a_name_that_many_types_have() -> Result<()> {
    let defined = names::defined(&sources()?);
    ensure!(defined.len() > 300, "only {} types found: the check does not see", defined.len());
    let often = defined.iter().filter(|(_, places)| places.len() > names::AT_MOST);
    none(&often.map(|(name, places)| format!("{name}: {}", places.join(" "))).collect::<Vec<_>>())
}

#[test]
fn each_station_of_the_walks_through_the_house_is_there() -> Result<()> {
    let architecture =
        fs::read_to_string(repository()?.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let walks = walks::walks(&architecture);
    ensure!(walks.len() == 4, "{} walks found", walks.len());
    none(&walks::findings(&walks, &files()?))
}

#[test]
fn rooms_import_only_what_lies_below_them() -> Result<()> {
    let mut findings = Vec::new();
    let mut seen = 0;
    for file in sources()? {
        let Some(room) = Room::of_file(&file.name) else { continue };
        let Some(level) = room.level() else {
            findings.push(format!("{}: the room `{room}` has no place in tidy/layers.rs", file.name));
            continue;
        };
        for (line, target) in imports(&file) {
            seen += 1;
            if !may_import(&room, level, &target) {
                findings.push(format!("{}:{line}: `{room}` must not know `{target}`", file.name));
            }
        }
    }
    ensure!(seen > 10, "only {seen} imports found: the check does not see");
    none(&findings)
}

#[test]
fn modules_of_zmesctl_import_only_what_lies_below_them() -> Result<()> {
    let findings: Vec<_> = sources()?.iter().flat_map(tool::wrong_imports).collect();
    none(&findings)
}

#[test]
fn crates_depend_only_on_what_lies_below_them() -> Result<()> {
    none(&crates::findings()?)
}

#[test]
fn nothing_that_answers_admins_looks_for_words_in_a_sentence() -> Result<()> {
    let mut findings = Vec::new();
    for file in sources()? {
        let searches = prose::searches(&file);
        findings.extend(searches.into_iter().map(|(line, what)| format!("{}:{line}: `{what}`", file.name)));
    }
    none(&findings)
}

#[test]
fn nothing_is_left_to_be_done_later() -> Result<()> {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    none(&tree::lines_with(&words, &[])?)
}

#[test]
fn no_workplace_and_no_registry_is_named() -> Result<()> {
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/tmp/", "wt"),
        concat!("crates", ".io"),
        concat!("static.rust", "-lang"),
    ];
    // The lock files name the registry because cargo writes them so.
    none(&tree::lines_with(&words, &["Cargo.lock", "fuzz/Cargo.lock"])?)
}

#[test]
fn the_changelog_begins_with_what_is_not_released_or_with_this_version() -> Result<()> {
    let text = fs::read_to_string(repository()?.join("CHANGELOG.md")).context("CHANGELOG.md")?;
    let top = text.lines().find(|line| line.starts_with("## ")).context("no section")?;
    let version = concat!("## [", env!("CARGO_PKG_VERSION"), "]");
    ensure!(top.starts_with("## [Unreleased]") || top.starts_with(version), "top section is `{top}`");
    Ok(())
}

#[test]
fn the_unit_file_keeps_shared_memory_and_the_state_alive() -> Result<()> {
    let mut findings = Vec::new();
    for file in files()?.iter().filter(|file| file.has_extension("service")) {
        let mut keys: Vec<(usize, &str)> = Vec::new();
        for (number, line) in (1..).zip(file.text.lines()) {
            keys.extend(line.split_once('=').map(|(key, _)| (number, key.trim())));
        }
        // Both remove shared memory of the user that the daemon shares with ZoneMinder when the unit stops.
        for (number, key) in keys.iter().filter(|(_, key)| ["RemoveIPC", "DynamicUser"].contains(key)) {
            findings.push(format!("{}:{number}: {key} must stay unset", file.name));
        }
        // What runs to its end is neither reloaded nor restarted.
        let once = file.text.lines().any(|line| line == "Type=oneshot");
        // It reads no configuration.
        let hook = file.base_name().starts_with("zmes-hook@");
        let only_daemons = ["ExecReload", "Restart"];
        for wanted in ["Type", "ExecStart", "ExecReload", "Restart", "NoNewPrivileges", "ProtectSystem"] {
            let dispensable = once && only_daemons.contains(&wanted) || hook && wanted == "ExecReload";
            if !dispensable && !keys.iter().any(|(_, key)| *key == wanted) {
                findings.push(format!("{}: no {wanted}", file.name));
            }
        }
    }
    none(&findings)
}
