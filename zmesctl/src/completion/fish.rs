//! The script for fish: that of `clap_complete`, which knows nothing of arguments without a name, and a line for each
//! of those and for what the daemon knows.

use std::fmt::Write;

use clap::{Command, ValueHint};

use super::{PROGRAM, Place, generated, possible};

/// Returns the script.
pub(super) fn script(grammar: &Command, places: &[Place<'_>]) -> String {
    let lines: String = places.iter().filter_map(line).collect();
    generated(clap_complete::Shell::Fish, grammar) + LIVE + &lines
}

/// Returns the line for a place, where the generated script has none that would do.
fn line(place: &Place<'_>) -> Option<String> {
    let values = possible(place.arg);
    let what = match place.live {
        Some(live) => format!(" -f -a '(__zmesctl_live {})'", live.word()),
        None if !place.arg.is_positional() => return None,
        None if !values.is_empty() => format!(" -f -a '{}'", values.join(" ")),
        None if place.arg.get_value_hint() == ValueHint::Other => " -f".to_owned(),
        // Files: what fish offers by itself.
        None => return None,
    };
    let mut line = format!("complete -c {PROGRAM} -n \"{}\"", condition(&place.path));
    if let Some(short) = place.arg.get_short() {
        // Writing to a String cannot fail.
        write!(line, " -s {short}").ok();
    }
    if let Some(long) = place.arg.get_long() {
        write!(line, " -l {long} -r").ok();
    }
    Some(line + &what + "\n")
}

/// Returns when the line holds, as the generated script says it for the options of the same command.
fn condition(path: &[&str]) -> String {
    match path {
        [] => format!("__fish_{PROGRAM}_needs_command"),
        [command] => format!("__fish_{PROGRAM}_using_subcommand {command}"),
        [command, verbs @ ..] => format!(
            "__fish_{PROGRAM}_using_subcommand {command}; and __fish_seen_subcommand_from {}",
            verbs.join(" ")
        ),
    }
}

const LIVE: &str = r"
# What only the daemon knows: handles of tokens, numbers of clients and monitors, names of users.
# The answers were said by phones, cameras and users: fish shows and quotes them, and evaluates nothing.
function __zmesctl_live
    set -l words (commandline -opc)
    set -e words[1]
    command zmesctl completions --candidates $argv[1] -- $words </dev/null 2>/dev/null
end

";
