//! Names of types: a search for one finds a single definition, not twelve.

use std::collections::BTreeMap;

use crate::tree::File;

/// How often one name may be defined in the crates of the workspace.
pub(crate) const AT_MOST: usize = 2;

/// Returns where each type of the programs and their crates is defined; tests are not counted.
pub(crate) fn defined(sources: &[File]) -> BTreeMap<String, Vec<String>> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in sources.iter().filter(|file| is_program(&file.name)) {
        for (number, line) in file.code_lines() {
            if line.trim() == "#[cfg(test)]" {
                break;
            }
            if let Some(name) = definition(line) {
                places.entry(name.to_owned()).or_default().push(format!("{}:{number}", file.name));
            }
        }
    }
    places
}

fn is_program(name: &str) -> bool {
    let source = ["zmesd/", "zmesctl/", "shared/"].iter().any(|root| name.starts_with(root));
    let test = ["/tests/", "/tests.rs", "/fakes.rs", "/examples/"].iter().any(|part| name.contains(part));
    source && name.contains("/src/") && !test
}

/// Returns the name of the struct, enum or trait that a line defines. Associated types repeat names by necessity
/// (`type Err`), and so do aliases inside of functions: both are indented.
fn definition(line: &str) -> Option<&str> {
    let mut words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
    let alias = !line.starts_with(' ');
    let kind = words.find(|word| ["struct", "enum", "trait"].contains(word) || alias && *word == "type");
    let name = kind.and(words.next())?;
    let starts = line.trim_start();
    let item = ["pub", "struct", "enum", "trait", "type"].iter().any(|word| starts.starts_with(word));
    (item && name.starts_with(char::is_uppercase)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_told_from_uses() {
        assert_eq!(definition("pub(crate) struct Lane<'a> {"), Some("Lane"));
        assert_eq!(definition("enum Step {"), Some("Step"));
        assert_eq!(definition("pub type Reply = oneshot::Sender<()>;"), Some("Reply"));
        assert_eq!(definition("    type Err = InvalidId;"), None);
        assert_eq!(definition("    let kind = Kind::of(text); // a struct Lane"), None);
    }
}
