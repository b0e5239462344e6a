//! Which crate of the workspace may depend on which: the compiler holds what this table says.

use crate::tree::File;

/// The crates of the workspace with those that each may name in its `Cargo.toml`.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("zmes-shared", &[]),
    ("zmes-files", &[]),
    ("zmes-zoneminder", &["zmes-shared", "zmes-files"]),
    ("zmes-providers", &["zmes-shared", "zmes-files"]),
    ("zmes-legacy", &["zmes-shared", "zmes-files"]),
    ("zmesd", &["zmes-shared", "zmes-files", "zmes-zoneminder", "zmes-providers", "zmes-legacy"]),
    ("zmesctl", &["zmes-shared"]),
    (
        "zmes-tests",
        &[
            "zmes-shared",
            "zmes-files",
            "zmes-zoneminder",
            "zmes-providers",
            "zmes-legacy",
            "zmesd",
            "zmesctl",
        ],
    ),
];

/// Returns what is wrong with the dependencies of a `Cargo.toml`; a manifest without a package, or one outside of the
/// workspace, has none.
pub(crate) fn findings(manifest: &File) -> Vec<String> {
    let Some(name) = package(&manifest.text) else { return Vec::new() };
    let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{}: the crate `{name}` is not in tidy/crates.rs", manifest.name)];
    };
    dependencies(&manifest.text)
        .filter(|(_, dependency)| ALLOWED.iter().any(|(known, _)| known == dependency))
        .filter(|(_, dependency)| !allowed.contains(dependency))
        .map(|(line, dependency)| format!("{}:{line}: `{name}` must not know `{dependency}`", manifest.name))
        .collect()
}

/// Returns the name of the package that a manifest describes.
fn package(manifest: &str) -> Option<&str> {
    let section =
        manifest.split("\n[").find(|section| section.trim_start_matches('[').starts_with("package]"))?;
    let line = section.lines().find_map(|line| line.strip_prefix("name = "))?;
    Some(line.trim_matches('"'))
}

/// Returns the first word of each line in the sections of dependencies, with the number of the line.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut within = false;
    (1..).zip(manifest.lines()).filter_map(move |(number, line)| {
        if line.starts_with('[') {
            within = line.trim_end_matches(']').ends_with("dependencies");
        }
        let name = line.split([' ', '.', '=']).next().unwrap_or_default();
        (within && !name.is_empty() && !name.starts_with(['[', '#'])).then_some((number, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        findings(&File { name: "x/Cargo.toml".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn what_the_table_does_not_allow_is_found_in_every_kind_of_dependency() {
        let crate_named =
            |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\n\n[dependencies]\n{rest}");
        assert!(of(&crate_named("zmes-zoneminder", "zmes-shared = { workspace = true }\n")).is_empty());
        assert!(of("[workspace]\nmembers = []\n").is_empty(), "no package");
        assert_eq!(
            of(&crate_named("zmes-zoneminder", "zmesd.workspace = true\n")),
            ["x/Cargo.toml:5: `zmes-zoneminder` must not know `zmesd`"]
        );
        assert_eq!(
            of(&crate_named("zmes-legacy", "tokio = \"1\"\n[dev-dependencies]\nzmesd = { path = \"..\" }\n")),
            ["x/Cargo.toml:7: `zmes-legacy` must not know `zmesd`"]
        );
        assert_eq!(
            of(&crate_named("zmes-new", "")),
            ["x/Cargo.toml: the crate `zmes-new` is not in tidy/crates.rs"]
        );
    }
}
