//! Fuzzer target for token files of every generation.

use std::collections::HashSet;

use super::{FileFormat, FilePlace, parse};

/// Checks: no token twice, none too large for the daemon, every entry has a position, and no token is shown.
pub(crate) fn token_files(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let parsed = match parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!((1..=lines).contains(&error.line), "line {} of {lines}", error.line);
            assert!(!error.detail.is_empty() && error.detail.len() < 500, "{}", error.detail);
            return;
        }
    };
    assert!(parsed.format != FileFormat::Empty || parsed.entries.is_empty());
    assert!(parsed.entries.len() <= bytes.len(), "more tokens than bytes");
    let mut seen = HashSet::new();
    for entry in &parsed.entries {
        if let FilePlace::Line(line) = entry.place {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
        }
        let Ok(record) = &entry.content else { continue };
        assert!(seen.insert(record.token.clone()), "a token is taken twice");
        assert!((1..=super::MAX_TOKEN).contains(&record.token.len()), "a token of {}", record.token.len());
        let hidden = record.token.len() <= entry.shown.len() || record.token != entry.shown;
        assert!(hidden, "a token is shown whole");
    }
}
