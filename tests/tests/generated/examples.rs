//! The command lines that the manual and the help screens show are some that the programs take.

use std::ffi::OsString;

use anyhow::{Context, Result, ensure};

use crate::{PAGES, page};

/// Returns the lines of the examples of a page, as they are shown.
fn shown(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            ".EX" => inside = true,
            ".EE" => inside = false,
            line if inside => lines.push(unescaped(line)),
            _ => {}
        }
    }
    lines
}

/// Takes the escapes of [`crate::roff::escape`] back.
fn unescaped(line: &str) -> String {
    let pairs = [
        ("\\&", ""),
        ("\\-", "-"),
        ("\\(aq", "'"),
        ("\\(dq", "\""),
        ("\\(ga", "`"),
        ("\\(ti", "~"),
        ("\\e", "\\"),
    ];
    pairs.into_iter().fold(line.to_owned(), |line, (escape, plain)| line.replace(escape, plain))
}

/// Returns the words of a line's first command, without redirections, pipes and comments.
fn words(line: &str) -> Vec<OsString> {
    let command = ["  ", " #", " || ", " | ", " > ", " >", " && ", " 2>"]
        .iter()
        .fold(line, |line, end| line.split(end).next().unwrap_or_default());
    command.split_whitespace().map(|word| word.trim_matches('\'').into()).collect()
}

#[test]
fn every_example_is_a_command_line_that_its_program_takes() -> Result<()> {
    let mut seen = 0;
    for name in PAGES {
        for line in shown(&page(name)?) {
            // A crontab line begins with the time and the user.
            let line = line.find("root zmesctl ").map_or(line.as_str(), |at| line.split_at(at + 5).1);
            let words = words(line);
            let problem = match words.first().and_then(|program| program.to_str()) {
                Some("zmesctl") => zmesctl::cli::parse(&words).err(),
                Some("zmesd") => zmesd::cli::parse(words.into_iter()).err(),
                Some(_) | None => continue,
            };
            seen += 1;
            if let Some(problem) = problem.filter(clap::Error::use_stderr) {
                return Err(problem).with_context(|| format!("{name}: {line}"));
            }
        }
    }
    ensure!(seen > 50, "only {seen} examples found");
    Ok(())
}
