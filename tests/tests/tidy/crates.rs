//! Which crate of the workspace may depend on which: the compiler holds it, this table says it.

use std::fs;

use anyhow::{Context, Result};
use zmes_tests::repository;

/// Folders of crates with the crates of the workspace that they may name in `[dependencies]`.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("shared", &[]),
    ("zmesd/cluster", &["zmes-files", "zmes-mysql", "zmes-shared"]),
    ("zmesd/files", &[]),
    ("zmesd/legacy", &["zmes-files", "zmes-shared"]),
    ("zmesd/mysql", &["zmes-shared"]),
    ("zmesd/providers", &["zmes-files", "zmes-shared"]),
    ("zmesd/zoneminder", &["zmes-files", "zmes-mysql", "zmes-shared"]),
    (
        "zmesd",
        &["zmes-cluster", "zmes-files", "zmes-legacy", "zmes-providers", "zmes-shared", "zmes-zoneminder"],
    ),
    ("zmesctl", &["zmes-cluster", "zmes-shared"]),
    ("tests", &["zmes-shared"]),
];

/// Returns the violations in the crates' dependencies.
pub(crate) fn findings() -> Result<Vec<String>> {
    let root = manifest("")?;
    let members = root["workspace"]["members"].as_array().context("no members")?;
    let mut findings = Vec::new();
    for folder in members.iter().filter_map(toml::Value::as_str) {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == folder) else {
            findings.push(format!("{folder}: not in the table of tidy/crates.rs"));
            continue;
        };
        let crates = manifest(folder)?;
        let own = crates.get("dependencies").and_then(toml::Value::as_table).into_iter().flatten();
        let ours = own.map(|(name, _)| name).filter(|name| name.starts_with("zmes"));
        findings.extend(
            ours.filter(|name| !allowed.contains(&name.as_str()))
                .map(|name| format!("{folder}/Cargo.toml: must not depend on {name}")),
        );
    }
    Ok(findings)
}

fn manifest(folder: &str) -> Result<toml::Table> {
    let path = repository()?.join(folder).join("Cargo.toml");
    fs::read_to_string(&path)?.parse().with_context(|| path.display().to_string())
}
