//! The real binary against a scripted daemon, and the tables against their golden files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

mod answers;
mod completions;
mod config;
mod disconnect;
mod doctor;
mod failures;
mod fake;
mod import;
mod tables;
mod terminal;
mod tokens;
mod versions;
mod watch;
