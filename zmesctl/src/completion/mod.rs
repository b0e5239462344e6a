//! Answers shells while a command line is being typed.
//!
//! A script in `completions/` runs `zmesctl __complete SHELL WORD...` with the words up to the cursor. The engine of
//! `clap_complete` takes commands, options and fixed values from the grammar. For arguments that name something known
//! to the daemon ([`Live`]), the daemon is asked, with a short deadline. If anything fails, nothing is printed.

mod live;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, complete};

use crate::cli::Cli;
use crate::context;
use crate::environment::Environment;
use crate::render::clean;
use live::Live;

/// The scripts use this word in place of a command.
const COMMAND: &str = "__complete";
/// Maximum length of a description in characters: it shares a line with the value.
const DESCRIPTION: usize = 60;
/// Prefix of a mark for the values of a kind, until the daemon has been asked.
const LIVE: &str = "live:";
/// Mark for file names, which the shell completes itself.
const FILES: &str = "files";

/// A value that could be typed, and its description.
#[derive(Debug, PartialEq, Eq)]
struct Candidate {
    value: String,
    description: String,
}

impl Candidate {
    /// Returns a candidate whose description is one short line without control characters.
    fn new(value: String, description: &str) -> Self {
        let line = clean(description);
        let description = if line.chars().count() <= DESCRIPTION {
            line.into_owned()
        } else {
            line.chars().take(DESCRIPTION - 3).chain("...".chars()).collect()
        };
        Self { value, description }
    }
}

/// Answers a script. Returns `None` if the arguments are an ordinary command line.
pub(crate) async fn answer(arguments: &[OsString], environment: &Environment) -> Option<()> {
    let [_, command, shell, words @ ..] = arguments else { return None };
    if command != COMMAND {
        return None;
    }
    let mut lines = String::new();
    for Candidate { value, description } in candidates(&joined(shell, words), environment).await {
        lines.extend([value.as_str(), "\t", description.as_str(), "\n"]);
    }
    // The shell may have given up waiting.
    std::io::stdout().lock().write_all(lines.as_bytes()).ok();
    Some(())
}

/// Returns candidates for the last of `words`.
async fn candidates(words: &[OsString], environment: &Environment) -> Vec<Candidate> {
    let Some((current, before)) = words.split_last() else { return Vec::new() };
    let Ok(offered) = complete(&mut grammar(), words.to_vec(), before.len(), None) else { return Vec::new() };
    let (mut found, mut values) = (Vec::new(), Vec::new());
    for candidate in offered {
        let value = candidate.get_value().to_string_lossy().into_owned();
        let kind = candidate.get_id().and_then(|id| id.strip_prefix(LIVE)).and_then(Live::parse);
        if let Some(live) = kind {
            // `value` is the text before the actual value: `--token=`.
            let prefixed = |found: Candidate| Candidate { value: value.clone() + &found.value, ..found };
            // The grammar's words are filtered here, as the engine does; the shell filters the daemon's values.
            let fixed = live.words().into_iter().map(prefixed);
            values.extend(fixed.filter(|found| found.value.as_bytes().starts_with(current.as_bytes())));
            if let Some(socket) = socket(before, environment) {
                values.extend(live::values(live, &socket).await.into_iter().map(prefixed));
            }
        } else if candidate.get_id().is_some_and(|id| id == FILES) {
            found.push(Candidate::new(String::new(), ""));
        } else if !value.starts_with('-') || current.as_bytes().starts_with(b"-") {
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            let help = help.lines().next().unwrap_or_default();
            found.push(Candidate::new(value, help.split(" [default").next().unwrap_or_default()));
        }
    }
    // Omit values that are already on the line.
    let mut told: HashSet<Vec<u8>> = before.iter().map(|word| word.as_bytes().to_owned()).collect();
    values
        .retain(|found: &Candidate| !found.value.is_empty() && told.insert(found.value.clone().into_bytes()));
    found.extend(values);
    found
}

/// Returns the words as the engine expects them: bash splits `--token=1a2b` at `=`.
fn joined(shell: &OsStr, words: &[OsString]) -> Vec<OsString> {
    if shell != "bash" {
        return words.to_vec();
    }
    let mut joined: Vec<OsString> = Vec::with_capacity(words.len());
    for (position, word) in words.iter().enumerate() {
        let option = joined.last().is_some_and(|before| before.as_bytes().starts_with(b"--"));
        match (word == "=" && option, position + 1 == words.len()) {
            (true, true) => joined.push(OsString::new()),
            (true, false) => {}
            (false, _) => joined.push(word.clone()),
        }
    }
    joined
}

/// Returns the control socket that the command line will use; `None` if only the shell can expand it.
fn socket(words: &[OsString], environment: &Environment) -> Option<PathBuf> {
    let mut words = words.iter().map(|word| word.as_bytes()).take_while(|word| *word != b"--");
    let mut said = None;
    while let Some(word) = words.next() {
        if word == b"--socket" {
            said = words.next();
        } else if let Some(value) = word.strip_prefix(b"--socket=") {
            said = Some(value);
        }
    }
    let Some(said) = said else { return Some(context::socket(None, environment)) };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@:,".contains(byte) || !byte.is_ascii();
    said.iter().all(plain).then(|| PathBuf::from(OsStr::from_bytes(said)))
}

/// Returns the grammar, with a mark on each argument whose values the engine does not know.
fn grammar() -> Command {
    marked(Cli::command(), &[])
}

fn marked(command: Command, path: &[String]) -> Command {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let mark = |arg: Arg| {
        let id = match (Live::of(&names, &arg), arg.get_value_hint()) {
            (Some(live), _) => format!("{LIVE}{live:?}"),
            (None, ValueHint::AnyPath | ValueHint::FilePath) if arg.get_action().takes_values() => {
                FILES.to_owned()
            }
            (None, _) => return arg,
        };
        arg.add(ArgValueCompleter::new(move |_: &OsStr| {
            vec![CompletionCandidate::new("").id(Some(id.clone()))]
        }))
    };
    command.mut_args(mark).mut_subcommands(|command| {
        let path = [path, &[command.get_name().to_owned()]].concat();
        marked(command, &path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_one_harmless_line() {
        let hostile = "a\u{1b}]0;x\u{7}\tb\nc\u{202e}";
        assert_eq!(
            Candidate::new(String::new(), &format!("{hostile}, d")).description,
            "a\\u{1b}]0;x\\u{7}\\tb\\nc\\u{202e}, d"
        );
        let long = Candidate::new(String::new(), &"x".repeat(200)).description;
        assert_eq!((long.len(), long.ends_with("...")), (60, true));
    }

    /// Returns the marks offered after `line`.
    fn marks(line: &str) -> Vec<String> {
        let words: Vec<OsString> = format!("zmesctl {line} ").split(' ').map(OsString::from).collect();
        let last = words.len() - 1;
        let offered = complete(&mut grammar(), words, last, None).unwrap();
        let ids = offered.iter().filter_map(CompletionCandidate::get_id);
        ids.filter(|id| id.starts_with(LIVE) || *id == FILES).cloned().collect()
    }

    #[test]
    fn what_the_daemon_knows_is_offered_wherever_it_is_asked_for() {
        for (line, expected) in [
            ("tokens show", "live:Tokens"),
            ("tokens log", "live:Tokens"),
            ("tokens revoke", "live:Tokens"),
            ("tokens revoke 1a2b3c4d", "live:Tokens"),
            ("tokens block", "live:Tokens"),
            ("tokens unblock", "live:BlockedTokens"),
            ("tokens restore", "live:RevokedTokens"),
            ("tokens mute", "live:Tokens"),
            ("tokens unmute", "live:MutedTokens"),
            ("badges reset", "live:Tokens"),
            ("alarm test --token", "live:Tokens"),
            ("alarm test --monitor", "live:Monitors"),
            ("alarm force -m", "live:Monitors"),
            ("watch --token", "live:Tokens"),
            ("watch --monitor", "live:Monitors"),
            ("why 1 --token", "live:Tokens"),
            ("why", "live:LastOrEvents"),
            ("pictures test", "live:Events"),
            ("clients list --user", "live:Users"),
            ("tokens list --user", "live:Users"),
            ("tokens import --user", "live:Users"),
            ("clients disconnect", "live:Clients"),
            ("doctor", "live:TokensOrUsers"),
            ("snooze", "live:MonitorsOrAll"),
            ("snooze end", "live:SnoozesOrAll"),
            ("snooze all --user", "live:Users"),
            ("snooze all --token", "live:Tokens"),
            ("cluster handover", "live:Nodes"),
            ("cluster leave", "live:Nodes"),
            ("cluster init --output", FILES),
            ("cluster init --database-url-file", FILES),
            ("tokens import", FILES),
            ("config check", FILES),
            ("status --socket", FILES),
        ] {
            assert_eq!(marks(line), [expected], "{line}");
        }
        assert_eq!(marks("tokens list --stale"), Vec::<String>::new());
        assert_eq!(marks("events --limit"), Vec::<String>::new());
    }

    #[test]
    fn every_argument_that_names_a_token_a_monitor_or_a_user_is_completed() {
        fn walk(command: &Command) {
            for arg in command.get_arguments() {
                let names = arg.get_value_names().unwrap_or_default();
                let mut names = names.iter().flat_map(|name| name.split('|'));
                let outside = names.any(|name| ["TOKEN", "USER", "MONITOR", "NODE"].contains(&name));
                assert!(!outside || arg.get::<ArgValueCompleter>().is_some(), "{arg:?}");
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&grammar());
    }
}
