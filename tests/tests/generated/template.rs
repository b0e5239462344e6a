//! The hand-written parts of the manual: `man/src/PAGE`, with lines `@@NAME@@` where something generated belongs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use zmes_shared::control::PROTOCOL;
use zmes_tests::repository;

/// Header above the generated text. Names are copied from these pages, so hyphenation, which would add hyphens, is off.
const HEAD: &str = "\
.\\\" Generated from man/src; to change it see man/README.md.
.nr HY 0
";

/// Returns the directory of the hand-written parts.
pub(crate) fn source_directory() -> Result<PathBuf> {
    Ok(repository()?.join("man/src"))
}

/// Returns a page: the hand-written part with each `@@NAME@@` line replaced by the part of that name. Unused parts and
/// unknown names are errors.
pub(crate) fn fill(page: &str, parts: &[(&str, String)]) -> Result<String> {
    let source =
        fs::read_to_string(source_directory()?.join(page)).with_context(|| format!("man/src/{page}"))?;
    let minor = PROTOCOL.minor.to_string();
    let source = source.replace("@@version@@", env!("CARGO_PKG_VERSION")).replace("@@minor@@", &minor);
    let mut filled = HEAD.to_owned();
    let mut used = Vec::new();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("@@").and_then(|line| line.strip_suffix("@@")) {
            let part = parts.iter().find(|(known, _)| *known == name);
            filled.push_str(&part.with_context(|| format!("no part {name}"))?.1);
            used.push(name);
        } else {
            filled.push_str(line);
            filled.push('\n');
        }
    }
    if let Some((name, _)) = parts.iter().find(|(name, _)| !used.contains(name)) {
        bail!("man/src/{page} has no place for {name}");
    }
    Ok(filled)
}
