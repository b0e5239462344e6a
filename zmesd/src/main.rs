//! The binary: arguments in, exit code out.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the environment is read here and in the configuration alone")]
fn main() -> ExitCode {
    let journal_stream = std::env::var("JOURNAL_STREAM").ok();
    zmesd::app::main(std::env::args_os(), journal_stream.as_deref())
}
