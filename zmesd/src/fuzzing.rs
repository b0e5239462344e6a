//! The door for the fuzzer (`fuzz/`, `tests/tests/fuzz_seeds.rs`): every reader of bytes from outside as a function of
//! bytes, together with what must hold whatever they are. A broken promise is a panic.
//!
//! Not behind a feature: features are unified over a workspace build, so that the tested binary would be another than
//! the shipped one. The linker leaves out what nobody calls.

/// Feeds one input to a reader. Panics where a promise does not hold.
pub type Target = fn(&[u8]);

/// All targets, by the names of their directories of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("app-frames", crate::ws::fuzzing::app_frames),
    ("http-upgrade", crate::ws::fuzzing::http_upgrade),
    ("proxy-header", crate::ws::fuzzing::proxy_header),
    ("control-lines", crate::control::fuzzing::lines),
    ("shared-memory", zmes_zoneminder::fuzzing::shared_memory),
    ("old-configuration", |bytes| zmes_legacy::fuzzing::old_configuration(bytes, crate::cli::new_file())),
    ("zm-conf", zmes_zoneminder::fuzzing::zm_conf),
    ("zmesd-toml", crate::config::fuzzing::zmesd_toml),
    ("provider-answers", zmes_providers::fuzzing::provider_answers),
    ("credentials", zmes_zoneminder::fuzzing::credentials),
];
