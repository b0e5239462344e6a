//! The pages under the two programs that judge manual pages, and what the pages say against what the sources say.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use zmes_tests::{installed, repository};

use crate::PAGES;
use crate::template::source_directory;

/// Remarks on style that cannot be followed, with why.
const UNAVOIDABLE: [&str; 2] = [
    // A synopsis, a path or a line to copy is as long as it is.
    "input text line longer than 80 bytes",
    // The pages of other packages are not installed where this is tested.
    "referenced manual not found",
];

/// Runs a program that checks a page; returns its output.
fn judge(page: &str, command: &mut Command) -> Result<(String, String)> {
    let source = tempfile::NamedTempFile::with_suffix(format!("-{page}"))?;
    fs::write(source.path(), crate::page(page)?)?;
    let output = command.arg(source.path()).output().with_context(|| format!("{command:?}"))?;
    Ok((String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
}

#[test]
fn mandoc_finds_nothing() -> Result<()> {
    if !installed("mandoc")? {
        return Ok(());
    }
    let mut findings = Vec::new();
    for page in PAGES {
        let (stdout, stderr) = judge(page, Command::new("mandoc").args(["-T", "lint", "-W", "style"]))?;
        let said = stdout.lines().chain(stderr.lines());
        let remarks = said.filter(|line| !UNAVOIDABLE.iter().any(|remark| line.contains(remark)));
        findings.extend(remarks.map(|line| format!("{page}: {line}")));
    }
    ensure!(findings.is_empty(), "{}", findings.join("\n"));
    Ok(())
}

#[test]
fn groff_warns_of_nothing() -> Result<()> {
    if !installed("man")? || !installed("groff")? {
        return Ok(());
    }
    for page in PAGES {
        for width in ["80", "132"] {
            let mut man = Command::new("man");
            man.args(["--warnings", "-E", "UTF-8", "-l"]).envs([("MANWIDTH", width), ("LC_ALL", "C.UTF-8")]);
            let (text, said) = judge(page, man.env_remove("MANROFFOPT"))?;
            ensure!(said.is_empty(), "{page} at {width} columns: {said}");
            ensure!(text.contains("SEE ALSO") && !text.contains("@@"), "{page} at {width} columns:\n{text}");
        }
    }
    Ok(())
}

/// Guides and greps search for these words, so a page must not promise others. In the section LOG, `.BI` lines
/// alternate between words of the log and placeholders.
#[test]
fn the_log_says_what_the_manual_says_that_it_does() -> Result<()> {
    let page = fs::read_to_string(source_directory()?.join("zmesd.8"))?;
    let section =
        page.split("\n.SH ").find(|section| section.starts_with("LOG\n")).context("no section LOG")?;
    let mut sources = String::new();
    let mut directories = vec![repository()?.join("zmesd/src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                sources.push_str(&fs::read_to_string(path)?);
            }
        }
    }
    let mut checked = 0;
    for line in section.lines().filter(|line| line.starts_with(".BI \"") || line.starts_with(".B \"")) {
        for words in line.split('"').skip(1).step_by(2).map(str::trim).filter(|words| words.len() > 4) {
            checked += 1;
            ensure!(
                sources.contains(&words.replace("\\-", "-")),
                "zmesd(8) promises `{words}`, which no source says"
            );
        }
    }
    ensure!(checked > 10, "only {checked} lines of the log are described");
    Ok(())
}
