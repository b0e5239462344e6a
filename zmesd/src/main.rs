//! The binary: arguments in, exit code out.

use std::process::ExitCode;

#[expect(clippy::disallowed_methods, reason = "the environment is read here and in the configuration alone")]
fn main() -> ExitCode {
    let variable = |name| std::env::var(name).ok();
    let journal_stream = variable("JOURNAL_STREAM");
    let listen = zmesd::app::ListenVariables {
        pid: variable("LISTEN_PID"),
        fds: variable("LISTEN_FDS"),
        names: variable("LISTEN_FDNAMES"),
    };
    zmesd::app::main(std::env::args_os(), journal_stream.as_deref(), &listen)
}
