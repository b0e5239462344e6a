//! The entry points of the fuzzer, as `zmesd::fuzzing` is for the daemon.

/// Passes one input to a parser. Panics if an invariant is violated.
pub type Target = fn(&[u8]);

/// All targets, by the names of their seed directories.
pub const TARGETS: &[(&str, Target)] = &[("token-files", crate::import::fuzzing::token_files)];
