//! libFuzzer's program for all targets; which one it feeds is said by `FUZZ_TARGET`.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

/// Returns the target that the environment names.
fn chosen() -> fn(&[u8]) {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let mut known = zmesd::fuzzing::TARGETS.iter().chain(zmesctl::fuzzing::TARGETS);
    match known.clone().find(|(name, _)| *name == wanted) {
        Some((_, target)) => *target,
        None => {
            let names: Vec<_> = known.by_ref().map(|(name, _)| *name).collect();
            panic!("FUZZ_TARGET={wanted:?}: set it to one of {}", names.join(" "));
        }
    }
}

fuzz_target!(|bytes: &[u8]| TARGET.get_or_init(chosen)(bytes));
