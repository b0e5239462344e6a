//! Old configurations of all generations as a target of the fuzzer: see `zmesd::fuzzing`.

use super::{Audience, Collection, NewFile, OldFile, ReportView};

/// Separates the files of one input.
const NEXT_FILE: &[u8] = b"\n%%%%\n";
/// More files than one configuration has; the rest of an input is ignored.
const MOST_FILES: usize = 3;
/// The new file is the default one with values of the old, each written with its escapes and its comment.
const GROWTH: usize = 16;
/// Longest new file and report of an empty configuration, in bytes.
const LEAST: usize = 64 * 1024;

/// Reads a configuration with its files: each entry must be in the report, and the output must be valid TOML.
pub fn old_configuration(bytes: &[u8], file: NewFile) {
    let sources: Vec<OldFile> = files(bytes)
        .into_iter()
        .zip(["a.ini", "b.ini", "c.ini"])
        .map(|(bytes, name)| OldFile { path: name.into(), bytes: bytes.to_vec() })
        .collect();
    let mut collection = match Collection::of(&sources) {
        Ok(collection) => collection,
        Err(refusals) => {
            for refusal in &refusals {
                // A bare carriage return ends a line, too.
                let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
                assert!(refusal.line.is_none_or(|line| (1..=lines).contains(&line)), "{refusal}");
                assert!(!refusal.hint.is_empty() && refusal.message.len() < 500, "{refusal:?}");
            }
            return;
        }
    };
    for wanted in collection.wanted() {
        assert!(!wanted.candidates.is_empty(), "{} is wanted from nowhere", wanted.what);
        collection.miss(wanted);
    }
    let written = collection.convert(file);
    let findings = &written.report.findings;
    for entry in &collection.entries {
        let told = findings.iter().any(|finding| finding.place.as_ref() == Some(&entry.place));
        assert!(told, "nothing is said of {entry:?}");
    }
    let limit = LEAST + GROWTH * bytes.len();
    for shown in [Audience::File, Audience::Terminal] {
        let toml = written.toml(shown);
        assert!(toml.len() <= limit, "{} bytes out of {}", toml.len(), bytes.len());
        let parsed: Result<toml::Table, _> = toml.parse();
        assert!(parsed.is_ok(), "{parsed:?}");
    }
    let report = written.report.human(&ReportView::default());
    assert!(report.len() <= limit, "a report of {} bytes", report.len());
    written.report.json(&ReportView::default());
}

fn files(bytes: &[u8]) -> Vec<&[u8]> {
    let mut files = Vec::new();
    let mut rest = bytes;
    while files.len() + 1 < MOST_FILES
        && let Some(at) = rest.windows(NEXT_FILE.len()).position(|window| window == NEXT_FILE)
    {
        let (file, after) = rest.split_at(at);
        files.push(file);
        rest = after.get(NEXT_FILE.len()..).unwrap_or_default();
    }
    files.push(rest);
    files
}
