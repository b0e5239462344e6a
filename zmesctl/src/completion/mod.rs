//! Completions for shells: scripts made from the grammar, and the values that only the daemon knows.
//!
//! `clap_complete` writes what can be said beforehand: commands, options, fixed values. Where an argument names
//! something that the daemon knows ([`Live`]), the script asks `zmesctl completions --candidates KIND`, which answers
//! within a second or not at all. What comes back was said by cameras, phones and users: the scripts print it, compare
//! it and quote it, and never expand or evaluate it.

mod bash;
mod fish;
mod live;
mod zsh;

use clap::{Arg, Command, CommandFactory, ValueEnum, ValueHint};

pub use live::{Live, candidates};

use crate::cli::Cli;

/// The name of the program, and of the functions in the scripts.
const PROGRAM: &str = "zmesctl";

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    // No doc comments: clap would spread the help over twice the lines to print them.
    Bash,
    Zsh,
    Fish,
}

/// Returns the completions for a shell.
pub fn script(shell: Shell) -> String {
    let grammar = grammar();
    let places = places(&grammar);
    match shell {
        Shell::Bash => bash::script(&grammar, &places),
        Shell::Zsh => zsh::script(&grammar),
        Shell::Fish => fish::script(&grammar, &places),
    }
}

/// Returns the grammar, with `help COMMAND` and inherited options in place, and no file names offered where none
/// belong.
fn grammar() -> Command {
    // What is hidden is the scripts' own: nobody is offered it, and the generators would.
    let mut grammar = Cli::command().mut_subcommand("completions", |command| {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set()).cloned();
        Command::new("completions").about(command.get_about().cloned().unwrap_or_default()).args(shown)
    });
    grammar.set_bin_name(PROGRAM);
    grammar.build();
    without_files(grammar)
}

/// Marks every argument that is not a path as such.
fn without_files(command: Command) -> Command {
    command
        .mut_args(|arg| {
            let unknown = arg.get_value_hint() == ValueHint::Unknown;
            let free = takes_value(&arg) && possible(&arg).is_empty();
            if unknown && free { arg.value_hint(ValueHint::Other) } else { arg }
        })
        .mut_subcommands(without_files)
}

/// A place on the command line where a value can stand.
#[derive(Debug)]
struct Place<'g> {
    /// The commands that lead there, without the program: `tokens`, `show`.
    path: Vec<&'g str>,
    /// The argument.
    arg: &'g Arg,
    /// What the daemon knows about it.
    live: Option<Live>,
}

/// Returns every place of the grammar where a value can stand, but for those that people are not shown.
fn places(grammar: &Command) -> Vec<Place<'_>> {
    fn walk<'g>(command: &'g Command, path: &[&'g str], places: &mut Vec<Place<'g>>) {
        let shown = |arg: &&Arg| takes_value(arg) && !arg.is_hide_set();
        places.extend(command.get_arguments().filter(shown).map(|arg| Place {
            path: path.to_vec(),
            arg,
            live: Live::of(path, arg),
        }));
        for command in command.get_subcommands() {
            walk(command, &[path, &[command.get_name()]].concat(), places);
        }
    }
    let mut places = Vec::new();
    walk(grammar, &[], &mut places);
    places
}

impl Place<'_> {
    /// Returns the spellings of an option: `-m`, `--monitor`; none for what stands by itself.
    fn spellings(&self) -> Vec<String> {
        let short = self.arg.get_short().map(|short| format!("-{short}"));
        short.into_iter().chain(self.arg.get_long().map(|long| format!("--{long}"))).collect()
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// Returns the fixed values of an argument.
fn possible(arg: &Arg) -> Vec<String> {
    let values = arg.get_possible_values();
    values.iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned()).collect()
}

/// Returns what `clap_complete` writes for a shell.
fn generated(shell: clap_complete::Shell, grammar: &Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar.clone(), PROGRAM, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_knows_is_offered_wherever_it_is_asked_for() {
        let grammar = grammar();
        let places = places(&grammar);
        let live = |line: &str| {
            let mut found = places.iter().filter(|place| {
                let arg = place.spellings().pop().unwrap_or_else(|| place.arg.get_id().to_string());
                [place.path.join(" "), arg].join(" ") == line
            });
            found.next().unwrap_or_else(|| panic!("no `{line}`")).live
        };
        let table = [
            ("tokens show token", Live::Tokens),
            ("tokens log token", Live::Tokens),
            ("tokens revoke tokens", Live::Tokens),
            ("tokens block tokens", Live::Tokens),
            ("tokens unblock tokens", Live::BlockedTokens),
            ("tokens restore tokens", Live::RevokedTokens),
            ("tokens mute tokens", Live::Tokens),
            ("tokens unmute tokens", Live::MutedTokens),
            ("badges reset tokens", Live::Tokens),
            ("alarm test --token", Live::Tokens),
            ("alarm test --monitor", Live::Monitors),
            ("alarm force --monitor", Live::Monitors),
            ("watch --token", Live::Tokens),
            ("watch --monitor", Live::Monitors),
            ("why --token", Live::Tokens),
            ("clients list --user", Live::Users),
            ("tokens list --user", Live::Users),
            ("tokens import --user", Live::Users),
            ("clients disconnect ids", Live::Clients),
        ];
        for (line, expected) in table {
            assert_eq!(live(line), Some(expected), "{line}");
        }
        assert_eq!(live("tokens list --stale"), None);
        assert_eq!(live("why event"), None);
    }

    #[test]
    fn what_is_hidden_is_not_offered() {
        fn walk(command: &Command, path: &str) {
            let hidden: Vec<_> =
                command.get_arguments().filter(|arg| arg.is_hide_set()).map(Arg::get_id).collect();
            assert!(hidden.is_empty(), "{path}: take {hidden:?} out of the grammar of the scripts");
            for command in command.get_subcommands() {
                walk(command, &format!("{path} {}", command.get_name()));
            }
        }
        walk(&grammar(), PROGRAM);
    }

    #[test]
    fn every_argument_that_names_a_token_a_monitor_or_a_user_is_completed() {
        let grammar = grammar();
        for place in places(&grammar) {
            let names = place.arg.get_value_names().unwrap_or_default();
            let outside =
                names.iter().any(|name| name.split('|').any(|name| ["T", "USER", "MONITOR"].contains(&name)));
            assert!(!outside || place.live.is_some(), "{place:?}");
        }
    }
}
