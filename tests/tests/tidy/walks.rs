//! The walks of ARCHITECTURE.md: lists of stations, each a file and a text to search in it.

use crate::tree::File;

/// A longer walk is hard to follow.
const MOST_STATIONS: usize = 10;

/// One walk: its heading, and (file, name) of each station.
#[derive(Debug)]
pub(crate) struct Walk<'t> {
    heading: &'t str,
    stations: Vec<(&'t str, &'t str)>,
}

/// Reads the walks: a heading, and below it lines such as "3. `file.rs`, `name`: what happens there".
pub(crate) fn walks(text: &str) -> Vec<Walk<'_>> {
    let mut walks: Vec<Walk<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            walks.push(Walk { heading, stations: Vec::new() });
        } else if let (Some(walk), Some(station)) = (walks.last_mut(), station(line)) {
            walk.stations.push(station);
        }
    }
    walks.retain(|walk| !walk.stations.is_empty());
    walks
}

fn station(line: &str) -> Option<(&str, &str)> {
    let (number, rest) = line.split_once(". `")?;
    number.parse::<usize>().ok()?;
    let (file, rest) = rest.split_once("`, `")?;
    let (name, _) = rest.split_once("`: ")?;
    Some((file, name))
}

/// Returns which stations are not there, and which walks are too long.
pub(crate) fn findings(walks: &[Walk<'_>], files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for Walk { heading, stations } in walks {
        if stations.len() > MOST_STATIONS {
            findings.push(format!("{heading}: {} stations", stations.len()));
        }
        for (name, what) in stations {
            let file = files.iter().find(|file| file.name == *name);
            let function = format!("fn {what}");
            let is_there =
                |file: &File| file.text.contains(&function) || file.text.contains(&format!("\"{what}\""));
            if !file.is_some_and(is_there) {
                findings.push(format!("{heading}: `{what}` is not in {name}"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stations_are_told_from_other_lines() {
        let text = "### A walk\n\n1. `a.rs`, `run`: begins\n2. and so on\n### Another heading\n";
        let walks = walks(text);
        assert_eq!(walks.len(), 1);
        assert_eq!(walks[0].stations, [("a.rs", "run")]);
        let file = |text: &str| File { name: "a.rs".to_owned(), text: text.to_owned() };
        assert_eq!(findings(&walks, &[file("fn run() {}")]), Vec::<String>::new());
        assert_eq!(findings(&walks, &[file("fn walk() {}")]), ["A walk: `run` is not in a.rs"]);
    }
}
