//! The binary: passes on arguments and environment, and returns the exit code.

use std::process::ExitCode;

use zmesctl::environment::Environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    zmesctl::run(std::env::args_os().collect(), Environment::of_process()).await.into()
}
