//! Prints clap's errors as `error:`, `hint:` and JSON.

use std::ffi::OsString;
use std::io::Write;

use clap::error::ErrorKind;

use crate::environment::Environment;
use crate::error::{Code, ErrorBody, ErrorDocument};
use crate::exit::Exit;
use crate::render::{Terminal, Tone, clean, paint, terminal_width, wrap};

/// Indent of wrapped lines.
const HANG: usize = 6;

/// Prints help, version or error, and returns the exit code.
pub(crate) fn report(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> Exit {
    if !error.use_stderr() {
        // Help or version. The reader may already be gone.
        error.print().ok();
        return Exit::Done;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print().ok();
        tell_programs(arguments, "no command given".to_owned(), None);
        return Exit::Usage;
    }
    let text = without_passwords(&error.render().to_string());
    let mut lines = text.lines().map(str::trim);
    // The message can have several lines: missing arguments, possible values.
    let message = lines.by_ref().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let message = message.trim_start_matches("error: ").to_owned();
    let (tips, rest): (Vec<_>, Vec<_>) =
        lines.filter(|line| !line.is_empty()).partition(|line| line.starts_with("tip: "));
    let hint = tips.first().map(|tip| tip.trim_start_matches("tip: ").to_owned());

    if arguments.iter().any(|argument| argument == "--nagios") {
        // A monitoring system reads only standard output, and would take exit code 2 for a finding.
        writeln!(std::io::stdout().lock(), "ZMESD UNKNOWN - {}", clean(&message).replace('|', "/")).ok();
        return Exit::PLUGIN_UNKNOWN;
    }
    let color = environment.terminals.stderr && !environment.plain;
    let width = terminal_width(Terminal::Errors).map_or(usize::MAX, usize::from);
    let mut stderr = std::io::stderr().lock();
    let mut line = |text: &str| writeln!(stderr, "{}", wrap(text, width, HANG)).ok();
    line(&format!("{} {}", paint(color, Tone::Bad, "error:"), clean(&message)));
    if let Some(hint) = &hint {
        line(&format!("{} {}", paint(color, Tone::Strong, "hint:"), clean(hint)));
    }
    // The usage, and where to find more help.
    for text in rest {
        line("");
        line(&clean(text));
    }
    tell_programs(arguments, message, hint);
    Exit::Usage
}

/// Hides the password of each URL: clap quotes arguments that it does not expect.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // A password may hold anything: it ends before the last `@` of the line.
        let line = part.lines().next().unwrap_or_default();
        let password = line.split_once(':').and_then(|(user, rest)| Some((user, rest.rsplit_once('@')?.1)));
        hidden += "://";
        match password.filter(|(user, _)| !user.contains([' ', '\'', '@', '/'])) {
            Some((user, place)) => {
                hidden.extend([user, ":[hidden]@", place, part.get(line.len()..).unwrap_or_default()]);
            }
            None => hidden += part,
        }
    }
    hidden
}

/// Prints the error object if the command line, which could not be parsed, contains `--json`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_quotes_no_password_of_a_url() {
        for (text, shown) in [
            (
                "unexpected argument 'mysql://root:pa@ss/w:rd@db/zmesd' found\n\nUsage: x",
                "unexpected argument 'mysql://root:[hidden]@db/zmesd' found\n\nUsage: x",
            ),
            ("'mysql://root@localhost': a:b@c", "'mysql://root@localhost': a:b@c"),
            ("see https://example.org: it", "see https://example.org: it"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }
}
