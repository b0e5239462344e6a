//! `zmesd.toml` and `zm.conf` as targets of the fuzzer: see [`crate::fuzzing`].

use std::path::Path;

use super::file::File;
use super::problem::Problems;
use super::zmconf::{Continuation, ZmConf};

/// Longest message or hint, in bytes: what is quoted of a file is bounded.
const LONGEST: usize = 2000;

/// ZoneMinder's file: names and values are pieces of it, and their places are in it.
pub(crate) fn zm_conf(bytes: &[u8]) {
    for continuation in [Continuation::Never, Continuation::Always, Continuation::Guess] {
        zm_conf_of(bytes, continuation);
    }
}

fn zm_conf_of(bytes: &[u8], continuation: Continuation) {
    let mut conf = ZmConf::default();
    conf.add(bytes, Path::new("zm.conf"), continuation);
    let lines = lines(bytes);
    let values = conf.values().inspect(|(name, value)| {
        assert!((1..=lines).contains(&value.line), "{name} in line {} of {lines}", value.line);
        assert!(!name.contains(['=', '\n']) && !value.text.contains('\n'), "{name:?}");
    });
    // A byte that is no UTF-8 becomes three.
    let kept: usize = values.map(|(name, value)| name.len() + value.text.len()).sum();
    assert!(kept <= 3 * bytes.len(), "{kept} bytes out of {}", bytes.len());
    for (_, line) in conf.ignored() {
        assert!((1..=lines).contains(line), "line {line} of {lines}");
    }
}

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
