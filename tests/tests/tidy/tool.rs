//! Which module of `zmesctl` may use which: the command line knows the commands, commands know the views of answers.

use crate::layers::{Room, imports};
use crate::tree::File;

/// Modules from the bottom up. A module may import what has a lower number; of several entries the longest counts.
const LEVELS: [(&str, u8); 23] = [
    ("environment", 0),
    ("exit", 0),
    ("shells", 0),
    ("values", 0),
    ("error", 1),
    ("import", 1),
    ("options", 1),
    ("zmesd", 1),
    ("render", 2),
    ("words", 3),
    ("context", 4),
    ("usage", 4),
    // what several commands need
    ("commands::ask", 5),
    ("commands::deliveries", 5),
    ("commands::done", 5),
    ("commands::follow", 5),
    ("commands::named", 5),
    ("commands::doctor", 6),
    ("commands::events", 6),
    ("commands::tokens", 6),
    // each of them alone
    ("commands", 7),
    ("cli", 8),
    ("completion", 9),
];
/// The root of the crate, which wires.
const ROOT: [&str; 3] = ["lib", "main", "fuzzing"];

/// Returns the forbidden imports of a file, each with its line.
pub(crate) fn wrong_imports(file: &File) -> Vec<String> {
    let Some(own) = Room::below("zmesctl/src/", &file.name) else { return Vec::new() };
    let own = own.to_string();
    if ROOT.contains(&own.as_str()) {
        return Vec::new();
    }
    let Some(level) = level(&own) else {
        return vec![format!("{}: the module `{own}` has no place in tidy/tool.rs", file.name)];
    };
    let targets = imports(file).into_iter().map(|(line, target)| (line, target.to_string()));
    let wrong = targets.filter(|(_, target)| {
        !same_module(&own, target) && self::level(target).is_some_and(|below| below >= level)
    });
    wrong.map(|(line, target)| format!("{}:{line}: `{own}` must not know `{target}`", file.name)).collect()
}

fn level(own: &str) -> Option<u8> {
    let known = LEVELS.iter().filter(|(name, _)| {
        own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    });
    known.max_by_key(|(name, _)| name.len()).map(|(_, level)| *level)
}

/// Says whether two modules are parts of one: of one command, or of one module of the crate.
fn same_module(one: &str, other: &str) -> bool {
    let depth = if one.starts_with("commands::") { 2 } else { 1 };
    one.split("::").take(depth).eq(other.split("::").take(depth))
}

#[test]
fn commands_do_not_know_each_other() {
    let wrong = |name: &str, text: &str| {
        wrong_imports(&File { name: format!("zmesctl/src/{name}"), text: text.to_owned() }).len()
    };
    assert_eq!(wrong("commands/why.rs", "use crate::commands::deliveries::waits;\nuse crate::words;"), 0);
    assert_eq!(wrong("commands/why.rs", "use crate::commands::alarms::verdict;"), 1);
    assert_eq!(wrong("commands/tokens/list.rs", "use crate::commands::tokens::change;"), 0);
    assert_eq!(wrong("commands/badges.rs", "use crate::commands::tokens::change;"), 0);
    assert_eq!(wrong("commands/why.rs", "use crate::cli::Cli;"), 1);
    assert_eq!(wrong("render/mod.rs", "use crate::context::Context;"), 1);
    assert_eq!(wrong("elsewhere.rs", ""), 1);
}
