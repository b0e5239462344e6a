//! `zmesd.toml` as a target of the fuzzer: see [`crate::fuzzing`].

use std::path::Path;

use super::file::File;
use super::problem::Problems;

/// Longest message or hint, in bytes: quotes of a file are bounded.
const LONGEST: usize = 2000;

/// Our own file: every finding is one line with a hint, in a line that exists.
pub(crate) fn zmesd_toml(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let mut problems = Problems::new(Path::new("zmesd.toml"));
    let file = File::read(text, &mut problems);
    let lines = lines(bytes);
    let problems = problems.sorted();
    for problem in problems.iter() {
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
        for said in [&problem.message, &problem.hint] {
            assert!(!said.is_empty() && said.len() <= LONGEST, "{} bytes: {said}", said.len());
            assert!(!said.chars().any(char::is_control), "{said:?}");
        }
    }
    assert!(file.whole || !problems.is_empty(), "broken, and nothing is said of it");
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}
