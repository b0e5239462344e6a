//! What clap says about a command line that it does not take, in our words and in JSON.

use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;

use crate::environment::Environment;
use crate::error::{Code, ErrorBody, ErrorDocument};
use crate::exit::Exit;
use crate::render::{Tone, clean, paint};

/// Prints help, version or error, and returns the exit code.
pub(crate) fn report(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> Exit {
    if !error.use_stderr() {
        // Help or version. A reader that has gone away has seen enough.
        error.print().ok();
        return Exit::Done;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print().ok();
        tell_programs(arguments, "a command is missing".to_owned(), None);
        return Exit::Usage;
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim);
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let (tips, rest): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("tip: "));
    let hint = tips.first().map(|tip| tip.trim_start_matches("tip: ").to_owned());

    let color = environment.terminals.stderr && !environment.plain;
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{} {}", paint(color, Tone::Bad, "error:"), clean(&message)).ok();
    if let Some(hint) = &hint {
        writeln!(stderr, "{} {}", paint(color, Tone::Strong, "hint:"), clean(hint)).ok();
    }
    let mut blank = hint.is_some();
    for line in rest {
        // Of several empty lines, which taking the tips out leaves, one is enough.
        if !(line.is_empty() && blank) {
            writeln!(stderr, "{}", clean(line)).ok();
        }
        blank = line.is_empty();
    }
    tell_programs(arguments, message, hint);
    Exit::Usage
}

/// Prints the error object where the command line, which could not be parsed, seems to ask for JSON.
fn tell_programs(arguments: &[OsString], message: String, hint: Option<String>) {
    let mut options = arguments.iter().take_while(|argument| *argument != "--");
    if !options.any(|argument| argument == "--json" || argument == "--jsonl") {
        return;
    }
    let hint = hint.or_else(|| Some("zmesctl --help".to_owned()));
    let document = ErrorDocument { error: ErrorBody { code: Code::Own("usage"), message, hint } };
    if let Ok(text) = serde_json::to_string(&document) {
        writeln!(std::io::stdout().lock(), "{text}").ok();
    }
}
