//! The door for the fuzzer, as `zmesd::fuzzing` is for the daemon.

/// Feeds one input to a reader. Panics where a promise does not hold.
pub type Target = fn(&[u8]);

/// All targets, by the names of their directories of seeds.
pub const TARGETS: &[(&str, Target)] = &[("token-files", crate::import::fuzzing::token_files)];
