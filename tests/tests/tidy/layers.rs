//! Which room of the daemon may know which: ARCHITECTURE.md shows the house, this is its plan as a table.

use std::fmt;

use crate::tree::File;

/// Rooms from the bottom up. A room may import what has a lower number; of several entries the longest counts.
const LEVELS: [(&str, u8); 34] = [
    // words
    ("domain", 0),
    ("rules", 0),
    ("config", 1),
    ("limits", 1),
    ("links", 2),
    ("sockets", 1),
    // seams
    ("ports", 2),
    ("telemetry", 3),
    // pure logic
    ("protocol", 4),
    ("detect::detector", 4),
    ("route::policy", 4),
    ("troubles", 4),
    // actors, each with handles of those below
    ("monitors", 5),
    ("state", 5),
    ("route", 6),
    ("detect", 7),
    ("labels", 7),
    ("push", 7),
    ("cluster", 7),
    ("pictures", 7),
    // edges, which do not know each other
    ("auth", 8),
    ("ws", 8),
    ("control", 9),
    ("tls", 8),
    ("metrics", 9),
    ("mqtt", 8),
    ("admin", 8),
    // the root
    ("demo", 10),
    ("lifecycle", 10),
    ("cli", 11),
    ("app", 12),
    // the door for the fuzzer, which only lists what each room has for it
    ("fuzzing", 13),
    ("lib", 13),
    ("main", 13),
];

/// A module of the daemon, as a path of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Room(Vec<String>);

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("::"))
    }
}

impl Room {
    /// Returns the room of a file below `zmesd/src`; `None` for other files, and for files of tests.
    pub(crate) fn of_file(name: &str) -> Option<Self> {
        Self::below("zmesd/src/", name)
    }

    /// Returns the module of a file below `directory`; `None` for other files, and for files of tests.
    pub(crate) fn below(directory: &str, name: &str) -> Option<Self> {
        let path = name.strip_prefix(directory)?.strip_suffix(".rs")?;
        let mut names: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
        if names.iter().any(|name| name == "tests") {
            return None;
        }
        if names.last().is_some_and(|name| name == "mod") {
            names.pop();
        }
        Some(Self(names))
    }

    /// Returns its place in the order; `None` if the table does not have it.
    pub(crate) fn level(&self) -> Option<u8> {
        let own = self.to_string();
        let known = LEVELS.iter().filter(|(name, _)| {
            own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        });
        known.max_by_key(|(name, _)| name.len()).map(|(_, level)| *level)
    }

    fn top(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

/// Says whether `room`, which is at `level`, may import `target`.
pub(crate) fn may_import(room: &Room, level: u8, target: &Room) -> bool {
    let within = room.top() == target.top();
    // Items that are not in a room (a macro, an item of the crate's root) have no level.
    within || target.level().is_none_or(|below| below < level)
}

/// Returns the rooms that the code of `file` names by `crate::`, with the lines; its unit tests may name any.
pub(crate) fn imports(file: &File) -> Vec<(usize, Room)> {
    let mut found = Vec::new();
    for (number, line) in file.code_lines() {
        if line.trim() == "#[cfg(test)]" {
            break;
        }
        for (at, marker) in line.match_indices("crate::") {
            let rest = line.get(at + marker.len()..).unwrap_or_default();
            let own = line.get(..at).is_none_or(|before| !before.ends_with("::"));
            if own {
                found.extend(named(rest).into_iter().map(|room| (number, room)));
            }
        }
    }
    found
}

/// Reads `domain::Alarm`, or each of `{domain::Alarm, ports}`; formatted code breaks such a list over lines only
/// after the first room, so one line is enough.
fn named(rest: &str) -> Vec<Room> {
    let list = rest.strip_prefix('{').unwrap_or(rest);
    let paths = if list.len() == rest.len() { vec![rest] } else { list.split(',').collect() };
    paths.into_iter().map(room).filter(|room| !room.0.is_empty()).collect()
}

/// Returns the leading lower-case names of a path: modules; types begin with a capital.
fn room(path: &str) -> Room {
    let path = path.trim_start();
    let end = path.find(|character: char| !character.is_alphanumeric() && !"_:".contains(character));
    let names = path.get(..end.unwrap_or(path.len())).unwrap_or_default().split("::");
    let modules = names.take_while(|name| name.starts_with(|first: char| first.is_lowercase()));
    Room(modules.map(ToOwned::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let file = File { name: String::new(), text: text.to_owned() };
        imports(&file).into_iter().map(|(line, room)| format!("{line} {room}")).collect()
    }

    #[test]
    fn imports_are_seen_in_use_lines_and_in_paths() {
        assert_eq!(
            found("use crate::domain::Alarm;\n\nlet x = crate::ports::now();"),
            ["1 domain", "3 ports::now"]
        );
        assert_eq!(found("use crate::{domain::Alarm, route::policy};"), ["1 domain", "1 route::policy"]);
        assert!(found("// use crate::ws;\n#[cfg(test)]\nuse crate::ws;").is_empty());
    }

    #[test]
    fn arrows_point_down() {
        let allowed = |file: &str, target: &str| {
            let room = Room::of_file(file).unwrap();
            may_import(&room, room.level().unwrap(), &super::room(target))
        };
        assert!(allowed("zmesd/src/route/mod.rs", "state::StateHandle"));
        assert!(allowed("zmesd/src/detect/poller.rs", "monitors"));
        assert!(!allowed("zmesd/src/detect/detector.rs", "monitors"), "its core is pure");
        assert!(allowed("zmesd/src/ws/pump.rs", "ws::session"));
        assert!(allowed("zmesd/src/app/parts.rs", "detect"));
        assert!(!allowed("zmesd/src/domain/alarm.rs", "config"));
        assert!(!allowed("zmesd/src/route/policy.rs", "state"), "pure logic knows no actor");
        assert!(!allowed("zmesd/src/route/router.rs", "ws"));
        assert!(!allowed("zmesd/src/auth/limiter.rs", "ws"), "edges do not know each other");
        assert_eq!(Room::of_file("zmesd/src/elsewhere.rs").unwrap().level(), None);
    }
}
